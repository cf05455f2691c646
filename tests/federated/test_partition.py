"""One suite for every partitioner, then what sets each of them apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated import partition
from lib.federated.partition_plot import partition_figure, partition_table


def labels_of(n, classes, seed=0):
    """Every class is there, else it would not be a class."""
    rng = np.random.default_rng([7, seed])
    return rng.permutation(np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)]))


PARTITIONERS = {
    "iid": lambda labels, clients, rng: partition.iid(len(labels), clients, rng=rng),
    "2 classes": lambda labels, clients, rng: partition.by_classes(labels, clients, classes_per_client=2, rng=rng),
    "all classes": lambda labels, clients, rng: partition.by_classes(
        labels, clients, classes_per_client=len(set(labels)), rng=rng
    ),
    "dirichlet .1": lambda labels, clients, rng: partition.dirichlet(labels, clients, alpha=0.1, rng=rng, minimum=3),
    "dirichlet 10": lambda labels, clients, rng: partition.dirichlet(labels, clients, alpha=10.0, rng=rng),
    "skewed .05": lambda labels, clients, rng: partition.quantity_skewed(
        labels, clients, alpha=0.05, rng=rng, minimum=3
    ),
    "skewed 5": lambda labels, clients, rng: partition.quantity_skewed(labels, clients, alpha=5.0, rng=rng),
}


@pytest.mark.parametrize("name", PARTITIONERS)
@settings(max_examples=15, deadline=None)
@given(clients=st.integers(3, 12), classes=st.integers(2, 6), seed=st.integers(0, 50))
def test_every_example_is_used_exactly_once_and_the_seed_decides(name, clients, classes, seed):
    labels = labels_of(400, classes, seed)
    parts = PARTITIONERS[name](labels, clients, np.random.default_rng(seed))
    assert len(parts) == clients and all(part.dtype.kind == "i" and len(part) for part in parts)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(400))
    again = PARTITIONERS[name](labels, clients, np.random.default_rng(seed))
    other = PARTITIONERS[name](labels, clients, np.random.default_rng(seed + 1))
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(parts, other, strict=True))
    if "3" in name or name.endswith((".1", ".05")):
        assert min(len(part) for part in parts) >= 3


@pytest.mark.parametrize("name", PARTITIONERS)
def test_names_of_classes_do_not_matter(name):
    labels = labels_of(300, 5)
    words = np.array(["ant", "bee", "cat", "dog", "elk"])[labels]
    for a, b in zip(
        PARTITIONERS[name](labels, 6, np.random.default_rng(0)),
        PARTITIONERS[name](words, 6, np.random.default_rng(0)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", [name for name in PARTITIONERS if "class" not in name])
def test_more_clients_than_examples_is_refused(name):
    with pytest.raises(ValueError, match="use at most"):
        PARTITIONERS[name](labels_of(10, 2), 11, np.random.default_rng(0))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_classes_per_client_are_exact_and_classes_spread_evenly(data):
    classes = data.draw(st.integers(1, 12))
    each = data.draw(st.integers(1, classes))
    clients = data.draw(st.integers(-(-classes // each), 15))
    labels = labels_of(30 * classes, classes, data.draw(st.integers(0, 9)))
    labels = np.concatenate([labels, np.repeat(np.arange(classes), clients)])
    parts = partition.by_classes(
        labels, clients, classes_per_client=each, rng=np.random.default_rng(data.draw(st.integers(0, 99)))
    )
    counts = np.stack([np.bincount(labels[part], minlength=classes) for part in parts])
    assert ((counts > 0).sum(axis=1) == each).all()
    assert ((counts > 0).sum(axis=0) >= 1).all()
    for column in counts.T:
        held = column[column > 0]
        assert held.max() - held.min() <= 1


def test_every_set_of_classes_is_equally_likely_when_none_can_be_left_over():
    # 40 clients of 2 out of 4 classes: six pairs, each expected one time in six (a chi-squared test at five sigma)
    labels, rng = np.repeat(np.arange(4), 200), np.random.default_rng(0)
    pairs = np.zeros((4, 4))
    for _ in range(60):
        for part in partition.by_classes(labels, 40, classes_per_client=2, rng=rng):
            a, b = np.unique(labels[part])
            pairs[a, b] += 1
    found, expected = pairs[np.triu_indices(4, 1)], 60 * 40 / 6
    assert found.sum() == 2400
    assert ((found - expected) ** 2 / expected).sum() < 5 + 5 * np.sqrt(2 * 5)


@pytest.mark.parametrize(
    ("clients", "each", "message"),
    [(4, 2, "cannot hold 10 classes; use at least 3"), (5, 11, "between 1 and the 10"), (5, 0, "between 1 and the 10")],
)
def test_impossible_classes_are_refused_with_the_way_out(clients, each, message):
    with pytest.raises(ValueError, match=message):
        partition.by_classes(np.arange(200) % 10, clients, classes_per_client=each, rng=np.random.default_rng(0))


def test_a_class_with_fewer_examples_than_holders_is_refused():
    with pytest.raises(ValueError, match="class 1 has 2 examples for 5 holders"):
        partition.by_classes(np.array([0] * 50 + [1] * 2), 5, classes_per_client=2, rng=np.random.default_rng(0))


def test_dirichlet_sizes_are_equal_and_mixtures_follow_the_distribution():
    labels = np.repeat(np.arange(4), 20_000)
    parts = partition.dirichlet(labels, 400, alpha=0.5, rng=np.random.default_rng(0))
    assert {len(part) for part in parts} == {200}
    shares = np.stack([np.bincount(labels[part], minlength=4) for part in parts]) / 200
    # A symmetric Dirichlet(a) over K classes has variance (K - 1) / (K^2 (K a + 1)) a share; sampling 200 examples adds
    # p(1 - p) / 200 on average. Fitting the table to the classes' sizes changes it by one part in the 400 clients.
    expected = 3 / (16 * 3.0) * (1 - 1 / 200) + 3 / 16 / 200
    assert shares.var(axis=0).mean() == pytest.approx(expected, rel=0.05)
    assert shares.mean(axis=0) == pytest.approx(np.full(4, 0.25))


def test_dirichlet_goes_from_single_classes_to_identical_clients():
    labels = np.repeat(np.arange(5), 400)
    tiny = partition.dirichlet(labels, 5, alpha=1e-6, rng=np.random.default_rng(1))
    assert np.mean([np.bincount(labels[part]).max() / len(part) for part in tiny]) > 0.45
    huge = partition.dirichlet(labels, 5, alpha=1e6, rng=np.random.default_rng(1))
    shares = np.stack([np.bincount(labels[part], minlength=5) / len(part) for part in huge])
    assert abs(shares - 0.2).max() < 0.08  # 400 draws: four standard deviations


def test_dirichlet_keeps_unbalanced_shares_on_average():
    labels = np.repeat([0, 1], [1500, 500])
    parts = partition.dirichlet(labels, 4, alpha=1e6, rng=np.random.default_rng(0))
    assert [np.mean(labels[part]) for part in parts] == pytest.approx([0.25] * 4, abs=0.08)


def test_quantity_skew_has_the_sizes_of_its_proportions():
    labels = np.zeros(20_000, dtype=int)
    sizes = [len(part) for part in partition.quantity_skewed(labels, 50, alpha=0.5, rng=np.random.default_rng(0))]
    # One class, so the sizes are one Dirichlet draw: mean square of a share is (a + 1) / (K (K a + 1)).
    draws = [
        np.square(
            [len(p) for p in partition.quantity_skewed(labels, 50, alpha=0.5, rng=np.random.default_rng(seed))]
        ).mean()
        / 4e8
        for seed in range(40)
    ]
    assert np.mean(draws) == pytest.approx(1.5 / (50 * 26), rel=0.1)
    assert max(sizes) > 4 * np.median(sizes)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("scheme", [partition.dirichlet, partition.quantity_skewed])
def test_alpha_must_be_positive(scheme, alpha):
    with pytest.raises(ValueError, match="positive and finite"):
        scheme(np.zeros(10, dtype=int), 2, alpha=alpha, rng=np.random.default_rng(0))


@pytest.mark.parametrize("scheme", [partition.dirichlet, partition.quantity_skewed])
def test_minimum_is_kept_to_the_last_example(scheme):
    labels = labels_of(60, 3)
    parts = scheme(labels, 6, alpha=0.01, rng=np.random.default_rng(0), minimum=10)
    assert [len(part) for part in parts] == [10] * 6
    with pytest.raises(ValueError, match="use at most 5 clients"):
        scheme(labels, 6, alpha=0.01, rng=np.random.default_rng(0), minimum=11)


def test_small_clients_are_filled_with_random_examples_of_the_largest():
    labels = np.repeat([0, 1], 100)
    for seed in range(20):  # at this alpha each class goes to one client; wait until both go to the same
        parts = partition.quantity_skewed(labels, 2, alpha=1e-9, rng=np.random.default_rng(seed), minimum=50)
        small = min(parts, key=len)
        if len(small) == 50:
            assert 10 < labels[small].sum() < 40
            return
    raise AssertionError("no seed gave both classes to one client")


def test_by_user_groups_in_sorted_order_and_refuses_small_users():
    parts = partition.by_user(["b", "a", "b", "c", "a", "b"], minimum=1)
    assert [part.tolist() for part in parts] == [[1, 4], [0, 2, 5], [3]]
    with pytest.raises(ValueError, match=r"user c has 1 examples, fewer than 2; drop small users"):
        partition.by_user(["b", "a", "b", "c", "a", "b"], minimum=2)


def test_iid_sizes_differ_by_at_most_one():
    assert sorted(len(part) for part in partition.iid(11, 4, rng=np.random.default_rng(0))) == [2, 3, 3, 3]


def test_figure_shows_what_the_table_counts():
    labels = np.array([0, 0, 1, 1, 1, 2])
    table = partition_table([np.array([0, 1, 2]), np.array([3, 4, 5])], labels)
    assert table["examples"].tolist() == [2, 1, 0, 0, 2, 1]
    fig = partition_figure(table)
    discs = fig.axes[0].collections[0]
    assert sorted(map(tuple, discs.get_offsets().tolist())) == [(0, 0), (0, 1), (1, 1), (1, 2)]
    areas = dict(zip(map(tuple, discs.get_offsets().tolist()), discs.get_sizes(), strict=True))
    assert areas[0, 0] == 2 * areas[0, 1]
    assert "holds 2 classes and 3 examples; a class has 1 to 2 holders" in fig.scarce_caption
