"""What a sweep runs: a specification in YAML, read and checked as a whole before anything starts.

A specification names papers, presets, seeds and grids; every combination is one run::

    papers: [fedper, bslb]        # or: all
    presets: [quick]              # the default
    seeds: [0, 1, 2]              # values of the notebooks' parameter `seed`, if given
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

from lib.jobs import Job, known, make_job, papers

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
        for overrides in combinations(grid.get(paper) or {}, seeds=_listed(spec, "seeds", [])):
            job = make_job(paper, preset, overrides)
            jobs.setdefault(job.hash, job)
    return Sweep(path.stem, tuple(jobs.values()), plot)


def combinations(grid: Mapping[str, Iterable[Any]], *, seeds: Iterable[Any] = ()) -> list[dict[str, Any]]:
    """Return every combination of the values of a grid, and of the seeds if there are any, as overrides.

    Raises ValueError for a parameter without a list of values.
    """
    axes = dict(grid) | ({"seed": list(seeds)} if seeds else {})
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid: {name}: expected a list of values, like [{values!r}]")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


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
