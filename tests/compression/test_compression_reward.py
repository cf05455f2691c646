import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.compression import reward
from lib.compression.reward import Thresholds

ratios = st.floats(0, 1.2)


def test_reward_of_the_teacher_itself():
    one, two, three = reward.parts(1, 1, 1)
    assert one == pytest.approx(0.818, abs=5e-4)
    assert two == pytest.approx(2.75e-5, rel=2e-3)
    assert three == pytest.approx(2.47e-3, rel=2e-3)
    assert reward.ddc(1, 1, 1) == pytest.approx(5.57e-8, rel=2e-3)


def test_parts_pass_one_half_at_their_thresholds():
    assert [float(p) for p in reward.parts(0.9, 0.3, 0.6)] == pytest.approx([0.5, 0.5, 0.5])


@given(ratios, ratios, ratios)
def test_reward_falls_with_time_and_size_and_rises_with_accuracy(a, t, c):
    here = reward.ddc(a, t, c)
    assert reward.ddc(a + 0.01, t, c) > here > reward.ddc(a, t + 0.01, c)
    assert here > reward.ddc(a, t, c + 0.01)
    assert 0 < here < 1 and reward.additive(a, t, c) < 3


@given(st.floats(0.5, 1.1), st.floats(0.1, 1.0), st.floats(0.1, 1.0))
def test_exchange_rate_is_the_slope_of_an_iso_reward_curve(a, t, c):
    step = 1e-6
    by_a = (np.log(reward.ddc(a + step, t, c)) - np.log(reward.ddc(a - step, t, c))) / (2 * step)
    by_t = (np.log(reward.ddc(a, t + step, c)) - np.log(reward.ddc(a, t - step, c))) / (2 * step)
    assert reward.exchange_rate(a, t) == pytest.approx(-by_t / by_a, rel=1e-4)


def test_exchange_rates_of_the_specification():
    assert reward.exchange_rate(1, 1) == pytest.approx(5.5, abs=0.05)
    assert reward.exchange_rate(0.95, 0.3) == pytest.approx(1.6, abs=0.05)


def test_n2n_by_hand():
    assert reward.n2n(0.8, 0.1, 0.25) == pytest.approx(0.8 * 0.75 * 1.25)
    assert reward.constrained_n2n(0.8, 0.1, 0.25, iteration=40) == reward.n2n(0.8, 0.1, 0.25)
    assert reward.constrained_n2n(0.8, 0.1, 0.9, iteration=0) == reward.n2n(0.8, 0.1, 0.9)
    assert reward.constrained_n2n(0.8, 0.1, 0.9, iteration=40) == -1


def test_first_draft_jumps_down_at_its_threshold():
    below, above = reward.first_draft([0.8999, 0.9001], 0.3, 0.5)
    assert below > above + 0.1
    middle = reward.second_draft(0.65, 0.6, 0.0)
    assert middle == pytest.approx(0.25)


def test_thresholds_are_respected():
    assert reward.ddc(0.97, 0.6, 0.6, Thresholds(0.97, 0.6, 0.6)) == pytest.approx(0.125)
