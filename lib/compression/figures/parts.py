"""What the captions of several figures say alike, and tables as a reader sees them."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

HEADS = {
    "teacher": "teacher's parameters", "floor": "fewest parameters", "most_compression": "at most, times smaller",
    "a": "accuracy / teacher's", "t": "time / teacher's", "loss": "loss of accuracy / teacher's",
    "rate": "accuracy worth one unit of time", "differences": "the same by differences",
    "reward_left": "reward with both / without", "gain": "gain of time that repays the loss",
    "reward_name": "reward", "fresh": "mean, fresh policy", "spread": "standard deviation, fresh policy",
    "smallest": "smallest network", "ratio": "smallest network / fresh policy",
    "drawn": "students drawn", "trained": "students trained", "savings": "drawn / trained",
    "bytes": "weights, bytes", "flops": "FLOPs", "activation_bytes": "peak activations, bytes",
    "file_bytes": "file, bytes", "median_ms": "median, ms", "p90_ms": "90th percentile, ms",
}  # fmt: skip


def readable(table: pd.DataFrame, *, never: str = "never") -> pd.DataFrame:
    """Return `table` with column heads in words, a dash for what is not known and `never` for infinity."""
    shown = table.rename(columns=HEADS).astype(object)
    return shown.mask(table.isna().to_numpy(), "–").replace([np.inf, -np.inf], never)


def scale(times: pd.DataFrame, history: pd.DataFrame, *, network: str = "ResNet-18") -> str:
    """Return how large a search on CIFAR-10 was, for captions; tables ``times`` and ``history`` of `cifar10_tables`.

    A tenth of the images validates (``images`` of `times`), the rest is trained on.
    """
    rounds = history.loc[history["method"] == "DDC", "iteration"].max() + 1
    row = times.iloc[0]
    epochs = (
        f", {row['epochs']:.0f} epochs a student and {row['final_epochs']:.0f} for those judged"
        if "epochs" in row
        else ""
    )
    images = f"{9 * row['images']:,.0f} training images"
    long = f"{rounds} iteration{'s' if rounds > 1 else ''}"
    return f"{network}, CIFAR-10, {images}, a search of {long}{epochs}. "


def replays(times: pd.DataFrame) -> str:
    """Return what recording the training steps saves, for captions; table ``times`` of `cifar10_tables`.

    Empty for a run whose steps were not recorded.
    """
    if "captured" not in times or not times["captured"].all():
        return ""
    row = times.iloc[0]
    return (
        f"To train a network of ResNet-18's size as students are takes {row['fit_s']:.1f} seconds, and "
        f"{row['captured_fit_s']:.1f} with the steps recorded once as a CUDA graph and replayed. "
    )


def passes(times: pd.DataFrame, final: pd.DataFrame, *, alike: float = 1.2) -> str:
    """Return what larger passes do to relative times, for captions; tables ``times`` and ``final`` of `cifar10_tables`.

    Students are searched by passes of the validation images and judged by passes of all test images. Empty where the
    minimal student's relative time differs by no more than a factor `alike`, or was not judged.
    """
    searched = float((times["minimal_s"] / times["teacher_s"]).median())
    judged = float(final.loc[final["method"] == "remove all", "t"].median())
    if not max(searched, judged) > alike * min(searched, judged):
        return ""
    return (
        f"In passes of the {times.iloc[0]['images']:,.0f} validation images, by which students are searched, the "
        f"minimal one takes {searched:.2f} of the teacher's time, and {judged:.2f} in passes of all test images, by "
        "which those shown are judged. "
    )


def sparse(line: Line2D, points: int) -> None:
    """Leave markers out of a curve of many `points`, so that about a dozen are drawn."""
    line.set(markevery=max(1, points // 12))


def last(noise: str, told: str) -> str:
    """Return what times and rewards were, as `told`, with the remark on their `noise`: the end of a caption."""
    return f" {told} {noise}" if noise else ""


def over_seeds(table: pd.DataFrame, *, points: str = "Points", marks: str = "bars", what: str = "seed") -> str:
    """Return what `points` and `marks` show of a `table` with the column seed: of one seed no interval is promised.

    Without `marks` only the points are named. Below five values the interval of the median is their range
    (`lib.report.intervals.median_interval`). `what` names a seed.
    """
    count = table["seed"].nunique()
    if count == 1:
        return f"One {what}: {points.lower()} are single values, without an interval."
    ends = "intervals of the median" if count >= 5 else "from the least to the largest"
    return f"{points} are medians over {count} {what}s{f', {marks} {ends}' if marks else ''}."
