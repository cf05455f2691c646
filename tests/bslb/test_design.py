import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.bslb.design_fw import CHUNK_BYTES, arm_scores, capped_maximum, frank_wolfe_design, gram_matrix
from lib.bslb.pools import clustered_arms, isotropic_arms, uniform_arms
from lib.bslb.subset import SOLVERS, design_gram, good_subset, uniform_subset

LINE = np.eye(2)[[0, 1, 1, 1]]  # {e1, e2, e2, e2}
EXACT = [
    pytest.param(LINE, 2, 1 / 2, id="two of four"),
    pytest.param(LINE, 4, 1 / 4, id="cap binds"),
    pytest.param(np.repeat(np.eye(4), 3, axis=0), 8, 1 / 4, id="axes repeated"),
    pytest.param(3.0 * np.eye(5), 5, 9 / 5, id="all arms"),
]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("arms", "u", "optimum"), EXACT)
def test_exact_optima(arms, u, optimum, solver):
    design = good_subset(arms, u, solver=solver, rng=rng())
    assert design.lam_star == pytest.approx(optimum, rel=1e-6)
    assert design.upper >= optimum * (1 - 1e-6)


@pytest.mark.parametrize("solver", ["fw", "sdp"])
def test_weights_where_they_are_unique(solver):
    mu = good_subset(LINE, 2, solver=solver, rng=rng()).mu
    assert mu[0] == pytest.approx(0.5, abs=1e-6) and mu[1:].sum() == pytest.approx(0.5, abs=1e-6)
    assert good_subset(LINE, 4, solver=solver, rng=rng()).mu == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("pool", [clustered_arms, isotropic_arms])
@pytest.mark.parametrize("u", [20, 40, 80])
def test_frank_wolfe_is_within_five_percent_of_the_exact_optimum(pool, u):
    arms = pool(500, 20, rng())
    exact = good_subset(arms, u, solver="sdp", draws=1, rng=rng())
    fast = good_subset(arms, u, draws=1, rng=rng())
    assert 0.95 * exact.lam_star <= fast.lam_star <= exact.lam_star * (1 + 1e-4)
    assert exact.lam_star * (1 - 1e-6) <= fast.upper <= 1.1 * exact.lam_star
    assert exact.upper == pytest.approx(exact.lam_star, rel=1e-4)


@st.composite
def pools(draw):
    d = draw(st.integers(1, 6))
    count = draw(st.integers(d, 30))
    u = draw(st.integers(d, count))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    return generator.standard_normal((count, d)), u, generator


@given(pools(), st.sampled_from(["fw", "greedy"]))
@settings(max_examples=40, deadline=None)
def test_design_is_feasible_and_reports_its_own_value(case, solver):
    arms, u, generator = case
    design = good_subset(arms, u, solver=solver, iterations=40, rng=generator)
    assert design.mu.min() >= 0 and design.mu.max() <= 1 / u + 1e-12 and design.mu.sum() == pytest.approx(1)
    assert design.lam_star == pytest.approx(np.linalg.eigvalsh((arms.T * design.mu) @ arms)[0], abs=1e-9)
    assert design.lam_star <= design.upper
    assert len(set(design.subset.tolist())) == u
    chosen = arms[design.subset]
    assert design.lam_subset == pytest.approx(max(np.linalg.eigvalsh(chosen.T @ chosen / u)[0], 0), abs=1e-9)
    # The subset's own weights are feasible, so the certificate bounds it too.
    assert design.lam_subset <= design.upper + 1e-9


@given(pools())
@settings(max_examples=25, deadline=None)
def test_optimum_does_not_depend_on_the_order_of_the_arms(case):
    arms, u, generator = case
    order = generator.permutation(len(arms))
    mu, value, upper = frank_wolfe_design(arms, u)
    moved, other, bound = frank_wolfe_design(arms[order], u)
    assert other == pytest.approx(value, rel=1e-6, abs=1e-9) and bound == pytest.approx(upper, rel=1e-6)
    assert moved == pytest.approx(mu[order], abs=1e-6)


def test_optimum_scales_and_rotates_with_the_arms():
    arms = clustered_arms(200, 8, rng())
    rotation = np.linalg.qr(rng(1).standard_normal((8, 8)))[0]
    value = frank_wolfe_design(arms, 24)[1]
    assert frank_wolfe_design(3 * arms @ rotation, 24)[1] == pytest.approx(9 * value, rel=1e-3)


def test_the_optimum_falls_as_the_cap_tightens():
    arms = clustered_arms(200, 8, rng())
    values = [frank_wolfe_design(arms, u, tolerance=0.002, iterations=400)[1] for u in (8, 24, 72, 200)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(np.linalg.eigvalsh(arms.T @ arms / 200)[0])


def test_any_positive_semidefinite_weights_certify():
    arms = clustered_arms(100, 6, rng())
    exact = good_subset(arms, 18, solver="sdp", draws=1, rng=rng()).lam_star
    for seed in range(20):
        root = rng(seed).standard_normal((6, 6))
        assert capped_maximum(arms, 18, root @ root.T) >= exact * (1 - 1e-6)


def test_float32_arms_are_not_upcast_and_agree():
    arms = clustered_arms(2000, 16, rng())
    mu, value, upper = frank_wolfe_design(arms.astype(np.float32), 48)
    assert value == pytest.approx(frank_wolfe_design(arms, 48)[1], rel=0.03)
    assert value == pytest.approx(np.linalg.eigvalsh((arms.T * mu) @ arms)[0], rel=1e-4) and value <= upper
    assert arm_scores(arms.astype(np.float32), np.eye(16)).dtype == np.float32


def test_blocks_of_rows_cover_the_pool():
    rows = CHUNK_BYTES // (8 * 64) * 2 + 3
    arms = rng().standard_normal((rows, 64))
    assert gram_matrix(arms) == pytest.approx(arms.T @ arms, rel=1e-9, abs=1e-6)
    assert arm_scores(arms, np.eye(64)) == pytest.approx(np.square(arms).sum(axis=1))


def test_design_gram_is_the_second_moment():
    arms = clustered_arms(50, 4, rng())
    design = good_subset(arms, 12, rng=rng())
    assert np.linalg.eigvalsh(design_gram(arms, design.mu))[0] == pytest.approx(design.lam_star)


def test_designed_beats_uniform_on_clustered_arms():
    arms = clustered_arms(500, 20, rng())
    design = good_subset(arms, 40, rng=rng())
    uniform = arms[uniform_subset(arms, 40, rng=rng())]
    assert design.lam_subset > 50 * np.linalg.eigvalsh(uniform.T @ uniform / 40)[0]


def test_same_generator_same_subset():
    arms = clustered_arms(100, 6, rng())
    assert np.array_equal(good_subset(arms, 18, rng=rng(3)).subset, good_subset(arms, 18, rng=rng(3)).subset)


@pytest.mark.parametrize("pool", [clustered_arms, isotropic_arms])
def test_pools_have_unit_norm(pool):
    assert np.linalg.norm(pool(30, 7, rng()), axis=1) == pytest.approx(1.0)


def test_clustered_arms_lie_near_a_quarter_of_the_dimensions():
    values = np.linalg.eigvalsh(np.cov(clustered_arms(4000, 16, rng()).T, bias=True))[::-1]
    assert values[:4].sum() > 0.85 and values[4:].max() < 0.1 * values[3]
    assert np.abs(uniform_arms(10, 3, rng())).max() <= 1


@pytest.mark.parametrize(
    ("arms", "u", "match"),
    [
        (np.ones((5, 3)), 2, "u must lie"),
        (np.ones((5, 3)), 6, "u must lie"),
        (np.full((5, 2), np.nan), 3, "finite"),
        (np.array([[1.0, np.inf], [0, 1]]), 2, "finite"),
        (np.ones(5), 3, "shape"),
    ],
)
def test_bad_arms_are_refused(arms, u, match):
    with pytest.raises(ValueError, match=match):
        good_subset(arms, u, rng=rng())


def test_unknown_solver_and_bad_pools_are_refused():
    with pytest.raises(ValueError, match="choose one of"):
        good_subset(np.eye(2), 2, solver="magic", rng=rng())
    with pytest.raises(ValueError, match="u must lie"):
        uniform_subset(np.eye(2), 3, rng=rng())
    with pytest.raises(ValueError, match="fraction"):
        clustered_arms(5, 4, rng(), fraction=2.0)
    with pytest.raises(ValueError, match="at least 1"):
        isotropic_arms(0, 4, rng())


def test_missing_cvxpy_names_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "cvxpy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"scarce\[sdp\]"):
        good_subset(np.eye(2), 2, solver="sdp", rng=rng())
