import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.bslb.sparsity import absolute_tail, relative_tail, soft_sparse


def test_tails_of_a_known_vector():
    theta = np.array([1.0, -4.0, 0.0, 2.0])
    assert absolute_tail(theta, 2) == 1.0
    assert relative_tail(theta, 2) == pytest.approx(1 / 6)
    assert relative_tail(theta, 4) == 0.0
    assert relative_tail(np.zeros(3), 1) == 0.0


@given(d=st.integers(2, 60), fraction=st.floats(0, 1), seed=st.integers(0, 1000), data=st.data())
def test_soft_sparse_has_the_asked_tail(d, fraction, seed, data):
    k = data.draw(st.integers(1, d))
    beta = fraction * (d - k) / k
    theta = soft_sparse(d, k, beta, np.random.default_rng(seed))
    assert relative_tail(theta, k) == pytest.approx(beta, rel=1e-9, abs=1e-12)
    assert np.sort(np.abs(theta))[-k:] == pytest.approx(1 / np.sqrt(k))


def test_hard_sparse_norm_does_not_depend_on_k():
    for k in (1, 3, 10):
        theta = soft_sparse(50, k, 0.0, np.random.default_rng(0))
        assert np.count_nonzero(theta) == k and np.linalg.norm(theta) == pytest.approx(1.0)


def test_seed_decides_everything():
    first, again, other = (soft_sparse(30, 4, 0.5, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(("k", "beta"), [(0, 0.0), (9, 0.0), (4, -0.1), (4, 1.1)])
def test_impossible_parameters_are_refused(k, beta):
    with pytest.raises(ValueError, match="must lie in"):
        soft_sparse(8, k, beta, np.random.default_rng(0))


@pytest.mark.parametrize("theta", [np.ones((2, 2)), np.array([1.0, np.nan])])
def test_tail_refuses_bad_vectors(theta):
    with pytest.raises(ValueError, match="finite vector"):
        absolute_tail(theta, 1)
