import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.compression import layers
from lib.compression.dynamics import iterations_to, policy_dynamics
from lib.compression.networks import mini_resnet, mini_vgg, resnet18, vgg11
from lib.compression.policy import Update, new_policy
from lib.compression.reward import ddc, n2n
from lib.compression.stacked_policy import keep_logits, stacked_policy
from lib.compression.surrogate import Surrogate, fit_latency, parameter_counts, random_decisions, valid

TEACHER = mini_resnet()
FREE = layers.free(TEACHER)


def surrogate(**options):
    return Surrogate(TEACHER, np.where(FREE, 0.75 / FREE.sum(), 0.0), 0.25, **options)


@pytest.mark.parametrize("teacher", [mini_resnet(), mini_vgg(), resnet18(), vgg11()])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_counts_and_rejections_are_those_of_each_student_alone(teacher, seed):
    rng = np.random.default_rng(seed)
    keep = rng.random((2, 3, len(layers.places(teacher)))) < rng.random()
    counts, fine = parameter_counts(teacher, keep), valid(teacher, keep)
    for place in itertools.product(range(2), range(3)):
        one = layers.student(teacher, keep[place])
        assert counts[place] == layers.parameter_count(one)
        assert fine[place] == (layers.invalid(one, teacher) is None)


def test_ratios_at_both_ends():
    at = surrogate(top=0.98, low=0.9, noise=0.5)
    ends = np.stack([np.ones(len(FREE), dtype=bool), ~FREE])
    accuracy, time, parameters = at.metrics(ends)
    np.testing.assert_allclose(accuracy, [0.98, 0.98 - 0.1])
    np.testing.assert_allclose(time, [1, 0.25])
    np.testing.assert_allclose(parameters, [1, 1854 / 11302])
    assert at.rewards(ends, ddc)[0] == -1  # the teacher itself is no student
    np.testing.assert_array_equal(at.metrics(~ends | FREE)[2], at.metrics(np.ones_like(ends))[2])


def test_more_layers_cost_more_and_are_more_accurate():
    rng = np.random.default_rng(0)
    small = random_decisions(TEACHER, 50, rng)
    large = small | (rng.random(small.shape) < 0.5)
    for less, more in zip(surrogate().metrics(small), surrogate().metrics(large), strict=True):
        assert (less <= more).all() and (less < more).any()


def test_a_linear_latency_is_found_again():
    rng = np.random.default_rng(1)
    keep = random_decisions(TEACHER, 400, rng)
    seconds = np.where(FREE, rng.random(len(FREE)), 0)
    total = 2 + seconds.sum()
    fit = fit_latency(TEACHER, keep, (2 + keep @ seconds) / total, ridge=1e-6)
    np.testing.assert_allclose(fit.seconds, seconds / total, atol=1e-7)
    assert fit.base == pytest.approx(2 / total) and fit.correlation > 0.9999 and fit.students == 400
    noise = fit_latency(TEACHER, keep, rng.random(400))
    assert abs(noise.correlation) < 0.25  # cross-validated: nothing to predict, though thirty coefficients are fitted
    assert noise.base + noise.seconds.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="9 measured students: 5 folds need at least 10"):
        fit_latency(TEACHER, keep[:9], np.ones(9))


def test_random_decisions_are_valid_and_of_all_sizes():
    keep = random_decisions(TEACHER, 300, np.random.default_rng(2))
    assert keep.shape == (300, len(FREE)) and keep[:, ~FREE].all() and valid(TEACHER, keep).all()
    share = keep[:, FREE].mean(1)
    assert share.min() < 0.1 and share.max() > 0.9


def stacked(policies):
    found = {}
    for layer in range(2):
        for ours, theirs in (("ih", "weight_ih"), ("hh", "weight_hh")):
            found[f"{ours}{layer}"] = [[getattr(p.lstm, f"{theirs}_l{layer}{d}") for d in WAYS] for p in policies]
        found[f"bias{layer}"] = [
            [getattr(p.lstm, f"bias_ih_l{layer}{d}") + getattr(p.lstm, f"bias_hh_l{layer}{d}") for d in WAYS]
            for p in policies
        ]
    found = {name: torch.stack([torch.stack(part) for part in parts]) for name, parts in found.items()}
    heads = {"weight": torch.stack([p.head.weight for p in policies])}
    heads["shift"] = torch.stack([p.head.bias for p in policies])
    return {name: value.detach().requires_grad_() for name, value in (found | heads).items()}


WAYS = ("", "_reverse")


def test_stacked_policies_are_the_policies_one_by_one_gradients_included():
    policies = [new_policy(seed=seed).double() for seed in range(3)]
    features = torch.as_tensor(layers.features(TEACHER)).double()
    parameters = stacked(policies)
    logits = keep_logits(parameters, features)
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (logits * weights).sum().backward()
    for seed, policy in enumerate(policies):
        alone = policy(features)
        alone = alone[:, 1] - alone[:, 0]
        torch.testing.assert_close(logits[seed], alone, rtol=0, atol=1e-12)
        (alone * weights[seed]).sum().backward()
        single = {name: value.grad for name, value in policy.named_parameters()}
        for layer, (way, end) in itertools.product(range(2), enumerate(WAYS)):
            for ours, theirs in (("ih", "weight_ih"), ("hh", "weight_hh"), ("bias", "bias_ih")):
                expected = single[f"lstm.{theirs}_l{layer}{end}"]
                torch.testing.assert_close(parameters[f"{ours}{layer}"].grad[seed, way], expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(parameters["weight"].grad[seed], single["head.weight"], rtol=0, atol=1e-12)


def test_fresh_policies_differ_and_are_nearly_undecided():
    parameters = stacked_policy(6, generator=torch.Generator().manual_seed(0))
    chance = torch.sigmoid(keep_logits(parameters, torch.as_tensor(layers.features(TEACHER))))
    assert ((chance > 0.35) & (chance < 0.65)).all() and chance.mean(1).unique().numel() == 6


def test_seeds_do_not_touch_each_other():
    def two(bonus):
        def reward(a, t, c):
            found = ddc(a, t, c)
            found[1:] += bonus * (1 - c[1:])
            return found

        return policy_dynamics(surrogate(), reward, iterations=5, seeds=2)[0]

    plain, other = two(0.0), two(5.0)
    first, second = (t[t["seed"] == 0].reset_index(drop=True) for t in (plain, other))
    assert first.equals(second) and not plain[plain["seed"] == 1].equals(other[other["seed"] == 1])


def test_same_seed_same_history():
    first, policies = policy_dynamics(surrogate(), ddc, iterations=3, seeds=2, seed=4)
    again, others = policy_dynamics(surrogate(), ddc, iterations=3, seeds=2, seed=4)
    assert first.equals(again) and all(torch.equal(policies[name], others[name]) for name in policies)
    assert list(first.columns) == ["seed", "iteration", "reward", "accuracy", "time", "parameters", "minimal"]
    assert len(first) == 6 and not first.equals(policy_dynamics(surrogate(), ddc, iterations=3, seeds=2, seed=5)[0])


@pytest.mark.parametrize("update", [Update(), Update(shared=True), Update(baseline="running")])
def test_updates_raise_the_reward(update):
    history, _ = policy_dynamics(surrogate(), n2n, update=update, iterations=30, seeds=4)
    early, late = (history[history["iteration"].between(*part)]["reward"].mean() for part in ((0, 4), (25, 29)))
    assert late > early + 0.1


def test_one_shared_step_of_one_trajectory_is_an_own_step():
    kinds = [Update(), Update(shared=True), Update(shared=True, each=True)]
    first, *others = (policy_dynamics(surrogate(), n2n, update=u, iterations=4, rollouts=1, seeds=2)[0] for u in kinds)
    assert all(first.equals(other) for other in others)


def test_the_search_ends_at_the_smallest_network_and_a_transferred_policy_stays_there():
    history, policies = policy_dynamics(surrogate(), ddc, update=Update(lr=0.01), iterations=60, seeds=4)
    best = float(surrogate().rewards(~FREE, ddc))
    assert history.groupby("seed")["minimal"].last().mean() > 0.9
    assert (iterations_to(history, 0.8 * best) > 0).all()
    easier = surrogate().subset(low=0.95)
    moved, _ = policy_dynamics(easier, ddc, iterations=3, start=policies)
    assert set(moved["seed"]) == set(range(4)) and moved["minimal"].mean() > 0.9


def test_iterations_to_a_level_by_hand():
    table = policy_dynamics(surrogate(), ddc, iterations=5, seeds=2)[0]
    table.loc[table["seed"] == 0, "reward"] = [0.0, 0, 3, 3, 3]
    table.loc[table["seed"] == 1, "reward"] = 0.0
    assert iterations_to(table, 2.0, window=3).tolist() == [3, np.inf]
    assert iterations_to(table, 2.0, window=1).tolist() == [2, np.inf]
