"""All methods on the soft-max toy, each at its own learning rate."""

import functools
from collections.abc import Sequence

import pandas as pd

from lib.spry.experiments.arms import MORE, Arm, Problem, Progress, named_arms, tuned_runs

NAMES = (
    "FedAvg", "FedYogi", "FedAvgSplit", "FedYogiSplit", "Spry", "Spry + Yogi", MORE, "FedFGD", "FedFGD shared",
    "FedMeZO", "Baffle+", "FwdLLM+",
)  # fmt: skip
BASE = 8  # clients a round where the number of directions is varied
PROTOCOLS = ("Spry per iteration", "FedSGD")


def digits_problem(*, rounds: int = 40, cohort: int = 16, features: int = 64, blocks: int = 16) -> Problem:
    """Return soft-max regression on the digits: 24 clients, one epoch of 7 minibatches a round, client SGD."""
    from lib.spry.toy import softmax_model

    return Problem(
        model=softmax_model(features, blocks=blocks),
        deal=functools.partial(_federation, features),
        options={"optimizer": "sgd", "per_unit": 1},
        cohort=cohort,
        rounds=rounds,
    )


def method_comparison(
    *,
    methods: Sequence[str] = NAMES,
    alphas: Sequence[float] = (1.0, 0.1),
    rates: Sequence[float] = (0.1, 1.0, 8.0),
    zero_order_k: int = 4,
    candidates: int = 3,
    rounds: int = 40,
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Follow the accuracy of every method, each tuned over the same `rates`, against rounds and passes.

    All average plainly at the server but those with Yogi in the name. Baffle+ and FwdLLM+ take `zero_order_k`
    perturbations a minibatch (the authors' port: 10 and 20), and so does one arm of Spry; FwdLLM+ picks them from
    `candidates` as many (10). The others take one.

    Returns: the rows of `tuned_runs`.
    """
    arms = named_arms(methods, digits_problem(rounds=rounds), zero_order_k=zero_order_k, candidates=candidates)
    return tuned_runs(arms, alphas, rates, range(seed, seed + seeds), tuning_seeds, progress, workers=workers)


def protocols(
    *,
    methods: Sequence[str] = PROTOCOLS,
    alphas: Sequence[float] = (1.0,),
    rates: Sequence[float] = (0.1, 1.0, 8.0),
    rounds: int = 40,
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Run the methods that communicate after every iteration, for as many iterations as `method_comparison`'s.

    Returns: the rows of `tuned_runs`; a round of the methods per iteration (and FedSGD) is one local epoch's worth.
    """
    arms = named_arms(methods, digits_problem(rounds=rounds))
    return tuned_runs(arms, alphas, rates, range(seed, seed + seeds), tuning_seeds, progress, workers=workers)


def sweeps(
    *,
    perturbations: Sequence[int] = (1, 5, 10, 20),
    cohorts: Sequence[int] = (2, 4, 16),
    rates: Sequence[float] = (0.1, 1.0, 8.0),
    rounds: int = 8,
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Vary Spry's number of perturbations K at 8 clients a round, and the clients a round M at K = 1, at Dirichlet 1.

    Returns: the rows of `tuned_runs` with columns sweep ("K" or "M") and value in front.
    """
    arms = [
        Arm(f"K {k}", "Spry", digits_problem(rounds=rounds, cohort=BASE), {"perturbations": k, "at_once": k > 1})
        for k in perturbations
    ]
    arms += [Arm(f"M {m}", "Spry", digits_problem(rounds=rounds, cohort=m)) for m in cohorts]
    table = tuned_runs(arms, (1.0,), rates, range(seed, seed + seeds), tuning_seeds, progress, workers=workers)
    same = table[table["method"] == "K 1"].assign(method=f"M {BASE}")  # the run that both sweeps contain
    table = pd.concat([table, same], ignore_index=True)
    table.insert(0, "sweep", table["method"].str[0])
    table.insert(1, "value", table["method"].str[2:].astype(int))
    return table


@functools.lru_cache(maxsize=32)  # every arm and rate sees the same partitions, and dealing one takes a while
def _federation(features: int, alpha: float, seed: int):
    from lib.spry.toy import digits_federation

    return digits_federation(alpha=alpha, features=features, seed=seed)
