"""One run of one method on one federation, and what is kept of it."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from torch import nn

from lib.federated.checks import ClientError
from lib.federated.history import History
from lib.federated.local import LocalSGD
from lib.federated.run import run
from lib.federated.side_by_side import run_side_by_side
from lib.federated.types import Algorithm, Federation
from lib.nets import mlp

Progress = Callable[[Iterable, str], Iterable]
DIGITS_NET = functools.partial(mlp, (64, 64, 64, 32, 10))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, how and where clients train: rounds, the settings of local SGD in each of them, and the device.

    A client takes `steps` minibatches a round or, where `epochs` is not 0, passes that often over its examples. At most
    `at_once` clients train side by side: one after the other (1) needs the least memory.
    """

    rounds: int = 30
    steps: int = 20
    epochs: int = 0
    batch_size: int = 16
    lr: float = 0.05
    momentum: float = 0.9
    device: str = "cpu"
    at_once: int = 64

    @property
    def local(self) -> LocalSGD:
        """The settings of one client's work in one round."""
        length = {"epochs": self.epochs or None, "steps": None if self.epochs else self.steps}
        return LocalSGD(lr=self.lr, momentum=self.momentum, batch_size=self.batch_size, **length)


@dataclass(frozen=True, eq=False)
class Cell:
    """One federation, the seed of the runs on it, and the `columns` that tell its rows from others."""

    federation: Federation
    seed: int
    columns: Mapping[str, object] = field(default_factory=dict)


def track(items: Iterable, label: str, progress: Progress | None) -> Iterable:
    """Return `items`, wrapped in `progress` if there is one."""
    return progress(items, label) if progress else items


def train(
    algorithm: Algorithm, federation: Federation, plan: Plan, *, seed: int, evaluate_every: int | None = None
) -> History:
    """Run `algorithm` as `plan` says; all clients take part in every round, and a client that fails is an error.

    `evaluate_every` None evaluates after the last round only.
    """
    every = plan.rounds if evaluate_every is None else evaluate_every
    return run(
        algorithm,
        federation,
        rounds=plan.rounds,
        seed=seed,
        evaluate_every=every,
        on_failure="raise",
        chunk=plan.at_once,
        device=plan.device,
    )


def by_round(history: History) -> pd.DataFrame:
    """Return one row an evaluated round.

    Columns: round, accuracy (mean over clients, each on its own test images), spread (standard deviation over clients),
    local_accuracy (the same mean before the bases are sent, NaN where it was not asked for), kib_up (KiB of
    messages that a client sends in a round: its tensors and 8 or 16 bytes of counts and losses), examples (training
    examples of all clients).
    """
    table = history.table
    table = table[table["personal_accuracy"].notna()]
    if "local_accuracy" not in table:
        table = table.assign(local_accuracy=float("nan"))
    grouped = table.groupby("round", sort=True)
    return pd.DataFrame(
        {
            "accuracy": grouped["personal_accuracy"].mean(),
            "spread": grouped["personal_accuracy"].std(ddof=0),
            "local_accuracy": grouped["local_accuracy"].mean(),
            "kib_up": grouped["bytes_up"].mean() / 1024,
            "examples": grouped["examples"].sum(min_count=1),
        }
    ).reset_index()


def arm(
    name: str,
    algorithm: Algorithm,
    federation: Federation,
    plan: Plan,
    *,
    seed: int,
    evaluate_every: int | None = None,
    **columns: object,
) -> tuple[pd.DataFrame, History]:
    """Train one method and return its rows, with `method`, `seed` and `columns` in front, and its history."""
    history = train(algorithm, federation, plan, seed=seed, evaluate_every=evaluate_every)
    return _labelled(by_round(history), **columns, method=name, seed=seed), history


def arms(
    name: str, algorithm: Algorithm, cells: Sequence[Cell], plan: Plan, *, evaluate_every: int | None = None
) -> list[tuple[pd.DataFrame, History]]:
    """Return what `arm` does of each of `cells`, up to rounding, several times faster: all train side by side."""
    found = run_side_by_side(
        algorithm,
        [cell.federation.to(plan.device) for cell in cells],
        [cell.seed for cell in cells],
        rounds=plan.rounds,
        evaluate_every=plan.rounds if evaluate_every is None else evaluate_every,
        chunk=plan.at_once,
    )
    return [
        (_labelled(by_round(history), **cell.columns, method=name, seed=cell.seed), history)
        for cell, history in zip(cells, found, strict=True)
    ]


def compared(
    methods: Sequence[str],
    algorithm: Callable[[str], Algorithm],
    cells: Sequence[Cell],
    plan: Plan,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the last rows of each method on each of `cells`; `algorithm` of its name serves all of them."""
    parts = []
    for name in track(methods, "methods", progress):
        parts += [rows for rows, _ in arms(name, algorithm(name), cells, plan)]
    return pd.concat(parts, ignore_index=True)


def _labelled(rows: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """Put `columns` in front of those of `rows`, in place."""
    for place, (column, value) in enumerate(columns.items()):
        rows.insert(place, column, value)
    return rows


def arm_or_zero(
    name: str, algorithm: Algorithm, federation: Federation, plan: Plan, *, seed: int, **options: object
) -> tuple[pd.DataFrame, History | None]:
    """Return what `arm` does; a run whose weights overflow counts as having learnt nothing (accuracy zero, no history).

    `options` are those of `arm`.
    """
    try:
        return arm(name, algorithm, federation, plan, seed=seed, **options)
    except ClientError:
        columns = {key: value for key, value in options.items() if key != "evaluate_every"}
        return pd.DataFrame([{**columns, "method": name, "seed": seed, "round": plan.rounds, "accuracy": 0.0}]), None


def often(rounds: int) -> int:
    """Return after how many rounds to evaluate, for about ten points of a curve."""
    return max(1, rounds // 10)


def check_build(build: Callable[[], nn.Module], units: int) -> None:
    """Raise ValueError unless the network has more than `units` units."""
    if len(build().blocks) <= units:
        raise ValueError(f"the network has {len(build().blocks)} units: choose fewer than that many personal ones")
