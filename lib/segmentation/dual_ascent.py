"""Stochastic dual ascent: the budget's price learnt from batches of users (specification 3.4, S5)."""

from dataclasses import dataclass

import numpy as np

from lib.segmentation.allocation import Plan, Totals, evaluated, segment_totals
from lib.segmentation.media import Media

RESPONSES = ("running", "batch", "totals")


@dataclass(frozen=True)
class Ascent:
    """What `dual_ascent` did, in R replicates of T steps.

    Attributes:
        price: dual price before each step, ``(R, T)``.
        step: size of each step ``(T,)``, in units of price per money.
        slack: estimate of spend minus budget in each step, ``(R, T)``.
        start: the first step whose price and shares enter the means.
        share: mean of the steps' shares from `start` on, weighted by the step sizes, ``(R, K, M)``.
    """

    price: np.ndarray
    step: np.ndarray
    slack: np.ndarray
    start: int
    share: np.ndarray

    @property
    def mean_price(self) -> np.ndarray:
        """Mean price from step `start` up to each later one, weighted by the step sizes, ``(R, T - start)``."""
        step = self.step[self.start :]
        return np.cumsum(step * self.price[:, self.start :], axis=1) / np.cumsum(step)


def best_response(gain: np.ndarray, cost: np.ndarray, price: np.ndarray | float) -> np.ndarray:
    """Return the shares 0 or 1 ``(..., K, M)`` that maximize ``G - price C`` for each segment; none where all lose."""
    value = gain - np.asarray(price)[..., None, None] * cost
    best = value.argmax(axis=-1)[..., None]
    chosen = np.zeros(value.shape)
    np.put_along_axis(chosen, best, (np.take_along_axis(value, best, axis=-1) > 0).astype(float), axis=-1)
    return chosen


def dual_value(totals: Totals, budget: float, price: np.ndarray | float) -> np.ndarray:
    """Return the dual function ``price B + sum_k max(0, max_m G_km - price C_km)``, shaped like `price`.

    It bounds the gain of every plan from above and meets the best one at the best price.
    """
    price = np.asarray(price, dtype=float)
    value = totals.gain - price[..., None, None] * totals.cost
    return price * budget + value.max(axis=-1).clip(min=0).sum(axis=-1)


def dual_ascent(
    counts: np.ndarray,
    media: Media,
    budget: float,
    *,
    rng: np.random.Generator,
    steps: int = 2000,
    batch: int = 256,
    rate: float = 1.0,
    burn: float = 0.5,
    response: str = "running",
    charge: str = "targeted",
    value: np.ndarray | None = None,
    replicates: int = 1,
) -> Ascent:
    """Learn the budget's price from batches of users drawn with replacement from `counts` ``(K, V)``.

    A step sends every segment through its best medium at the current price, measures the spend on the batch, scaled up
    to all users, and moves the price by ``step_t (spend - budget)``, never below 0. The best medium is that of the mean
    of all batches so far (`response` ``running``), of this batch (``batch``: the plainest reading of specification 3.4,
    whose price is too high because a batch's best medium flatters it), or of all users (``totals``).

    Steps are ``rate p0 / (c0 sqrt(t))`` with p0 the best ratio of gain to cost and c0 the money that sends everybody
    through the dearest medium. Means leave out the first `burn` of the steps. Memory is O(R (K V + T)), whatever the
    number of users.
    """
    counts = np.asarray(counts, dtype=np.float64)
    totals = segment_totals(counts, media, charge=charge, value=value)
    users = counts.sum()
    if users <= 0 or min(steps, batch, replicates) < 1 or rate <= 0 or budget < 0 or not 0 <= burn < 1:
        raise ValueError("users, steps, batch, replicates: at least 1; rate above 0, budget at least 0, 0 <= burn < 1")
    if response not in RESPONSES:
        raise ValueError(f"unknown response {response!r}: choose from {', '.join(RESPONSES)}")
    exposure, charges, worth = media.exposure, media.charge(charge), _worth(value, counts.shape)
    step = rate * _unit(totals) / np.sqrt(np.arange(1, steps + 1))
    price, prices, slacks = np.zeros(replicates), np.zeros((replicates, steps)), np.zeros((replicates, steps))
    share, start = np.zeros((replicates, *totals.gain.shape)), int(burn * steps)
    seen = np.zeros((replicates, *counts.shape))
    for t in range(steps):
        drawn = rng.multinomial(batch, counts.ravel() / users, size=replicates).reshape(seen.shape) * (users / batch)
        seen += drawn
        known = {"running": seen / (t + 1), "batch": drawn, "totals": counts[None]}[response]
        chosen = best_response((known * worth) @ exposure, known @ charges, price)
        prices[:, t], slacks[:, t] = price, (drawn @ charges * chosen).sum(axis=(1, 2)) - budget
        share += (t >= start) * step[t] * chosen
        price = np.maximum(price + step[t] * slacks[:, t], 0.0)
    return Ascent(prices, step, slacks, start, share / step[start:].sum())


def ascent_plans(ascent: Ascent, totals: Totals, budget: float) -> list[Plan]:
    """Return each replicate's mean plan, scaled down where it would spend more than `budget`."""
    plans = []
    for share, price in zip(ascent.share, ascent.mean_price[:, -1], strict=True):
        spend = float((totals.cost * share).sum())
        plans.append(evaluated(share * min(1.0, budget / spend) if spend > 0 else share, totals, price=float(price)))
    return plans


def regret(plans: list[Plan], best: Plan) -> np.ndarray:
    """Return the share of the best plan's gain that each plan misses, ``(R,)``."""
    if best.gain <= 0:
        raise ValueError("the best plan gains nothing: give a larger budget")
    return 1 - np.array([plan.gain for plan in plans]) / best.gain


def dual_gap_bound(ascent: Ascent, price: float) -> np.ndarray:
    """Return the bound on the mean dual gap from step `start` on, ``(T - start,)`` (S5).

    ``(E(p_start - price)^2 + sum s_t^2 E slack_t^2) / (2 sum s_t)`` with expectations over replicates and `price` the
    best price: the textbook bound on stochastic subgradient descent. It holds for the mean of the replicates' gaps with
    the response ``totals``, whose slack is an unbiased subgradient of the dual function.
    """
    step, slack = ascent.step[ascent.start :], ascent.slack[:, ascent.start :]
    far = ((ascent.price[:, ascent.start] - price) ** 2).mean()
    return (far + np.cumsum(step**2 * (slack**2).mean(axis=0))) / (2 * np.cumsum(step))


def _unit(totals: Totals) -> float:
    """One price unit per money unit of this problem."""
    paid = totals.cost > 0
    if not paid.any():
        raise ValueError("nothing costs money: there is no price to learn")
    return float((totals.gain[paid] / totals.cost[paid]).max() / totals.cost.max(axis=1).sum())


def _worth(value: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
    if value is None:
        return np.ones(shape)
    value = np.asarray(value, dtype=np.float64)
    return np.broadcast_to(value[:, None] if value.ndim == 1 else value, shape)
