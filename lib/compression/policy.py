"""The removal policy: a bidirectional LSTM over the layers that keeps or removes each, and its gradient estimate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn


class Policy(nn.Module):
    """Logits ``(places, 2)`` of removing and keeping from `features` ``(places, 7)``; hidden size a direction.

    Decisions are independent given the features. Columns of the features are divided by their largest value, which
    the authors' code does not do (a width of 512 beside a stride of 1 saturates the gates).
    """

    def __init__(self, *, hidden: int = 30, layers: int = 2, inputs: int = 7) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, layers, bidirectional=True)
        self.head = nn.Linear(2 * hidden, 2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the logits of (remove, keep) at each place."""
        scaled = features / features.abs().amax(0).clamp(min=1)
        return self.head(self.lstm(scaled)[0])


def new_policy(*, seed: int, hidden: int = 30, layers: int = 2) -> Policy:
    """Return a policy with weights drawn by `seed`; torch's own generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(hidden=hidden, layers=layers)


def sample(logits: torch.Tensor, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` draws ``(count, places)`` of bool decisions, True to keep, from `logits` ``(places, 2)``."""
    keep = torch.softmax(logits.detach(), -1)[:, 1].double().numpy()
    return rng.random((count, len(keep))) < keep


def log_probability(logits: torch.Tensor, actions: np.ndarray, free: np.ndarray) -> torch.Tensor:
    """Return log pi of each row of `actions` ``(n, places)`` as ``(n,)``; places that are not `free` do not count."""
    chosen = torch.as_tensor(np.asarray(actions, dtype=np.int64))
    logp = torch.log_softmax(logits, -1)
    each = torch.where(chosen == 1, logp[:, 1], logp[:, 0])
    return each[:, torch.as_tensor(free)].sum(1)


def advantages(rewards: np.ndarray, baseline: float, *, shared: bool = False) -> np.ndarray:
    """Return reward minus baseline of each trajectory, or with `shared` their mean for all, as the authors' code does.

    Both give the policy gradient in expectation; the shared form has about as many times the variance as there are
    trajectories.
    """
    centred = np.asarray(rewards, dtype=float) - baseline
    return np.full_like(centred, centred.mean()) if shared else centred


@dataclass
class Baseline:
    """What is subtracted from rewards: "ema" (paper), "running" mean, or "shrunk" running mean (authors' code).

    The shrunk mean divides the sum of the means of earlier iterations by one more than their number.
    """

    kind: str = "ema"
    decay: float = 0.9
    seen: list[float] = field(default_factory=list)
    average: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("ema", "running", "shrunk"):
            raise ValueError(f"baseline is {self.kind!r}: choose 'ema', 'running' or 'shrunk'")

    def value(self, rewards: np.ndarray) -> float:
        """Return the baseline of this iteration; before any reward was seen, their mean (the shrunk mean: zero)."""
        if self.kind == "shrunk":
            return sum(self.seen) / (len(self.seen) + 1)
        if not self.seen:
            return float(np.mean(rewards))
        return float(self.average) if self.kind == "ema" else float(np.mean(self.seen))

    def observe(self, rewards: np.ndarray) -> None:
        """Take in the rewards of an iteration, after it was learned from."""
        mean = float(np.mean(rewards))
        self.seen.append(mean)
        self.average = mean if self.average is None else self.decay * self.average + (1 - self.decay) * mean


@dataclass(frozen=True)
class Update:
    """How the policy learns: learning rate of Adam, whose advantage, which baseline, and one step for all or each.

    The default is the paper's text; ``Update.released()`` is what the authors' code does.
    """

    lr: float = 0.003
    shared: bool = False
    baseline: str = "ema"
    each: bool = False

    @staticmethod
    def released(lr: float = 0.003) -> Update:
        """Return the authors' code: shared advantage, shrunk running mean, one step a trajectory."""
        return Update(lr=lr, shared=True, baseline="shrunk", each=True)


def learn(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    features: torch.Tensor,
    free: np.ndarray,
    actions: np.ndarray,
    weights: np.ndarray,
    *,
    each: bool = False,
) -> None:
    """Take a REINFORCE step on ``-(1/N) sum_i weights_i log pi(actions_i)``, or with `each` one step a trajectory.

    `weights` are advantages ``(N,)``, `actions` ``(N, places)``. After the first of several steps the later ones are
    slightly off the policy that the actions were drawn from.
    """
    groups = [[i] for i in range(len(actions))] if each else [list(range(len(actions)))]
    for group in groups:
        logp = log_probability(policy(features), actions[group], free)
        advantage = torch.as_tensor(weights[group], dtype=logp.dtype)
        loss = -(advantage * logp).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
