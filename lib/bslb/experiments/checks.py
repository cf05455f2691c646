"""What every experiment refuses before it computes anything."""

from collections.abc import Sequence


def check_setting(
    *,
    d: int | None = None,
    ks: Sequence[int] | None = None,
    betas: Sequence[float] | None = None,
    slope_over: Sequence[int] | None = None,
    **sizes,
) -> None:
    """Raise ValueError unless the parameters of an experiment describe something that can be run.

    Args:
        d: dimension.
        ks: sparsities, each between 1 and `d`; like all sequences not empty if given.
        betas: relative tails, each between 0 and (d - k) / k for every k of `ks`.
        slope_over: horizons over which slopes are fitted, at least two different ones.
        **sizes: by the name of the parameter, a number of at least 1 or a sequence of such numbers that is not empty;
            a sequence of pairs or words only has to be not empty.
    """
    given = {"ks": ks, "betas": betas, "horizons": slope_over}
    for name, value in (sizes | {name: value for name, value in given.items() if value is not None}).items():
        values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if not values:
            raise ValueError(f"{name} is empty; give at least one value")
        low = [v for v in values if name in sizes and isinstance(v, int | float) and not v >= 1]
        if low:
            raise ValueError(f"{name} must be at least 1, got {low[0]}; raise it")
    if d is not None and d < 1:
        raise ValueError(f"d must be at least 1, got {d}; raise it")
    for k in ks or ():
        if k < 1 or (d is not None and k > d):
            raise ValueError(f"k = {k} must lie between 1 and the dimension d = {d}; lower k or raise d")
        top = (d - k) / k if d is not None else float("inf")
        for beta in betas or ():
            if not (beta >= 0 and beta <= top):
                raise ValueError(
                    f"beta = {beta} must lie between 0 and (d - k) / k = {top:g} at k = {k}; lower it or raise d"
                )
    if slope_over is not None and len(set(slope_over)) < 2:
        raise ValueError("a slope needs at least two horizons; give more horizons")
