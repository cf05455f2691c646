"""All methods on the soft-max toy: each at its own learning rate, chosen on other partitions from the same rates."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

TUNING = 1000  # seeds of the partitions on which rates are chosen begin here, so none of them is judged on
MORE = "Spry, more directions"  # as many as Baffle+ and FwdLLM+ take
NAMES = (
    "FedAvg", "FedYogi", "FedAvgSplit", "FedYogiSplit", "Spry", "Spry + Yogi", MORE, "FedFGD", "FedFGD shared",
    "FedMeZO", "Baffle+", "FwdLLM+",
)  # fmt: skip
PROTOCOLS = ("Spry per iteration", "FedSGD")
JVP, BACKWARD = 2, 1  # operations of a pass with one tangent and of a backward pass, in forward passes
Progress = Callable[[Iterable, str], Iterable]


@dataclass(frozen=True, kw_only=True)
class Toy:
    """The problem and the length of a run: one local epoch of `steps` minibatches of 8 a round, SGD on clients."""

    clients: int = 24
    cohort: int = 8
    blocks: int = 8
    features: int = 64
    steps: int = 7
    rounds: int = 8
    record: int = 2


@dataclass(frozen=True)
class Arm:
    """One method: `label` in the table, `name` for `lib.spry.baselines.method`, its options and its problem."""

    label: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    toy: Toy = field(default_factory=Toy)


def method_comparison(
    *,
    methods: Sequence[str] = NAMES,
    alphas: Sequence[float] = (1.0, 0.1),
    rates: Sequence[float] = (0.1, 1.0, 8.0),
    zero_order_k: int = 4,
    candidates: int = 3,
    rounds: int = 8,
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Follow the accuracy of every method, each tuned over the same `rates`, against rounds and passes.

    All average plainly at the server but those with Yogi in the name. Baffle+ and FwdLLM+ take `zero_order_k`
    perturbations a minibatch (the authors' port: 10 and 20), and so does one arm of Spry; FwdLLM+ picks them from
    `candidates` as many (10). The others take one.

    Returns: the rows of `tuned_runs`.
    """
    several = {"perturbations": zero_order_k}
    options = {"Baffle+": several, "FwdLLM+": several | {"candidates": candidates}}
    options[MORE] = several | {"at_once": zero_order_k > 1}
    arms = [
        Arm(name, name.removesuffix(" + Yogi").split(",")[0], options.get(name, {}), Toy(rounds=rounds))
        for name in methods
    ]
    return tuned_runs(arms, alphas, rates, range(seed, seed + seeds), tuning_seeds, progress)


def protocols(
    *,
    methods: Sequence[str] = PROTOCOLS,
    alphas: Sequence[float] = (1.0,),
    rates: Sequence[float] = (0.1, 1.0, 8.0),
    rounds: int = 8,
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run the methods that communicate after every iteration, for as many iterations as `method_comparison`'s.

    Returns: the rows of `tuned_runs`; a round of the methods per iteration (and FedSGD) is one local epoch's worth.
    """
    arms = [Arm(name, name, {}, Toy(rounds=rounds)) for name in methods]
    return tuned_runs(arms, alphas, rates, range(seed, seed + seeds), tuning_seeds, progress)


def sweeps(
    *,
    perturbations: Sequence[int] = (1, 5, 20),
    cohorts: Sequence[int] = (2, 4, 16),
    rates: Sequence[float] = (0.1, 1.0, 8.0),
    rounds: int = 8,
    seeds: int = 3,
    tuning_seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Vary Spry's number of perturbations K at 8 clients a round, and the clients a round M at K = 1, at Dirichlet 1.

    Returns: the rows of `tuned_runs` with columns sweep ("K" or "M") and value in front.
    """
    arms = [
        Arm(f"K {k}", "Spry", {"perturbations": k, "at_once": k > 1}, Toy(rounds=rounds, record=4))
        for k in perturbations
    ]
    arms += [Arm(f"M {m}", "Spry", {}, Toy(rounds=rounds, record=4, cohort=m)) for m in cohorts]
    table = tuned_runs(arms, (1.0,), rates, range(seed, seed + seeds), tuning_seeds, progress)
    same = table[table["method"] == "K 1"].assign(method=f"M {Toy().cohort}")  # the run that both sweeps contain
    table = pd.concat([table, same], ignore_index=True)
    table.insert(0, "sweep", table["method"].str[0])
    table.insert(1, "value", table["method"].str[2:].astype(int))
    return table


def tuned_runs(
    arms: Sequence[Arm],
    alphas: Sequence[float],
    rates: Sequence[float],
    seeds: Sequence[int],
    tuning_seeds: int,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run every arm at the rate with the best median final accuracy on tuning partitions, on partitions of its own.

    Returns:
        One row an arm, alpha, seed and recorded round: method, alpha, seed, lr, round, accuracy (of the server's
        model, held-out digits), forward, backward (passes of a client, mean, until then), operations (the same in
        forward passes: `JVP`, `BACKWARD`), kib_up (KiB that a client sent until then).
    """
    parts = []
    for alpha, arm in _tracked([(alpha, arm) for alpha in alphas for arm in arms], progress):
        tuning = range(TUNING, TUNING + tuning_seeds)
        last = {
            lr: np.median([_rows(arm, alpha, lr, s, final=True)["accuracy"].iloc[-1] for s in tuning]) for lr in rates
        }
        best = max(rates, key=lambda lr, last=last: last[lr])
        parts += [_rows(arm, alpha, best, s) for s in seeds]
    return pd.concat(parts, ignore_index=True)


def _tracked(cells: list, progress: Progress | None) -> Iterable:
    return progress(cells, "methods") if progress else cells


def _rows(arm: Arm, alpha: float, lr: float, seed: int, *, final: bool = False) -> pd.DataFrame:
    """Return the rows of one run, of its last round alone where `final`; diverged weights score zero."""
    from lib.federated.local import LocalSGD
    from lib.federated.run import run
    from lib.federated.server_optimizers import fedavg
    from lib.spry.baselines.methods import PER_ITERATION, method
    from lib.spry.toy import softmax_model

    toy = arm.toy
    inner = toy.steps if arm.name == "FedSGD" or arm.name.endswith(PER_ITERATION) else 1
    options = {} if "Yogi" in arm.label else {"server": fedavg}
    options |= {} if arm.name == "FedSGD" else {"optimizer": "sgd", "per_unit": 1}
    local = LocalSGD(lr=lr, batch_size=8, epochs=None, steps=toy.steps)
    model = softmax_model(toy.features, blocks=toy.blocks)
    history = run(
        method(arm.name, model, local, **options | dict(arm.options)),
        _federation(toy.clients, alpha, toy.features, seed),
        rounds=toy.rounds * inner,
        cohort_size=toy.cohort,
        seed=seed,
        evaluate_every=(toy.rounds if final else toy.record) * inner,
        on_failure="raise",
        chunk=64,
    )
    rows = _by_round(history.table, inner, JVP if arm.name.startswith(("Spry", "FedFGD")) else 1)
    for place, (column, value) in enumerate({"method": arm.label, "alpha": alpha, "seed": seed, "lr": lr}.items()):
        rows.insert(place, column, value)
    return rows


@functools.lru_cache(maxsize=32)  # every arm and rate sees the same partitions, and dealing one takes a while
def _federation(clients: int, alpha: float, features: int, seed: int):
    from lib.spry.toy import digits_federation

    return digits_federation(clients=clients, alpha=alpha, features=features, seed=seed)


def _by_round(table: pd.DataFrame, inner: int, per_pass: int) -> pd.DataFrame:
    """Return accuracy and what a client has spent at the evaluated rounds; `inner` rounds of the engine count one."""
    trained = table[table["status"] == "trained"].groupby("round")
    spent = trained[["forward_passes", "backward_passes", "bytes_up"]].mean().cumsum()
    accuracy = table.dropna(subset="global_accuracy").set_index("round")["global_accuracy"]
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
        }
    )


def operations_to(table: pd.DataFrame, target: float) -> pd.Series:
    """Return the operations after which each method's median accuracy first reaches `target` (infinite: never)."""
    middle = table.groupby(["method", "round"])[["accuracy", "operations"]].median().reset_index()
    there = middle[middle["accuracy"] >= target].groupby("method")["operations"].min()
    return there.reindex(table["method"].unique(), fill_value=np.inf)
