"""Federations from arrays, cohorts and generators."""

import numpy as np
import pytest
import torch
from federated_toys import toy_federation

from lib.federated import ClientData, Federation, seeds
from lib.federated.cohort import sample_cohort
from lib.federated.federation import make_federation


def made(n=50, clients=4, *, seed=0, **options):
    x, y = np.arange(n * 3, dtype=float).reshape(n, 3), np.arange(n) % 5
    parts = np.array_split(np.arange(n), clients)
    return make_federation(x, y, parts, rng=np.random.default_rng(seed), name="made", **options), x, parts


def test_every_example_goes_to_train_or_test_of_its_client():
    federation, x, parts = made(test_share=0.2)
    for client, part in zip(federation.clients, parts, strict=True):
        rows = torch.cat([client.train_x, client.test_x]).numpy()
        np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], x[part])
        assert len(client.test_x) == round(0.2 * len(part))
        np.testing.assert_array_equal(client.train_y.numpy(), client.train_x[:, 0].numpy() // 3 % 5)
    assert federation.classes == 5 and len(federation) == 4
    assert federation.clients[0].train_x.dtype == torch.float32 and federation.clients[0].train_y.dtype == torch.int64


def test_the_generator_decides_the_split():
    one, again, other = (made(seed=seed)[0].clients[0].train_x for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()


def test_small_clients_keep_one_example_for_training():
    federation, _, _ = made(n=3, clients=2, test_share=0.9)
    assert [(c.examples, len(c.test_x)) for c in federation.clients] == [(1, 1), (1, 0)]
    assert [(c.examples, len(c.test_x)) for c in made(n=10, clients=2, test_share=0.05)[0].clients] == [(4, 1)] * 2
    assert [len(c.test_x) for c in made(test_share=0.0)[0].clients] == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="must lie in"):
        made(test_share=1.0)


def test_real_targets_are_kept_real():
    federation = make_federation(
        np.ones((4, 2)), np.array([0.5, 1, 2, 3]), [np.arange(4)], rng=np.random.default_rng(0), name="r"
    )
    assert federation.clients[0].train_y.dtype == torch.float32 and federation.classes == 0


def test_empty_clients_and_federations_are_refused():
    empty, one = torch.zeros(0, 2), torch.zeros(1, 2)
    with pytest.raises(ValueError, match="no training example"):
        ClientData(empty, empty[:, 0], one, one[:, 0])
    with pytest.raises(ValueError, match="1 inputs but 0 targets"):
        ClientData(one, empty[:, 0], one, one[:, 0])
    with pytest.raises(ValueError, match="no client"):
        Federation("none", (), 2)


def test_moving_to_a_device_keeps_everything():
    federation = toy_federation()
    moved = federation.to("cpu")
    assert (moved.clients[2].train_x == federation.clients[2].train_x).all() and moved.classes == federation.classes


def test_cohorts_are_distinct_sorted_and_uniform():
    rng, counts = np.random.default_rng(0), np.zeros(10)
    for _ in range(3000):
        cohort = sample_cohort(10, 3, rng)
        assert list(cohort) == sorted(set(cohort)) and len(cohort) == 3
        counts[list(cohort)] += 1
    assert ((counts - 900) ** 2 / 900).sum() < 9 + 5 * np.sqrt(18)
    assert sample_cohort(4, None, rng) == (0, 1, 2, 3) == sample_cohort(4, 4, rng)


def test_weighted_cohorts_follow_the_weights():
    rng = np.random.default_rng(0)
    first = [sample_cohort(3, 1, rng, weights=np.array([1, 0, 3]))[0] for _ in range(4000)]
    assert np.bincount(first, minlength=3) / 4000 == pytest.approx([0.25, 0, 0.75], abs=0.03)
    with pytest.raises(ValueError, match="only 2 clients have a positive weight"):
        sample_cohort(3, 3, rng, weights=np.array([1, 0, 3]))
    with pytest.raises(ValueError, match="finite numbers"):
        sample_cohort(3, 1, rng, weights=np.array([1, np.nan, 3]))


@pytest.mark.parametrize("size", [0, 5, -1])
def test_a_cohort_that_cannot_be_filled_is_refused(size):
    with pytest.raises(ValueError, match="lower cohort_size or add clients"):
        sample_cohort(4, size, np.random.default_rng(0))


def test_generators_differ_by_purpose_round_and_client_and_repeat():
    drawn = [
        make(*arguments).integers(2**62)
        for make, arguments in [
            *((seeds.client_rng, (s, r, c)) for s in range(3) for r in range(3) for c in range(3)),
            *((seeds.evaluation_rng, (s, r, c)) for s in range(3) for r in range(3) for c in range(3)),
            *((make, (s, r)) for make in (seeds.cohort_rng, seeds.configure_rng) for s in range(3) for r in range(3)),
        ]
    ]
    assert len(set(drawn)) == len(drawn) == 72
    assert seeds.client_rng(1, 2, 3).integers(2**62) == seeds.client_rng(1, 2, 3).integers(2**62)
    with pytest.raises(ValueError, match="must not be negative"):
        seeds.client_rng(-1, 0, 0)
