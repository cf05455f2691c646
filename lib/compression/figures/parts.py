"""What the captions of several figures say alike."""

import pandas as pd


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
