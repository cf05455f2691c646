"""Instances that prefer the global or the local rule: who gains, who is harmed, and whether routing finds the type."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.federated.algorithms.outputs import padded_tests
from lib.federated.seeds import evaluation_rng
from lib.federated.side_by_side import Outcome
from lib.flow.baselines.methods import UNTUNED, Bench
from lib.flow.experiments.arms import Progress, Run, compared, labelled, track, trained
from lib.flow.experiments.tasks import bench_of
from lib.flow.experiments.tuning import stored_settings
from lib.flow.flow import Flow
from lib.flow.mixture import mixture
from lib.flow.outcomes import by_run

MOTIVATION = ("FedAvg", "FedAvg + FT", UNTUNED, "ensemble", "ensemble, own weight", "kNN-Per", "Flow")


def bench() -> Bench:
    """Return the network and local training of the generator's experiments, with the settings in use."""
    return bench_of("instance preferences", stored_settings("instance preferences"))


def preference(
    *,
    rhos: Sequence[float] = (0.25, 0.5, 0.75),
    deltas: Sequence[float] = (1.0,),
    methods: Sequence[str] = MOTIVATION,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 25,
    device: str = "cpu",
    known: dict[str, pd.DataFrame] | None = None,
    progress: Progress | None = None,
    **sizes: int,
) -> dict[str, pd.DataFrame]:
    """Return how each method serves clients whose instances prefer their own rule with probability rho.

    Returns:
        ``clients``: one row a client of each run: rho, delta, method, seed and the columns of
        `lib.flow.outcomes.clients_table`. ``routes``: one row a client of each run of a Flow method: rho, delta,
        method, seed, client, auc (of the mean local share against the true type), local_1 and local_0 (share of hard
        routes to the local branch for instances of the local and of the global type), soft, oracle, local_branch
        (accuracies of soft mixing, of the true types as routes, of the local branch alone), and for each routed unit
        l its shares local_1_l and local_0_l.

    `sizes` are those of `lib.flow.mixture.mixture`. `known` is what an earlier call returned: what it holds for the
    same methods, seeds, rounds and sizes is not computed again. AUC and shares of a type that a client does not have
    are NaN.
    """
    cells = [(rho, delta) for rho in rhos for delta in deltas]
    made_with = {"methods": tuple(methods), "seeds": seeds, "seed": seed, "rounds": rounds, **sizes}
    clients, routes = [], []
    for rho, delta in track(cells, "instance preferences", progress):
        old = _known(known, made_with, rho, delta)
        if old:
            clients.append(old["clients"])
            routes.append(old["routes"])
            continue
        made = [mixture(rho=rho, delta=delta, seed=s, **sizes) for s in range(seed, seed + seeds)]
        runs = [
            Run(one.federation.to(device), s, {"rho": rho, "delta": delta})
            for one, s in zip(made, range(seed, seed + seeds), strict=True)
        ]
        found = trained(methods, bench(), runs, rounds=rounds)
        for name in methods:
            clients.append(compared(name, found, runs))
            algorithm, outcomes = found[name]
            if isinstance(algorithm, Flow):
                routes += [
                    labelled(route_table(algorithm, outcome, run, one.test_local), run, name)
                    for one, run, outcome in zip(made, runs, outcomes, strict=True)
                ]
    tables = {
        "clients": pd.concat(clients, ignore_index=True),
        "routes": pd.concat(routes, ignore_index=True) if routes else pd.DataFrame(),
    }
    tables["clients"].attrs["made with"] = made_with
    return tables


def _known(
    tables: dict[str, pd.DataFrame] | None, made_with: dict, rho: float, delta: float
) -> dict[str, pd.DataFrame] | None:
    """Return the rows of one cell of earlier `tables`, None if they lack it or were made otherwise."""
    if tables is None or tables["clients"].attrs.get("made with") != made_with:
        return None
    found = {name: table[(table["rho"] == rho) & (table["delta"] == delta)] for name, table in tables.items()}
    return found if len(found["clients"]) else None


def route_table(algorithm: Flow, outcome: Outcome, run: Run, test_local: np.ndarray) -> pd.DataFrame:
    """Return what the routes of each client look like beside the true types; columns as in `preference`."""
    from sklearn.metrics import roc_auc_score

    datas = run.federation.clients
    rngs = [evaluation_rng(run.seed, outcome.state.round, c) for c in range(len(datas))]
    parts = algorithm.personalize(outcome.state, datas, rngs)
    x, y = padded_tests(datas), torch.stack([one.test_y for one in datas])
    with torch.no_grad():
        shares = algorithm.routing.shares(parts.policy, x)
    truth = torch.from_numpy(test_local).to(shares)
    ways = {"soft": shares, "oracle": truth.unsqueeze(2).expand_as(shares), "local_branch": torch.ones_like(shares)}
    right = {
        name: (algorithm.routed_outputs(parts, x, mode="soft", shares=q).argmax(dim=-1) == y).double().mean(dim=1)
        for name, q in ways.items()
    }
    shares = shares.cpu()
    hard, units = (shares > 0.5).double(), range(shares.shape[2])
    rows = []
    for c in range(len(datas)):
        z, both = test_local[c], 0 < test_local[c].sum() < len(test_local[c])
        auc = roc_auc_score(z, shares[c].mean(dim=1).numpy()) if both else np.nan
        kinds = {"local_1": hard[c][torch.from_numpy(z)], "local_0": hard[c][torch.from_numpy(~z)]}
        row = {"client": c, "auc": auc} | {name: _mean(taken) for name, taken in kinds.items()}
        row |= {name: float(right[name][c]) for name in ways}
        row |= {f"{name}_{unit + 1}": _mean(taken[:, unit]) for name, taken in kinds.items() for unit in units}
        rows.append(row)
    return pd.DataFrame(rows)


def _mean(values: torch.Tensor) -> float:
    return float(values.mean()) if values.numel() else np.nan


def correctness(clients: pd.DataFrame, *, rho: float, delta: float = 1.0) -> pd.DataFrame:
    """Return the two-by-two table of right and wrong of each method, shares of all test instances of all seeds.

    Columns: method, both right, only global right, only personal right, both wrong, clients harmed, clients tied.
    """
    rows = clients[(clients["rho"] == rho) & (clients["delta"] == delta)]
    names = {
        "both": "both right", "only_global": "only global right", "only_personal": "only personal right",
        "neither": "both wrong", "harmed": "clients harmed", "tied": "clients tied",
    }  # fmt: skip
    return rows.groupby("method", sort=False)[list(names)].mean().rename(columns=names).reset_index()


def forms_of_fine_tuning(clients: pd.DataFrame, *, delta: float = 1.0) -> pd.DataFrame:
    """Return how the two forms of fine-tuning fare beside FedAvg and Flow: one row a rho and form, medians over seeds.

    Columns: rho, form, gain over FedAvg, harmed (share of clients), Flow minus it, seeds ahead ("4 of 5": those in
    which Flow is).
    """
    index, rows = ["rho", "method", "seed"], []
    runs = by_run(clients[clients["delta"] == delta], index).set_index(index).sort_index()
    for rho in sorted(clients["rho"].unique()):
        fedavg, ours = (runs.loc[(rho, name), "personal"] for name in ("FedAvg", "Flow"))
        for form in ("FedAvg + FT", UNTUNED):
            found = runs.loc[(rho, form)]
            lead = ours - found["personal"]
            gain, harmed = (found["personal"] - fedavg).median(), found["harmed"].median()
            rows.append([rho, form, gain, harmed, lead.median(), f"{(lead > 0).sum()} of {len(lead)}"])
    return pd.DataFrame(rows, columns=["rho", "form", "gain over FedAvg", "harmed", "Flow minus it", "seeds ahead"])


def motivation(
    *, rho: float = 0.25, seeds: int = 5, seed: int = 0, rounds: int = 25, device: str = "cpu"
) -> dict[str, pd.DataFrame]:
    """Return what `preference` does for one rho and the methods of the first figure."""
    return preference(rhos=(rho,), seeds=seeds, seed=seed, rounds=rounds, device=device)


def granularity(
    known: dict[str, pd.DataFrame],
    *,
    rho: float = 0.25,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 25,
    device: str = "cpu",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracies by run of Flow and of coarser or better informed routes, on the federations of `preference`.

    `known` is what `preference` returned for the same seeds and rounds; what it lacks is run here.

    Returns:
        One row a method and seed: rho, delta, method, seed, personal (mean accuracy over clients). The methods are
        "Flow", "Flow by client", "soft test" (of Flow), "true types" (the same branches, routed by the hidden types),
        "local branch", and the methods of ``known["clients"]``.
    """
    options = {"seeds": seeds, "seed": seed, "rounds": rounds, "device": device, "progress": progress}
    coarse = preference(rhos=(rho,), methods=("Flow by client",), **options)["clients"]
    both = pd.concat([known["clients"], coarse])
    both = both[(both["rho"] == rho) & (both["delta"] == 1.0)]
    columns = ["rho", "delta", "method", "seed"]
    parts = [both.groupby(columns, sort=False, as_index=False)["personal"].mean()]
    routes = known["routes"]
    routes = routes[(routes["rho"] == rho) & (routes["delta"] == 1.0) & (routes["method"] == "Flow")]
    for column, name in (("soft", "soft test"), ("oracle", "true types"), ("local_branch", "local branch")):
        rows = routes.assign(method=name, personal=routes[column])
        parts.append(rows.groupby(columns, sort=False, as_index=False)["personal"].mean())
    return pd.concat(parts, ignore_index=True)
