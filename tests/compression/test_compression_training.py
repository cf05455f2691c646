from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from lib.compression import data, layers, networks
from lib.compression.stacked import Stack, shapes, train_students
from lib.compression.training import Recipe, accuracy, fit, logits_of, loss_of, with_teacher

RESNET, VGG = networks.mini_resnet((2, 3, 4)), networks.mini_vgg((3, "M", 4, "M", 4))


@pytest.fixture(scope="module")
def images():
    return data.digits()


def few(images, n=96):
    return replace(images, train_x=images.train_x[:, :n], train_y=images.train_y[:n])


def random_keeps(teacher, count, seed=0):
    return (np.random.default_rng(seed).random((count, len(layers.places(teacher)))) < 0.5) | ~layers.free(teacher)


def test_digits_are_split_by_class(images):
    sizes = [len(images.train_y), len(images.val_y), len(images.test_y)]
    assert sum(sizes) == 1797 and np.allclose(np.array(sizes) / 1797, [0.56, 0.19, 0.25], atol=0.005)
    shares = [torch.bincount(y) / len(y) for y in (images.train_y, images.val_y, images.test_y)]
    assert torch.allclose(shares[0], shares[1], atol=0.01) and torch.allclose(shares[0], shares[2], atol=0.01)


def test_distillation_loss_against_torch():
    generator = torch.Generator().manual_seed(0)
    logits, soft = torch.randn(2, 7, 5, generator=generator)
    labels = torch.randint(0, 5, (7,), generator=generator)
    recipe = Recipe(soft=0.7, temperature=3)
    kl = functional.kl_div((logits / 3).log_softmax(1), (soft / 3).softmax(1), reduction="batchmean")
    expected = 0.7 * 9 * kl + 0.3 * functional.cross_entropy(logits, labels)
    assert loss_of(logits, soft, labels, recipe).item() == pytest.approx(expected.item(), rel=1e-5)
    stacked = loss_of(torch.stack([logits, logits]), soft, labels, recipe)
    assert stacked.item() == pytest.approx(2 * expected.item(), rel=1e-5)
    hard = loss_of(logits, soft, labels, Recipe(soft=0.0))
    assert hard.item() == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-5)
    squared = loss_of(logits, soft, labels, Recipe(soft=1.0, loss="logits"))
    assert squared.item() == pytest.approx(functional.mse_loss(logits, soft).item(), rel=1e-5)
    assert loss_of(soft, soft, labels, Recipe(soft=1.0)).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("teacher", [RESNET, VGG])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_students_trained_together_equal_students_trained_alone(images, teacher, optimizer):
    part = with_teacher(few(images), networks.build(teacher, seed=9))
    keeps = random_keeps(teacher, 4)
    if teacher is VGG:  # two that differ in normalization and activation alone, and so agree in shape
        same = [p.leaf.kind in ("conv", "maxpool") for p in layers.places(teacher)]
        keeps[1] = np.where(same, keeps[0], keeps[1])
    recipe = Recipe(epochs=2, lr=1e-3, batch=32, optimizer=optimizer)
    together, alone = (
        train_students(teacher, keeps, part, recipe, seeds=[5, 6, 7, 8], batched=flag) for flag in (True, False)
    )
    for one, two in zip(together, alone, strict=True):
        torch.testing.assert_close(logits_of(one, images.val_x), logits_of(two, images.val_x), rtol=2e-3, atol=2e-3)


def test_stack_computes_what_each_student_does(images):
    keeps = np.concatenate([random_keeps(RESNET, 3), [~layers.free(RESNET)], [layers.free(RESNET) | True]])
    nets = [networks.build(layers.student(RESNET, keep), seed=i).train() for i, keep in enumerate(keeps)]
    expected = torch.stack([net(images.val_x[:16]) for net in nets])
    torch.testing.assert_close(Stack(RESNET, keeps, nets)(images.val_x[:16]), expected, rtol=1e-4, atol=1e-5)


def test_shapes_agree_for_all_students_of_a_residual_network_but_not_of_a_vgg():
    assert len({shapes(RESNET, keep) for keep in random_keeps(RESNET, 20)}) == 1
    assert len({shapes(VGG, keep) for keep in random_keeps(VGG, 20)}) > 5


def test_teacher_learns_digits(images):
    teacher = networks.build(networks.mini_resnet(), seed=0)
    before = accuracy(teacher, images.test_x, images.test_y)
    fit(teacher, images, Recipe(epochs=4))
    assert before < 0.3 and accuracy(teacher, images.test_x, images.test_y) > 0.85


def test_masked_head_is_the_sliced_network(images):
    part = data.subset(with_teacher(images, networks.build(RESNET)), data.SUBSETS["B"])
    assert set(part.train_y.tolist()) == {6, 7, 8, 9} and part.soft.shape == (1, len(part.train_y), 10)
    thin = data.sliced(part)
    assert thin.classes == 4 and set(thin.train_y.tolist()) == {0, 1, 2, 3}
    torch.testing.assert_close(thin.soft, part.soft[..., 6:])
    net = networks.build(RESNET, seed=1)
    masked = accuracy(net, part.val_x, part.val_y, among=part.members)
    by_hand = (logits_of(net, thin.val_x)[:, 6:].argmax(1) == thin.val_y).float().mean()
    assert masked == pytest.approx(by_hand.item()) and masked >= accuracy(net, part.val_x, part.val_y)


def test_unknown_classes_are_refused(images):
    with pytest.raises(ValueError, match="choose some"):
        data.subset(images, [11])
    with pytest.raises(ValueError, match="choose kd"):
        Recipe(loss="hinge")


def test_augmentation_shifts_and_flips():
    x = torch.arange(2 * 36, dtype=torch.float32).reshape(2, 1, 6, 6) + 1
    views = torch.stack([data.augmented(x, torch.Generator().manual_seed(s), padding=1) for s in range(60)])
    padded = functional.pad(x, (1, 1, 1, 1))
    crops = [padded[1, 0, i : i + 6, j : j + 6] for i in range(3) for j in range(3)]
    crops += [crop.flip(1) for crop in crops]
    found = {next(k for k, crop in enumerate(crops) if torch.equal(view[1, 0], crop)) for view in views}
    assert len(found) > 10
