"""Tables that take longer than a build may: other methods, one choice at a time, dependence, media, charging bases."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.report.tasks import Task, run_tasks
from lib.segmentation.baselines import ORACLES, baseline
from lib.segmentation.experiments.benches import DISCOVERY, Bench, Progress, benches, name_of
from lib.segmentation.experiments.comparison import comparison, learned, tables
from lib.segmentation.media import CHARGES, draw_media
from lib.segmentation.outcomes import Terms
from lib.segmentation.settings import DEFAULT, Settings

DEEP = ("k-means on pages", "RFM", "autoencoder + k-means", "DEC", "IDEC", "AC-TPC")
RHOS = (0.0, 0.5, 0.9, 1.0)
LAMS = (0.0, 3.0)  # discovery only, and the largest weight of the quick preset
WEIGHTS = (0.0, 0.3, 1.0, 3.0)  # all of them
STARTS = len(WEIGHTS) - 1  # discovery only gets as many tries as there are weights above 0
MANY, FEW = 20, 5  # seeds of the table over seeds, and of one of its pieces


def variants() -> dict[str, Settings]:
    """Return one change of the method at a time, by name."""
    return {
        "as here": DEFAULT,
        "exact actor": replace(DEFAULT, actor="exact"),
        "no baseline in the actor": replace(DEFAULT, baseline=False),
        "no balance": replace(DEFAULT, gam=0.0),
        "no balance, alpha 1": replace(DEFAULT, gam=0.0, alpha=1.0),
        "k-means on outcomes": replace(DEFAULT, start="outcome"),
        "map does not teach": replace(DEFAULT, static_weight=0.0),
        "cells predicted": replace(DEFAULT, static="predicted"),
        "paid for conversions": replace(DEFAULT, value="conversions"),
        "one recurrence": replace(DEFAULT, encoder="flat"),
        "4 segments": replace(DEFAULT, segments=4),
        "16 segments": replace(DEFAULT, segments=16),
        "twice the steps": replace(DEFAULT, steps_joint=700),
        "twice the steps, early stopping": replace(DEFAULT, steps_joint=700, look_every=25),
        "early stopping": replace(DEFAULT, look_every=25),
    }


def deep(*, seeds: int = 5, seed: int = 20, progress: Progress | None = None) -> pd.DataFrame:
    """Return the "methods" table of `comparison` with the deep baselines, beside two weights of ours."""
    return comparison(lams=LAMS, methods=DEEP, seeds=seeds, seed=seed, progress=progress)["methods"]


def ablation(
    *, names: Sequence[str] | None = None, seeds: int = 5, seed: int = 20, progress: Progress | None = None
) -> pd.DataFrame:
    """Return what each variant reaches without and with delivery: the "methods" table with the column variant."""
    known = variants()
    names = list(known) if names is None else list(names)
    unknown = set(names) - set(known)
    if unknown:
        raise ValueError(f"unknown variant {min(unknown)!r}: choose from {', '.join(known)}")
    made, terms = benches(range(seed, seed + seeds)), Terms()
    return pd.concat(
        [_scored(made, terms, known[name]).assign(variant=name) for name in _tracked(names, "variants", progress)],
        ignore_index=True,
    )


def dependence(
    *,
    rhos: Sequence[float] = RHOS,
    seeds: int = 5,
    seed: int = 20,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the "methods" table of learned segments by the dependence rho of static cell and behaviour."""
    parts = [
        _scored(benches(range(seed, seed + seeds), rho=rho), Terms(), DEFAULT).assign(rho=rho)
        for rho in _tracked(rhos, "dependence", progress)
    ]
    return pd.concat(parts, ignore_index=True)


def over_media(*, draws: int = 20, seed: int = 20, progress: Progress | None = None) -> pd.DataFrame:
    """Return the "methods" table for the users of one seed and several draws of the media, learned anew for each.

    The column seed counts the draws.
    """
    one = benches([seed])[0]
    side = np.arange(one.test.n_cells) // (one.test.n_cells // 2)
    streams = np.random.SeedSequence(seed).spawn(draws)
    made = [
        replace(one, seed=draw, media=draw_media(np.random.default_rng(stream), side))
        for draw, stream in enumerate(streams)
    ]
    return _scored(made, Terms(), DEFAULT, progress)


def over_seeds(*, seeds: int = MANY, seed: int = 20, progress: Progress | None = None) -> pd.DataFrame:
    """Return the "methods" table over many seeds: all weights, the oracles, and further starts of discovery only.

    Discovery only is learned from `STARTS` draws of initial weights ("discovery only, start 2" and so on), so that both
    sides have as many tries.
    """
    made, terms, found = benches(range(seed, seed + seeds)), Terms(), {}
    for s, bench in enumerate(made):
        for name in ORACLES:
            found[name, s] = baseline(name, bench.train, bench.test, segments=DEFAULT.segments, seed=bench.seed)
    for (s, lam), one in learned(made, WEIGHTS, terms, DEFAULT, progress).items():
        found[name_of(lam), s] = one
    for start in range(2, STARTS + 1):
        again = [replace(bench, seed=bench.seed + 1000 * start) for bench in made]
        for (s, _), one in learned(again, [0.0], terms, DEFAULT, progress).items():
            found[f"{DISCOVERY}, start {start}", s] = one
    return tables(made, found, terms)["methods"]


def by_charge(
    *, charges: Sequence[str] = CHARGES, seeds: int = 5, seed: int = 20, progress: Progress | None = None
) -> pd.DataFrame:
    """Return the "methods" table by charging basis, each learned under its own."""
    made = benches(range(seed, seed + seeds))
    parts = [
        _scored(made, Terms(charge=charge), DEFAULT).assign(charge=charge)
        for charge in _tracked(charges, "charging", progress)
    ]
    return pd.concat(parts, ignore_index=True)


TABLES: dict[str, Callable[..., pd.DataFrame]] = {
    "deep": deep,
    "ablation": ablation,
    "dependence": dependence,
    "media": over_media,
    "charges": by_charge,
    "seeds": over_seeds,
}


def longer_tasks(names: Sequence[str], *, seeds: int = 5, seed: int = 20) -> list[Task]:
    """Return the pieces of the tables called `names`, see `TABLES`.

    `seeds` counts draws of users; there are 20 of the media, and `MANY` in the table "seeds". Raises ValueError for an
    unknown name.
    """
    unknown = set(names) - set(TABLES)
    if unknown:
        raise ValueError(f"no table {min(unknown)!r}: choose from {', '.join(TABLES)}")
    along = {"ablation": ("names", tuple(variants())), "dependence": ("rhos", RHOS), "charges": ("charges", CHARGES)}
    tasks = []
    for name in names:
        if name == "seeds":
            tasks += [Task(name, over_seeds, {"seed": seed + at, "seeds": FEW}) for at in range(0, MANY, FEW)]
            continue
        options = {"seed": seed} | ({} if name == "media" else {"seeds": seeds})
        option, parts = along.get(name, ("", ()))
        pieces = [options | {option: (part,)} for part in parts] or [options]
        tasks += [Task(name, TABLES[name], piece) for piece in pieces]
    return tasks


def longer_tables(
    names: Sequence[str], *, seeds: int = 5, seed: int = 20, progress: Progress | None = None
) -> dict[str, pd.DataFrame]:
    """Return the tables called `names`, whole, from their `longer_tasks`."""
    return run_tasks(longer_tasks(names, seeds=seeds, seed=seed), progress=progress)


def _scored(made: Sequence[Bench], terms: Terms, settings: Settings, progress: Progress | None = None) -> pd.DataFrame:
    found = learned(made, LAMS, terms, settings, progress)
    return tables(made, {(name_of(lam), s): one for (s, lam), one in found.items()}, terms)["methods"]


def _tracked(items: Sequence, label: str, progress: Progress | None) -> Iterable:
    return progress(items, label) if progress else items
