import numpy as np
import pandas as pd
import pytest

from lib.bslb.experiments.design import sparse_eigenvalues, subset_quality
from lib.bslb.experiments.lasso import lasso_error, lasso_in_k
from lib.bslb.figures.design import design_value, sparse_eigenvalue
from lib.bslb.figures.lasso import lasso_in_k as draw_in_k
from lib.bslb.figures.lasso import lasso_rate, tail_term
from lib.report.intervals import fitted_slope


@pytest.fixture(scope="module")
def quality():
    return subset_quality(d=12, arms=300, sizes=(12, 24, 36, 72), draws=20, sdp=True, greedy_up_to=72, iterations=200)


@pytest.fixture(scope="module")
def eigenvalues():
    return sparse_eigenvalues(d=32, arms=800, explored=(8, 16, 24, 48), seeds=3)


@pytest.fixture(scope="module")
def errors():
    return lasso_error(sizes=(100, 250, 400, 640, 1000, 1600), c_values=(1.5, 0.5), seeds=3)


@pytest.fixture(scope="module")
def exponents():
    return lasso_in_k(seeds=4)


def slope(table, column, **only):
    for name, value in only.items():
        table = table[table[name] == value]
    middle = table[table["observations"] >= 250].groupby("observations")[column].mean()
    return fitted_slope(middle.index, middle)


def test_subset_quality_orders_bounds_and_values(quality):
    assert len(quality) == 2 * 4 * 20
    assert (quality["lambda_star"] <= quality["lambda_sdp"] * (1 + 1e-6)).all()
    assert (quality["lambda_sdp"] <= quality["certificate"] * (1 + 1e-6)).all()
    assert (quality["lambda_greedy"] <= quality["certificate"] * (1 + 1e-9)).all()
    assert (quality["lambda_poisson"] <= quality["certificate"] * (1 + 1e-9)).all()
    assert (quality["chernoff"] == 0).all()  # the bound is vacuous at these sizes


def test_design_pays_on_clustered_arms_only(quality):
    middle = quality[quality["u"] >= 24].groupby(["kind", "u"])[["lambda_poisson", "lambda_uniform"]].median()
    ratio = middle["lambda_poisson"] / middle["lambda_uniform"]
    assert ratio["clustered"].min() > 20
    assert ratio["isotropic"].min() > 0.8 and ratio["isotropic"].max() < 2


def test_subset_of_size_d_is_useless(quality):
    square = quality[quality["u"] == 12]
    assert square["lambda_poisson"].median() < 0.1 * square["lambda_star"].median()


def test_sparse_eigenvalue_survives_rank_deficiency(eigenvalues):
    short = eigenvalues[eigenvalues["explored"] < 32]
    assert (short["lambda_min"] < 1e-12).all() and (short["phi_min"] > 0).all()
    middle = eigenvalues.groupby(["explore", "explored"])["phi_min"].median()
    assert middle["subset"].is_monotonic_increasing
    assert middle["subset"].iloc[-1] > 2 * middle["uniform"].iloc[-1]
    assert (eigenvalues["lambda_min"] <= eigenvalues["phi_min"] + 1e-9).all()


def test_hard_sparse_rate_and_tail_floor(errors):
    for column in ("l1_error", "l2_error"):
        assert -0.65 <= slope(errors, column, beta=0.0, c=1.5) <= -0.42
    assert slope(errors, "l1_error", beta=0.2, c=1.5) > -0.15
    last = errors[(errors["beta"] == 0.2) & (errors["observations"] == 1600) & (errors["c"] == 1.5)]
    assert last["l1_error"].median() == pytest.approx(last["tail_l1"].median(), rel=0.15)
    # A penalty below the noise level loses the l1 rate.
    assert slope(errors, "l1_error", beta=0.0, c=0.5) > slope(errors, "l1_error", beta=0.0, c=1.5) + 0.1


def test_tail_ratio_is_flat_only_without_a_tail(errors):
    assert abs(slope(errors, "v2_ratio", beta=0.0, c=1.5)) < 0.15
    assert slope(errors, "v2_ratio", beta=0.2, c=1.5) > 0.3


def test_theory_bounds_hold(errors):
    safe = errors[errors["c"] == 1.5]
    assert (safe["l1_error"] <= safe["l1_bound"]).all() and (safe["l2_error"] <= safe["l2_bound"]).all()


def test_exponents_in_k(exponents):
    for _, part in exponents.groupby("c"):
        means = part.groupby("k")[["l1_error", "l2_error"]].mean()
        assert fitted_slope(means.index, means["l1_error"]) == pytest.approx(1.0, abs=0.15)
        assert fitted_slope(means.index, means["l2_error"]) == pytest.approx(0.5, abs=0.12)


def test_experiments_repeat_and_depend_on_the_seed():
    options = {"sizes": (50,), "betas": (0.2,), "c_values": (1.5,), "d": 40, "pool": 100, "ks": (3,), "seeds": 2}
    first, again, other = (lasso_error(**options, seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first["l1_error"], other["l1_error"])


def test_progress_wraps_the_outer_loop():
    seen = []

    def progress(items, label):
        seen.append((label, len(items)))
        return items

    sparse_eigenvalues(d=8, arms=60, explored=(8,), k=1, seeds=2, progress=progress)
    subset_quality(kinds=("isotropic",), d=4, arms=30, sizes=(8,), draws=2, progress=progress)
    assert seen == [("sparse eigenvalues", 2), ("subset quality", 1)]


def test_every_figure_is_captioned_with_computed_numbers(quality, eigenvalues, errors, exponents):
    figures = [
        design_value(quality),
        sparse_eigenvalue(eigenvalues),
        lasso_rate(errors),
        draw_in_k(exponents),
        tail_term(errors),
    ]
    for figure in figures:
        assert figure.scarce_caption and figure.scarce_alt
        for axis in figure.axes:
            assert axis.get_xlabel()
    scaled = errors.assign(l1_error=errors["l1_error"] * errors["observations"])
    assert lasso_rate(scaled).scarce_caption != lasso_rate(errors).scarce_caption


def test_bad_parameters_are_refused(errors):
    with pytest.raises(ValueError, match="unknown kind"):
        subset_quality(kinds=("square",))
    with pytest.raises(ValueError, match="must not exceed"):
        sparse_eigenvalues(d=8, arms=100, explored=(25,))
    with pytest.raises(ValueError, match="sizes is empty"):
        subset_quality(sizes=())
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        sparse_eigenvalues(seeds=0)
    with pytest.raises(ValueError, match="betas is empty"):
        lasso_error(betas=())
    with pytest.raises(ValueError, match="c_values is empty"):
        lasso_error(c_values=())
    with pytest.raises(ValueError, match="beta = 200"):
        lasso_error(betas=(200.0,))
    with pytest.raises(ValueError, match="exceeds the pool"):
        lasso_error(sizes=(200,), pool=100)
    with pytest.raises(ValueError, match="penalty factor"):
        lasso_rate(errors, c=9.0)
