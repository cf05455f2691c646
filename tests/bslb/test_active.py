import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_blobs

from lib.bslb.active import k_center, typicality, uncertainty
from lib.bslb.difficulty import classifier

METHODS = {
    "margin": lambda X, y, T, seed: uncertainty(X, y, T, seed=seed),
    "entropy": lambda X, y, T, seed: uncertainty(X, y, T, seed=seed, score="entropy"),
    "k_center": lambda X, y, T, seed: k_center(X, T, seed=seed),
    "typicality": lambda X, y, T, seed: typicality(X, T, seed=seed),
}


@pytest.fixture(scope="module")
def pool():
    X, y = make_blobs(150, 4, centers=3, cluster_std=3.0, random_state=0)
    return X, y


@pytest.mark.parametrize("name", METHODS)
def test_every_method_labels_distinct_points_and_repeats_itself(name, pool):
    X, y = pool
    chosen = METHODS[name](X, y, 45, 1)
    assert chosen.shape == (45,) and len(set(chosen)) == 45 and chosen.min() >= 0 and chosen.max() < 150
    np.testing.assert_array_equal(chosen, METHODS[name](X, y, 45, 1))
    assert set(METHODS[name](X, y, 20, 2)) != set(METHODS[name](X, y, 20, 1))
    assert sorted(METHODS[name](X[:10], y[:10], 10, 0)) == list(range(10))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("T", [0, 151])
def test_every_method_refuses_an_impossible_number_of_labels(name, T, pool):
    with pytest.raises(ValueError, match="1 <= T <= M = 150"):
        METHODS[name](*pool, T, 0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_refuses_missing_values(name, pool):
    X = pool[0].copy()
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        METHODS[name](X, pool[1], 5, 0)


def test_uncertainty_reads_only_labels_it_has_bought(pool):
    X, y = pool
    chosen = uncertainty(X, y, 60, seed=0)
    hidden = np.full_like(y, -7)
    hidden[chosen[:50]] = y[chosen[:50]]
    np.testing.assert_array_equal(uncertainty(X, hidden, 60, seed=0), chosen)


def test_uncertainty_buys_the_least_sure_points_next(pool):
    X, y = pool
    chosen = uncertainty(X, y, 30, seed=4)
    model = classifier().fit(X[chosen[:20]], y[chosen[:20]])
    rest = np.setdiff1d(np.arange(150), chosen[:20])
    ranked = np.sort(model.predict_proba(X[rest]), axis=1)
    expected = rest[np.argsort(ranked[:, -1] - ranked[:, -2])[:10]]
    assert set(chosen[20:]) == set(expected)


def test_margin_and_entropy_agree_on_two_classes_and_differ_on_three(pool):
    X, y = pool
    two = (y == 0).astype(int)
    assert uncertainty(X, two, 50, seed=0).tolist() == uncertainty(X, two, 50, seed=0, score="entropy").tolist()
    assert uncertainty(X, y, 50, seed=0).tolist() != uncertainty(X, y, 50, seed=0, score="entropy").tolist()


def test_uncertainty_is_random_while_one_class_is_known(pool):
    X, y = pool
    chosen = uncertainty(X, np.zeros_like(y), 60, seed=5)
    np.testing.assert_array_equal(chosen, np.random.default_rng(5).permutation(150)[:60])


def test_uncertainty_refuses_an_unknown_score(pool):
    with pytest.raises(ValueError, match="margin"):
        uncertainty(*pool, 20, seed=0, score="committee")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_k_center_is_the_farthest_point_rule(seed):
    X = np.random.default_rng(seed).normal(size=(25, 3))
    chosen = k_center(X, 8, seed=seed)
    distance = np.linalg.norm(X[:, None] - X[None], axis=2)
    for t in range(1, 8):
        assert distance[chosen[t], chosen[:t]].min() == pytest.approx(distance[:, chosen[:t]].min(axis=1).max())


def test_k_center_covers_within_twice_the_optimum():
    X = np.random.default_rng(0).normal(size=(12, 2))
    distance = np.linalg.norm(X[:, None] - X[None], axis=2)
    best = min(distance[:, [i, j, k]].min(axis=1).max() for i in range(12) for j in range(i) for k in range(j))
    assert best <= distance[:, k_center(X, 3, seed=1)].min(axis=1).max() <= 2 * best


def test_k_center_never_repeats_among_duplicates():
    assert len(set(k_center(np.ones((6, 2)), 6, seed=0))) == 6


def test_k_center_agrees_with_scikit_activeml(pool):
    skactiveml = pytest.importorskip("skactiveml.pool")
    X = pool[0]
    ours = k_center(X, 10, seed=0)
    labels = np.full(len(X), np.nan)
    labels[ours[0]] = 0
    theirs = skactiveml.CoreSet(random_state=0).query(X, labels, batch_size=9)
    assert ours[1:].tolist() == list(theirs)


def test_typicality_takes_the_densest_point_of_each_separated_cluster():
    centres = np.array([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0], [50.0, 50.0]])
    X, y = make_blobs([40, 30, 20, 10], 2, centers=centres, random_state=0)
    chosen = typicality(X, 4, seed=0, neighbours=5)
    assert y[chosen].tolist() == [0, 1, 2, 3]
    for row in chosen:
        own = X[y == y[row]]
        nearest = np.sort(np.linalg.norm(own[:, None] - own[None], axis=2), axis=1)[:, 1:6].mean(axis=1)
        np.testing.assert_array_equal(X[row], own[np.argmin(nearest)])


def test_typicality_uses_the_neighbours_that_there_are():
    X = np.array([[0.0], [1.0], [3.0], [100.0]])
    assert set(typicality(X, 2, seed=0)) == {1, 3}


def test_distances_of_large_clusters_are_those_of_small_ones():
    # More than 63 points take the matrix product in place of differences.
    X = np.random.default_rng(0).normal(size=(90, 3)) + 100
    nearest = np.sort(np.linalg.norm(X[:, None] - X[None], axis=2), axis=1)[:, 1:21].mean(axis=1)
    assert typicality(X, 1, seed=0).tolist() == [np.argmin(nearest)]
