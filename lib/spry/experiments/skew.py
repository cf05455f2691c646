"""The comparison on the digits by label skew: all methods at each Dirichlet concentration, too long for the page."""

from collections.abc import Sequence

from lib.report.tasks import Task
from lib.spry.experiments.arms import arm_options, named_arms, tuned_arm
from lib.spry.experiments.methods import NAMES, PROTOCOLS, digits_problem

ALPHAS = (100.0, 1.0, 0.1)
METHODS = (*PROTOCOLS, *reversed(NAMES))  # the longest first, as several processes share them


def skew_tasks(
    *,
    alphas: Sequence[float] = ALPHAS,
    methods: Sequence[str] = METHODS,
    rates: Sequence[float],
    rounds: int = 40,
    seeds: int = 5,
    tuning_seeds: int = 3,
    zero_order_k: int = 4,
    candidates: int = 3,
    seed: int = 0,
) -> list[Task]:
    """Return the pieces of the table skew, one an alpha and method, with the rows of `tuned_arm`.

    The problem is that of `lib.spry.experiments.methods.digits_tables`; methods per iteration take as many iterations,
    and a round is one local epoch's worth. A method has a rate of its own at each alpha.
    """
    arms = named_arms(methods, digits_problem(rounds=rounds), zero_order_k=zero_order_k, candidates=candidates)
    judged = range(seed, seed + seeds)
    return [
        Task("skew", tuned_arm, arm_options(arm, alpha, rates, judged, tuning_seeds))
        for arm in arms
        for alpha in alphas
    ]
