"""Accuracy over rounds, of clients that hold unequally many examples."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.federated.algorithms import FedAvg
from lib.federated.side_by_side import Outcome, run_side_by_side
from lib.flow.baselines.methods import UNTUNED, method
from lib.flow.experiments.arms import Run, compared
from lib.flow.experiments.preference import bench
from lib.flow.mixture import mixture

AT_EACH_ROUND = ("FedAvg", "FedAvg + FT", UNTUNED, "Flow")
SIZES = tuple(np.geomspace(16, 240, 20).round().astype(int).tolist())


def over_rounds(
    *,
    rho: float = 0.25,
    methods: Sequence[str] = AT_EACH_ROUND,
    sizes: Sequence[int] = SIZES,
    every: int = 5,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 25,
    device: str = "cpu",
) -> pd.DataFrame:
    """Return how accurate each method's global and personalized models are as training goes on.

    The clients hold `sizes` training instances of the generator `lib.flow.mixture`, and 100 test instances each. The
    first round and every further `every` rounds are looked at.

    Returns:
        One row a client of each run and round: round, method, seed, the columns of `lib.flow.outcomes.clients_table`,
        and examples (training instances of the client).
    """
    seen = range(seed, seed + seeds)
    made = [mixture(rho=rho, clients=len(sizes), train=sizes, seed=s).federation.to(device) for s in seen]
    algorithms, parts = {name: method(name, bench()) for name in methods}, []
    sharing = {name: one for name, one in algorithms.items() if isinstance(one, FedAvg)}  # one training serves them all
    for group in [sharing, *({name: one} for name, one in algorithms.items() if name not in sharing)]:

        def look(round: int, outcomes: list[Outcome], group: dict = group) -> None:
            if round == 1 or round % every == 0:
                runs = [Run(one, s, {"round": round}) for one, s in zip(made, seen, strict=True)]
                parts.extend(compared(name, {name: (one, outcomes)}, runs) for name, one in group.items())

        for algorithm in list(group.values())[:1]:
            run_side_by_side(algorithm, made, list(seen), rounds=rounds, watch=look)
    table = pd.concat(parts, ignore_index=True)
    return table.assign(examples=np.asarray(sizes)[table["client"]])
