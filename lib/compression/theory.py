"""What can be said exactly about the search space and the reward (the companion's propositions P1 to P3).

The paper proves nothing. Ratios a, t and c are accuracy, time and parameters over the teacher's.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lib.compression.reward import Thresholds, ddc, logistic, parts

PAPER = Thresholds()


def resnet_parameters(widths: Sequence[int], *, classes: int, channels: int = 3, blocks: int = 2) -> int:
    """Return the closed form of the parameters of a residual network with basic blocks and batch normalization.

    A stem of width w_0, then for each width w one block from the width before, with a 1 x 1 shortcut if that differs,
    and ``blocks - 1`` more: 9 (in + out) out + 4 out each, the shortcut in out + 2 out, the classifier (w + 1) classes.
    """
    total, inputs = 9 * channels * widths[0] + 2 * widths[0], widths[0]
    for stage, width in enumerate(widths):
        total += 9 * (inputs + width) * width + 4 * width + (blocks - 1) * (18 * width**2 + 4 * width)
        total += inputs * width + 2 * width if stage or inputs != width else 0
        inputs = width
    return total + (inputs + 1) * classes


def resnet_floor(widths: Sequence[int], *, classes: int, channels: int = 3) -> int:
    """Return the parameters of the smallest student of that network, whatever the number of blocks (P1).

    What no decision can remove: the stem's convolution, and per later stage the convolution of stride two (9 in out)
    and the shortcut (in out + 2 out), and the classifier.
    """
    total = 9 * channels * widths[0]
    for inputs, width in itertools.pairwise(widths):
        total += 10 * inputs * width + 2 * width
    return total + (widths[-1] + 1) * classes


def vgg_parameters(layout: Sequence[int | str], *, classes: int, channels: int = 3, pixels: int = 32) -> int:
    """Return the closed form of the parameters of a VGG with biases, batch normalization and one linear layer."""
    widths = [channels, *(int(width) for width in layout if width != "M")]
    side = pixels // 2 ** sum(width == "M" for width in layout)
    convolutions = sum(9 * a * b + 3 * b for a, b in itertools.pairwise(widths))
    return convolutions + (widths[-1] * side**2 + 1) * classes


def floors() -> pd.DataFrame:
    """Return how far ResNet-18 can be compressed (P1): columns network, teacher, floor, most_compression."""
    rows = []
    for classes in (10, 100):
        full = resnet_parameters((64, 128, 256, 512), classes=classes)
        least = resnet_floor((64, 128, 256, 512), classes=classes)
        rows.append((f"ResNet-18, {classes} classes", full, least, full / least))
    return pd.DataFrame(rows, columns=["network", "teacher", "floor", "most_compression"])


def log_reward_slopes(a: ArrayLike, t: ArrayLike, c: ArrayLike, at: Thresholds = PAPER) -> tuple[np.ndarray, ...]:
    """Return the derivatives of log R by a, t and c: slope (1 - R_1), minus slope (1 - R_2) and (1 - R_3)."""
    one, two, three = parts(a, t, c, at)
    return at.slope * (1 - one), -at.slope * (1 - two), -at.slope * (1 - three)


def repaid(loss: ArrayLike, *, a: ArrayLike, t: ArrayLike, at: Thresholds = PAPER) -> np.ndarray:
    """Return the gain of relative time that makes up for a `loss` of relative accuracy at (a, t), exactly (P3).

    Solves R_1(a - loss) R_2(t - gain) = R_1(a) R_2(t): with q = R_1(a) R_2(t) / R_1(a - loss) the gain is
    t - T_th + log(q / (1 - q)) / slope. Infinity where q is 1 or more: then no speed is worth the loss. For small
    losses the gain is the loss over `lib.compression.reward.exchange_rate`.
    """
    a, t, loss = (np.asarray(value, dtype=float) for value in (a, t, loss))
    q = parts(a, t, 0.0, at)[0] * parts(a, t, 0.0, at)[1] / logistic(at.slope * (a - loss - at.a))
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = t - at.t + np.log(q / (1 - q)) / at.slope
    return np.where(q < 1, gain, np.inf)


def exchange(times: Sequence[float] = (1.0, 0.8, 0.6, 0.4, 0.3), *, a: float = 1.0, loss: float = 0.02) -> pd.DataFrame:
    """Return what an accuracy loss costs at several relative times (P3).

    Columns a, t, loss; ``rate``, the accuracy that one unit of time is worth; ``differences``, the same by central
    differences of log R; ``gain``, the time that repays the loss exactly; ``reward_left``, the reward with loss and
    gain over that without them.
    """
    t, step = np.asarray(times, dtype=float), 1e-5
    slopes = log_reward_slopes(a, t, 0.0)
    by_a, by_t = (
        np.log(ddc(a + one * step, t + other * step, 0.0) / ddc(a - one * step, t - other * step, 0.0))
        for one, other in ((1, 0), (0, 1))
    )
    gain = repaid(loss, a=a, t=t)
    left = ddc(a - loss, t - gain, 0.0) / ddc(a, t, 0.0)
    told = {"rate": -slopes[1] / slopes[0], "differences": -by_t / by_a, "gain": gain, "reward_left": left}
    return pd.DataFrame({"a": a, "t": t, "loss": loss} | told)
