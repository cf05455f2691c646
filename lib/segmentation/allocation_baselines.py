"""Plans that a marketer could make without an optimizer, all within the budget (specification 5)."""

import numpy as np

from lib.segmentation.allocation import Plan, Totals, allocate, evaluated


def equal_split(totals: Totals, budget: float) -> Plan:
    """Give every segment and medium the same money; what a segment cannot take is not spent."""
    return _by_money(totals, np.full(totals.cost.shape, budget / totals.cost.size))


def proportional_split(totals: Totals, budget: float, sizes: np.ndarray) -> Plan:
    """Give every segment money in proportion to its size ``(K,)``, in equal parts to the media."""
    sizes = np.asarray(sizes, dtype=np.float64)
    if sizes.shape != totals.gain.shape[:1] or (sizes < 0).any() or sizes.sum() <= 0:
        raise ValueError("sizes hold one number of at least 0 a segment, and not only zeros")
    money = budget * sizes[:, None] / sizes.sum() / totals.cost.shape[1]
    return _by_money(totals, np.broadcast_to(money, totals.cost.shape))


def greedy(totals: Totals, budget: float) -> Plan:
    """Buy pairs of segment and medium in the order of gain per money, each as far as segment and budget allow.

    Optimal where a user may get a message from every medium; with one message a user it can buy the cheap medium where
    the dear one would have been better.
    """
    segments, media = totals.gain.shape
    share, left, money = np.zeros((segments, media)), np.ones(segments), float(budget)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(totals.gain > 0, totals.gain / totals.cost, -1.0)
    for pair in np.argsort(-ratio, axis=None, kind="stable"):
        k, m = divmod(int(pair), media)
        if ratio[k, m] <= 0:
            break
        cost = totals.cost[k, m]
        share[k, m] = left[k] if cost <= 0 else min(left[k], max(money, 0.0) / cost)
        left[k] -= share[k, m]
        money -= share[k, m] * cost
    return evaluated(share, totals)


def all_plans(totals: Totals, budget: float, sizes: np.ndarray) -> dict[str, Plan]:
    """Return the plans of all methods by name, the exact one last."""
    return {
        "equal split": equal_split(totals, budget),
        "proportional to size": proportional_split(totals, budget, sizes),
        "greedy": greedy(totals, budget),
        "linear program": allocate(totals, budget),
    }


def _by_money(totals: Totals, money: np.ndarray) -> Plan:
    """The plan that spends ``money[k, m]``, less where the segment has not so many users."""
    share = np.divide(money, totals.cost, out=np.zeros(totals.cost.shape), where=totals.cost > 0)
    share = np.where(totals.cost > 0, share, 0.0)
    return evaluated(share / np.maximum(share.sum(axis=1, keepdims=True), 1.0), totals)
