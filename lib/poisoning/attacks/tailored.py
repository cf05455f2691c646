"""Attacks tailored to a known rule: the strength along a direction that moves this rule farthest.

Source: Shejwalkar and Houmansadr, NDSS 2021. The search probes strengths on the cohort's inner products, `Geometry`,
so that a probe costs n^2 operations and not n^2 d; and it keeps the best probe, where the released code compares with
the last one and can end anywhere.
"""

from collections.abc import Callable

import torch

from lib.poisoning.aggregation.adaptive_averaging import surviving_rows
from lib.poisoning.aggregation.bulyan import bulyan_rows
from lib.poisoning.aggregation.divide_and_conquer import outlier_order
from lib.poisoning.aggregation.foolsgold import weights_of_cosines
from lib.poisoning.aggregation.geometric_median import geometric_median_weights
from lib.poisoning.aggregation.krum import krum_scores
from lib.poisoning.aggregation.mixing import mixing_weights
from lib.poisoning.aggregation.multi_krum import multi_krum_rows, share_of
from lib.poisoning.aggregation.norm_bound import bound_weights
from lib.poisoning.attacks.beyond_extremes import beyond_extremes
from lib.poisoning.attacks.geometry import Geometry, geometry
from lib.poisoning.attacks.reference import check_reference, copies, direction

HUGE = 1e5  # strength, in lengths of the longest deviation, against rules that no strength makes harmless
PROBES = 64


def tailored(
    benign: torch.Tensor, count: int, *, rule: str, f: int | None = None, kind: str = "unit", **options: object
) -> torch.Tensor:
    """Return copies ``(count, d)`` of the strongest update against `rule` along a direction.

    Against the coordinate-wise rules every strength beyond the extremes does the same (`beyond_extremes`); the mean and
    norm bounding are attacked with a huge update; for the others `tailored_strength` searches.

    Args:
        benign: updates that the attacker knows or simulates, ``(n, d)``; they and `count` are the cohort.
        count: attackers.
        rule: one of `TAILORED`.
        f: what the rule is told to tolerate; None is `count`.
        kind: direction, see `lib.poisoning.attacks.reference.direction`.
        options: of the rule, such as ``variant`` of Multi-Krum.
    """
    toward = direction(check_reference(benign, count), kind)
    if rule in ("median", "trimmed mean"):
        return beyond_extremes(benign, count, toward)
    known = geometry(benign, toward, count)
    if rule in ("mean", "norm bound"):
        strength = HUGE * known.scale
    else:
        strength = tailored_strength(known, rule, count if f is None else f, **options)
    return copies(benign.mean(dim=0) + strength * toward, count)


def tailored_strength(known: Geometry, rule: str, f: int, **options: object) -> float:
    """Return the best strength against `rule`, told to tolerate `f`; zero where none does harm.

    Krum, Multi-Krum and Bulyan: the largest at which every attacker is selected (one of them, for Krum). Geometric
    median, clipping, DnC, AFA, FoolsGold, mixing: the one that moves the result farthest. The grid of `PROBES`
    strengths is refined around its best.
    """
    if rule not in TAILORED:
        raise ValueError(f"no tailored attack on {rule!r}: choose one of {', '.join(TAILORED)}")
    if known.scale == 0:
        return 0.0
    if rule in SELECTED:
        return largest_selected(known, lambda pairs: SELECTED[rule](pairs, f, known.benign, **options))
    return farthest(known, lambda strengths: _weights(known, strengths, WEIGHED[rule], f, **options))


def largest_selected(known: Geometry, selected: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Return the largest probed strength whose squared distances `selected` accepts, from ``(p, n, n)`` to ``(p,)``.

    Many probes at once cost little more than one, so that quarters take the place of halves.
    """
    return largest_accepted(known.scale, lambda some: selected(known.distances(some)).tolist(), parts=4, times=8)


def largest_accepted(
    scale: float, accepted: Callable[[torch.Tensor], list[bool]], *, parts: int = 2, times: int = 16
) -> float:
    """Return the largest strength of a grid around `scale` that is `accepted`, zero if none.

    The step of the grid behind it is cut into `parts` equal ones, of which the last that begins with an accepted
    strength is kept, `times` times over.
    """
    grid = scale * torch.logspace(-3, 1.5, PROBES, dtype=torch.float64)
    last = max((i for i, good in enumerate(accepted(grid)) if good), default=-1)
    if last < 0:
        return 0.0
    low = float(grid[last])
    high = float(grid[last + 1]) if last + 1 < PROBES else low
    for _ in range(times):
        step = (high - low) / parts
        cuts = low + step * torch.arange(1, parts, dtype=torch.float64)
        low = max([low, *(float(cut) for cut, good in zip(cuts, accepted(cuts), strict=True) if good)])
        high = low + step
    return low


def farthest(known: Geometry, weights: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Return the probed strength at which the combination with `weights` lies farthest from the benign mean."""
    grid = known.scale * torch.logspace(-2, 3, PROBES, dtype=torch.float64)
    for _ in range(2):
        moved = known.moved(grid, weights(grid))
        # Beyond some strength a bounded rule does not move any more: the first probe there is as good as any.
        best = int((moved >= moved.max() * (1 - 1e-9)).nonzero()[0])
        around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        chosen = float(grid[best])
        grid = torch.cat([grid[best : best + 1], torch.linspace(*map(float, around), 25, dtype=torch.float64)])
    return chosen


def _krum(pairs: torch.Tensor, f: int, benign: int) -> torch.Tensor:
    scores = krum_scores(pairs, f)
    return scores[..., benign:].amin(dim=-1) < scores[..., :benign].amin(dim=-1)


def _multi_krum(pairs: torch.Tensor, f: int, benign: int, *, variant: str = "one shot") -> torch.Tensor:
    return _all_in(multi_krum_rows(pairs, f, variant=variant), benign, pairs.shape[-1])


def _bulyan(pairs: torch.Tensor, f: int, benign: int, *, selection: str = "one by one") -> torch.Tensor:
    return _all_in(bulyan_rows(pairs, f, selection=selection), benign, pairs.shape[-1])


def _all_in(rows: torch.Tensor, benign: int, clients: int) -> torch.Tensor:
    return (rows >= benign).sum(dim=-1) == clients - benign


def _weights(known: Geometry, strengths: torch.Tensor, of_one: Callable, f: int, **options: object) -> torch.Tensor:
    pairs, norms = known.distances(strengths), known.norms(strengths)
    return torch.stack([of_one(*one, f, **options) for one in zip(pairs, norms, strict=True)])


def _geometric(pairs: torch.Tensor, norms: torch.Tensor, f: int) -> torch.Tensor:
    return geometric_median_weights(pairs, tolerance=1e-6, most=50)


def _clipping(pairs: torch.Tensor, norms: torch.Tensor, f: int, *, radius: float | None = None) -> torch.Tensor:
    return bound_weights(norms, radius)  # around zero one step of centred clipping is norm bounding


def _dnc(pairs: torch.Tensor, norms: torch.Tensor, f: int) -> torch.Tensor:
    n = len(pairs)
    spread = pairs - pairs.mean(dim=0) - pairs.mean(dim=1, keepdim=True) + pairs.mean()
    return share_of(outlier_order(-spread / 2)[f:], n)


def _mixed(pairs: torch.Tensor, norms: torch.Tensor, f: int) -> torch.Tensor:
    return mixing_weights(pairs, f).mean(dim=0)


def _afa(pairs: torch.Tensor, norms: torch.Tensor, f: int) -> torch.Tensor:
    return share_of(surviving_rows(_inner(pairs, norms)), len(pairs))


def _foolsgold(pairs: torch.Tensor, norms: torch.Tensor, f: int) -> torch.Tensor:
    length = torch.where(norms > 0, norms, 1)
    weights = weights_of_cosines(_inner(pairs, norms) / (length[:, None] * length[None, :]))
    return weights / weights.sum() if weights.sum() > 0 else weights


def _inner(pairs: torch.Tensor, norms: torch.Tensor) -> torch.Tensor:
    """Return the inner products ``(n, n)`` that belong to squared distances and norms."""
    squares = norms.square()
    return (squares[:, None] + squares[None, :] - pairs) / 2


SELECTED = {"krum": _krum, "multi-krum": _multi_krum, "bulyan": _bulyan}
WEIGHED = {"geometric median": _geometric, "clipping": _clipping, "dnc": _dnc, "mixed mean": _mixed}
WEIGHED |= {"afa": _afa, "foolsgold": _foolsgold}
TAILORED = ("mean", "median", "trimmed mean", "norm bound", *SELECTED, *WEIGHED)
