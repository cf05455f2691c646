import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from lib.compression import layers, networks
from lib.compression.optimum import best_student, every_student, threshold_path
from lib.compression.reward import Thresholds, ddc, exchange_rate, n2n
from lib.compression.surrogate import Surrogate
from lib.compression.theory import (
    exchange,
    floors,
    log_reward_slopes,
    repaid,
    resnet_floor,
    resnet_parameters,
    vgg_parameters,
)
from lib.compression.theory_gradient import (
    all_decisions,
    escape_steps,
    expected_reward,
    gradient_ascent,
    gradient_noise,
    noise_ratio,
    noise_table,
    plateau,
    policy_gradient,
    probabilities,
    simulated_noise,
)


def test_published_counts():
    table = floors()
    assert table["teacher"].tolist() == [11_173_962, 11_220_132]
    assert table["floor"].tolist() == [1_728_970, 1_775_140]
    np.testing.assert_allclose(table["most_compression"], [6.4628, 6.3207], atol=5e-5)
    assert vgg_parameters(networks.VGG11, classes=10) == 9_231_114


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    blocks=st.integers(1, 3),
    classes=st.integers(2, 7),
)
def test_closed_forms_are_counts_of_what_is_built(widths, blocks, classes):
    teacher = networks.resnet(widths, classes=classes, blocks=blocks, pixels=16)
    built = sum(p.numel() for p in networks.build(teacher).parameters())
    assert resnet_parameters(widths, classes=classes, blocks=blocks) == built
    least = sum(p.numel() for p in networks.build(layers.minimal(teacher)).parameters())
    assert resnet_floor(widths, classes=classes) == least


@pytest.mark.parametrize("layout", [(8, "M", 16, "M", 32), (3, 5, "M")])
def test_closed_form_of_a_vgg(layout):
    built = networks.build(networks.mini_vgg(layout))
    assert vgg_parameters(layout, classes=10, channels=1, pixels=8) == sum(p.numel() for p in built.parameters())


def test_the_teachers_own_reward_is_practically_zero():
    assert float(ddc(1, 1, 1)) == pytest.approx(5.57e-8, rel=1e-3)


ratios = st.floats(0.05, 1.2)


@settings(max_examples=40, deadline=None)
@given(a=ratios, t=ratios, c=ratios)
def test_slopes_are_the_derivatives(a, t, c):
    at = torch.tensor([a, t, c], dtype=torch.float64, requires_grad=True)
    signs, thresholds = torch.tensor([1.0, -1, -1]), torch.tensor([0.9, 0.3, 0.6], dtype=torch.float64)
    torch.nn.functional.logsigmoid(15 * signs * (at - thresholds)).sum().backward()
    np.testing.assert_allclose(log_reward_slopes(a, t, c), at.grad.numpy(), rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(a=st.floats(0.8, 1.05), t=st.floats(0.05, 1.0), loss=st.floats(0.001, 0.05))
def test_the_gain_that_repays_a_loss_leaves_the_reward_as_it_was(a, t, loss):
    gain = float(repaid(loss, a=a, t=t))

    def missing(g):
        return float(np.log(ddc(a - loss, t - g, 0.2)) - np.log(ddc(a, t, 0.2)))

    if np.isfinite(gain) and gain < 3:
        assert gain > 0 and gain == pytest.approx(brentq(missing, 0, 4, xtol=1e-12), abs=1e-7)
    elif not np.isfinite(gain):
        assert missing(50.0) <= 1e-12


def test_exchange_at_the_teacher_and_at_the_threshold():
    assert float(exchange_rate(1.0, 1.0)) == pytest.approx(5.5, abs=0.05)
    assert float(exchange_rate(0.95, 0.30)) == pytest.approx(1.6, abs=0.05)
    table = exchange()
    np.testing.assert_allclose(table["rate"], exchange_rate(1.0, table["t"]))
    small = exchange(loss=1e-6)
    np.testing.assert_allclose(small["gain"], 1e-6 / small["rate"], rtol=1e-4)
    assert (table["gain"].diff().dropna() > 0).all()  # the faster already, the more time an accuracy loss must save


LAYERS = 4
values = st.lists(st.floats(-1, 1), min_size=2**LAYERS, max_size=2**LAYERS).map(np.array)
chances = st.lists(st.floats(0.05, 0.95), min_size=LAYERS, max_size=LAYERS).map(np.array)


@settings(max_examples=25, deadline=None)
@given(rewards=values, chance=chances)
def test_probabilities_and_gradient(rewards, chance):
    assert probabilities(chance).sum() == pytest.approx(1)
    np.testing.assert_allclose(probabilities(chance) @ all_decisions(LAYERS), chance)
    odds = torch.tensor(np.log(chance / (1 - chance)), requires_grad=True)
    keep = torch.tensor(list(itertools.product((0.0, 1.0), repeat=LAYERS)), dtype=torch.float64).flip(1)
    logs = keep * torch.nn.functional.logsigmoid(odds) + (1 - keep) * torch.nn.functional.logsigmoid(-odds)
    mean = logs.sum(1).exp() @ torch.tensor(rewards)
    mean.backward()
    assert expected_reward(rewards, chance) == pytest.approx(mean.item())
    gradient = policy_gradient(rewards, chance)
    np.testing.assert_allclose(gradient, odds.grad.numpy(), atol=1e-12)
    assert (np.abs(gradient) <= chance * (1 - chance) * np.ptp(rewards) + 1e-12).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), baseline=st.floats(-1, 1), n=st.integers(1, 3), shared=st.booleans())
def test_gradient_noise_is_that_of_all_iterations_that_can_happen(seed, baseline, n, shared):
    rng = np.random.default_rng(seed)
    rewards, chance = rng.random(8), 0.1 + 0.8 * rng.random(3)
    weights, scores = probabilities(chance), all_decisions(3) - chance
    mean, square = np.zeros(3), 0.0
    for drawn in itertools.product(range(8), repeat=n):
        drawn = list(drawn)
        advantage = rewards[drawn] - baseline
        own, common = (advantage[:, None] * scores[drawn]).mean(0), advantage.mean() * scores[drawn].sum(0)
        estimate = common if shared else own
        mean = mean + weights[drawn].prod() * estimate
        square += weights[drawn].prod() * (estimate**2).sum()
    found = gradient_noise(rewards, chance, baseline=baseline, rollouts=n, shared=shared)
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    np.testing.assert_allclose(found.mean, policy_gradient(rewards, chance), atol=1e-12)
    assert found.variance == pytest.approx(square - mean @ mean, abs=1e-12)


def test_a_reward_that_ignores_the_students_gives_the_simple_ratio():
    # A reward of +-1 by the parity of six layers is independent of every single score and of their length at p = 1/2.
    parity = np.where(all_decisions(6).sum(1) % 2, 1.0, -1.0)
    chance = np.full(6, 0.5)
    for n, offset in itertools.product((1, 2, 5, 8), (0.0, 0.7, 3.0)):
        own, shared = (
            gradient_noise(parity, chance, baseline=-offset, rollouts=n, shared=s).variance for s in (False, True)
        )
        assert shared / own == pytest.approx(noise_ratio(n, offset=offset))
    assert noise_ratio(5) == 5 and noise_ratio(5, offset=1e6) == pytest.approx(25)


def test_simulated_iterations_agree_with_the_closed_form():
    rewards = np.random.default_rng(0).random(2**6)
    chance = np.linspace(0.3, 0.7, 6)
    for shared in (False, True):
        options = {"baseline": 0.4, "rollouts": 5, "shared": shared}
        exact, seen = (
            gradient_noise(rewards, chance, **options),
            simulated_noise(rewards, chance, **options, draws=40_000),
        )
        assert seen.variance == pytest.approx(exact.variance, rel=0.05)
        np.testing.assert_allclose(seen.mean, exact.mean, atol=5 * np.sqrt(exact.variance / 40_000))
    table = noise_table(rewards, draws=4000)
    shared = table[table["advantage"] == "shared"].set_index("rollouts")["ratio"]
    assert shared[1] == pytest.approx(1) and shared.is_monotonic_increasing
    with pytest.raises(ValueError, match="at least one"):
        gradient_noise(rewards, chance, baseline=0, rollouts=0, shared=False)


TINY = networks.resnet((2, 3), blocks=1, channels=1, pixels=8)  # ten free layers


def tiny(seed=0):
    rng, deciding = np.random.default_rng(seed), layers.free(TINY)
    seconds = np.where(deciding, rng.random(len(deciding)), 0)
    return Surrogate(TINY, 0.8 * seconds / seconds.sum(), 0.2, low=0.8 + 0.15 * rng.random())


def test_learning_starts_slowly_under_the_paper_s_reward_and_at_once_under_n2n():
    at = tiny()
    keep = every_student(at)
    curves = {}
    for name, reward, rate in (("ddc", ddc, 20.0), ("n2n", n2n, 2.0)):
        rewards = at.rewards(keep, reward)
        curves[name] = gradient_ascent(rewards, steps=300, rate=rate)[0]
        assert (np.diff(curves[name]) >= -1e-9).all() and curves[name][-1] > 0.9 * rewards.max()
    assert plateau(curves["ddc"]) < 0.5 < plateau(curves["n2n"])
    with pytest.raises(ValueError, match="never rises"):
        plateau(np.zeros(5))


def test_plateau_of_known_curves():
    t = np.linspace(-6, 6, 200)
    assert plateau(1 / (1 + np.exp(-t))) < 0.02 and plateau(1 - np.exp(-t)) == pytest.approx(1)


@pytest.mark.parametrize("epsilon", [0.2, 0.01])
def test_a_collapsed_policy_takes_at_least_so_many_steps_to_escape(epsilon):
    rewards, rate = all_decisions(3).mean(1), 1.5
    _, chances = gradient_ascent(rewards, steps=2000, rate=rate, start=epsilon)
    escaped = int((chances >= 0.5).all(1).argmax())
    # Each layer alone is worth a third of the range of the rewards.
    bound = escape_steps(epsilon, reward_range=1 / 3, rate=rate)
    assert bound <= escaped <= 2.5 * bound + 10
    with pytest.raises(ValueError, match="between 0 and 1/2"):
        escape_steps(0.6, reward_range=1, rate=1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), a=st.floats(0.8, 0.99), t=st.floats(0.2, 0.9), c=st.floats(0.2, 0.9))
def test_the_best_student_is_that_of_the_enumeration(seed, a, t, c):
    at, thresholds = tiny(seed), Thresholds(a, t, c)
    everything = at.rewards(every_student(at), lambda *ratios: ddc(*ratios, thresholds))
    keep, value = best_student(at, lambda *ratios: ddc(*ratios, thresholds))
    assert value == pytest.approx(everything.max(), rel=1e-12)
    assert float(at.rewards(keep, lambda *ratios: ddc(*ratios, thresholds))) == pytest.approx(value, rel=1e-12)


def test_thresholds_move_the_optimum_along_the_frontier():
    teacher = networks.mini_resnet()
    deciding = layers.free(teacher)
    path = threshold_path(Surrogate(teacher, np.where(deciding, 0.75 / deciding.sum(), 0), 0.25))
    for column in ("a", "t", "c", "kept"):
        assert path[column].is_monotonic_increasing and path[column].iloc[-1] > path[column].iloc[0]
    assert path["thresholds"].iloc[0] == "0.9, 0.3, 0.6" and path["kept"].iloc[0] < 0.1


def test_enumeration_is_refused_where_it_would_not_end():
    with pytest.raises(ValueError, match="17 free layers"):
        all_decisions(17)
    assert not all_decisions(3)[0].any() and all_decisions(3)[5].tolist() == [True, False, True]
