"""Four defects of the released code switched on in runs on the digits, beside the same methods without."""

from collections.abc import Sequence

import pandas as pd

from lib.spry.experiments.arms import Arm, Progress, tuned_runs

RELEASED = ", as released"  # end of the name of an arm with the defect
# Method of the defect, and the switch that turns it on; the other settings are those of the comparison.
SWITCHES = {
    "Spry": {"aggregation": "as_released"},
    "Baffle+": {"scale_as_released": True},
    "FwdLLM+": {"repeat_as_released": True},
    "FedSGD": {"as_released": True},
}


def released_runs(
    *,
    rates: Sequence[float] = (0.1, 1.0, 8.0),
    zero_order_k: int = 4,
    candidates: int = 3,
    rounds: int = 8,
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Run each method of `SWITCHES` with and without its defect at Dirichlet 1, each tuned over the same `rates`.

    Split updates averaged by position (Spry), all perturbations but the first scaled away (Baffle+), one direction for
    all K (FwdLLM+), and gradients added in an aliased buffer (FedSGD).

    Returns: the rows of `tuned_runs`; the arms with the defect end in `RELEASED`.
    """
    from lib.spry.experiments.methods import BASE, digits_problem

    problem = digits_problem(rounds=rounds, cohort=BASE)
    several = {"perturbations": zero_order_k, "at_once": True}
    own = {"Baffle+": several, "FwdLLM+": several | {"candidates": candidates}}
    arms = [
        Arm(name + ending, name, problem, own.get(name, {}) | (switch if ending else {}))
        for name, switch in SWITCHES.items()
        for ending in ("", RELEASED)
    ]
    return tuned_runs(arms, (1.0,), rates, range(seed, seed + seeds), tuning_seeds, progress, workers=workers)
