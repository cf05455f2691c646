from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from lib.compression import data, networks, training
from lib.compression.captured import WARM_UP, Captured
from lib.compression.experiments import steps
from lib.compression.training import Recipe, _step_of, fit, logits_of

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
TENSORS = ("train_x", "train_y", "val_x", "val_y", "test_x", "test_y", "soft")


class Recording:
    """A graph of one call of a step, which a replay repeats with what lies in the recorded tensor by then."""

    def __init__(self):
        self.calls = []

    def replay(self):
        for step, rows in self.calls:
            step(rows)


@pytest.fixture
def recordable(monkeypatch):
    """Return what makes a step recordable; recording stands in for CUDA's and does nothing by itself."""
    recordings = []

    def made(step):
        def recorded(rows):
            if recordings:
                recordings[-1].calls.append((step, rows))
            else:
                step(rows)

        return recorded

    @contextmanager
    def graph(recording):
        recordings.append(recording)
        yield
        recordings.pop()

    class Stream:
        def wait_stream(self, other):
            assert isinstance(other, Stream)

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recording)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    return made


def test_every_step_is_done_once_and_in_order(recordable):
    sums = []
    captured = Captured(recordable(lambda rows: sums.append(int(rows.sum()))), size=4)
    minibatches = [torch.arange(4) + k for k in range(8)]
    minibatches.insert(6, torch.tensor([50, 60]))  # the last minibatch of an epoch is smaller
    for rows in minibatches:
        captured(rows)
    assert sums == [int(rows.sum()) for rows in minibatches]
    assert len(captured.graph.calls) == 1 and captured.seen == WARM_UP


def test_only_adam_is_captured():
    with pytest.raises(ValueError, match="choose optimizer adam"):
        Recipe(optimizer="sgd", captured=True)


def test_without_a_device_nothing_is_recorded():
    images, outputs = data.digits(), []
    images = replace(images, train_x=images.train_x[:, :100], train_y=images.train_y[:100])
    for captured in (False, True):
        net = networks.build(networks.mini_resnet((2, 3, 4)))
        fit(net, images, Recipe(epochs=1, captured=captured))
        outputs.append(logits_of(net, images.val_x))
    assert torch.equal(*outputs)


@pytest.fixture
def images():
    """Digits and their mirror images, with outputs of a teacher that differ between both views."""
    loaded = data.digits()
    x = torch.cat([loaded.train_x, loaded.train_x.flip(-1)])
    return replace(loaded, train_x=x, soft=torch.randn((*x.shape[:2], 10), generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("view", [0, 1])
def test_a_step_reads_images_and_targets_of_its_view(images, view):
    recipe, n = Recipe(soft=0.7, temperature=3.0, lr=0.01), len(images.train_y)
    chosen = torch.tensor([5, 0, n - 1, 17, 40, 8])
    ours, theirs = (networks.build(networks.mini_resnet((2, 3, 4))).train() for _ in range(2))
    _step_of(ours, images, recipe, _adam(ours, recipe))(chosen + view * n)

    logits, labels = theirs(images.train_x[view, chosen]), images.train_y[chosen]
    teacher, student = (torch.log_softmax(some / 3, 1) for some in (images.soft[view, chosen], logits))
    divergence = (teacher.exp() * (teacher - student)).sum(1).mean()
    (0.7 * 9 * divergence + 0.3 * functional.cross_entropy(logits, labels)).backward()
    _adam(theirs, recipe).step()
    before = networks.build(networks.mini_resnet((2, 3, 4))).state_dict()
    for (name, one), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
        assert not one.equal(before[name]) or name.endswith("bias"), name


@pytest.mark.parametrize("half", [False, True])
def test_replayed_steps_train_as_plain_ones(monkeypatch, recordable, images, half):
    some = replace(images, train_x=images.train_x[:, :90], train_y=images.train_y[:90], soft=images.soft[:, :90])
    recipe, outputs, steps_of = Recipe(epochs=3, batch=20, half=half, decay=True), [], training._step_of
    for replayed in (False, True):
        if replayed:  # minibatches of 20 rows are replayed, the last ones of 10 are not
            monkeypatch.setattr(training, "_step_of", lambda *some: Captured(recordable(steps_of(*some)), size=20))
        net = networks.build(networks.mini_resnet((2, 3, 4)))
        fit(net, some, recipe)
        outputs.append(logits_of(net, images.val_x))
    assert torch.equal(*outputs) and not torch.equal(
        outputs[0], logits_of(networks.build(net.architecture), images.val_x)
    )


def _adam(net, recipe):
    return torch.optim.Adam(net.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)


# What a recording may get wrong, as training on other images or by another recipe; "nothing" is a faithful one.
WRONG = {
    "nothing": lambda images, recipe: (images, recipe),
    "images of the first view": lambda images, recipe: (replace(images, train_x=images.train_x[[0, 0]]), recipe),
    "targets of the first view": lambda images, recipe: (replace(images, soft=images.soft[[0, 0]]), recipe),
    "no targets": lambda images, recipe: (replace(images, soft=None), recipe),
    "weights as they were in bfloat16": lambda images, recipe: (
        images,
        replace(recipe, lr=0.0) if recipe.half else recipe,
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_trial_finds_what_a_recording_gets_wrong(monkeypatch, images, wrong):
    tried = []

    def recorded(net, images, recipe, **options):
        if recipe.captured:
            images, recipe = WRONG[wrong](images, replace(recipe, captured=False))
        tried.append((len(images.train_x), recipe.soft, recipe.half))
        fit(net, images, recipe, **options)

    monkeypatch.setattr(steps, "fit", recorded)
    recipe = Recipe(epochs=1, batch=16, half=True, decay=True)
    found = steps.trial(networks.mini_resnet((4, 6, 8)), replace(images, soft=None), recipe)
    assert found["captured"] == (wrong == "nothing") and found["fit_s"] > 0 and found["captured_fit_s"] > 0
    assert (max(found["captured_error"], found["captured_error_half"]) == 0) == (wrong == "nothing")
    assert found["repeated_error"] == found["repeated_error_half"] == 0
    assert {views for views, *_ in tried} == {2} and {half for *_, half in tried} == {True, False}
    assert {soft for _, soft, _ in tried} == {0.7}


@pytest.mark.parametrize(("noise", "captured"), [(1e-4, True), (0.005, True), (3.0, False)])
def test_a_recording_may_be_off_by_what_two_plain_trainings_differ_by(monkeypatch, images, noise, captured):
    generator = torch.Generator().manual_seed(0)

    def unsteady(net, images, recipe, **options):
        fit(net, images, replace(recipe, captured=False), **options)
        with torch.no_grad():
            for weights in net.parameters():
                weights += noise * weights.abs().mean() * torch.randn(weights.shape, generator=generator)

    monkeypatch.setattr(steps, "fit", unsteady)
    found = steps.trial(networks.mini_resnet((4, 6, 8)), images, Recipe(epochs=1, batch=16, half=True, decay=True))
    assert found["repeated_error"] > 0 and found["repeated_error_half"] > 0
    assert found["captured"] == captured


def test_bounds_of_a_recording():
    assert steps.alike(0.019, 0.0, 0.02) and not steps.alike(0.021, 0.0, 0.02)
    assert steps.alike(0.05, 0.03, 0.02) and not steps.alike(0.07, 0.03, 0.02)
    assert steps.MOST == 0.05 and not steps.alike(0.48, 0.24, 0.1)
    assert not steps.alike(0.01, steps.MOST, 0.02) and not steps.alike(float("nan"), 0.0, 0.02)


@pytest.mark.parametrize("error", [RuntimeError("cannot be captured"), torch.OutOfMemoryError("no memory")])
def test_why_nothing_is_recorded_is_told(monkeypatch, capsys, images, error):
    def refusing(net, images, recipe, **options):
        if recipe.captured:
            raise error
        fit(net, images, recipe, **options)

    monkeypatch.setattr(steps, "fit", refusing)
    arguments = networks.mini_resnet((2, 3, 4)), images, Recipe(epochs=1, batch=16)
    if isinstance(error, torch.OutOfMemoryError):
        with pytest.raises(torch.OutOfMemoryError, match="no memory"):
            steps.trial(*arguments)
    else:
        found = steps.trial(*arguments)
        assert not found["captured"] and found["fit_s"] > 0 and "captured_error" not in found
        assert "not recorded: cannot be captured" in capsys.readouterr().out


@CUDA
def test_recorded_steps_train_alike(images):
    recipe = Recipe(epochs=1, batch=50, half=True, decay=True)
    here = {name: getattr(images, name).cuda() for name in TENSORS}
    found = steps.trial(networks.mini_resnet((16, 32, 64)), replace(images, **here), recipe)
    assert found["captured"] and found["captured_error"] < 0.001 and found["captured_error_half"] < steps.ROUGH
