"""All methods on the soft-max toy, each at its own learning rate: compared, by protocol, by K and M, as released."""

import functools
from collections.abc import Sequence

import pandas as pd

from lib.report.tasks import Task, run_tasks
from lib.spry.experiments.arms import MORE, Arm, Problem, Progress, arm_options, named_arms, tuned_arm

NAMES = (
    "FedAvg", "FedYogi", "FedAvgSplit", "FedYogiSplit", "Spry", "Spry + Yogi", MORE, "FedFGD", "FedFGD shared",
    "FedMeZO", "Baffle+", "FwdLLM+",
)  # fmt: skip
BASE = 8  # clients a round where the number of directions is varied
PROTOCOLS = ("Spry per iteration", "FedSGD")
RELEASED = ", as released"  # end of the name of an arm with the defect
# Method of the defect, and the switch that turns it on; the other settings are those of the comparison.
SWITCHES = {
    "Spry": {"aggregation": "as_released"},
    "Baffle+": {"scale_as_released": True},
    "FwdLLM+": {"repeat_as_released": True},
    "FedSGD": {"as_released": True},
}


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


def digits_tables(
    *,
    methods: Sequence[str] = NAMES,
    alphas: Sequence[float] = (1.0,),
    rates: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
    rounds: int = 32,
    sweep_rounds: int = 8,
    zero_order_k: int = 4,
    candidates: int = 3,
    perturbations: Sequence[int] = (1, 5, 10, 20),
    cohorts: Sequence[int] = (2, 4, 16),
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int = 1,
) -> dict[str, pd.DataFrame]:
    """Run every method, each tuned over the same `rates` on partitions of its own (`tuned_arm`), once for all tables.

    All average plainly at the server but those with Yogi in the name. Baffle+ and FwdLLM+ take `zero_order_k`
    perturbations a minibatch (the authors' port: 10 and 20), and so does one arm of Spry; FwdLLM+ picks them from
    `candidates` as many (10). The others take one.

    Returns:
        Tables with the rows of `tuned_arm`. comparison: `methods` at each of `alphas`. The others are at Dirichlet 1.
        protocols: `PROTOCOLS`, which communicate after every iteration, for as many iterations; a round is one local
        epoch's worth. sweeps: Spry for `sweep_rounds`, by the number of perturbations K at `BASE` clients a round and
        by the clients a round M at K = 1, with columns sweep ("K" or "M") and value in front. released: each method of
        `SWITCHES` with its defect (these end in `RELEASED`) and without, as long, at `BASE` clients a round.
    """
    several = {"zero_order_k": zero_order_k, "candidates": candidates}
    arms = {
        "comparison": named_arms(methods, digits_problem(rounds=rounds), **several),
        "protocols": named_arms(PROTOCOLS, digits_problem(rounds=rounds)),
        "sweeps": _sweep_arms(perturbations, cohorts, sweep_rounds),
        "released": _released_arms(digits_problem(rounds=sweep_rounds, cohort=BASE), **several),
    }
    tasks = [
        Task(name, tuned_arm, arm_options(arm, alpha, rates, range(seed, seed + seeds), tuning_seeds))
        for name, group in arms.items()
        for alpha in (alphas if name == "comparison" else (1.0,))
        for arm in group
    ]
    found = run_tasks(tasks, workers=workers, progress=progress)
    same = found["sweeps"][found["sweeps"]["method"] == "K 1"]  # the run that three tables contain
    found["released"] = pd.concat([same.assign(method="Spry"), found["released"]], ignore_index=True)
    found["sweeps"] = pd.concat([found["sweeps"], same.assign(method=f"M {BASE}")], ignore_index=True)
    found["sweeps"].insert(0, "sweep", found["sweeps"]["method"].str[0])
    found["sweeps"].insert(1, "value", found["sweeps"]["method"].str[2:].astype(int))
    return found


def _sweep_arms(perturbations: Sequence[int], cohorts: Sequence[int], rounds: int) -> list[Arm]:
    """Return the arms of K, always one among them, and of M, without `BASE`, which is the run of K = 1."""
    base = digits_problem(rounds=rounds, cohort=BASE)
    counts, sizes = sorted({1, *perturbations}), [m for m in cohorts if m != BASE]
    arms = [Arm(f"K {k}", "Spry", base, {"perturbations": k, "at_once": k > 1}) for k in counts]
    return arms + [Arm(f"M {m}", "Spry", digits_problem(rounds=rounds, cohort=m)) for m in sizes]


def _released_arms(problem: Problem, *, zero_order_k: int, candidates: int) -> list[Arm]:
    """Return each method of `SWITCHES` without its defect (but Spry, which the sweeps have) and with it.

    Split updates averaged by position (Spry), all perturbations but the first scaled away (Baffle+), one direction for
    all K (FwdLLM+), and gradients added in an aliased buffer (FedSGD).
    """
    plain = named_arms(list(SWITCHES), problem, zero_order_k=zero_order_k, candidates=candidates)
    defect = [Arm(a.label + RELEASED, a.name, problem, dict(a.options) | SWITCHES[a.label]) for a in plain]
    return plain[1:] + defect


@functools.lru_cache(maxsize=32)  # every arm and rate sees the same partitions, and dealing one takes a while
def _federation(features: int, alpha: float, seed: int):
    from lib.spry.toy import digits_federation

    return digits_federation(alpha=alpha, features=features, seed=seed)
