import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib.bslb.environments import make_environment
from lib.bslb.metrics import final_regret, mean_reward, precision_at_T, regret_curve
from lib.bslb.policy import Run


def environment(means):
    means = np.atleast_2d(np.asarray(means, dtype=float))
    return make_environment(np.zeros((means.shape[1], 1)), means, sigma=0.0, seed=0)


def test_curve_against_hand_computed_values_and_it_may_fall():
    env, run = environment([3, 2, 1]), Run(np.array([[2, 0, 1]]), 0)
    np.testing.assert_allclose(regret_curve(env, run), [[2, 1, 0]])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.data())
def test_curve_equals_brute_force_and_is_never_negative(means, data):
    order = data.draw(st.permutations(range(len(means))))
    order = order[: data.draw(st.integers(1, len(means)))]
    curve = regret_curve(environment(means), Run(np.array([order]), 0))[0]
    for t in range(1, len(order) + 1):
        best = max(sum(means[i] for i in chosen) for chosen in itertools.combinations(range(len(means)), t))
        assert curve[t - 1] == best - sum(means[i] for i in order[:t]) >= 0


def test_final_regret_does_not_depend_on_the_order_of_the_pulls():
    env = environment(np.random.default_rng(0).standard_normal((2, 9)))
    forward = np.array([[0, 4, 7], [1, 2, 3]])
    np.testing.assert_allclose(
        final_regret(env, Run(forward, 0)), final_regret(env, Run(np.flip(forward, axis=1).copy(), 0))
    )


def test_mean_reward_and_precision_count_ties_as_hits():
    env, run = environment([5, 1, 1, 0]), Run(np.array([[0, 2]]), 0)
    np.testing.assert_allclose(mean_reward(env, run), [3])
    np.testing.assert_allclose(precision_at_T(env, run), [1.0])
    np.testing.assert_allclose(precision_at_T(env, Run(np.array([[0, 3]]), 0)), [0.5])
