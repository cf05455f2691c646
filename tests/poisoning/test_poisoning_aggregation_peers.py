"""The rules against those of Flower and byzfl, where the definitions agree; where they do not, the difference."""

import importlib
import sys
import types
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from poisoning_toys import updates

from lib.poisoning import aggregation as rules

SIZES = [(9, 1), (12, 2), (15, 3), (16, 2)]


def rows_of(n, seed=0):
    return updates(n, 40, seed, dtype=torch.float32)


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=3e-6)


@pytest.fixture(scope="module")
def flower():
    pytest.importorskip("flwr", reason="compares with Flower's rules")
    return importlib.import_module("flwr.server.strategy.aggregate")


@pytest.fixture(scope="module")
def byzfl():
    """Return byzfl's aggregators, without running the package's own import, which needs torchvision."""
    spec = find_spec("byzfl")
    if spec is None:
        pytest.skip("byzfl is not installed (pip install --no-deps byzfl)")
    kept = sys.modules.get("byzfl")
    sys.modules["byzfl"] = types.ModuleType("byzfl")
    sys.modules["byzfl"].__path__ = list(spec.submodule_search_locations)
    yield importlib.import_module("byzfl.aggregators.aggregators")
    sys.modules.pop("byzfl")
    if kept is not None:
        sys.modules["byzfl"] = kept


def results(rows):
    return [([row.numpy()], 1) for row in rows]


def bulyan_of_flower(flower, rows, f):
    return flower.aggregate_bulyan(results(rows), f, flower.aggregate_krum, to_keep=0)[0]


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_flower(flower, n, f):
    rows = rows_of(n)
    close(rules.median(rows), flower.aggregate_median(results(rows))[0])
    close(rules.trimmed_mean(rows, f), flower.aggregate_trimmed_avg(results(rows), (f + 0.5) / n)[0])
    close(rules.krum(rows, f), flower.aggregate_krum(results(rows), f, 0)[0])
    for keep in (1, 3, n - f):
        close(rules.multi_krum(rows, f, keep=keep), flower.aggregate_krum(results(rows), f, keep)[0])
    if n >= 4 * f + 3:
        ours = rules.bulyan(rows, f).numpy()
        # When a single neighbour counts, two rows tie for the lowest score. Flower takes the first, so that its result
        # depends on the order of the clients; ours, the row nearer to all others, is one of its results.
        orders = [np.random.default_rng(seed).permutation(n) for seed in range(40)]
        theirs = [bulyan_of_flower(flower, rows[order], f) for order in orders]
        assert min(np.abs(ours - one).max() for one in theirs) < 3e-6


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_flowers_message_strategies(flower, n, f):
    from flwr.app import Array, ArrayRecord, RecordDict
    from flwr.serverapp.strategy.bulyan import aggregate_n_closest_weights
    from flwr.serverapp.strategy.multikrum import select_multikrum

    rows = rows_of(n, seed=1)
    contents = [RecordDict({"arrays": ArrayRecord({"w": Array(row.numpy())})}) for row in rows]
    chosen = [content["arrays"]["w"].numpy() for content in select_multikrum(contents, f, n - f)]
    close(rules.multi_krum(rows, f), np.mean(chosen, axis=0))
    if n >= 4 * f + 3:  # its Bulyan selects in one pass
        first = [content["arrays"]["w"].numpy() for content in select_multikrum(contents, f, n - 2 * f)]
        expected = aggregate_n_closest_weights([np.median(first, axis=0)], [[row] for row in first], n - 4 * f)[0]
        close(rules.bulyan(rows, f, selection="one pass"), expected)


def test_flower_weighs_by_claimed_examples_and_ours_do_not(flower):
    rows = rows_of(9)
    claims = [([row.numpy()], 1000 if i == 0 else 1) for i, row in enumerate(rows)]
    theirs = flower.aggregate_krum(claims, 1, 9)[0]
    assert (
        np.abs(theirs - rows[0].numpy()).max() < 0.05 < np.abs(theirs - rules.multi_krum(rows, 1, keep=9).numpy()).max()
    )


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_byzfls_steps_before_a_rule(byzfl, n, f):
    theirs, rows = importlib.import_module("byzfl.aggregators.preaggregators"), rows_of(n)
    close(rules.mixed(rows, f), theirs.NNM(f)(rows.numpy()))
    close(rules.after_mixing(rules.trimmed_mean)(rows, f), byzfl.TrMean(f)(theirs.NNM(f)(rows.numpy())))
    for size in (1, 2, 4):  # of 9 and 15 the last bucket is smaller
        np.random.seed(n)  # noqa: NPY002  their generator
        close(rules.bucketed(rows, size, np.random.RandomState(n)), theirs.Bucketing(size)(rows.numpy()))
    for radius in (1.0, 5.0, 6.5):  # bounding is their clipping, then the mean
        clipped = theirs.Clipping(radius)(rows.numpy().copy())
        close(rules.norm_bound(rows, radius=radius), clipped.mean(axis=0))


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_byzfl(byzfl, n, f):
    rows = rows_of(n)
    close(rules.mean(rows), byzfl.Average()(rows))
    close(rules.trimmed_mean(rows, f), byzfl.TrMean(f)(rows))
    close(rules.krum(rows, f, neighbours=n - f - 1), byzfl.Krum(f)(rows))
    close(rules.multi_krum(rows, f, variant="byzfl"), byzfl.MultiKrum(f)(rows))
    for radius in (1.0, 5.0):
        close(rules.centred_clipping(rows, radius=radius, iterations=2), byzfl.CenteredClipping(L=2, tau=radius)(rows))
    close(rules.geometric_median(rows), byzfl.GeometricMedian(nu=1e-6, T=300)(rows))
    close(rules.median(rows), byzfl.Median()(rows))


def test_byzfls_default_geometric_median_is_not_converged(byzfl):
    rows = rows_of(12) + 50  # it starts at zero, far from rows that have much in common, and takes three steps
    rows[0] += 1e4
    ours, theirs = rules.geometric_median(rows), byzfl.GeometricMedian()(rows)

    def total(point):
        return (rows.double() - point.double()).norm(dim=1).sum()

    assert total(ours) < total(theirs)
