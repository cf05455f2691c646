"""Each aggregation rule against its definition written out, and on configurations worked out by hand."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from poisoning_toys import RULES, updates
from scipy.optimize import minimize

from lib.poisoning import aggregation as rules
from lib.poisoning.aggregation.bulyan import bulyan_rows
from lib.poisoning.aggregation.distances import squared_distances
from lib.poisoning.aggregation.foolsgold import foolsgold_weights
from lib.poisoning.aggregation.krum import krum_scores
from lib.poisoning.aggregation.multi_krum import VARIANTS, multi_krum_rows
from lib.poisoning.aggregation.norm_bound import row_norms

CASES = {"n": st.integers(7, 11), "d": st.integers(1, 5), "f": st.integers(0, 1), "seed": st.integers(0, 999)}
some = settings(max_examples=25, deadline=None)


def close(found, expected, atol=1e-9):
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=atol)


def apart(rows):
    return np.array([[np.sum((a - b) ** 2) for b in rows] for a in rows])


@some
@given(n=st.integers(1, 9), d=st.integers(1, 70), offset=st.floats(-1e3, 1e3), seed=st.integers(0, 99))
def test_squared_distances_are_sums_of_squared_differences(n, d, offset, seed):
    rows = updates(n, d, seed, shift=offset)
    close(squared_distances(rows), apart(rows.numpy()), atol=1e-8)


def test_distances_survive_what_the_clients_have_in_common():
    rng = np.random.default_rng(0)
    common = 10 * rng.standard_normal(20_000)
    rows = (common + 1e-3 * rng.standard_normal((20, 20_000))).astype(np.float32)
    exact = apart(rows.astype(np.float64))
    off = ~np.eye(20, dtype=bool)
    ours = squared_distances(torch.from_numpy(rows)).numpy()
    naive = (rows**2).sum(1)[:, None] + (rows**2).sum(1)[None] - 2 * rows @ rows.T
    assert np.abs(ours / np.where(off, exact, 1) - 1)[off].max() < 1e-5
    assert np.abs(naive / np.where(off, exact, 1) - 1)[off].max() > 1


@pytest.mark.parametrize("common", [0.0, 0.3, 1.0, 2.0, 4.0, 30.0, 1000.0])
@pytest.mark.parametrize("attackers", [0, 3])
def test_distances_are_accurate_at_every_degree_of_likeness(common, attackers):
    rng = np.random.default_rng(2)
    rows = (common * rng.standard_normal(9_000) + rng.standard_normal((12, 9_000))).astype(np.float32)
    rows[:attackers] = 1e4
    exact = apart(rows[attackers:].astype(np.float64))
    off = ~np.eye(12 - attackers, dtype=bool)
    found = squared_distances(torch.from_numpy(rows)).numpy()[attackers:, attackers:]
    assert np.abs(found / np.where(off, exact, 1) - 1)[off].max() < 2e-5


@pytest.mark.parametrize("size", [1e5, 1e12, 1e25])
def test_an_attacker_cannot_spoil_the_distances_of_the_others(size):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((15, 300)).astype(np.float32)
    rows[:3] += np.float32(size)
    exact = apart(rows[3:].astype(np.float64))
    off = ~np.eye(12, dtype=bool)
    found = squared_distances(torch.from_numpy(rows)).numpy()[3:, 3:]
    assert np.abs(found / np.where(off, exact, 1) - 1)[off].max() < 1e-5
    if size == 1e12:  # with the mean as centre, single precision would not do
        centred = rows - rows.mean(0)
        assert np.abs((centred @ centred.T)[3:, 3:]).max() > 1e3 * exact.max()


@some
@given(**CASES)
def test_trimmed_mean_and_median_by_sorting(n, d, f, seed):
    rows = updates(n, d, seed)
    ordered = np.sort(rows.numpy(), axis=0)
    close(rules.trimmed_mean(rows, f), ordered[f : n - f].mean(axis=0))
    close(rules.median(rows, f), np.median(rows.numpy(), axis=0))


def test_trimmed_mean_goes_from_the_mean_to_the_median():
    for n in (9, 10):
        rows = updates(n, 4)
        close(rules.trimmed_mean(rows, 0), rows.mean(0))
        close(rules.trimmed_mean(rows, (n - 1) // 2), np.median(rows.numpy(), axis=0))


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle():
    assert rules.median(torch.tensor([[1.0], [2.0], [4.0], [50.0]])).item() == 3
    assert rules.median(torch.tensor([[1.0], [2.0], [50.0]])).item() == 2


@some
@given(**CASES)
def test_krum_scores_are_the_least_sums_over_neighbours(n, d, f, seed):
    rows = updates(n, d, seed)
    pairs = apart(rows.numpy())
    for neighbours in (None, n - f - 1):
        count = neighbours or n - f - 2
        expected = [
            min(sum(pairs[i, list(group)]) for group in itertools.combinations(set(range(n)) - {i}, count))
            for i in range(n)
        ]
        close(krum_scores(torch.from_numpy(pairs), f, neighbours=neighbours), expected)
        close(rules.krum(rows, f, neighbours=neighbours), rows[int(np.argmin(expected))])


def scores_of(rows, count):
    return np.array([np.sort(np.delete(pairs, i))[:count].sum() for i, pairs in enumerate(apart(rows))])


def first_of(rows, count):
    """Return the row with the least score; of two that are each other's only neighbour, the one nearer to all."""
    scores, totals = scores_of(rows, count), apart(rows).sum(axis=1)
    tied = np.flatnonzero(scores <= scores.min() * (1 + 1e-9))
    return int(tied[np.argmin(totals[tied])])


@some
@given(**CASES)
def test_multi_krum_variants_are_their_definitions(n, d, f, seed):
    rows = updates(n, d, seed).numpy()
    once = np.argsort(scores_of(rows, n - f - 2))
    left, chosen = list(range(n)), []
    while len(chosen) < n - 2 * f - 2:  # the released code: neighbours include the row itself
        chosen.append(left.pop(first_of(rows[left], max(len(left) - f - 3, 1))))
    expected = {
        "one shot": once[: n - f],
        "one": once[:1],
        "byzfl": np.argsort(scores_of(rows, n - f - 1))[: n - f],
        "iterative": chosen,
    }
    assert set(expected) == set(VARIANTS)
    for name, picked in expected.items():
        close(rules.multi_krum(torch.from_numpy(rows), f, variant=name), rows[list(picked)].mean(axis=0))
    close(rules.multi_krum(torch.from_numpy(rows), f, keep=3), rows[once[:3]].mean(axis=0))
    close(rules.multi_krum(torch.from_numpy(rows), f, variant="one"), rules.krum(torch.from_numpy(rows), f))


def test_multi_krum_refuses_what_it_cannot_keep():
    for options in ({"variant": "two"}, {"keep": 0}, {"keep": 13}):
        with pytest.raises(ValueError, match=r"no variant|choose between 1 and n"):
            rules.multi_krum(updates(), 2, **options)


def test_krum_scores_take_a_batch():
    pairs = torch.stack([squared_distances(updates(8, 3, s)) for s in range(4)])
    close(krum_scores(pairs, 2), torch.stack([krum_scores(one, 2) for one in pairs]))


@some
@given(**CASES)
def test_bulyan_is_repeated_krum_then_the_values_nearest_the_median(n, d, f, seed):
    rows = updates(n, d, seed).numpy()
    left, chosen = list(range(n)), []
    for _ in range(n - 2 * f):
        chosen.append(left.pop(first_of(rows[left], min(max(len(left) - f - 2, 1), len(left) - 1))))
    picked = rows[chosen]
    order = np.argsort(np.abs(picked - np.median(picked, axis=0)), axis=0)[: n - 4 * f]
    close(rules.bulyan(torch.from_numpy(rows), f), np.take_along_axis(picked, order, axis=0).mean(axis=0))
    with pytest.raises(ValueError, match="choose 'one by one'"):
        rules.bulyan(torch.from_numpy(rows), f, selection="all")


@some
@given(n=st.integers(3, 10), d=st.integers(1, 4), seed=st.integers(0, 999))
def test_the_geometric_median_has_the_least_sum_of_distances(n, d, seed):
    rows = updates(n, d, seed).numpy()

    def total(point):
        return np.linalg.norm(rows - point, axis=1).sum()

    found = rules.geometric_median(torch.from_numpy(rows)).numpy()
    best = min(total(minimize(total, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-10}).x)
               for start in (rows.mean(0), np.median(rows, axis=0)))  # fmt: skip
    assert total(found) <= min(best, total(rows.T.mean(1)), *map(total, rows)) + 1e-6


def test_the_geometric_median_of_three_points_and_of_a_majority_is_known():
    triangle = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]], dtype=torch.float64)
    close(rules.geometric_median(triangle), triangle.mean(0), atol=1e-7)
    wide = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 0.1]], dtype=torch.float64)  # an angle over 120 degrees
    close(rules.geometric_median(wide), wide[2], atol=1e-7)
    majority = torch.cat([torch.zeros(5, 2), 1e6 * updates(4, 2, dtype=torch.float32)])
    assert torch.equal(rules.geometric_median(majority), torch.zeros(2))


@some
@given(n=st.integers(2, 9), d=st.integers(1, 5), radius=st.floats(0, 3), seed=st.integers(0, 999))
def test_norm_bounding_and_clipping_written_out(n, d, radius, seed):
    rows = updates(n, d, seed).numpy()
    norms = np.linalg.norm(rows, axis=1)
    tensor = torch.from_numpy(rows)
    for limit, given_radius in ((radius, radius), (np.median(norms), None)):
        expected = np.mean([x * min(1, limit / np.linalg.norm(x)) for x in rows], axis=0)
        close(rules.norm_bound(tensor, radius=given_radius), expected)
    v = start = updates(1, d, seed + 1)[0].numpy()
    for _ in range(3):
        v = v + np.mean([(x - v) * min(1, radius / np.linalg.norm(x - v)) for x in rows], axis=0)
    found = rules.centred_clipping(tensor, centre=torch.from_numpy(start), radius=radius, iterations=3)
    close(found, v)
    assert np.linalg.norm(found.numpy() - start) <= 3 * radius + 1e-9
    with pytest.raises(ValueError, match="at least 1"):
        rules.centred_clipping(tensor, iterations=0)
    with pytest.raises(ValueError, match="not be negative"):
        rules.norm_bound(tensor, radius=-1.0)


def test_row_norms_are_distances_to_the_centre():
    rows = updates(5, 9)
    close(row_norms(rows), rows.norm(dim=1))
    close(row_norms(rows, rows[2]), (rows - rows[2]).norm(dim=1))


@some
@given(**CASES, iterations=st.integers(1, 3))
def test_dnc_drops_along_the_top_singular_vector(n, d, f, seed, iterations):
    rows = updates(n, d, seed).numpy()
    centred = rows - rows.mean(axis=0)
    scores = (centred @ np.linalg.svd(centred)[2][0]) ** 2
    kept = np.argsort(-scores)[f:]
    tensor = torch.from_numpy(rows)
    close(rules.divide_and_conquer(tensor, f, iterations=iterations), rows[kept].mean(axis=0))
    with pytest.raises(ValueError, match="give rng"):
        rules.divide_and_conquer(tensor.repeat(1, 3), f, coordinates=2)


def test_dnc_with_drawn_coordinates_keeps_the_intersection():
    rows, draws = updates(9, 12), np.random.default_rng(3)
    kept = set(range(9))
    for _ in range(2):
        part = rows[:, draws.permutation(12)[:5]].numpy()
        centred = part - part.mean(axis=0)
        kept -= set(np.argsort(-((centred @ np.linalg.svd(centred)[2][0]) ** 2))[:2].tolist())
    found = rules.divide_and_conquer(rows, 2, coordinates=5, iterations=2, rng=np.random.default_rng(3))
    close(found, rows[sorted(kept)].mean(0))


@some
@given(n=st.integers(2, 12), d=st.integers(1, 5), seed=st.integers(0, 999))
def test_adaptive_averaging_written_out(n, d, seed):
    rows = updates(n, d, seed, shift=0.5).numpy()
    rows[0] *= -3
    left, width = list(range(n)), 2.0
    while True:
        g = rows[left].mean(axis=0)
        s = np.array([x @ g / np.linalg.norm(x) / np.linalg.norm(g) for x in rows[left]])
        low = s.mean() < np.median(s)
        bad = s < np.median(s) - width * s.std() if low else s > np.median(s) + width * s.std()
        if not bad.any():
            break
        left, width = [i for i, out in zip(left, bad, strict=True) if not out], width + 0.5
    close(rules.adaptive_averaging(torch.from_numpy(rows)), rows[left].mean(axis=0))


@some
@given(n=st.integers(2, 8), d=st.integers(2, 5), seed=st.integers(0, 999))
def test_foolsgold_weights_written_out(n, d, seed):
    rows = updates(n, d, seed).numpy()
    cosines = np.array([[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in rows] for a in rows])
    v = [max(cosines[i, j] for j in range(n) if j != i) for i in range(n)]
    pardoned = [max(cosines[i, j] * (v[i] / v[j] if v[j] > v[i] else 1) for j in range(n) if j != i) for i in range(n)]
    weights = np.clip(1 - np.array(pardoned), 0, 1)
    weights = np.minimum(weights / weights.max(), 0.99)
    with np.errstate(divide="ignore"):
        expected = np.clip(np.log(weights / (1 - weights)) + 0.5, 0, 1)
    close(foolsgold_weights(torch.from_numpy(rows)), expected)
    total = expected.sum()
    combined = expected @ rows / total if total > 0 else np.zeros(d)
    close(rules.foolsgold(torch.from_numpy(rows)), combined)


def test_foolsgold_silences_identical_sybils_but_not_one_attacker():
    honest, attack = updates(6, 40), updates(1, 40, 9)
    weights = foolsgold_weights(torch.cat([honest, attack.expand(3, 40)]))
    assert weights[6:].max() == 0 and weights[:6].min() > 0
    assert foolsgold_weights(torch.cat([honest, attack]))[6] > 0
    assert foolsgold_weights(honest[:1]).tolist() == [1]
    assert torch.equal(rules.foolsgold(attack.expand(4, 40).contiguous()), torch.zeros(40, dtype=torch.float64))
    memory = torch.cat([honest, honest[:1]])  # the history decides, not the round
    assert torch.equal(rules.foolsgold(updates(7, 40, 2), history=memory), rules.foolsgold(updates(7, 40, 2),
                       history=memory + 0))  # fmt: skip
    assert foolsgold_weights(memory)[[0, 6]].max() == 0


@some
@given(n=st.integers(1, 8), d=st.integers(1, 5), seed=st.integers(0, 999))
def test_fltrust_written_out_and_never_longer_than_the_servers_update(n, d, seed):
    rows, root = updates(n, d, seed).numpy(), updates(1, d, seed + 1)[0].numpy()
    cosines = [x @ root / np.linalg.norm(x) / np.linalg.norm(root) for x in rows]
    trust = np.maximum(cosines, 0)
    expected = np.zeros(d)
    if trust.sum() > 0:
        scaled = [t * x * np.linalg.norm(root) / np.linalg.norm(x) for t, x in zip(trust, rows, strict=True)]
        expected = np.sum(scaled, axis=0) / trust.sum()
    found = rules.fltrust(torch.from_numpy(rows), root=torch.from_numpy(root)).numpy()
    close(found, expected)
    assert np.linalg.norm(found) <= np.linalg.norm(root) * (1 + 1e-9)
    with pytest.raises(ValueError, match="root has shape"):
        rules.fltrust(torch.from_numpy(rows), root=torch.ones(d + 1, dtype=torch.float64))


def test_fltrust_ignores_what_points_the_other_way():
    root = torch.tensor([1.0, 0.0])
    rows = torch.tensor([[2.0, 0.0], [-1e6, 5.0], [0.0, 3.0]])
    assert rules.fltrust(rows, root=root).tolist() == [1.0, 0.0]
    assert rules.fltrust(rows[1:], root=root).tolist() == [0.0, 0.0]
    assert rules.fltrust(rows, root=torch.zeros(2)).tolist() == [0.0, 0.0]


def test_a_sign_flips_exactly_when_attackers_outnumber_the_margin():
    for honest_plus, honest_minus in itertools.product(range(6), range(6)):
        for attackers in range(honest_plus + honest_minus):
            votes = [1.0] * honest_plus + [-1.0] * honest_minus + [-1.0] * attackers
            found = rules.sign_majority(torch.tensor(votes)[:, None], step=0.5).item()
            margin = honest_plus - honest_minus - attackers
            assert found == 0.5 * np.sign(margin)


@some
@given(**CASES)
def test_mixing_averages_each_rows_nearest(n, d, f, seed):
    rows = updates(n, d, seed).numpy()
    nearest = [np.argsort(pairs)[: n - f] for pairs in apart(rows)]
    expected = np.array([rows[group].mean(axis=0) for group in nearest])
    close(rules.mixed(torch.from_numpy(rows), f), expected)
    close(rules.after_mixing(rules.median)(torch.from_numpy(rows), f), np.median(expected, axis=0))


@some
@given(n=st.integers(1, 12), size=st.integers(1, 12), seed=st.integers(0, 99))
def test_bucketing_partitions_the_clients(n, size, seed):
    rows = updates(n, 3, seed)
    if size > n:
        with pytest.raises(ValueError, match="between 1 and all"):
            rules.bucketed(rows, size, np.random.default_rng(seed))
        return
    found = rules.bucketed(rows, size, np.random.default_rng(seed))
    order = np.random.default_rng(seed).permutation(n)
    close(found, np.array([rows.numpy()[order[i : i + size]].mean(axis=0) for i in range(0, n, size)]))


def test_rank_vote_orders_edges_by_their_sums():
    ranks = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2], [3, 0, 1, 2]])  # sums 4, 1, 6, 7
    assert rules.rank_vote(ranks).tolist() == [1, 0, 2, 3]
    assert rules.ranked_scores(ranks, torch.tensor([0.9, -0.5, 0.1, 0.3])).tolist() == pytest.approx(
        [0.1, -0.5, 0.3, 0.9]
    )
    assert rules.active_edges(ranks, share=0.5).tolist() == [False, False, True, True]
    for bad in (torch.tensor([[0, 0, 1, 2]]), torch.rand(2, 4)):
        with pytest.raises(ValueError, match="permutation"):
            rules.rank_vote(bad)
    with pytest.raises(ValueError, match="share"):
        rules.active_edges(ranks, share=0.0)


def test_one_client_moves_a_rank_sum_by_less_than_the_number_of_edges():
    rng = np.random.default_rng(0)
    ranks = torch.from_numpy(np.argsort(rng.random((5, 20)), axis=1))
    reversed_ = torch.cat([ranks[:4], 19 - ranks[4:]])
    assert (ranks.sum(0) - reversed_.sum(0)).abs().max() <= 19


def test_rows_that_are_not_finite_can_be_dropped():
    rows = updates(5, 3)
    rows[1, 0], rows[3, 2] = torch.nan, -torch.inf
    assert torch.equal(rules.finite_rows(rows), rows[[0, 2, 4]])


ROBUST = ["median", "trimmed mean", "norm bound", "krum", "multi-krum, one shot", "multi-krum, iterative",
          "geometric median", "clipping", "dnc", "mixed trimmed mean", "mixed krum"]  # fmt: skip


@pytest.mark.parametrize("name", [*ROBUST, "bulyan"])
def test_two_points(name):
    """A majority at zero and f copies elsewhere: the answer is zero, for every f that the rule accepts."""
    n, far = 20, updates(1, 30, 1)
    limit = {"bulyan": 4}.get(name, 8 if "krum" in name else 9)
    for f in range(1, limit + 1):
        rows = torch.cat([torch.zeros(n - f, 30, dtype=torch.float64), far.expand(f, 30)])
        assert RULES[name][0](rows, f).abs().max() < 1e-9, f
    if name != "clipping":  # whose radius, not f, limits what attackers can do
        with pytest.raises(ValueError, match="needs n"):
            RULES[name][0](updates(n, 30), 10)


def test_selected_rows_are_in_the_order_of_their_scores():
    pairs = squared_distances(updates())
    scores = krum_scores(pairs, 2)
    assert scores[multi_krum_rows(pairs, 2)].diff().min() >= 0


def test_rows_of_many_cohorts_are_those_of_each():
    pairs = torch.stack([squared_distances(updates(13, 4, seed)) for seed in range(5)])
    pairs[1] = pairs[1].clone().fill_(1.0).fill_diagonal_(0.0)  # all alike
    for variant in VARIANTS:
        together = multi_krum_rows(pairs, 3, variant=variant)
        assert together.tolist() == [multi_krum_rows(one, 3, variant=variant).tolist() for one in pairs]
    for selection in ("one by one", "one pass"):
        together = bulyan_rows(pairs, 2, selection=selection)
        assert together.tolist() == [bulyan_rows(one, 2, selection=selection).tolist() for one in pairs]


def test_repeated_krum_written_out():
    for seed in range(4):
        pairs = squared_distances(updates(11, 3, seed)).numpy()
        left, chosen = list(range(11)), []
        while len(chosen) < 7:
            near = min(max(len(left) - 2 - 2, 1), len(left) - 1)
            scores = [np.sort(pairs[i][[j for j in left if j != i]])[:near].sum() for i in left]
            totals = [
                pairs[i][left].sum() if s <= min(scores) * (1 + 1e-12) else np.inf
                for i, s in zip(left, scores, strict=True)
            ]
            chosen.append(left.pop(int(np.argmin(totals))))
        assert bulyan_rows(torch.from_numpy(pairs), 2).tolist() == chosen
