"""The best gain as a function of the budget, exactly and for all budgets at once (S1), without a linear program.

With one message a user, the allocation is a multiple-choice knapsack whose relaxation is solved by the upper hulls of
the segments' (cost, gain) points and one sort of their slopes.
"""

from dataclasses import dataclass

import numpy as np

from lib.segmentation.allocation import Totals


@dataclass(frozen=True)
class BudgetCurve:
    """A concave, piecewise linear, nondecreasing function of the budget.

    Attributes:
        budget: corners of the curve, ``(J + 1,)``, from 0 to the money that saturates all segments.
        gain: best gain at the corners, ``(J + 1,)``.
        price: slopes between the corners, the dual prices of the budget, ``(J,)``, nonincreasing.
    """

    budget: np.ndarray
    gain: np.ndarray
    price: np.ndarray

    def gain_at(self, budget: np.ndarray | float) -> np.ndarray:
        """Return the best gain within `budget`, shaped like it."""
        return np.interp(budget, self.budget, self.gain)

    def spend_at(self, budget: np.ndarray | float) -> np.ndarray:
        """Return the money that the best plan spends: the budget, until all segments are saturated."""
        return np.minimum(budget, self.budget[-1])

    def price_at(self, budget: np.ndarray | float) -> np.ndarray:
        """Return the dual price just beyond `budget` (the slope to the right, at a corner the smaller one)."""
        place = np.searchsorted(self.budget, budget, side="right") - 1
        return np.append(self.price, 0.0)[place]

    def budget_for(self, gain: float) -> float:
        """Return the least budget that reaches `gain`; infinite where none does ("reduced spend", 3.6)."""
        if gain > self.gain[-1] * (1 + 1e-12):
            return float("inf")
        return float(np.interp(gain, self.gain, self.budget))


def budget_curve(totals: Totals) -> BudgetCurve:
    """Return the value of the best plan with one message a user, for every budget."""
    steps = [hull_steps(cost, gain) for cost, gain in zip(totals.cost, totals.gain, strict=True)]
    free = sum(start for start, _ in steps)
    money, gain = np.concatenate([step for _, step in steps], axis=1)
    order = np.argsort(-gain / money, kind="stable")
    money, gain = money[order], gain[order]
    corners, values = np.cumsum(np.append(0.0, money)), free + np.cumsum(np.append(0.0, gain))
    return BudgetCurve(corners, values, gain / money)


def hull_steps(cost: np.ndarray, gain: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the gain that is free, and the steps (money, gain) ``(2, s)`` along the upper hull of (0, 0) and points.

    Slopes are positive and strictly decreasing: to move along the hull is to send more of a segment, or to send it
    through a better and dearer medium.
    """
    free = float(gain[cost == 0].max(initial=0.0))
    hull = [(0.0, free)]
    for point in sorted(zip(cost.tolist(), gain.tolist(), strict=True)):
        if point[1] <= hull[-1][1] or point[0] <= 0:
            continue
        if point[0] == hull[-1][0]:
            hull.pop()
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) <= _slope(hull[-2], point):
            hull.pop()
        hull.append(point)
    return free, np.diff(np.array(hull), axis=0).T.reshape(2, -1)


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])
