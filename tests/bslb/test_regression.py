import numpy as np
import pytest

from lib.bslb.popart import catoni_mean, pseudo_estimates
from lib.bslb.regression import (
    ESTIMATORS,
    active_alpha,
    estimate,
    lasso,
    residual_sigma,
    ridge,
    theory_alpha,
    thresholded,
)
from lib.bslb.sparsity import soft_sparse


def problem(n=300, d=40, k=3, sigma=0.05, seed=0, level=0.0):
    rng = np.random.default_rng(seed)
    theta = soft_sparse(d, k, 0.0, rng)
    X = rng.uniform(-1, 1, size=(n, d))
    return X, X @ theta + level + sigma * rng.standard_normal(n), theta


@pytest.fixture(params=ESTIMATORS)
def fit(request):
    def run(X, r, **options):
        return estimate(
            X, r, estimator=request.param, **({"sigma": 0.05, "covariance": np.eye(X.shape[1]) / 3} | options)
        )

    return run


class TestEveryEstimator:
    def test_shape_and_determinism(self, fit):
        X, r, _ = problem()
        first = fit(X, r)
        assert first.shape == (40,) and first.dtype == np.float64 and np.array_equal(first, fit(X, r))

    def test_beats_the_zero_estimate(self, fit):
        X, r, theta = problem()
        assert np.linalg.norm(fit(X, r) - theta) < 0.7 * np.linalg.norm(theta)

    def test_inputs_are_left_alone(self, fit):
        X, r, _ = problem()
        before = X.copy(), r.copy()
        fit(X, r, intercept=True)
        assert np.array_equal(before[0], X) and np.array_equal(before[1], r)

    def test_intercept_makes_the_level_irrelevant(self, fit):
        X, r, _ = problem()
        assert fit(X, r + 100, intercept=True) == pytest.approx(fit(X, r, intercept=True), abs=1e-6)

    def test_units_of_the_reward_scale_the_estimate(self, fit):
        X, r, _ = problem()
        assert fit(X, 7 * r, sigma=7 * 0.05) == pytest.approx(7 * fit(X, r), rel=1e-3, abs=1e-3)

    def test_noise_may_be_unknown(self, fit):
        X, r, theta = problem()
        assert np.corrcoef(fit(X, r, sigma=None), theta)[0, 1] > 0.8

    def test_fewer_rows_than_columns(self, fit):
        X, r, _ = problem(n=20)
        assert np.isfinite(fit(X, r)).all()

    def test_a_huge_penalty_still_ranks(self, fit):
        X, r, _ = problem()
        assert np.count_nonzero(fit(X, r, c_l=1e6)) > 0

    def test_zero_rewards_give_zero(self, fit):
        X, r, _ = problem()
        assert np.array_equal(fit(X, 0 * r), np.zeros(40))

    @pytest.mark.parametrize("bad", ["shape", "nan", "empty"])
    def test_bad_input_is_refused(self, fit, bad):
        X, r, _ = problem()
        X, r = {"shape": (X, r[:-1]), "nan": (np.where(X > 0.99, np.nan, X), r), "empty": (X[:0], r[:0])}[bad]
        with pytest.raises(ValueError, match="X "):
            fit(X, r)


def test_unknown_estimator_and_missing_covariance():
    X, r, _ = problem()
    with pytest.raises(ValueError, match="choose one of"):
        estimate(X, r, estimator="magic", sigma=1.0)
    with pytest.raises(ValueError, match="covariance"):
        estimate(X, r, estimator="popart", sigma=1.0)
    with pytest.raises(ValueError, match="singular"):
        estimate(X, r, estimator="popart", sigma=1.0, covariance=np.zeros((40, 40)))
    with pytest.raises(ValueError, match="positive"):
        lasso(X, r, alpha=0.0)


@pytest.mark.parametrize("precompute", [False, True])
def test_lasso_meets_the_optimality_conditions(precompute):
    X, r, _ = problem()
    alpha = 0.01
    theta = lasso(X, r, alpha=alpha, precompute=precompute)
    gradient = X.T @ (r - X @ theta) / len(r)
    active = theta != 0
    assert 0 < active.sum() < len(theta)
    assert gradient[active] == pytest.approx(alpha * np.sign(theta[active]), abs=1e-4 * alpha + 2e-5)
    assert np.abs(gradient[~active]).max() <= alpha * (1 + 1e-3)


def test_theory_alpha_follows_units_and_sample_size():
    X = np.full((100, 50), 2.0)
    assert theory_alpha(X, 0.3, 1.5) == pytest.approx(1.5 * 0.3 * 2.0 * np.sqrt(np.log(50) / 100))


def test_active_alpha_halves_only_as_needed():
    X, r, _ = problem()
    largest = np.abs(X.T @ r).max() / len(r)
    assert active_alpha(X, r, 0.5 * largest) == 0.5 * largest
    assert active_alpha(X, r, 3 * largest) == 0.75 * largest
    assert np.count_nonzero(lasso(X, r, alpha=0.99 * largest)) >= 1
    assert np.count_nonzero(lasso(X, r, alpha=1.001 * largest)) == 0


@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_residual_sigma_finds_the_noise(sigma):
    found = [residual_sigma(*problem(n=200, d=100, sigma=sigma, seed=s)[:2]) for s in range(10)]
    assert np.median(found) == pytest.approx(sigma, rel=0.25)


@pytest.mark.parametrize("n", [10, 60])
def test_ridge_closed_form(n):
    X, r, _ = problem(n=n, d=25)
    theta = ridge(X, r, penalty=0.7)
    assert X.T @ (X @ theta - r) + 0.7 * theta == pytest.approx(np.zeros(25), abs=1e-9)


def test_thresholded_lasso_is_least_squares_on_the_support_and_removes_the_shrinkage():
    ratios = []
    for seed in range(10):
        X, r, theta = problem(sigma=0.1, seed=seed)
        alpha = theory_alpha(X, 0.1, 1.5)
        refit, support = thresholded(X, r, alpha=alpha), theta != 0
        assert np.array_equal(refit != 0, support)
        assert X[:, support].T @ (r - X @ refit) == pytest.approx(np.zeros(3), abs=1e-9)
        shrunk = lasso(X, r, alpha=alpha)
        assert np.abs(refit).sum() > np.abs(shrunk).sum()
        ratios.append(np.linalg.norm(refit - theta) / np.linalg.norm(shrunk - theta))
    # Expected: sigma sqrt(k / (n s_x^2)) = .017 for least squares; the Lasso adds a bias sqrt(k) alpha / s_x^2 = .05.
    assert np.median(ratios) < 0.6


def test_popart_pseudo_estimates_are_unbiased_on_an_orthogonal_design():
    d = 6
    theta = np.array([1.0, -2.0, 0, 0, 0.5, 0])
    X = np.sqrt(d) * np.eye(d)  # each axis explored equally often: second moment exactly the identity
    for pilot in (np.zeros(d), np.linspace(-1, 1, d)):
        mean = pseudo_estimates(X, X @ theta, covariance=np.eye(d), pilot=pilot).mean(axis=0)
        assert mean == pytest.approx(theta)


def test_catoni_mean_is_centred_and_robust():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((400, 3)) + np.array([0.0, 5.0, -5.0])
    symmetric = np.concatenate([values, 2 * np.array([0.0, 5.0, -5.0]) - values])
    assert catoni_mean(symmetric, scale=np.full(3, 0.3)) == pytest.approx([0.0, 5.0, -5.0], abs=1e-9)
    values[0] = 1e6
    assert np.abs(catoni_mean(values, scale=np.full(3, 0.3)) - [0, 5, -5]).max() < 0.5 < values.mean(axis=0).min()
