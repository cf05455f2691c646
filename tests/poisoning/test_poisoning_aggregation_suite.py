"""What every aggregation rule must satisfy, whatever it computes."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from poisoning_toys import MOVES, NO_TOLERANCE, RULES, SCALES, TURNS, updates

F = 2


def apply(name, rows, f=F):
    return RULES[name][0](rows, f)


def close(a, b, atol=1e-9):
    torch.testing.assert_close(a, b, rtol=1e-7, atol=atol)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_type_stay_and_the_input_is_not_touched(name, dtype):
    rows = updates(dtype=dtype)
    before = rows.clone()
    found = apply(name, rows)
    assert found.shape == (9,) and found.dtype == dtype and bool(torch.isfinite(found).all())
    assert torch.equal(rows, before)
    assert torch.equal(apply(name, rows), found)


@pytest.mark.parametrize("name", RULES)
def test_the_result_owns_its_memory(name):
    rows = updates()
    before = rows.clone()
    apply(name, rows).add_(1)
    assert torch.equal(rows, before)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), order=st.permutations(range(12)))
def test_the_order_of_the_clients_does_not_matter(name, seed, order):
    rows = updates(seed=seed)
    close(apply(name, rows[list(order)]), apply(name, rows))


@pytest.mark.parametrize("name", MOVES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), shift=st.floats(-100, 100))
def test_a_shift_of_all_updates_shifts_the_aggregate(name, seed, shift):
    rows, vector = updates(seed=seed), shift * updates(1, 9, seed + 1)[0]
    close(apply(name, rows + vector), apply(name, rows) + vector, atol=1e-6)


def test_rules_said_not_to_move_with_a_shift_do_not():
    rows = updates()
    for name in set(RULES) - set(MOVES):
        assert not torch.allclose(apply(name, rows + 1), apply(name, rows) + 1, atol=1e-3), name


@pytest.mark.parametrize("name", SCALES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), factor=st.floats(1e-3, 1e3))
def test_a_factor_of_all_updates_is_a_factor_of_the_aggregate(name, seed, factor):
    rows = updates(seed=seed)
    close(apply(name, factor * rows), factor * apply(name, rows), atol=1e-6 * factor)


def test_rules_said_not_to_scale_do_not():
    rows = updates()
    for name in set(RULES) - set(SCALES):
        assert not torch.allclose(apply(name, 3 * rows), 3 * apply(name, rows), atol=1e-3), name


@pytest.mark.parametrize("name", TURNS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_a_rotation_of_all_updates_rotates_the_aggregate(name, seed):
    rows = updates(seed=seed)
    turn = torch.linalg.qr(updates(9, 9, seed + 1)).Q
    close(apply(name, rows @ turn), apply(name, rows) @ turn, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(RULES) - {"foolsgold", "sign majority", "clipping, fixed", "fltrust"}))
def test_equal_updates_are_their_own_aggregate(name):
    row = updates(1, 9)
    close(apply(name, row.expand(12, 9).contiguous()), row[0])


@pytest.mark.parametrize("name", sorted(set(RULES) - set(NO_TOLERANCE) - {"mixed mean"}))
def test_too_many_attackers_are_refused_with_the_requirement(name):
    for f in (6, -1):
        with pytest.raises(ValueError, match=r"needs n >|f = -1 must be"):
            apply(name, updates(), f)


@pytest.mark.parametrize("name", RULES)
def test_bad_updates_are_refused(name):
    bad = updates()
    bad[3, 4] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        apply(name, bad)
    bad[3, 4] = torch.inf
    with pytest.raises(ValueError, match="NaN or infinity"):
        apply(name, bad)
    for wrong in (updates()[0], torch.ones(3, 4, dtype=torch.int64), torch.empty(0, 3)):
        with pytest.raises(ValueError, match="floating-point rows"):
            apply(name, wrong)


@pytest.mark.parametrize("name", sorted(set(RULES) - {"mean"}))
def test_one_huge_update_moves_a_robust_rule_only_so_far(name):
    rows = updates(seed=5)
    rows[0] = 1e9
    spread = (rows[1:] - rows[1:].mean(0)).norm(dim=1).max()
    found = apply(name, rows)
    if name in ("mixed mean", "afa"):  # neither promises anything here; both happen to reject the row
        assert found.norm() < 1e9
    elif name != "foolsgold":  # which keeps a lone attacker
        assert (found - rows[1:].mean(0)).norm() <= 3 * spread


@settings(max_examples=25, deadline=None)
@given(n=st.integers(7, 14), d=st.integers(1, 6), seed=st.integers(0, 999))
def test_aggregates_of_selecting_and_averaging_rules_stay_within_the_updates(n, d, seed):
    rows = updates(n, d, seed)
    for name in ("mean", "median", "trimmed mean", "krum", "bulyan", "geometric median", "mixed krum"):
        found = apply(name, rows, 1)
        assert bool((found <= rows.max(0).values + 1e-9).all() and (found >= rows.min(0).values - 1e-9).all()), name


def test_blocks_do_not_change_the_result(monkeypatch):
    # By module name: the package exports functions of the same names.
    modules = [sys.modules[f"lib.poisoning.aggregation.{name}"] for name in ("blocks", "bulyan", "distances")]
    rows = updates(12, 301, dtype=torch.float32)
    whole = {name: apply(name, rows) for name in RULES}
    for module in modules:
        monkeypatch.setattr(module, "WIDTH", 16)
    for name, found in whole.items():
        np.testing.assert_allclose(apply(name, rows), found, rtol=0, atol=2e-6, err_msg=name)
