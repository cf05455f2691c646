"""Does the order of the methods survive tuning? Every method with its own learning rate, chosen on other partitions."""

from collections.abc import Sequence

import pandas as pd

from lib.federated.tuning import best_settings, tuning_seeds
from lib.federated.types import Federation
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import DIGITS_NET, Plan, Progress, arm_or_zero, track
from lib.fedper.federations import class_federation, digits

RATES_METHODS = (
    "FedAvg", "FedAvg + FT", "FedProx", "FedPer 1", "FedPer 2", "FedRep", "FedBABU", "LG-FedAvg", "Ditto", "local only",
)  # fmt: skip


def learning_rates(
    *,
    rates: Sequence[float] = (0.0125, 0.025, 0.05, 0.1, 0.2),
    methods: Sequence[str] = RATES_METHODS,
    classes_per_client: Sequence[int] = (4, 10),
    clients: int = 10,
    seeds: int = 3,
    seed: int = 0,
    rounds: int = 20,
    steps: int = 20,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the final accuracy of each method on the digits with every learning rate: the same budget for all.

    Rates are to be chosen on the rows of use "tuning", whose partitions are others than those of use "judging".

    Returns:
        One row a run: use, lr, classes_per_client, method, seed, and the columns of `arms.by_round`. A run whose
        weights overflow has accuracy zero.
    """
    x, y = digits()
    uses = [("tuning", s) for s in tuning_seeds(seeds, seed)]
    uses += [("judging", s) for s in range(seed, seed + seeds)]
    parts = []
    for k, (use, s) in track([(k, use) for k in classes_per_client for use in uses], "learning rates", progress):
        federation = class_federation(x, y, clients=clients, classes_per_client=k, seed=s, name="digits")
        for lr in rates:
            labels = {"use": use, "lr": lr, "classes_per_client": k}
            parts += [_arm(name, federation, Plan(rounds=rounds, steps=steps, lr=lr), s, labels) for name in methods]
    return pd.concat(parts, ignore_index=True)


def _arm(name: str, federation: Federation, plan: Plan, seed: int, labels: dict[str, object]) -> pd.DataFrame:
    return arm_or_zero(name, method(name, DIGITS_NET, plan.local, seed=seed), federation, plan, seed=seed, **labels)[0]


def judging(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are judged: all but those on which a setting was chosen, where a table has such."""
    return table[table["use"] == "judging"] if "use" in table else table


def tuned(table: pd.DataFrame) -> pd.DataFrame:
    """Return the "judging" rows of each method at the rate that is best in the median on the "tuning" rows."""
    by = ["classes_per_client", "method"]
    chosen = best_settings(table[table["use"] == "tuning"], by)
    return judging(table).merge(chosen, on=[*by, "lr"]).sort_values([*by, "seed"], ignore_index=True)
