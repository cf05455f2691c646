"""What the book says that only the runs know: scoreboard, cards, costs, provenance. Written as MyST Markdown."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from lib.book_costs import method_costs
from lib.book_not_reproduced import not_reproduced_text
from lib.book_scoreboard import (
    BADGES,
    ORIGINS,
    escape,
    scoreboard,
    scoreboard_figure,
    scoreboard_figure_text,
    scoreboard_text,
    verdict_counts,
)
from lib.book_sliders import sliders_text
from lib.book_status import checklist, history, history_figure, history_figure_text, history_text, made_of
from lib.book_sweeps import sweeps_text
from lib.jobs import make_job, papers, read_result
from lib.report.claims import COMPANION
from lib.report.page import DPI
from lib.report.paths import RESULTS
from lib.report.published import published


def write_all(stage: Path) -> None:
    """Write every generated fragment into ``stage/book/_generated``."""
    folder = stage / "book" / "_generated"
    folder.mkdir()
    rows = scoreboard(papers())
    save_figure(scoreboard_figure(rows), folder / "scoreboard.png")
    runs = history()
    save_figure(history_figure(runs), folder / "history.png")
    fragments = {
        "scoreboard_figure.md": scoreboard_figure_text(rows),
        "scoreboard.md": scoreboard_text(rows),
        "not_reproduced.md": not_reproduced_text(rows),
        "cards.md": cards(rows, stage),
        "method_costs.md": method_costs(),
        "benchmarks.md": benchmarks(),
        "made_of.md": made_of(),
        "checklist.md": checklist(rows),
        "history.md": history_text(runs),
        "history_figure.md": history_figure_text(runs),
        "sliders.md": sliders_text(),
        "sweeps.md": sweeps_text(folder),
        "gallery.md": gallery(),
        "data.md": data_sets(),
    }
    for name, text in fragments.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")


def save_figure(fig: Figure, path: Path) -> None:
    """Write `fig` as a PNG of at most 256 colours, as the notebooks' figures are."""
    fig.savefig(path, dpi=DPI, metadata={"Software": "Scarce"})
    colours = Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    colours.save(path, optimize=True, dpi=(DPI, DPI))


def cards(rows: pd.DataFrame, stage: Path) -> str:
    """Return the grid of cards: picture, finding and verdict counts of each paper."""
    parts = ["::::{grid} 1 1 2 2", ":gutter: 3", ""]
    for paper in papers():
        identity = published(paper)
        name = identity["card"]["figure"]
        figures = make_job(paper).folder / "figures"
        shutil.copy(figures / f"{name}.png", stage / "book" / "_generated" / f"card-{paper}.png")
        described = json.loads((figures / f"{name}.json").read_text(encoding="utf-8"))
        counts = {kind: verdict_counts(rows, paper, kind) for kind in ORIGINS if kind != COMPANION}
        parts += [f":::{{grid-item-card}} {identity['title']}", f":link: /notebooks/{paper}", ":link-type: doc"]
        parts += [f":img-top: /book/_generated/card-{paper}.png", f":img-alt: {described['alt']}", ""]
        parts += [" ".join(identity["card"]["text"].split()), "", plain_formulas(finding(described["caption"])), ""]
        parts += ["```{card-footer}"]
        for kind, found in counts.items():
            badges = " ".join(f"[{n} {status}]{{.verdict-{BADGES[status]}}}" for status, n in found.items() if n)
            parts += [f"{ORIGINS[kind].capitalize()}: {badges}", ""] if badges else []
        parts += ["```", ":::", ""]
    return "\n".join([*parts, "::::"])


def finding(caption: str) -> str:
    """Return the first sentence of a caption."""
    return caption.split(". ")[0].removesuffix(".") + "."


def plain_formulas(text: str) -> str:
    """Return `text` with formulas of letters and numbers alone, like $k=2$, set in italics.

    They need no MathJax, which weighs more than all the rest of the front page.
    """
    return re.sub(r"\$([A-Za-z0-9 =.,]+)\$", r"*\1*", text)


def benchmarks() -> str:
    """Return the recorded benchmarks in two tables: named peers on the same input, and targets of our own."""
    path = RESULTS / "benchmarks.json"
    if not path.is_file():
        return "No benchmark has been recorded yet: run `make bench`."
    parts = json.loads(path.read_text(encoding="utf-8"))["parts"].values()
    rows = [row for part in parts for row in part["rows"]]
    days = ", ".join(sorted({part["date"] for part in parts}))
    processors = ", ".join(sorted({part["machine"]["processor"] for part in parts}))
    used = {name: version for part in parts for name, version in part["versions"].items()}
    packages = ", ".join(f"{name} {version}" for name, version in used.items())
    return "\n".join(
        [
            "### Peers",
            "",
            *benchmark_table(rows, "peers", {"peer": "compared with", "agreement": "results agree"}),
            "",
            "### Targets",
            "",
            *benchmark_table(rows, "targets", {}),
            "",
            f"Measured on {days}: {processors}, one thread, with {packages}.",
        ]
    )


def benchmark_table(rows: list[dict[str, Any]], kind: str, columns: dict[str, str]) -> list[str]:
    """Return the lines of the table of the rows of one kind; `columns` are the fields that only this kind has."""
    heads = {"what": "what", "ours": "ours", **columns, "measured": "measured", "aim": "aim", "reached": "reached"}
    lines = ["| " + " | ".join(heads.values()) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        if row["kind"] == kind:
            shown = row | {"reached": "yes" if row["reached"] else "**no**"}
            lines.append("| " + " | ".join(escape(shown[name]) for name in heads) + " |")
    return lines


def gallery() -> str:
    """Return every figure of every paper's quick run as a small picture that links to its page."""
    parts = ["::::{grid} 1 2 2 3", ":gutter: 2", ""]
    for paper in papers():
        for path in sorted((make_job(paper).folder / "figures").glob("*.json")):
            alt = json.loads(path.read_text(encoding="utf-8"))["alt"]
            parts += [f":::{{grid-item-card}} {path.stem.replace('-', ' ')}", f":link: fig-{paper}-{path.stem}"]
            parts += [":link-type: ref", f":img-bottom: /notebooks/{paper}_files/figures/{path.stem}.png"]
            parts += [f":img-alt: {alt}", "", paper, ":::", ""]
    return "\n".join([*parts, "::::"])


def data_sets() -> str:
    """Return the table of registered data sets: what, licence, official source, size."""
    from lib.data import REGISTRY

    lines = ["| name | what | licence | official source | MB |", "|---|---|---|---|---|"]
    for name, entry in REGISTRY.items():
        size = sum(file.bytes for file in entry.files) / 1e6
        cells = (
            f"`{name}`",
            entry.title,
            entry.licence,
            f"[page]({entry.page})",
            f"{size:.1f}" if size else ("by hand" if entry.by_hand else "bundled"),
        )
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    notes = [f"- `{name}`: {entry.by_hand}" for name, entry in REGISTRY.items() if entry.by_hand]
    return "\n".join([*lines, "", *notes])


def provenance(result: dict[str, Any], run: Path) -> str:
    """Return the closing section of a paper's page: what made it, how to make it again, files to take away."""
    paper, machine = result["paper"], result["machine"]
    data = (
        ", ".join(f"{name} `{checksum[:12]}`" for name, checksum in result["data"].items())
        or "embedded or synthetic only"
    )
    facts = {
        "Run": f"`{result['hash']}`, preset {result['preset']}, started {result['started']}",
        "Took": f"{result['seconds']} s, peak memory of the kernel {result['peak_mib']} MiB",
        "Code": commit(result),
        "Machine": f"{machine['processor']}, {machine['cores']} cores, accelerator: {machine['accelerator']}",
        "Threads": ", ".join(f"{name}={value or 'unset'}" for name, value in machine["threads"].items()),
        "Versions": ", ".join(f"{name} {version}" for name, version in result["versions"].items()),
        "Data": data,
        "Recorded runs": recorded_runs(paper) or "none",
    }
    files = [
        f"{{download}}`{name} <{paper}_files/{name}>`" for name in ("parameters.yaml", "result.json", "claims.json")
    ]
    tables = [f"{{download}}`{p.stem} <{paper}_files/tables/{p.name}>`" for p in sorted((run / "tables").glob("*.csv"))]
    more = [f"{{download}}`{p.name} <{paper}_files/files/{p.name}>`" for p in sorted((run / "files").glob("*"))]
    return "\n".join(
        [
            "## How this page was made",
            "",
            ":::{div} provenance",
            "| | |",
            "|---|---|",
            *(f"| {name} | {escape(value)} |" for name, value in facts.items()),
            ":::",
            "",
            f"Make it again: `scarce run {paper} --force && scarce book`.",
            f"Files: {', '.join(files)}. Tables as CSV: {', '.join(tables)}."
            + (f" Made by this page: {', '.join(more)}." if more else ""),
        ]
    )


def recorded_runs(paper: str) -> str:
    """Return preset, day, code and machine of each recorded run that the page of `paper` may show."""
    results = [read_result(path.parent) for path in sorted((RESULTS / paper).glob("*/result.json"))]
    return "; ".join(
        f"{result['preset']}, {result['started'][:10]}, {commit(result)}, {result['machine']['processor']}"
        for result in results
    )


def commit(result: dict[str, Any]) -> str:
    """Return the commit that a run was made from, and whether files had changed since."""
    git = result["git"]
    changed = " with uncommitted changes" if git["dirty"] else ""
    return f"commit `{git['commit']}`{changed}" if git["commit"] else "not a checkout"
