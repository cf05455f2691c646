import itertools

import numpy as np
import pytest
import torch

from lib.compression import layers, networks
from lib.compression.policy import Baseline, Update, advantages, learn, log_probability, new_policy, sample
from lib.compression.search import Evaluator, random_search, search

TEACHER = networks.resnet((2, 4), channels=1, pixels=4, blocks=1)
FREE = layers.free(TEACHER)
FEATURES = torch.as_tensor(layers.features(TEACHER))


def by_share(keeps):
    """Return metrics that only the share of kept free leaves decides."""
    shares = keeps[:, FREE].mean(1)
    return [{"a": 1.0, "t": float(s), "c": float(s)} for s in shares]


def all_actions():
    rows = np.tile(~FREE, (2 ** FREE.sum(), 1))
    rows[:, FREE] = list(itertools.product([False, True], repeat=int(FREE.sum())))
    return rows


def test_probabilities_of_all_actions_sum_to_one():
    logits = new_policy(seed=1)(FEATURES)
    assert log_probability(logits, all_actions(), FREE).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_policy_gradient_is_that_of_the_enumerated_expectation():
    """REINFORCE weighted by probability over all actions equals the gradient of the expected reward."""
    policy, actions = new_policy(seed=0), all_actions()
    rewards = np.random.default_rng(0).random(len(actions))
    logp = log_probability(policy(FEATURES), actions, FREE)
    expected = (logp.exp() * torch.as_tensor(rewards)).sum()
    exact = torch.autograd.grad(expected, policy.parameters(), retain_graph=True)
    weights = logp.exp().detach() * torch.as_tensor(advantages(rewards, 0.4))
    estimate = torch.autograd.grad((weights * logp).sum(), policy.parameters())
    for one, two in zip(exact, estimate, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)


def test_learning_raises_the_probability_of_what_was_better():
    policy = new_policy(seed=0)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    actions = np.stack([np.ones(len(FREE), bool), ~FREE])
    before = log_probability(policy(FEATURES), actions, FREE).detach()
    learn(policy, optimizer, FEATURES, FREE, actions, np.array([1.0, -1.0]))
    after = log_probability(policy(FEATURES), actions, FREE).detach()
    assert after[0] - after[1] > before[0] - before[1]


def test_a_step_follows_the_mean_over_students():
    """One step of plain gradient ascent is ``(1/N) sum_i weights_i grad log pi``, whatever the number of students."""
    actions, weights = all_actions()[:3], np.array([1.0, -0.5, 2.0])
    policy, other = new_policy(seed=0), new_policy(seed=0)
    learn(policy, torch.optim.SGD(policy.parameters(), lr=1.0), FEATURES, FREE, actions, weights)
    logp = log_probability(other(FEATURES), actions, FREE)
    slopes = torch.autograd.grad((torch.as_tensor(weights).float() * logp).sum() / 3, other.parameters())
    for new, old, slope in zip(policy.parameters(), other.parameters(), slopes, strict=True):
        torch.testing.assert_close(new, old + slope, rtol=1e-4, atol=1e-6)


def test_shared_advantage_is_the_mean_of_the_own_ones():
    rewards = np.array([0.1, 0.5, 0.9])
    assert advantages(rewards, 0.2) == pytest.approx([-0.1, 0.3, 0.7])
    assert advantages(rewards, 0.2, shared=True) == pytest.approx([0.3] * 3)


def test_baselines_by_hand():
    ema, running, shrunk = Baseline("ema", decay=0.75), Baseline("running"), Baseline("shrunk")
    assert [b.value(np.array([1.0, 3.0])) for b in (ema, running, shrunk)] == [2, 2, 0]
    for baseline in (ema, running, shrunk):
        baseline.observe(np.array([1.0, 3.0]))
        baseline.observe(np.array([4.0]))
    assert [b.value(np.array([9.0])) for b in (ema, running, shrunk)] == [2.5, 3, 2]
    with pytest.raises(ValueError, match="choose"):
        Baseline("mean")


def test_draws_follow_the_probabilities():
    logits = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    drawn = sample(logits, 20_000, np.random.default_rng(0)).mean(0)
    assert drawn == pytest.approx(torch.softmax(logits, 1)[:, 1].numpy(), abs=0.015)


@pytest.mark.parametrize("update", [Update(lr=0.02), Update(lr=0.02, shared=True), Update.released(0.02)])
def test_search_finds_the_minimal_student_when_small_is_all_that_counts(update):
    found = search(TEACHER, by_share, iterations=40, update=update, seed=0)
    assert not found.keep[FREE].any() and found.keep[~FREE].all()
    late = found.history[found.history["iteration"] >= 30]
    assert late["kept"].mean() < found.history[found.history["iteration"] < 10]["kept"].mean()


def test_cache_answers_what_was_trained_and_changes_nothing_else():
    kept = search(TEACHER, by_share, iterations=20, update=Update(lr=0.02), seed=3)
    again = search(TEACHER, by_share, iterations=20, update=Update(lr=0.02), seed=3, cached=False)
    assert kept.trainings == kept.history["key"][kept.history["valid"]].nunique() < again.trainings
    assert (kept.history["reward"] == again.history["reward"]).all()
    assert again.history["trained"].equals(again.history["valid"])


def test_invalid_students_are_not_trained_and_punished():
    asked = []

    def record(keeps):
        asked.extend(keeps)
        return by_share(keeps)

    rows = Evaluator(TEACHER, record)(np.stack([np.ones(len(FREE), bool), ~FREE, ~FREE]))
    assert [row["valid"] for row in rows] == [False, True, True] and len(asked) == 1
    assert [row["trained"] for row in rows] == [False, True, False] and "a" not in rows[0]


def test_transferred_policy_is_continued_and_left_alone():
    first = search(TEACHER, by_share, iterations=40, update=Update(lr=0.02), seed=0)
    before = [p.clone() for p in first.policy.parameters()]
    second = search(TEACHER, by_share, iterations=3, policy=first.policy, seed=1)
    assert second.history["kept"].mean() < 0.3
    assert all(torch.equal(a, b) for a, b in zip(before, first.policy.parameters(), strict=True))


def test_search_stops_when_told():
    found = search(TEACHER, by_share, iterations=9, stop=lambda rows: rows["iteration"].max() == 2)
    assert found.history["iteration"].nunique() == 3
    with pytest.raises(ValueError, match="at least 1"):
        search(TEACHER, by_share, iterations=0)


def test_random_search_uses_its_budget_of_trainings():
    found = random_search(TEACHER, by_share, trainings=12, keep=None, seed=0)
    assert found.trainings == 12 == found.history["key"][found.history["valid"]].nunique()
    assert found.history["reward"].max() == found.history.loc[found.history["kept"].idxmin(), "reward"]
