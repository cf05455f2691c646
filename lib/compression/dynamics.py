"""The search on a surrogate, all seeds at once: how the policy moves under one reward and one way of updating it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lib.compression.layers import features, free
from lib.compression.policy import Update
from lib.compression.reward import INVALID
from lib.compression.stacked_policy import Parameters, keep_logits, stacked_policy
from lib.compression.surrogate import Reward, Surrogate, valid

PAPER = Update()
DECAY = 0.9  # weight of the past in the moving average of rewards


def policy_dynamics(
    surrogate: Surrogate,
    reward: Reward,
    *,
    update: Update = PAPER,
    iterations: int = 100,
    rollouts: int = 5,
    seeds: int = 8,
    start: Parameters | None = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, Parameters]:
    """Search `iterations` times `rollouts` students with `seeds` independent policies; return history and policies.

    Args:
        surrogate: Scores the students.
        reward: Of the ratios of accuracy, time and parameters, arrays of any shape.
        update: How the policy moves; by default the paper's formula.
        iterations: Iterations of the search.
        rollouts: Students an iteration.
        seeds: Policies, each with its own initial weights and samples.
        start: Policies to begin with, as returned here (transfer); fresh ones if None. Adam always starts fresh.
        seed: Of everything random.

    Returns:
        One row a seed and iteration: seed, iteration, reward, accuracy, time, parameters (means over the rollouts, the
        ratios of rejected students included), minimal (share of students with every free layer removed), and the
        policies after the last iteration.
    """
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    policies = start or stacked_policy(seeds, inputs=features(surrogate.teacher).shape[1], generator=generator)
    policies = {name: value.clone().requires_grad_() for name, value in policies.items()}
    seeds = policies["shift"].shape[0]
    deciding, inputs = free(surrogate.teacher), torch.as_tensor(features(surrogate.teacher))
    optimizer = torch.optim.Adam(policies.values(), lr=update.lr)
    past, rows = np.empty((0, seeds)), []
    for iteration in range(iterations):
        logits = keep_logits(policies, inputs)[:, deciding]
        chance = torch.sigmoid(logits).detach().numpy()[:, None]
        choice = rng.random((seeds, rollouts, deciding.sum())) < chance
        keep = np.ones((seeds, rollouts, len(deciding)), dtype=bool)
        keep[..., deciding] = choice
        ratios = surrogate.metrics(keep, rng)
        found = np.where(valid(surrogate.teacher, keep), reward(*ratios), INVALID)
        means = found.mean(axis=1)
        shared = np.broadcast_to(means[:, None], found.shape)
        advantage = (shared if update.shared else found) - _baseline(update, past, means)[:, None]
        past = np.vstack([past, means])
        _move(policies, inputs, deciding, optimizer, choice, advantage, logits, update.each)
        shown = [means, *(value.mean(axis=1) for value in ratios), (~choice.any(axis=2)).mean(axis=1)]
        rows.append(np.column_stack([np.arange(seeds), np.full(seeds, iteration), *shown]))
    names = ["seed", "iteration", "reward", "accuracy", "time", "parameters", "minimal"]
    history = pd.DataFrame(np.concatenate(rows), columns=names).astype({"seed": int, "iteration": int})
    return history, {name: value.detach() for name, value in policies.items()}


def iterations_to(history: pd.DataFrame, level: float, *, column: str = "reward", window: int = 3) -> pd.Series:
    """Return for each seed the first iteration at which the mean of `column` over `window` iterations reaches `level`.

    The window looks back; infinity for a seed that never gets there.
    """
    table = history.pivot_table(index="iteration", columns="seed", values=column)
    reached = table.rolling(window, min_periods=1).mean() >= level
    return reached.idxmax().where(reached.any(), np.inf).astype(float)


def _baseline(update: Update, past: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the baseline ``(seeds,)`` given the mean rewards of earlier iterations ``(iterations, seeds)``."""
    count = len(past)
    if update.baseline == "shrunk":
        return past.sum(axis=0) / (count + 1)
    if count == 0:
        return means
    if update.baseline == "running":
        return past.mean(axis=0)
    weights = (1 - DECAY) * DECAY ** np.arange(count - 1, -1, -1.0)
    weights[0] = DECAY ** (count - 1)
    return weights @ past


def _move(
    policies: Parameters,
    inputs: torch.Tensor,
    deciding: np.ndarray,
    optimizer: torch.optim.Optimizer,
    choice: np.ndarray,
    advantage: np.ndarray,
    logits: torch.Tensor | None,
    each: bool,
) -> None:
    """Take one Adam step on all trajectories, or one on each in turn (`each`); `logits` are the first step's."""
    choice, advantage = torch.as_tensor(choice, dtype=torch.float32), torch.as_tensor(advantage, dtype=torch.float32)
    groups = [[i] for i in range(choice.shape[1])] if each else [list(range(choice.shape[1]))]
    for group in groups:
        if logits is None:
            logits = keep_logits(policies, inputs)[:, deciding]
        signs = 2 * choice[:, group] - 1
        chosen = torch.nn.functional.logsigmoid(signs * logits[:, None]).sum(dim=2)
        loss = -(advantage[:, group] * chosen).mean(dim=1).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        logits = None
