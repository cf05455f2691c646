"""The paper's reward as a function of its three ratios: exact, nothing is trained."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.compression.reward import Thresholds, ddc, parts

PAPER = Thresholds()


def reward_curves(*, at: Thresholds = PAPER, points: int = 121) -> pd.DataFrame:
    """Return the three parts of the reward (columns part, ratio, reward, threshold) for ratios from 0 to 1.2."""
    ratio = np.linspace(0, 1.2, points)
    rows = zip(("accuracy", "time", "parameters"), parts(ratio, ratio, ratio, at), (at.a, at.t, at.c), strict=True)
    return pd.concat(
        [pd.DataFrame({"part": name, "ratio": ratio, "reward": value, "threshold": th}) for name, value, th in rows]
    )


def reward_surface(*, a: float = 0.95, at: Thresholds = PAPER, points: int = 61) -> pd.DataFrame:
    """Return the reward (columns a, t, c, reward) on a grid of time and parameters at relative accuracy `a`."""
    t, c = np.meshgrid(np.linspace(0, 1, points), np.linspace(0, 1, points))
    return pd.DataFrame({"a": a, "t": t.ravel(), "c": c.ravel(), "reward": ddc(a, t, c, at).ravel()})
