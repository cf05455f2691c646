"""Defects of released code: each attack as it is released against the attack as it is defined."""

from statistics import NormalDist

import numpy as np
import pytest
import torch
from poisoning_toys import updates

from lib.poisoning import aggregation, attacks, experiments, released
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.attacks.geometry import geometry
from lib.poisoning.attacks.min_max import min_sum_strength


@pytest.mark.parametrize(
    ("attackers", "value"), [(3, 0.69847), (5, 0.7054), (8, 0.71904), (10, 0.72575), (12, 0.73891)]
)
def test_the_released_table_of_lie_is_the_distribution_function_and_not_its_inverse(attackers, value):
    wrong, right = released.released_quantile(50, attackers), attacks.little_quantile(50, attackers)
    assert wrong == pytest.approx(value, abs=5e-6)
    share = NormalDist().cdf(right)
    assert wrong == pytest.approx(NormalDist().cdf(share), abs=0.004)  # of the share, which is rounded up there
    assert wrong > 2 * right


def test_the_released_attack_on_the_trimmed_mean_is_masked():
    benign, count = updates(20, 60, seed=4), 5
    wrong = released.released_fang(benign, count, rng=np.random.default_rng(0))
    right = attacks.fang_trimmed(benign, count, rng=np.random.default_rng(0))
    up = benign.mean(0) < 0
    assert bool((wrong[:, up] == 0).all()) and bool((right[:, up] >= benign.max(0).values[up]).all())
    outside = (wrong < benign.min(0).values) | (wrong > benign.max(0).values)
    assert float(outside.double().mean()) < 0.5  # the sum of a low and a high draw lies mostly between the extremes

    def moved(sent):
        return (aggregation.trimmed_mean(torch.cat([benign, sent]), count) - benign.mean(0)).norm()

    assert moved(wrong) < 0.6 * moved(right)


@pytest.mark.parametrize("seed", range(3))
def test_the_released_min_sum_stops_at_the_smallest_row(seed):
    benign = updates(15, 8, seed)
    toward = attacks.direction(benign, "std")
    known, rows = geometry(benign, toward, 3), squared_distances(benign).sum(dim=1)

    def total(strength):
        return float((benign.mean(0) + strength * toward - benign).square().sum())

    wrong, right = released.released_min_sum(known), min_sum_strength(known)
    assert total(wrong) == pytest.approx(float(rows.min())) and total(right) == pytest.approx(float(rows.max()))
    lengths = (benign - benign.mean(0)).norm(dim=1)
    assert wrong / right == pytest.approx(float(lengths.min() / lengths.max())) and wrong < right


def test_the_released_search_ends_at_its_last_success():
    def noticed(strength):
        return strength if strength <= 1 else 0.0  # a rule that selects: followed up to one, then not at all

    assert released.released_search(noticed) == 10.0 and noticed(10.0) == 0.0
    assert released.released_search(lambda strength: strength) == pytest.approx(20, abs=1e-3)  # no peak: it goes on


def test_the_table_holds_both_and_their_ratio():
    table = experiments.released_code(d=50)
    assert (table["ratio"] == table["released"] / table["defined"]).all() and table["attack"].is_unique
    assert (table.loc[table["attack"].str.startswith("LIE"), "ratio"] > 2).all()
    assert (table.loc[~table["attack"].str.startswith("LIE"), "ratio"] < 1).all()
