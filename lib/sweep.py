"""What a sweep runs: a specification in YAML, read and checked as a whole before anything starts.

A specification names papers, presets, seeds and grids; every combination is one run::

    papers: [fedper, bslb]        # or: all
    presets: [quick]              # the default
    seeds: 10                     # seeds a run, if given; or a list, [0, 1, 2]: one run a value of the parameter `seed`
    grid:                         # a paper's parameters, each with the values to try
      fedper: {rounds: [10, 20]}
    plot:                         # optional: one picture over a swept parameter, from a table that the runs keep
      {paper: fedper, table: classes, x: rounds, y: accuracy, by: method, where: {classes_per_client: 4}}
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lib.jobs import Job, code_cells, known, make_job, papers, parameter_defaults

KEYS = ("papers", "presets", "seeds", "grid", "plot")
PLOT_KEYS = ("paper", "table", "x", "y", "by", "where")


@dataclass(frozen=True)
class Sweep:
    """A checked specification: its name, its runs in order, and what to draw."""

    name: str
    jobs: tuple[Job, ...]
    plot: Mapping[str, Any] = field(default_factory=dict)


def read_sweep(path: Path) -> Sweep:
    """Return the sweep that the YAML file at `path` describes; its name is that of the file.

    Raises ValueError with the way out for a key, paper, preset, parameter or value that does not fit, OSError for a
    file that cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; a sweep is a YAML file with the keys {', '.join(KEYS)}")
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(spec, Mapping):
        raise ValueError(f"{path}: expected a mapping with the keys {', '.join(KEYS)}")
    for key in spec:
        known(key, KEYS, f"key of {path.name}")
    names = papers() if spec.get("papers", "all") == "all" else _listed(spec, "papers")
    grid = spec.get("grid") or {}
    for paper in grid:
        known(paper, names, "paper in grid")
    plot = _checked_plot(spec.get("plot") or {}, names)
    jobs = {}
    for paper, preset in itertools.product(names, _listed(spec, "presets", ["quick"])):
        axes = dict(grid.get(paper) or {}) | seed_axis(paper, spec.get("seeds"))
        for overrides in combinations(axes):
            job = make_job(paper, preset, overrides)
            jobs.setdefault(job.hash, job)
    return Sweep(path.stem, tuple(jobs.values()), plot)


def seed_axis(paper: str, seeds: Any) -> dict[str, list[Any]]:
    """Return what `seeds` of a specification adds to the grid of `paper`; empty where it is None.

    A number asks for so many seeds: the notebook's parameter `seeds`, or one run for each of 0, 1, ... where it
    declares `seed` instead. A list asks for one run a value of `seed`. Raises ValueError with the way out where the
    notebook declares nothing that fits.
    """
    if seeds is None:
        return {}
    declared = parameter_defaults(paper, code_cells(paper))
    counted = [name for name in declared if name.endswith("seeds")]
    if type(seeds) is int and seeds >= 1:
        if "seeds" in declared:
            return {"seeds": [seeds]}
        if "seed" in declared:
            return {"seed": list(range(seeds))}
        raise ValueError(f"seeds: {seeds}: {paper} declares neither seeds nor seed: leave it out or sweep it alone")
    if not isinstance(seeds, list) or not seeds:
        raise ValueError(
            f"seeds: {seeds!r}: expected a number of seeds, like 5, or a list of values of the parameter seed"
        )
    if "seed" in declared:
        return {"seed": seeds}
    if not counted:
        raise ValueError(f"seeds: {seeds}: {paper} declares no parameter seed, nor a number of seeds")
    instead = f"say seeds: {len(seeds)}, or name values of {counted[0]} in grid"
    raise ValueError(
        f"seeds: {seeds}: {paper} declares no parameter seed, only numbers of seeds ({', '.join(counted)}): {instead}"
    )


def combinations(grid: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the values of a grid, as overrides.

    Raises ValueError for a parameter without a list of values.
    """
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid: {name}: expected a list of values, like [{values!r}]")
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _listed(spec: Mapping[str, Any], key: str, default: list[Any] | None = None) -> list[Any]:
    values = spec.get(key, default)
    if not isinstance(values, list):
        raise ValueError(f"{key}: expected a list, like [{values}]")
    return values


def _checked_plot(plot: Mapping[str, Any], names: Iterable[str]) -> Mapping[str, Any]:
    for key in plot:
        known(key, PLOT_KEYS, "key of plot")
    lacking = [key for key in ("paper", "table", "x", "y") if plot and key not in plot]
    if lacking:
        raise ValueError(f"plot: {lacking[0]} is missing: a plot names paper, table, x and y")
    if plot:
        known(plot["paper"], names, "paper in plot")
    return plot
