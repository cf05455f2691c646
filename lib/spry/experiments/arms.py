"""Runs of many methods on one problem, each at its own learning rate, chosen from the same rates elsewhere."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from lib.federated.model import Model
from lib.federated.tuning import FIRST_SEED as TUNING
from lib.federated.tuning import best_settings
from lib.federated.tuning import tuning_seeds as tuning_partitions
from lib.federated.types import Federation

MORE = "Spry, more directions"  # as many as Baffle+ and FwdLLM+ take
JVP, BACKWARD = 2, 1  # operations of a pass with one tangent and of a backward pass, in forward passes
Progress = Callable[[Iterable, str], Iterable]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What all methods are run on, and for how long.

    Attributes:
        model: network and loss.
        deal: Dirichlet concentration and seed to a federation; seeds from `TUNING` are those for choosing rates.
        options: options of every method (not of FedSGD), such as the client optimizer.
        cohort: clients a round.
        steps: minibatches of 8 a client and round.
        rounds: number of rounds.
        record: the accuracy is recorded before the first round and after every that many.
        device: where data and weights are, in torch's spelling; what `model` builds is there too.
    """

    model: Model
    deal: Callable[[float, int], Federation]
    options: Mapping[str, Any] = field(default_factory=dict)
    cohort: int = 8
    steps: int = 7
    rounds: int = 8
    record: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Arm:
    """One method: `label` in the table, `name` for `lib.spry.baselines.method`, its problem and its own options."""

    label: str
    name: str
    problem: Problem
    options: Mapping[str, Any] = field(default_factory=dict)


def named_arms(methods: Sequence[str], problem: Problem, *, zero_order_k: int = 1, candidates: int = 1) -> list[Arm]:
    """Return the arms called `methods`.

    A name is one of `lib.spry.baselines.method`, one with " + Yogi" for the server, or `MORE`. Baffle+, FwdLLM+ and
    `MORE` take `zero_order_k` perturbations a minibatch; FwdLLM+ picks them from `candidates` as many.
    """
    several = {"perturbations": zero_order_k, "at_once": True}
    options = {"Baffle+": several, "FwdLLM+": several | {"candidates": candidates}, MORE: several}
    options |= {"FedMeZO": {"at_once": True}}
    return [Arm(name, name.removesuffix(" + Yogi").split(",")[0], problem, options.get(name, {})) for name in methods]


def arm_options(
    arm: Arm, alpha: float, rates: Sequence[float], seeds: Sequence[int], tuning_seeds: int, **more: Any
) -> dict[str, Any]:
    """Return the options of `tuned_arm`; raises ValueError for judged seeds among those for choosing rates."""
    tuning_partitions(len(seeds), min(seeds, default=0))
    plan = {"rates": tuple(rates), "seeds": tuple(seeds), "tuning_seeds": tuning_seeds}
    return {"arm": arm, "alpha": alpha} | plan | more


def tuned_arm(
    arm: Arm,
    alpha: float,
    rates: Sequence[float],
    seeds: Sequence[int],
    tuning_seeds: int,
    tuning_rounds: int | None = None,
) -> pd.DataFrame:
    """Run an arm at the rate with the best median final accuracy on tuning partitions, on partitions of its own.

    Args:
        arm: the method and its problem.
        alpha: Dirichlet concentration.
        rates: learning rates to choose from.
        seeds: of the judged partitions and runs.
        tuning_seeds: number of partitions for choosing the rate.
        tuning_rounds: rounds of the runs for choosing it; None is as many as are judged.

    Returns:
        One row a seed and recorded round: method, alpha, seed, lr, round (0 is before training), accuracy (of the
        server's model, on the test examples of all clients), majority (the share of the commonest label among these),
        forward, backward (passes of a client, mean, until then), operations (the same in forward passes: `JVP`,
        `BACKWARD`; K tangents at once cost 1 + K), kib_up and kib_down (KiB that a client sent and received), seconds
        (of a client's training), all until then. Runs that go side by side share the seconds equally.
    """
    short = replace(arm, problem=replace(arm.problem, rounds=tuning_rounds or arm.problem.rounds))
    tried = run_rows(short, alpha, [(lr, s) for lr in rates for s in range(TUNING, TUNING + tuning_seeds)], final=True)
    best = best_settings(tried[["method", "lr", "accuracy"]], ["method"])["lr"].iloc[0]
    return run_rows(arm, alpha, [(best, s) for s in seeds])


def run_rows(arm: Arm, alpha: float, runs: Sequence[tuple[float, int]], *, final: bool = False) -> pd.DataFrame:
    """Return the rows of runs at given learning rates and seeds as of `tuned_arm`, of the last round where `final`."""
    from lib.spry.costs import PER_ITERATION

    problem = arm.problem
    inner = problem.steps if arm.name == "FedSGD" or arm.name.endswith(PER_ITERATION) else 1
    algorithms = [_algorithm(arm, lr) for lr, _ in runs]
    federations = [problem.deal(alpha, seed) for _, seed in runs]
    plan = {"rounds": problem.rounds * inner, "evaluate_every": (problem.rounds if final else problem.record) * inner}
    tables = _tables(algorithms, federations, [seed for _, seed in runs], problem, **plan)
    found = []
    for algorithm, data, (lr, seed), table in zip(algorithms, federations, runs, tables, strict=True):
        rows = _by_round(table, inner, operations_per_pass(arm))
        if not final:
            rows = pd.concat([_before(algorithm, data, seed, problem.device, rows), rows], ignore_index=True)
        labels = np.concatenate([client.test_y.cpu().numpy() for client in data.clients])
        rows.insert(2, "majority", np.bincount(labels).max() / len(labels))
        for place, (column, value) in enumerate({"method": arm.label, "alpha": alpha, "seed": seed, "lr": lr}.items()):
            rows.insert(place, column, value)
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def _algorithm(arm: Arm, lr: float) -> Any:
    from lib.federated.local import LocalSGD
    from lib.federated.server_optimizers import fedavg
    from lib.spry.baselines.methods import method

    options = {} if "Yogi" in arm.label else {"server": fedavg}
    options |= dict(arm.problem.options)
    if arm.name == "FedSGD":  # it has neither units nor a client optimizer
        options = {name: value for name, value in options.items() if name in ("server", "stacked")}
    local = LocalSGD(lr=lr, batch_size=8, epochs=None, steps=arm.problem.steps)
    return method(arm.name, arm.problem.model, local, **options | dict(arm.options))


def _tables(
    algorithms: Sequence[Any], federations: Sequence[Federation], seeds: Sequence[int], problem: Problem, **plan: int
) -> list[pd.DataFrame]:
    """Return the table of each run, all in one stack where the network allows it."""
    from lib.federated.run import run
    from lib.spry.lockstep import run_lockstep

    plan = plan | {"cohort_size": problem.cohort, "device": problem.device}
    if not getattr(algorithms[0], "method", algorithms[0]).one_by_one:  # of a method per iteration, its method's
        return [history.table for history in run_lockstep(algorithms, federations, seeds, **plan)]
    together = zip(algorithms, federations, seeds, strict=True)
    return [run(one, data, seed=seed, on_failure="raise", **plan).table for one, data, seed in together]


def operations_per_pass(arm: Arm) -> float:
    """Return what a counted forward pass of the arm costs in plain ones; K tangents at once share one pass of values.

    A pass with one tangent counts one and costs `JVP`. Both sides of a finite difference are plain passes.
    """
    if not arm.name.startswith(("Spry", "FedFGD")):
        return 1
    count = arm.options.get("perturbations", 1)
    return (1 + count) / count if arm.options.get("at_once") else JVP


def _before(algorithm: Any, federation: Federation, seed: int, device: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the initial model, which has cost nothing."""
    from lib.federated.evaluation import shared_metrics

    model = getattr(algorithm, "method", algorithm).model  # of a method per iteration, its method's
    values = algorithm.init(seed).to(device).tensors
    found = shared_metrics(model, values, federation.to(device).clients, prefix="global")
    accuracy = [one["global_accuracy"] for one in found if "global_accuracy" in one]
    row = dict.fromkeys(rows.columns, 0.0) | {"round": 0, "accuracy": float(np.mean(accuracy))}
    return pd.DataFrame([row])


def _by_round(table: pd.DataFrame, inner: int, per_pass: float) -> pd.DataFrame:
    """Return accuracy and what a client has spent at the evaluated rounds; `inner` rounds of the engine count one."""
    trained = table[table["status"] == "trained"].groupby("round")
    spent = trained[["forward_passes", "backward_passes", "bytes_up", "bytes_down", "seconds"]].mean().cumsum()
    accuracy = table.dropna(subset="global_accuracy").groupby("round")["global_accuracy"].mean()
    spent = spent.loc[accuracy.index]
    forward, backward = spent["forward_passes"], spent["backward_passes"]
    return pd.DataFrame(
        {
            "round": accuracy.index // inner,
            "accuracy": accuracy.to_numpy(),
            "forward": forward.to_numpy(),
            "backward": backward.to_numpy(),
            "operations": (per_pass * forward + BACKWARD * backward).to_numpy(),
            "kib_up": (spent["bytes_up"] / 1024).to_numpy(),
            "kib_down": (spent["bytes_down"] / 1024).to_numpy(),
            "seconds": spent["seconds"].to_numpy(),
        }
    )


def operations_to(table: pd.DataFrame, target: float) -> pd.Series:
    """Return the operations after which each method's median accuracy first reaches `target`.

    Infinite where it is never reached, NaN where it is at the first record already: when it was reached is not known.
    """
    middle = table.groupby(["method", "round"])[["accuracy", "operations"]].median().reset_index()
    there = middle[middle["accuracy"] >= target].groupby("method")[["round", "operations"]].min()
    unknown = there["round"] == middle["round"].min()
    there = there["operations"].mask(unknown)
    return there.reindex(table["method"].unique(), fill_value=np.inf)
