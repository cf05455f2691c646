"""The ends of a grid of settings: what was chosen there might do better beyond."""

from collections.abc import Iterable


def ends_of(tried: Iterable[float]) -> dict[float, str]:
    """Return what the least and the most of the values `tried` are called; {} for less than two. NaN is no value."""
    values = {value for value in tried if value == value}
    return {min(values): "lowest", max(values): "highest"} if len(values) > 1 else {}
