"""CIFAR-10 by units, by Dirichlet shares and by normalization: what stays with a client, what is tuned and judged."""

import numpy as np
import pytest
import torch

from lib.federated.local import LocalSGD
from lib.fedper import figures
from lib.fedper.experiments import by_units, images, normalization, normalizations, skew
from lib.fedper.experiments.arms import DIGITS_NET, Plan, arm
from lib.fedper.experiments.images import accuracy_on_cifar10
from lib.fedper.experiments.rates import judging
from lib.fedper.federations import class_federation

PLAN = Plan(rounds=2, steps=2, batch_size=8)
OPTIONS = {"plan": PLAN, "rates": (0.001, 0.03), "seeds": 2}


@pytest.fixture
def noisy_images(monkeypatch):
    """Stand-in for CIFAR-10: noise around a level for each class."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(10), 30))
    found = rng.normal(size=(300, 3, 32, 32)).astype(np.float32) + labels[:, None, None, None].astype(np.float32) / 3
    for module in (images, normalization, skew):
        monkeypatch.setattr(module, "pooled", lambda name: (found, labels))
    return found, labels


def test_personal_units_are_counted_from_none_to_all(noisy_images):
    first = accuracy_on_cifar10(classes_per_client=(4,), methods=("FedAvg", "FedPer 1", "local only"), **OPTIONS)
    third = accuracy_on_cifar10(classes_per_client=(4,), methods=("FedPer 3",), **OPTIONS)
    table = by_units(first, third)
    assert set(table["use"]) == {"judging"}
    units = table.groupby("method")["personal_units"].unique().map(list).to_dict()
    assert units == {"FedAvg": [0], "FedPer 1": [1], "FedPer 3": [3], "local only": [4]}
    # What is sent falls with every unit that stays, to nothing but the count of examples.
    sent = table.groupby("personal_units")["kib_up"].first()
    assert sent.is_monotonic_decreasing and sent[0] > sent[1] > sent[3] > sent[4] * 10
    assert "on CIFAR-10" in figures.accuracy_by_units(table, data="CIFAR-10").scarce_caption


def test_dirichlet_shares_on_images_are_judged_at_tuned_rates(noisy_images):
    table = skew.cifar10_by_skew(alphas=(0.5, 5.0), methods=("FedAvg", "FedPer 2"), **OPTIONS)
    judged = judging(table)
    assert set(judged["alpha"]) == {0.5, 5.0} and set(judged["seed"]) == {0, 1}
    assert set(table[table["use"] == "tuning"]["seed"]) == {1000}
    assert judged.groupby(["alpha", "method"])["lr"].nunique().max() == 1
    classes = accuracy_on_cifar10(classes_per_client=(4, 10), methods=("FedAvg", "FedPer 2"), **OPTIONS)
    caption = figures.crossover(classes, table, method="FedPer 2", data="CIFAR-10").scarce_caption
    assert "of CIFAR-10" in caption and "own learning rate" in caption


@pytest.mark.parametrize("name", [*normalization.POLICIES, normalization.FEDBN])
def test_a_policy_keeps_what_its_name_says(noisy_images, name):
    federation = class_federation(*noisy_images, clients=3, classes_per_client=4, seed=0)
    algorithm = normalization.normalized(name, normalization.BATCH_CNN, PLAN.local, seed=0)
    _, history = arm(name, algorithm, federation, PLAN, seed=0)
    sent, kept = set(history.state.tensors), set(history.memories[0])
    statistics = {n for n in sent | kept if n.endswith(("running_mean", "running_var"))}
    scale = {n for n in sent | kept if n.split(".")[2] == "1" and n.endswith(("weight", "bias")) and n < "blocks.3"}
    assert len(statistics) == 6 and len(scale) == 6 and not sent & kept
    head = {n for n in sent | kept if n.startswith(("blocks.2", "blocks.3"))}
    if name == "FedBN":
        assert kept == statistics | scale
    elif name.startswith("FedPer"):
        assert kept == head | (statistics if name.endswith("kept") else set())
    else:
        assert kept == (statistics if name.endswith("kept") else set())
    own = [memory[tensor] for memory in history.memories.values() for tensor in memory if "running_mean" in tensor]
    assert len({tuple(values.tolist()) for values in own}) == len(own)  # statistics that stay differ by client


def test_averaged_statistics_are_the_weighted_mean_of_the_clients(noisy_images):
    federation = class_federation(*noisy_images, clients=3, classes_per_client=4, seed=0)
    plan = Plan(rounds=1, steps=2, batch_size=300)  # whole clients: keeping draws a seed, which changes the order
    rows = {}
    for name in ("FedAvg, statistics averaged", "FedAvg, statistics kept"):
        algorithm = normalization.normalized(name, normalization.BATCH_CNN, plan.local, seed=0)
        rows[name] = arm(name, algorithm, federation, plan, seed=0)[1]
    sizes = torch.tensor([float(data.examples) for data in federation.clients])
    for tensor in ("blocks.0.1.running_mean", "blocks.1.1.running_var"):
        own = torch.stack([rows["FedAvg, statistics kept"].memories[c][tensor] for c in range(3)])
        mean = (own * sizes[:, None] / sizes.sum()).sum(0)
        averaged = rows["FedAvg, statistics averaged"].state.tensors[tensor]
        torch.testing.assert_close(averaged, mean, rtol=1e-5, atol=1e-6)


def test_fedbn_refuses_a_network_without_batch_normalization():
    with pytest.raises(ValueError, match="no batch normalization"):
        normalization.fedbn(DIGITS_NET, LocalSGD())


def test_policies_stand_beside_group_normalization(noisy_images):
    batch = normalization.normalizations_on_cifar10(
        classes_per_client=(4,), methods=("FedAvg, statistics kept", "FedBN"), **OPTIONS
    )
    group = accuracy_on_cifar10(classes_per_client=(4, 10), methods=("FedAvg", "FedPer 2"), **OPTIONS)
    table = normalizations(group, batch)
    assert set(table["use"]) == {"tuning", "judging"}
    assert judging(table).groupby("method").size().to_dict() == dict.fromkeys(
        ("FedAvg, group norm", "FedPer 2, group norm", "FedAvg, statistics kept", "FedBN"), 2
    )
    assert set(table["classes_per_client"]) == {4} and set(table["round"]) == {2}
    caption = figures.comparison(table).scarce_caption
    assert "FedBN" in caption and "; ." not in caption and "at an end of the learning rates" in caption


def test_the_network_differs_in_its_normalization_alone():
    shapes = [
        [(type(layer), getattr(layer, "weight", torch.empty(0)).shape) for layer in build().modules()]
        for build in (images.CNN, normalization.BATCH_CNN)
    ]
    different = {(one[0].__name__, other[0].__name__) for one, other in zip(*shapes, strict=True) if one != other}
    assert different == {("GroupNorm", "BatchNorm2d")}
