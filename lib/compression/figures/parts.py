"""What the captions of several figures say alike, and tables as a reader sees them."""

import numpy as np
import pandas as pd

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


def timing_noise(times: pd.DataFrame, history: pd.DataFrame, final: pd.DataFrame, *, steady: float = 1.2) -> str:
    """Return how far apart times of the same networks are in one record, for captions; tables of `cifar10_tables`.

    Compared are the minimal student's relative times in the three tables, and the teacher's seconds on the validation
    images as the search went on. Empty where neither differs by more than a factor of `steady`.
    """
    seconds = (history["seconds"] / history["t"]).dropna()
    shares = {
        "before the search": (times["minimal_s"] / times["teacher_s"]).median(),
        "in it": history.loc[history["minimal"].eq(True), "t"].median(),
        "when it was judged, in passes of all test images": final.loc[final["method"] == "remove all", "t"].median(),
    }
    shares = {when: share for when, share in shares.items() if np.isfinite(share)}
    spreads = [max(some) / min(some) for some in (seconds, shares.values()) if len(some)]
    if max(spreads, default=1.0) <= steady:
        return ""
    told = ", ".join(f"{share:.2f} {when}" for when, share in shares.items())
    return (
        f"Times are noisy: relative to the teacher the minimal student takes {told}; one pass of the teacher over the "
        f"same validation images took from {1000 * seconds.min():.0f} to {1000 * seconds.max():.0f} ms while the "
        "searches ran. Times and rewards are not to be compared. "
    )


NOISY = "Times were measured beside other runs: they and the rewards are noisy, and not to be compared."


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
