"""The second stage: widths chosen by an autoregressive policy (N2N's shrinkage, dropped from the final paper)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from lib.compression.layers import Architecture, Block, Leaf

# The authors' code lists one half five times, so a fresh policy halves a width in five of eleven cases.
MULTIPLIERS = (0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
LEAST = 10
Metrics = dict[str, float]


@dataclass(frozen=True)
class Shrinkage:
    """Outcome: one row a drawn network (iteration, sample, reward, trained, widths, metrics), and the best one."""

    history: pd.DataFrame
    best: Architecture


def width_groups(architecture: Architecture) -> list[int]:
    """Return for each convolution, in order (main path before shortcut), the number of the width that it shares.

    Convolutions whose outputs are added to one another must have one width: a block's last one, its shortcut's, and
    with an identity beside it whatever made the block's input.
    """
    groups: list[int] = []
    stream = fresh = -1
    for part in architecture.parts:
        main = sum(leaf.kind == "conv" for leaf in (part.main if isinstance(part, Block) else (part,)))
        if isinstance(part, Leaf):
            if main:
                stream = fresh = fresh + 1
                groups.append(stream)
            continue
        inner = list(range(fresh + 1, fresh + main))
        fresh += len(inner)
        beside = sum(leaf.kind == "conv" for leaf in part.shortcut)
        if beside:
            stream = fresh = fresh + 1
        groups += inner + [stream] * (min(main, 1) + beside)
    return groups


def shrunk(architecture: Architecture, multipliers: Sequence[float], *, least: int = LEAST) -> Architecture:
    """Return `architecture` with each of its widths o replaced by max(`least`, int(o x multiplier)), but never wider.

    One multiplier a width, in the order of `width_groups`. Raises ValueError for another number of them.
    """
    groups = width_groups(architecture)
    if len(multipliers) != max(groups) + 1:
        raise ValueError(f"{len(multipliers)} multipliers for {max(groups) + 1} widths: give one for each")
    left = iter(groups)

    def thinner(leaf: Leaf) -> Leaf:
        if leaf.kind != "conv":
            return leaf
        return replace(leaf, outputs=min(leaf.outputs, max(least, int(leaf.outputs * multipliers[next(left)]))))

    parts: list[Leaf | Block] = []
    for part in architecture.parts:
        if isinstance(part, Leaf):
            parts.append(thinner(part))
        else:
            main = tuple(thinner(leaf) for leaf in part.main)
            parts.append(Block(main, tuple(thinner(leaf) for leaf in part.shortcut)))
    return replace(architecture, parts=tuple(parts))


class WidthPolicy(nn.Module):
    """An LSTM over the widths that sees each width (over the largest) and the choice before it."""

    def __init__(self, *, hidden: int = 30) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(1 + len(MULTIPLIERS), hidden)
        self.head = nn.Linear(hidden, len(MULTIPLIERS))

    def draw(self, widths: torch.Tensor, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `count` draws of a multiplier's index for each of `widths` ``(n,)``, and their log probabilities.

        Shapes ``(count, n)`` and ``(count,)``.
        """
        before, state = torch.zeros(count, len(MULTIPLIERS)), None
        drawn, total = [], torch.zeros(count)
        for width in widths / widths.max():
            state = self.cell(torch.cat([width.expand(count, 1), before], dim=1), state)
            logs = torch.log_softmax(self.head(state[0]), dim=1)
            choice = torch.multinomial(logs.detach().exp(), 1, generator=generator)
            total = total + logs.gather(1, choice)[:, 0]
            drawn.append(choice[:, 0])
            before = nn.functional.one_hot(choice[:, 0], len(MULTIPLIERS)).float()
        return torch.stack(drawn, dim=1), total


def shrink_search(
    architecture: Architecture,
    evaluate: Callable[[Sequence[Architecture]], Sequence[Metrics]],
    *,
    reward: Callable[[float, float, float], float],
    iterations: int = 100,
    rollouts: int = 5,
    lr: float = 0.01,
    decay: float = 0.9,
    least: int = LEAST,
    seed: int = 0,
) -> Shrinkage:
    """Search for the widths of `architecture` (the student that layer removal left) by REINFORCE.

    Args:
        architecture: The network whose widths shrink; all its layers stay.
        evaluate: Trains and measures networks that were not drawn before; one dict with a, t and c for each.
        reward: Of a, t and c.
        iterations: Updates of the policy.
        rollouts: Networks an iteration.
        lr: Learning rate of Adam (0.1 in the authors' code).
        decay: Weight of the past in the baseline, a moving average of mean rewards.
        least: Smallest width.
        seed: Of weights and draws.
    """
    groups = width_groups(architecture)
    outputs = dict(zip(groups, _conv_outputs(architecture), strict=True))
    widths = torch.tensor([float(outputs[group]) for group in sorted(outputs)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = WidthPolicy()
    optimizer, generator = torch.optim.Adam(policy.parameters(), lr=lr), torch.Generator().manual_seed(seed)
    cache: dict[Architecture, Metrics] = {}
    baseline, rows, networks = None, [], []
    for iteration in range(iterations):
        drawn, logs = policy.draw(widths, rollouts, generator)
        candidates = [shrunk(architecture, np.take(MULTIPLIERS, row), least=least) for row in drawn.numpy()]
        new = [one for one in dict.fromkeys(candidates) if one not in cache]
        cache |= dict(zip(new, evaluate(new), strict=True)) if new else {}
        found = np.array([float(reward(*(cache[one][name] for name in "atc"))) for one in candidates])
        baseline = found.mean() if baseline is None else baseline
        loss = -(torch.as_tensor(found - baseline, dtype=logs.dtype) * logs).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        baseline = decay * baseline + (1 - decay) * found.mean()
        for place, one in enumerate(candidates):
            facts = {"iteration": iteration, "sample": place, "reward": found[place]}
            facts |= {"trained": one in new, "widths": "-".join(map(str, _conv_outputs(one)))}
            new = [other for other in new if other != one]
            rows.append(facts | cache[one])
        networks += candidates
    history = pd.DataFrame(rows)
    return Shrinkage(history, networks[int(history["reward"].to_numpy().argmax())])


def _conv_outputs(architecture: Architecture) -> list[int]:
    """Return the outputs of all convolutions, main path before shortcut."""
    found = []
    for part in architecture.parts:
        leaves = (part,) if isinstance(part, Leaf) else part.main + part.shortcut
        found += [leaf.outputs for leaf in leaves if leaf.kind == "conv"]
    return found
