"""What a sweep leaves behind: a summary, all verdicts, a picture over a swept parameter, and a page that shows them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lib.batch import copy_folder
from lib.files import write_text
from lib.jobs import Job, read_result
from lib.pool import DONE, UP_TO_DATE, Outcome
from lib.progress import changes
from lib.report.intervals import summarize
from lib.report.page import DPI
from lib.report.paths import RESULTS, runs_dir
from lib.report.style import new_figure, series
from lib.sweep import Sweep


def write_report(sweep: Sweep, outcomes: Sequence[Outcome]) -> Path:
    """Write the report of a sweep into ``runs/sweeps/<name>/`` and return its page, ``index.md``.

    ``summary.csv`` has one row a run, ``claims.csv`` one row a run and judged claim, ``plot.png`` the picture asked
    for. Files are written under another name first.
    """
    folder = runs_dir() / "sweeps" / sweep.name
    folder.mkdir(parents=True, exist_ok=True)
    finished = [outcome.job for outcome in outcomes if outcome.state in (DONE, UP_TO_DATE)]
    summary, claims = summary_table(outcomes), claims_table(finished)
    write_text(folder / "summary.csv", summary.to_csv(index=False))
    write_text(folder / "claims.csv", claims.to_csv(index=False))
    picture = None
    (folder / "plot.png").unlink(missing_ok=True)  # of an earlier form of the specification
    if sweep.plot:
        data = swept_table(finished, sweep.plot)
        if len(data):
            picture = folder / "plot.png"
            swept_figure(data, sweep.plot).savefig(picture, dpi=DPI, metadata={"Software": "Scarce"})
    return write_text(folder / "index.md", page(sweep, summary, claims, picture))


def record_report(folder: Path) -> Path:
    """Copy the report of a sweep into ``results/sweeps``, which the book shows, in place of a former one."""
    return copy_folder(folder, RESULTS / "sweeps" / folder.name)


def summary_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return one row a run: paper, preset, changed parameters, state, attempts, seconds, peak_mib, hash, message."""
    rows = []
    for outcome in outcomes:
        result = read_result(outcome.job.folder)
        rows.append(
            {
                "paper": outcome.job.paper,
                "preset": outcome.job.preset,
                "changed": changes(outcome.job),
                "state": outcome.state,
                "attempts": outcome.attempts,
                "seconds": result.get("seconds"),
                "peak_mib": result.get("peak_mib"),
                "hash": outcome.job.hash,
                "message": outcome.message if outcome.state not in (DONE, UP_TO_DATE) else "",
            }
        )
    return pd.DataFrame(rows)


def claims_table(jobs: Sequence[Job]) -> pd.DataFrame:
    """Return one row a finished run and claim that it judged itself, with its paper, preset and changed parameters."""
    parts = []
    for job in jobs:
        judged = pd.read_json(job.folder / "claims.json", dtype=False)
        own = judged[judged["scale"] == ""]  # what is judged from recorded tables is the same in every run
        parts.append(
            own[["id", "statement", "status", "measured"]].assign(
                paper=job.paper, preset=job.preset, changed=changes(job), hash=job.hash
            )
        )
    columns = ["paper", "preset", "changed", "id", "statement", "status", "measured", "hash"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def swept_table(jobs: Sequence[Job], plot: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of the plotted table of every finished run of its paper, with the run's parameters as columns.

    A parameter whose name is a column of the table keeps the table's values. Raises ValueError for a table or a column
    that the runs do not have.
    """
    parts = []
    for job in (job for job in jobs if job.paper == plot["paper"]):
        path = job.folder / "tables" / f"{plot['table']}.csv"
        if not path.is_file():
            kept = ", ".join(sorted(file.stem for file in path.parent.glob("*.csv")))
            raise ValueError(f"plot: {job.paper} keeps no table {plot['table']!r}: it keeps {kept}")
        table = pd.read_csv(path)
        single = {name: value for name, value in job.parameters.items() if not isinstance(value, list | dict)}
        parts.append(table.assign(**{name: value for name, value in single.items() if name not in table}))
    if not parts:
        return pd.DataFrame()
    data = pd.concat(parts, ignore_index=True)
    wanted = [plot["x"], plot["y"], *([plot["by"]] if "by" in plot else []), *plot.get("where", {})]
    for column in wanted:
        if column not in data:
            raise ValueError(f"plot: no column {column!r}: there are {', '.join(data.columns)}")
    for column, value in plot.get("where", {}).items():
        data = data[data[column] == value]
    return data


def swept_figure(data: pd.DataFrame, plot: Mapping[str, Any]):
    """Return lines of the median of ``plot["y"]`` over ``plot["x"]``, one a value of ``plot["by"]``, with intervals."""
    fig, axes = new_figure()
    axis = axes[0, 0]
    by = plot.get("by")
    labelled = data.assign(curve=data[by].astype(str) if by else plot["y"])
    found = summarize(labelled, ["curve", plot["x"]], plot["y"]).sort_values(plot["x"], kind="stable")
    for index, (label, rows) in enumerate(found.groupby("curve", sort=False)):
        series(axis, rows[plot["x"]], rows["median"], rows["low"], rows["high"], label=label, index=index)
    axis.set_xlabel(str(plot["x"]).replace("_", " "))
    axis.set_ylabel(str(plot["y"]).replace("_", " "))
    axis.legend(fontsize=8)
    return fig


def page(sweep: Sweep, summary: pd.DataFrame, claims: pd.DataFrame, picture: Path | None) -> str:
    """Return the page of a sweep in Markdown; it can stand in the book as it is."""
    counts = summary["state"].value_counts()
    parts = [f"# Sweep {sweep.name}", "", ", ".join(f"{n} {state}" for state, n in counts.items()) + ".", ""]
    if picture:
        said = f"Median of {sweep.plot['y']} over {sweep.plot['x']}, {sweep.plot['paper']}, with intervals over seeds."
        parts += [f"![{said}]({picture.name})", ""]
    shown = summary.fillna("").loc[:, lambda table: (table != "").any()].rename(columns={"peak_mib": "peak MiB"})
    parts += ["## Runs", "", *_markdown(shown), ""]
    if len(claims):
        wide = claims.assign(run=claims["preset"] + " " + claims["changed"]).pivot_table(
            index=["paper", "id"], columns="run", values="status", aggfunc="first", sort=False
        )
        said = (
            "What each run judged itself; claims that need recorded tables are left out, being the same in every run."
        )
        parts += ["## Verdicts", "", said, "", *_markdown(wide.fillna("").reset_index()), ""]
    return "\n".join(parts)


def _markdown(table: pd.DataFrame) -> list[str]:
    cells = [[str(value).replace("|", "\\|").replace("\n", " ") for value in row] for row in table.to_numpy()]
    heads = [str(name).strip() for name in table.columns]
    return [f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *cells]]
