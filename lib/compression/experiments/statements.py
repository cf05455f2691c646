"""Tables of the propositions: exact sums, closed forms, and the surrogate's optimum."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.compression.layers import free
from lib.compression.networks import resnet
from lib.compression.optimum import every_student, threshold_path
from lib.compression.reward import ddc
from lib.compression.surrogate import Surrogate
from lib.compression.theory import exchange, floors
from lib.compression.theory_gradient import noise_table

__all__ = ["exchange", "floors", "noise", "small_surrogate", "threshold_path"]


def small_surrogate() -> Surrogate:
    """Return a surrogate on a network with eleven free layers, each of which costs as much time, to enumerate."""
    teacher = resnet((2, 3), blocks=1, channels=1, pixels=8)
    deciding = free(teacher)
    return Surrogate(teacher, np.where(deciding, 0.7 / deciding.sum(), 0.0), 0.3)


def noise(*, draws: int = 20_000) -> pd.DataFrame:
    """Return the variance of both gradient estimates on `small_surrogate`; see `noise_table`."""
    at = small_surrogate()
    return noise_table(at.rewards(every_student(at), ddc), draws=draws)
