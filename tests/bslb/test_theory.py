from itertools import combinations

import numpy as np
import pytest

from lib.bslb import theory
from lib.bslb.pools import isotropic_arms
from lib.bslb.regression import lasso
from lib.bslb.rounding import poisson_subset, subset_lambda_min
from lib.bslb.sparsity import absolute_tail, soft_sparse


def test_published_rates():
    assert theory.regret_rate_v1(8, 1000, 0) == pytest.approx(2 * 100)
    assert theory.regret_rate_v1(1, 64, 4) == pytest.approx(16 + 2 * 32)
    assert theory.regret_rate_v2(8, 1000, 0) == pytest.approx(4 * 100)
    assert theory.regret_rate_v2(8, 1000, 2) == pytest.approx(9 * 4 * 100)


def test_third_term_of_v1_follows_from_exploring_k13_t23():
    # T sqrt(beta) T_e^{-1/4} at T_e = k^{1/3} T^{2/3} is the tail term of the first version.
    k, T, beta = 7.0, 500.0, 0.3
    tail = theory.regret_rate_v1(k, T, beta) - theory.regret_rate_v1(k, T, 0)
    assert tail == pytest.approx(T * beta**0.5 * (k ** (1 / 3) * T ** (2 / 3)) ** -0.25)


def test_chernoff_forms_agree():
    lam, d, largest, delta = 0.02, 20, 1.5, 0.1
    u = theory.u_required(lam, d=d, largest=largest, delta=delta)
    assert u == pytest.approx(8 * largest * np.log(d / delta) / lam)
    assert theory.chernoff_failure(lam, u, d=d, largest=largest) == pytest.approx(delta)
    assert theory.chernoff_value(lam, u, d=d, largest=largest, delta=delta) == pytest.approx(lam / 2)
    assert theory.chernoff_value(lam, 20, d=d, largest=largest) == 0.0
    assert theory.chernoff_failure(lam, 1, d=d, largest=largest) == 1.0


def test_chernoff_bound_covers_poisson_draws():
    arms, u, delta = isotropic_arms(1000, 3, np.random.default_rng(0)), 400, 0.1
    mu = np.full(1000, 1 / 1000)
    lam = np.linalg.eigvalsh(arms.T @ arms / 1000)[0]
    bound = theory.chernoff_value(lam, u, d=3, largest=1.0, delta=delta)
    assert bound > 0.5 * lam
    rng = np.random.default_rng(1)
    drawn = [poisson_subset(mu, u, rng) for _ in range(300)]
    values = np.array([subset_lambda_min(arms, G) * len(G) / u for G in drawn])
    assert (values < bound).mean() <= delta


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_lasso_errors_obey_the_basic_inequality_and_its_bounds(beta):
    rng = np.random.default_rng(0)
    n, d, k = 200, 30, 3  # n > d: the smallest eigenvalue itself is a valid restricted eigenvalue
    for _ in range(10):
        X, noise = rng.uniform(-1, 1, (n, d)), 0.1 * rng.standard_normal(n)
        theta = soft_sparse(d, k, beta, rng)
        alpha = 2 * np.abs(X.T @ noise).max() / n
        fit = lasso(X, X @ theta + noise, alpha=alpha)
        left, right = theory.basic_inequality(X, theta, fit, k=k, alpha=alpha)
        assert left <= right + 1e-6
        kappa = np.sqrt(np.linalg.eigvalsh(X.T @ X / n)[0])
        tail = absolute_tail(theta, k)
        assert np.abs(fit - theta).sum() <= theory.lasso_l1_bound(k, alpha, tail, kappa)
        assert np.linalg.norm(fit - theta) <= theory.lasso_l2_bound(k, alpha, tail, kappa)


@pytest.mark.parametrize("s", [1, 2, 3])
def test_sparse_eigenvalue_matches_brute_force(s):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((6, 9))
        gram = X.T @ X / 6
        exact = min(np.linalg.eigvalsh(gram[np.ix_(J, J)])[0] for J in combinations(range(9), s))
        assert theory.sparse_eigenvalue(X, s, rng=rng) == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_sparse_eigenvalue_is_an_upper_bound_that_falls_with_s_and_vanishes_by_rank():
    X = np.random.default_rng(0).standard_normal((10, 30))
    values = [theory.sparse_eigenvalue(X, s, rng=np.random.default_rng(1)) for s in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert theory.sparse_eigenvalue(X, 11, rng=np.random.default_rng(1)) == 0.0
    full = np.random.default_rng(0).standard_normal((20, 5))
    assert theory.sparse_eigenvalue(full, 5, rng=np.random.default_rng(1)) == pytest.approx(
        np.linalg.eigvalsh(full.T @ full / 20)[0]
    )
    with pytest.raises(ValueError, match="s must lie"):
        theory.sparse_eigenvalue(X, 31, rng=np.random.default_rng(1))
