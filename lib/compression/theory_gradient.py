"""What can be said exactly about the policy gradient (propositions P4 to P6), by enumerating all students.

The policy keeps free layer l with probability p_l = sigmoid(z_l), layers independent; s = keep - p is the gradient of
log pi with respect to z. Students are enumerated in the order of `all_decisions`, so spaces are small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

MOST_LAYERS = 16


def all_decisions(layers: int) -> np.ndarray:
    """Return all decisions on `layers` free layers, ``(2^layers, layers)`` of bool; the first removes everything."""
    if not 1 <= layers <= MOST_LAYERS:
        raise ValueError(
            f"{layers} free layers: students are enumerated for 1 to {MOST_LAYERS}; take a smaller network"
        )
    return (np.arange(2**layers)[:, None] >> np.arange(layers)) % 2 == 1


def probabilities(chance: np.ndarray) -> np.ndarray:
    """Return the probability of each student of `all_decisions` under keep probabilities `chance` ``(layers,)``."""
    keep = all_decisions(len(chance))
    return np.where(keep, chance, 1 - np.asarray(chance)).prod(axis=1)


def expected_reward(rewards: np.ndarray, chance: np.ndarray) -> float:
    """Return the policy's mean reward; `rewards` ``(2^layers,)`` in the order of `all_decisions`."""
    return float(probabilities(chance) @ rewards)


def policy_gradient(rewards: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return the exact gradient of the mean reward with respect to the log odds, ``E[R s]``, shape ``(layers,)``.

    Its entries are p (1 - p) (E[R | kept] - E[R | removed]), so at most p (1 - p) times the range of the rewards.
    """
    scores = all_decisions(len(chance)) - np.asarray(chance)
    return (probabilities(chance) * rewards) @ scores


@dataclass(frozen=True)
class GradientNoise:
    """Mean and total variance (summed over layers) of one iteration's gradient estimate."""

    mean: np.ndarray
    variance: float


def gradient_noise(
    rewards: np.ndarray, chance: np.ndarray, *, baseline: float, rollouts: int, shared: bool
) -> GradientNoise:
    """Return exact mean and variance of the gradient estimate of one iteration with N = `rollouts` students (P4).

    Own advantage: ``(1/N) sum_i (R_i - b) s_i``. Shared: ``(Rbar - b) sum_i s_i``, whose mean is the same because
    ``E[R_j s_i] = 0`` for j other than i. With A = R - b, its second moment is
    ``(1/N) [E A^2|s|^2 + (N-1) (E A^2 E|s|^2 + 2 EA E A|s|^2 + (N-2) (EA)^2 E|s|^2 + 2 |E A s|^2)]``.
    """
    if rollouts < 1:
        raise ValueError(f"{rollouts} rollouts: an estimate needs at least one")
    weights, scores = probabilities(chance), all_decisions(len(chance)) - np.asarray(chance)
    advantage, length, n = rewards - baseline, (scores**2).sum(axis=1), rollouts
    mean = (weights * advantage) @ scores
    both = weights @ (advantage**2 * length)
    if not shared:
        return GradientNoise(mean, float((both - mean @ mean) / n))
    level, square, spread, mixed = (weights @ x for x in (advantage, advantage**2, length, advantage * length))
    cross = square * spread + 2 * level * mixed + (n - 2) * level**2 * spread + 2 * mean @ mean
    return GradientNoise(mean, float((both + (n - 1) * cross) / n - mean @ mean))


def noise_ratio(n: int, *, offset: float = 0.0) -> float:
    """Return shared over own variance where reward and score are independent: N (1 + N delta^2) / (1 + delta^2).

    delta = `offset` is the distance of the baseline from the mean reward in standard deviations of the reward: with
    the right baseline the ratio is N, with a baseline far off N^2.
    """
    return n * (1 + n * offset**2) / (1 + offset**2)


def simulated_noise(
    rewards: np.ndarray, chance: np.ndarray, *, baseline: float, rollouts: int, shared: bool, draws: int, seed: int = 0
) -> GradientNoise:
    """Return mean and variance of the estimate over `draws` simulated iterations, nothing of the closed form used."""
    rng = np.random.default_rng(seed)
    keep = rng.random((draws, rollouts, len(chance))) < chance
    found = rewards[(keep << np.arange(len(chance))).sum(axis=2)] - baseline
    found = np.broadcast_to(found.mean(axis=1, keepdims=True) * rollouts, found.shape) if shared else found
    estimates = (found[:, :, None] * (keep - chance)).mean(axis=1)
    return GradientNoise(estimates.mean(axis=0), float(estimates.var(axis=0).sum()))


def noise_table(
    rewards: np.ndarray, *, rollouts: tuple[int, ...] = (1, 2, 5, 10, 20), draws: int = 20_000
) -> pd.DataFrame:
    """Return the variances of both estimates at keep probability 1/2, exact and simulated, by number of students (P4).

    Columns rollouts, advantage ("own", "shared"), variance, simulated, ratio (to the own advantage's); the baseline is
    the mean reward.
    """
    chance = np.full(int(np.log2(len(rewards))), 0.5)
    rows = []
    for n in rollouts:
        own = None
        for name, shared in (("own", False), ("shared", True)):
            options = {"baseline": expected_reward(rewards, chance), "rollouts": n, "shared": shared}
            exact = gradient_noise(rewards, chance, **options).variance
            own = own or exact
            seen = simulated_noise(rewards, chance, **options, draws=draws, seed=n).variance
            rows.append((n, name, exact, seen, exact / own))
    return pd.DataFrame(rows, columns=["rollouts", "advantage", "variance", "simulated", "ratio"])


def gradient_ascent(
    rewards: np.ndarray, *, steps: int, rate: float, start: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Follow the exact gradient from keep probability `start`; return mean rewards and probabilities of every step.

    Shapes ``(steps + 1,)`` and ``(steps + 1, layers)``. Nothing is random: this is the learning curve without noise
    (P5).
    """
    layers = int(np.log2(len(rewards)))
    odds = np.full(layers, np.log(start / (1 - start)))
    curve, chances = np.empty(steps + 1), np.empty((steps + 1, layers))
    for step in range(steps + 1):
        chances[step] = 0.5 * (1 + np.tanh(odds / 2))
        curve[step] = expected_reward(rewards, chances[step])
        odds = odds + rate * policy_gradient(rewards, chances[step])
    return curve, chances


def plateau(curve: np.ndarray) -> float:
    """Return the first rise of a learning curve over its steepest one: near 0 for a slow start, 1 if it is steepest.

    An S-shaped curve has a small value, a curve that rises at once and flattens the value 1.
    """
    rises = np.diff(curve)
    if not rises.max() > 0:
        raise ValueError("the curve never rises: take a larger rate or more steps")
    return float(rises[0] / rises.max())


def escape_steps(epsilon: float, *, reward_range: float, rate: float) -> float:
    """Return the least number of plain gradient steps that lift a keep probability from `epsilon` to 1/2 (P6).

    The log odds rise by at most rate x range x p (1 - p) < rate x range x exp(z) a step, so it takes at least
    ``((1 - epsilon) / epsilon - 1) / (rate x range)``: a policy that has collapsed stays where it is, whatever the
    rewards are. (Adam rescales the gradient and is not bound by this.)
    """
    if not 0 < epsilon < 0.5:
        raise ValueError(f"epsilon is {epsilon}: it must lie between 0 and 1/2")
    return ((1 - epsilon) / epsilon - 1) / (rate * reward_range)
