"""What a client sends, computes and holds in a round, counted."""

from dataclasses import replace

import pandas as pd

from lib.federated.algorithms import FedAvg
from lib.federated.costs import client_costs
from lib.flow.experiments.preference import bench
from lib.flow.flow import flow
from lib.flow.mixture import mixture

KIB = 1024


def round_costs(*, seed: int = 0) -> pd.DataFrame:
    """Return what one client of the instance-preference experiment pays for a round of FedAvg and of Flow.

    Returns:
        One row a method: method, KiB sent, sent / FedAvg, MFLOP, operations / FedAvg, extra KiB (peak beyond data and
        what was received). Flow as released splits its data and sends the local branch too.
    """
    made, both = mixture(rho=0.25, seed=seed), bench()
    methods = {
        "FedAvg": FedAvg(model=both.routing.model, local=both.local),
        "Flow": flow(both.routing, both.local),
        "Flow, half of the data a phase": flow(both.routing, both.local, split="half"),
        "Flow as released": flow(both.routing, both.local, split="half", local_init="average"),
    }
    rows = []
    for name, algorithm in methods.items():
        one = replace(made.federation, clients=made.federation.clients[:1])
        found = client_costs(algorithm, one, seed=seed)
        rows.append([name, found["bytes_up"] / KIB, found["flops"] / 1e6, found["extra_bytes"] / KIB])
    table = pd.DataFrame(rows, columns=["method", "KiB sent", "MFLOP", "extra KiB"])
    table.insert(2, "sent / FedAvg", table["KiB sent"] / table["KiB sent"][0])
    table.insert(4, "operations / FedAvg", table["MFLOP"] / table["MFLOP"][0])
    return table
