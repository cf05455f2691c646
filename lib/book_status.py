"""The status page: what each paper has, counted by code, and what its runs took over time."""

import ast
import json
import re
from functools import cache
from typing import Any

import pandas as pd

from lib.book_inputs import RENDERERS
from lib.book_scoreboard import escape
from lib.jobs import imported_names, make_job, papers, read_result
from lib.report.claims import NOT_JUDGED, NOT_RUN
from lib.report.paths import NOTEBOOKS, RESULTS, ROOT, runs_dir
from lib.report.provenance import git_state, machine, versions
from lib.report.style import COLOURS, MARKERS, new_figure

HEADS = ("theory", "experiments", "costs", "claims judged", "real run", "GPU run", "tests", "benchmark rows")
NONE = "**none**"


def checklist(rows: pd.DataFrame) -> str:
    """Return the table of what each paper has, from notebooks, recorded runs, tests, benchmarks and judged claims.

    `rows` is `lib.book_scoreboard.scoreboard`. What is missing says so.
    """
    lines = ["| paper | " + " | ".join(HEADS) + " |", "|---" * (len(HEADS) + 1) + "|"]
    for paper in papers():
        cells = [f"[{paper}](/notebooks/{paper}.ipynb)", *(str(value or NONE) for value in has(paper, rows).values())]
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    return "\n".join(lines)


def has(paper: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Return what `paper` has under each of `HEADS`: a count, a date, "n of m", or 0 or "" where there is nothing."""
    notebook = json.loads((NOTEBOOKS / f"{paper}.ipynb").read_text(encoding="utf-8"))
    own = rows[rows["paper"] == paper]
    judged = own.loc[~own["status"].isin([NOT_JUDGED, NOT_RUN]), "id"].nunique()
    recorded = [read_result(path.parent) for path in sorted((RESULTS / paper).glob("*/result.json"))]
    on_gpu = [result for result in recorded if used_gpu(result)]
    found = [
        *(sections(notebook, start) for start in ("Theory", "Experiments", "Costs")),
        f"{judged} of {own['id'].nunique()}" if judged else "",
        max((result["started"][:10] for result in recorded if result["preset"] == "real"), default=""),
        ", ".join(f"{result['started'][:10]} ({short(result['machine']['accelerator'])})" for result in on_gpu),
        sum(count_tests(path.read_text(encoding="utf-8")) for path in (ROOT / "tests" / paper).glob("test_*.py")),
        benchmark_rows(paper) or core_rows(paper),
    ]
    return dict(zip(HEADS, found, strict=True))


def used_gpu(result: dict[str, Any]) -> bool:
    """Return whether the run of `result` was told to use a GPU on a machine that has one; idle ones do not count."""
    return result["machine"]["accelerator"] != "none" and '"cuda' in json.dumps(result.get("parameters", {}))


def short(accelerator: str) -> str:
    """Return a card's name without maker and memory: "H100" for "NVIDIA H100 80GB HBM3"."""
    return re.sub(r"NVIDIA |( \d+GB)( HBM\w*)?", "", accelerator)


def sections(notebook: dict[str, Any], start: str) -> int:
    """Return how many code cells of `notebook` stand under the heading of second level that begins with `start`."""
    inside, count = False, 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += inside
            continue
        for line in "".join(cell["source"]).splitlines():
            if line.startswith("## "):
                inside = line.removeprefix("## ").startswith(start)
    return count


def count_tests(source: str) -> int:
    """Return how many test functions the text of a test file has; a parametrized one counts once."""
    return sum(isinstance(n, ast.FunctionDef) and n.name.startswith("test_") for n in ast.walk(ast.parse(source)))


def benchmark_rows(paper: str) -> int:
    """Return how many recorded benchmark rows come from files of ``benchmarks/`` that import the room of `paper`."""
    path = RESULTS / "benchmarks.json"
    parts = json.loads(path.read_text(encoding="utf-8"))["parts"] if path.is_file() else {}
    return sum(len(part["rows"]) for name, part in parts.items() if paper in benchmarked_rooms(name))


def core_rows(paper: str) -> str | int:
    """Return how many benchmark rows there are of the federated core, as text, where `paper` builds on it; else 0."""
    files = (ROOT / "lib" / paper).rglob("*.py")
    uses = any("federated" in imported_rooms(path.read_text(encoding="utf-8")) for path in files)
    return f"{benchmark_rows('federated')} of the core" if uses else 0


@cache
def benchmarked_rooms(part: str) -> set[str]:
    """Return the rooms of `lib` that ``benchmarks/<part>.py`` imports."""
    path = ROOT / "benchmarks" / f"{part}.py"
    return imported_rooms(path.read_text(encoding="utf-8")) if path.is_file() else set()


def imported_rooms(source: str) -> set[str]:
    """Return the rooms of `lib` that the import statements of `source` name."""
    return {parts[1] for name in imported_names(source) if (parts := name.split("."))[0] == "lib" and len(parts) > 1}


def history() -> pd.DataFrame:
    """Return one row a finished run with the default parameters of its preset: all still in runs/, all recorded ones.

    Columns: paper, preset, started, seconds, peak_mib, commit, processor (with the card, where one was used), place
    ("this build", "earlier", "recorded").
    """
    rows = []
    for paper in papers():
        job = make_job(paper)
        quick = sorted((runs_dir() / paper / "quick").glob("*/result.json"))
        for path in [*quick, *sorted((RESULTS / paper).glob("*/result.json"))]:
            result = read_result(path.parent)
            recorded = path.is_relative_to(RESULTS)
            if result.get("status") != "ok" or not (recorded or same_parameters(result["parameters"], job.parameters)):
                continue
            place = "recorded" if recorded else "this build" if path.parent == job.folder else "earlier"
            facts = {name: result.get(name) for name in ("paper", "preset", "started", "seconds", "peak_mib")}
            code = result["git"]["commit"] + ("+" if result["git"]["dirty"] else "")
            where = result["machine"]["processor"]
            where += f", {short(result['machine']['accelerator'])}" if used_gpu(result) else ""
            rows.append(facts | {"commit": code, "processor": where, "place": place})
    columns = ["paper", "preset", "started", "seconds", "peak_mib", "commit", "processor", "place"]
    return pd.DataFrame(rows, columns=columns).sort_values(["paper", "preset", "started"], ignore_index=True)


def same_parameters(used: dict[str, Any], defaults: dict[str, Any]) -> bool:
    """Return whether a run used the default of every parameter; one that did not exist yet counts as default."""
    return all(used.get(name, value) == value for name, value in defaults.items())


def history_text(runs: pd.DataFrame, *, most: int = 6) -> str:
    """Return the table of `history`, at most the newest `most` runs of each paper and preset."""
    lines = ["| paper | preset | started | seconds | peak memory (MiB) | code | processor, card | |", "|---" * 8 + "|"]
    for row in runs.groupby(["paper", "preset"], sort=False).tail(most).itertuples():
        day = row.started[:16].replace("T", " ")
        peak = "not measured" if pd.isna(row.peak_mib) else row.peak_mib
        code = f"`{row.commit}`" if row.commit else "not a checkout"
        cells = (row.paper, row.preset, day, row.seconds, peak, code, row.processor, row.place)
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    return "\n".join([*lines, "", "A plus after the commit: files had changed since. Times are UTC."])


def history_figure(runs: pd.DataFrame):
    """Return seconds and peak memory of the quick runs of each paper in their order, the newest at the right."""
    fig, axes = new_figure(columns=2, height=2.8)
    quick = runs[runs["preset"] == "quick"]
    for axis, column, label in zip(axes[0], ("seconds", "peak_mib"), ("seconds", "peak memory (MiB)"), strict=True):
        for index, (paper, own) in enumerate(quick.groupby("paper", sort=True)):
            style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
            axis.plot(range(1 - len(own), 1), own[column], label=paper, markersize=5, **style)
        axis.set(xlabel="run (0 is the newest)", ylabel=label)
        axis.set_ylim(bottom=0)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def history_figure_text(runs: pd.DataFrame) -> str:
    """Return the directive that shows `history_figure`, with the newest numbers in caption and alternative text."""
    newest = runs[runs["preset"] == "quick"].groupby("paper").tail(1)
    said = "; ".join(f"{row.paper} {row.seconds:.0f} s, {row.peak_mib:.0f} MiB" for row in newest.itertuples())
    total = newest["seconds"].sum() / 60
    caption = f"Time and memory of the quick notebooks, run by run. Newest: {said}; {total:.1f} minutes in all."
    return "\n".join(
        [
            "```{figure} /book/_generated/history.png",
            f":alt: Two panels with one line a paper over its runs, seconds and peak memory. Newest values. {said}.",
            ":width: 691px",
            "",
            caption,
            "```",
        ]
    )


def made_of() -> str:
    """Return the table of what rendered these pages: commit, versions, processor."""
    git, here = git_state(), machine()
    facts = {
        "commit": f"`{git['commit']}`{', with uncommitted changes' if git['dirty'] else ''}" if git["commit"] else NONE,
        "computed with": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "rendered with": ", ".join(f"{name} {v}" for name, v in versions(RENDERERS).items() if name != "python"),
        "processor": f"{here['processor']}, {here['cores']} cores, accelerator: {here['accelerator']}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {escape(value)} |" for name, value in facts.items())])
