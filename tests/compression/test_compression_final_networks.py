"""Which networks are exported: the best of three trainings, the narrowed one trained for three times the epochs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.compression import data, layers, networks, students
from lib.compression.experiments import edge
from lib.compression.experiments.methods import METHODS, Searches
from lib.compression.pruning.comparison import WIDTH
from lib.compression.pruning.width import width_scaled
from lib.compression.training import Recipe

SEED = 2
SCORES = (0.1, 0.9, 0.5)  # validation accuracy of the three trainings


@pytest.fixture
def trained(monkeypatch):
    """Build students without training; returns of each call architecture, layers kept, recipe, seeds and networks."""
    asked = []

    def build(architecture, keeps, images, recipe, *, seeds, **_):
        nets = [networks.build(layers.student(architecture, keep)) for keep in keeps]
        for net, score in zip(nets, SCORES, strict=True):
            net.score = score
        asked.append((architecture, np.asarray(keeps), recipe, list(seeds), nets))
        return nets

    monkeypatch.setattr(students, "train_students", build)
    monkeypatch.setattr(edge, "train_students", build)
    monkeypatch.setattr(edge, "accuracy", lambda net, x, y: net.score)
    return asked


@pytest.fixture
def teacher():
    return students.trained_teacher(networks.mini_resnet((3, 4, 4)), data.digits(), recipe=Recipe(epochs=2, soft=0.0))


def searches(teacher):
    """Of seed `SEED` the search found a student with all layers but one; random search and another seed did better."""
    fewest, most = layers.smallest_valid(teacher.architecture), np.ones(len(layers.places(teacher.architecture)), bool)
    almost = most.copy()
    almost[np.flatnonzero(most & ~fewest)[-1]] = False
    drawn = [("DDC", SEED, fewest, 0.1), ("DDC", SEED, almost, 0.5), ("DDC", 0, most, 0.9), ("chance", SEED, most, 0.9)]
    rows = [(method, seed, np.packbits(keep).tobytes().hex(), worth) for method, seed, keep, worth in drawn]
    history = pd.DataFrame(rows, columns=["method", "seed", "key", "reward"])
    return Searches(history, pd.DataFrame(), {}), fewest, almost


def test_the_best_of_three_trainings_is_exported(trained, teacher):
    found, fewest, almost = searches(teacher)
    made = edge.final_networks(teacher, found, seed=SEED)
    assert list(made) == ["teacher", "minimal", "found", WIDTH] and made["teacher"] is teacher.net
    for name, (_, kept, _, _, nets) in zip(list(made)[1:], trained, strict=True):
        assert made[name] is nets[1] and len(kept) == edge.RUNS == len(SCORES)
    assert (trained[0][1] == fewest).all() and (trained[1][1] == almost).all() and trained[2][1].all()


def test_the_narrowed_network_has_three_times_the_epochs_and_seeds_of_its_own(trained, teacher):
    made = edge.final_networks(teacher, searches(teacher)[0], seed=SEED)
    recipe = METHODS["DDC"][1]
    assert [one[2] for one in trained] == [recipe, recipe, replace(recipe, epochs=3 * recipe.epochs)]
    assert trained[2][3] == [6, 7, 8] and trained[0][0] == trained[1][0] == teacher.architecture
    sizes = {name: layers.parameter_count(net.architecture) for name, net in made.items()}
    assert max(sizes["minimal"], sizes[WIDTH]) < sizes["found"] < sizes["teacher"]
    assert made[WIDTH].architecture == width_scaled(teacher.architecture, sizes["found"])
