"""Runs of several methods on several federations, and what is kept of them."""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from lib.federated.algorithms import FedAvg
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.side_by_side import Outcome, run_side_by_side
from lib.federated.types import Algorithm, Federation
from lib.flow.baselines.methods import UNTUNED, Bench, method
from lib.flow.outcomes import clients_table, global_right, personal_right
from lib.flow.routing import UnitRouting
from lib.nets import mlp

Progress = Callable[[Iterable, str], Iterable]


@dataclass(frozen=True, eq=False)
class Run:
    """One federation with the seed of its run, and the labels under which its rows are kept."""

    federation: Federation
    seed: int
    labels: dict[str, object]


def track(items: Iterable, label: str, progress: Progress | None) -> Iterable:
    """Return `items`, wrapped in `progress` if there is one."""
    return progress(items, label) if progress else items


def perceptron_bench(
    sizes: Sequence[int],
    *,
    lr: float = 0.02,
    momentum: float = 0.9,
    batch_size: int = 10,
    epochs: int = 5,
    width: int = 32,
    settings: dict[str, dict] | None = None,
) -> Bench:
    """Return the bench of a perceptron with these `sizes`; every hidden layer of the policy has `width` units."""
    model = Model(functools.partial(mlp, tuple(sizes)))
    widths = (width,) * max(len(sizes) - 2, 1)
    local = LocalSGD(lr=lr, momentum=momentum, batch_size=batch_size, epochs=epochs)
    return Bench(routing=UnitRouting(model, widths, sizes[0]), local=local, settings=settings or {})


def groups_of(methods: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the methods in groups of similar work that can run apart: those that train as FedAvg are one group."""
    as_fedavg = ("FedAvg", UNTUNED, "FedAvg + FT", "kNN-Per", "ensemble", "ensemble, own weight", "local only")
    kinds = as_fedavg, ("FedRep", "LG-FedAvg", "HypCluster")
    found = [tuple(name for name in methods if name in kind) for kind in kinds]
    found += [(name,) for name in methods if not any(name in kind for kind in kinds)]
    return [group for group in found if group]


def trained(
    names: Sequence[str],
    bench: Bench,
    runs: Sequence[Run],
    *,
    rounds: int,
    cohort_size: int | None = None,
    as_fedavg: dict[LocalSGD, list[Outcome]] | None = None,
) -> dict[str, tuple[Algorithm, list[Outcome]]]:
    """Return each method's algorithm and the outcome of each run; methods that train as FedAvg share one training.

    FedAvg is trained beside a method whose server holds no model, to compare with. `as_fedavg` holds trainings of
    FedAvg on the same runs by their settings; those made here are added.
    """
    found, as_fedavg = {}, {} if as_fedavg is None else as_fedavg
    federations, seeds = [run.federation for run in runs], [run.seed for run in runs]
    algorithms = {name: method(name, bench) for name in names}
    whole = set(bench.routing.model.names)
    if not all(whole <= set(algorithm.init(0).tensors) for algorithm in algorithms.values()):
        algorithms = {"FedAvg": method("FedAvg", bench)} | algorithms
    for name, algorithm in algorithms.items():
        key = algorithm.local if isinstance(algorithm, FedAvg) else None
        outcomes = as_fedavg.get(key) if key else None
        if outcomes is None:
            outcomes = run_side_by_side(algorithm, federations, seeds, rounds=rounds, cohort_size=cohort_size)
        if key:
            as_fedavg[key] = outcomes
        found[name] = algorithm, outcomes
    return found


def compared(name: str, found: dict[str, tuple[Algorithm, list[Outcome]]], runs: Sequence[Run]) -> pd.DataFrame:
    """Return what `lib.flow.outcomes.clients_table` says of one method in each run, one row a client.

    Columns: those of the runs' labels, method, seed, then those of `clients_table`. A method whose server holds no
    model is compared with the global model of FedAvg on the same run, which must be in `found`.
    """
    parts, (algorithm, outcomes) = [], found[name]
    for place, (run, outcome) in enumerate(zip(runs, outcomes, strict=True)):
        after = personal_right(algorithm, outcome.state, run.federation, outcome.memories, seed=run.seed)
        before = global_right(algorithm, outcome.state, run.federation)
        if before is None:
            fedavg, theirs = found["FedAvg"]
            before = global_right(fedavg, theirs[place].state, run.federation)
        parts.append(labelled(clients_table(before, after), run, name))
    return pd.concat(parts, ignore_index=True)


def labelled(table: pd.DataFrame, run: Run, name: str) -> pd.DataFrame:
    """Return the table with the run's labels, the method and the seed in front."""
    for place, (column, value) in enumerate({**run.labels, "method": name, "seed": run.seed}.items()):
        table.insert(place, column, value)
    return table
