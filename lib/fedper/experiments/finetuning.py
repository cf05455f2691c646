"""What fine-tuning adds to a finished run, without training again."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.federated.history import History
from lib.federated.seeds import evaluation_rng
from lib.federated.types import Algorithm, Federation
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import Plan


def finetuned(
    rows: pd.DataFrame, algorithm: Algorithm, history: History, federation: Federation, plan: Plan, *, seed: int
) -> pd.DataFrame:
    """Return the last row of `rows` after fine-tuning all layers (FedAvg) or the head (FedPer 1); no row for others."""
    name = rows["method"].iloc[0]
    if name == "FedAvg":
        tuned = method("FedAvg + FT", algorithm.model.build, plan.local, seed=seed)
    elif name == "FedPer 1":
        tuned = replace(algorithm, ft_epochs_eval=1)
    else:
        return rows.iloc[:0]
    found = evaluate(tuned, history, federation.to(plan.device), round=plan.rounds, seed=seed)
    return row_after(rows, f"{name} + FT", found)


def row_after(rows: pd.DataFrame, name: str, found: np.ndarray, **columns: object) -> pd.DataFrame:
    """Return the last of `rows` as that of the method `name`, whose clients have accuracy `found`, with `columns`."""
    changed = {"method": name, "accuracy": found.mean(), "spread": found.std()}
    return rows.iloc[-1:].assign(**changed, **columns, local_accuracy=np.nan)


def evaluate(algorithm: Algorithm, history: History, federation: Federation, *, round: int, seed: int) -> np.ndarray:
    """Return each client's personal accuracy, shape ``(clients,)``, of the state that a finished run left."""
    clients = range(len(federation))
    memories = [history.memories.get(client, {}) for client in clients]
    rngs = [evaluation_rng(seed, round, client) for client in clients]
    found = algorithm.evaluate_cohort(history.state, list(federation.clients), memories, rngs)
    return np.array([metrics["personal_accuracy"] for metrics in found])
