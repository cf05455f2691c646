"""Two ways of computing one thing must agree before either is timed."""


def require(what: str, value: float, *, low: float = float("-inf"), high: float = float("inf")) -> float:
    """Return `value` if it lies in ``[low, high]``, else raise AssertionError: then no time may be compared."""
    if not low <= value <= high:
        raise AssertionError(
            f"{what}: {value:.4g} is outside [{low:g}, {high:g}]; the two do not agree, nothing is timed"
        )
    return value
