"""What a figure says of its seeds: how many there are, and what is drawn around a median."""

from collections.abc import Iterable

import pandas as pd

ENOUGH = 5  # values from which on some interval covers the median with 90 %: below, not even their range does


def over_seeds(counts: Iterable[int], kind: str = "seed") -> str:
    """Return what is drawn where groups have `counts` seeds each: "medians over 3 seeds with their range", say."""
    few, many = min(found := list(counts)), max(found)
    if many == 1:
        return f"one {kind}"
    number = f"{few}" if few == many else f"{few} to {many}"
    shown = "their range" if many < ENOUGH else "90 % intervals of the median"
    below = f" (their range below {ENOUGH})" if few < ENOUGH <= many else ""
    return f"medians over {number} {kind}s with {shown}{below}"


def seeds_of(table: pd.DataFrame, by: str | None = None) -> str:
    """Return that text as a sentence, from the column seed of `table`, counted for each value of `by`."""
    counts = [table["seed"].nunique()] if by is None else table.groupby(by)["seed"].nunique()
    return f"{over_seeds(counts).capitalize()}."
