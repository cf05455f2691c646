"""Pieces that several figures share."""

import pandas as pd

from lib.segmentation.rules import DISCOVERY, weights

INTERVALS = (
    "Points are medians over seeds, bars or bands intervals of the median (90 %, or the range below five seeds)."
)


def only(table: pd.DataFrame, **where: object) -> pd.DataFrame:
    """Return the rows in which every column has the value given; refuses if there are none."""
    for column, value in where.items():
        table = table[table[column] == value]
    if table.empty:
        raise ValueError(f"the table has no rows with {where}")
    return table


def ours(table: pd.DataFrame) -> list[str]:
    """Return discovery only and our method at every weight, in the order of the weights."""
    return [DISCOVERY, *weights(table).values()]


def others(table: pd.DataFrame) -> list[str]:
    """Return all methods that are not ours, in the order of the table."""
    return [name for name in table["method"].unique() if name not in ours(table)]


def seeds_of(table: pd.DataFrame) -> str:
    """Return how many seeds the table has, in words."""
    count = table["seed"].nunique()
    return f"{count} seed{'s' if count > 1 else ''}"


def listed(values: pd.Series, form: str = ".3f") -> str:
    """Return ``"a 0.749, b 0.780"`` of a series."""
    return ", ".join(f"{key} {format(value, form)}" for key, value in values.items())
