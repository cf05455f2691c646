"""What the book says that only the runs know: scoreboard, cards, costs, provenance. Written as MyST Markdown."""

import importlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lib.jobs import make_job, papers, read_result
from lib.report.claims import CLOSE, COMPANION, NOT_REPRODUCED, NOT_RUN, REPRODUCED, STATUSES, judge
from lib.report.page import DPI, recorded
from lib.report.paths import RESULTS
from lib.report.published import published
from lib.report.style import new_figure

BADGES = {REPRODUCED: "reproduced", CLOSE: "close", NOT_REPRODUCED: "not-reproduced", NOT_RUN: "not-run"}
# Background and ink, as the badges in scarce.css.
STATUS_COLOURS = {
    REPRODUCED: ("#00527a", "white"),
    CLOSE: ("#f2c94c", "black"),
    NOT_REPRODUCED: ("#9c3600", "white"),
    NOT_RUN: ("#d5d9de", "black"),
}
COLUMNS = ["paper", "id", "statement", "source", "published", "rule", "measured", "status", "detail", "scale", "date"]


def write_all(stage: Path) -> None:
    """Write every generated fragment into ``stage/book/_generated``."""
    folder = stage / "book" / "_generated"
    folder.mkdir()
    rows = scoreboard(papers())
    scoreboard_figure(rows).savefig(folder / "scoreboard.png", dpi=DPI, metadata={"Software": "Scarce"})
    fragments = {
        "scoreboard_figure.md": scoreboard_figure_text(rows),
        "scoreboard.md": scoreboard_text(rows),
        "cards.md": cards(rows, stage),
        "costs.md": costs(),
        "benchmarks.md": benchmarks(),
        "gallery.md": gallery(),
        "data.md": data_sets(),
    }
    for name, text in fragments.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")


def scoreboard(names: Iterable[str]) -> pd.DataFrame:
    """Return one row a judged claim of the papers' up-to-date quick runs and of their recorded runs.

    Columns are `COLUMNS`; `scale` is the preset, `date` the day of the run. A recorded run adds a row only where it
    judged the claim.
    """
    parts = []
    for paper in names:
        job = make_job(paper)
        if job.done:
            judged = pd.read_json(job.folder / "claims.json", dtype=False)
            # What the quick page judges from recorded tables has a row of its own below.
            parts.append((judged[judged["scale"] == ""], read_result(job.folder)))
        for folder in sorted(path.parent for path in (RESULTS / paper).glob("*/result.json")):
            claims = importlib.import_module(f"lib.{paper}.claims").CLAIMS
            judged = judge(claims, recorded(paper, folder.name))
            parts.append((judged[judged["status"] != NOT_RUN], read_result(folder)))
    rows = [
        judged.assign(paper=result["paper"], scale=result["preset"], date=result["started"][:10])
        for judged, result in parts
    ]
    return pd.concat(rows, ignore_index=True)[COLUMNS] if rows else pd.DataFrame(columns=COLUMNS)


def verdict_counts(rows: pd.DataFrame, paper: str, *, companion: bool = False) -> dict[str, int]:
    """Return how many claims of `paper` have each verdict, taking the largest scale at which each was judged.

    `companion` counts the companion's own propositions in place of what the paper claims.
    """
    order = {"quick": 0, "real": 1, "paper": 2}
    own = rows[(rows["paper"] == paper) & ((rows["source"] == COMPANION) == companion)]
    own = own.assign(judged=own["status"] != NOT_RUN, rank=own["scale"].map(order))
    latest = own.sort_values(["judged", "rank"], kind="stable").groupby("id").tail(1)
    return {status: int((latest["status"] == status).sum()) for status in STATUSES}


def verdict_bars(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the verdict counts behind each bar of the scoreboard figure, by its label."""
    bars = {}
    for name in sorted(rows["paper"].unique()):
        bars[f"{name}: what the paper claims"] = verdict_counts(rows, name)
        bars[f"{name}: what the companion adds"] = verdict_counts(rows, name, companion=True)
    return bars


def scoreboard_figure(rows: pd.DataFrame):
    """Return the stacked bars of verdicts, two bars a paper: its claims and the companion's propositions."""
    bars = verdict_bars(rows)
    fig, axes = new_figure(width=7.2, height=1.0 + 0.4 * max(len(bars), 1))
    axis = axes[0, 0]
    left = dict.fromkeys(bars, 0)
    for status in STATUSES:
        counts = {name: bar[status] for name, bar in bars.items()}
        colour, ink = STATUS_COLOURS[status]
        axis.barh(list(bars), counts.values(), left=left.values(), color=colour, label=status, height=0.6)
        for place, (name, count) in enumerate(counts.items()):
            if count:
                axis.text(left[name] + count / 2, place, str(count), ha="center", va="center", fontsize=9, color=ink)
            left[name] += count
    axis.invert_yaxis()
    axis.set_xlabel("number of claims")
    axis.grid(False)
    axis.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.3, 1.0), frameon=False, fontsize=8)
    return fig


def scoreboard_figure_text(rows: pd.DataFrame) -> str:
    """Return the directive that shows the scoreboard figure, with counts in caption and alternative text."""
    bars = verdict_bars(rows)
    said = {name: ", ".join(f"{n} {status}" for status, n in bar.items() if n) for name, bar in bars.items()}
    told = "; ".join(f"{name}: {text or 'none judged'}" for name, text in said.items())
    return "\n".join(
        [
            "```{figure} /book/_generated/scoreboard.png",
            ":name: fig-scoreboard",
            f":alt: Stacked bars of verdicts. {told}.",
            ":width: 691px",
            "",
            f"Every claim judged so far, at the largest scale at which it was run. {told}.",
            "```",
        ]
    )


def scoreboard_text(rows: pd.DataFrame) -> str:
    """Return two tables a paper, its claims and the companion's propositions: published, ours, verdict, scale, rule."""
    parts = []
    for paper in sorted(rows["paper"].unique()):
        parts.append(f"## {published(paper)['title']}\n\nDetails: [the page of {paper}](/notebooks/{paper}.ipynb).\n")
        own = rows[rows["paper"] == paper].sort_values(["id", "scale"])
        for companion, title in ((False, "What the paper claims"), (True, "What the companion adds")):
            parts += [
                f"### {title}",
                "",
                "| verdict | claim | published | measured | scale, date |",
                "|---|---|---|---|---|",
            ]
            for row in own[(own["source"] == COMPANION) == companion].itertuples():
                claim = f"{row.statement} *({row.source})*. Rule: {row.rule}."
                cells = (badge(row.status), claim, row.published, row.measured, f"{row.scale}, {row.date}")
                parts.append("| " + " | ".join(map(escape, cells)) + " |")
            parts.append("")
    return "\n".join(parts)


def cards(rows: pd.DataFrame, stage: Path) -> str:
    """Return the grid of cards: picture, finding and verdict counts of each paper."""
    parts = ["::::{grid} 1 1 2 2", ":gutter: 3", ""]
    for paper in papers():
        identity = published(paper)
        name = identity["card"]["figure"]
        figures = make_job(paper).folder / "figures"
        shutil.copy(figures / f"{name}.png", stage / "book" / "_generated" / f"card-{paper}.png")
        described = json.loads((figures / f"{name}.json").read_text(encoding="utf-8"))
        counts = verdict_counts(rows, paper)
        parts += [f":::{{grid-item-card}} {identity['title']}", f":link: /notebooks/{paper}", ":link-type: doc"]
        parts += [f":img-top: /book/_generated/card-{paper}.png", f":img-alt: {described['alt']}", ""]
        parts += [" ".join(identity["card"]["text"].split()), "", described["caption"].split(". ")[0] + ".", ""]
        parts += ["```{card-footer}", "What the paper claims:"]
        parts += [" ".join(f"[{n} {status}]{{.verdict-{BADGES[status]}}}" for status, n in counts.items() if n)]
        parts += ["```", ":::", ""]
    return "\n".join([*parts, "::::"])


def costs() -> str:
    """Return the table of time and memory of every quick run and every recorded run."""
    lines = ["| paper | preset | seconds | peak memory (MiB) | processor | date |", "|---|---|---|---|---|---|"]
    for paper in papers():
        for folder in [make_job(paper).folder, *sorted(p.parent for p in (RESULTS / paper).glob("*/result.json"))]:
            result = read_result(folder)
            facts = (result["preset"], result["seconds"], result["peak_mib"], result["machine"]["processor"])
            lines.append(f"| {paper} | " + " | ".join(map(str, facts)) + f" | {result['started'][:10]} |")
    return "\n".join(lines)


def benchmarks() -> str:
    """Return the recorded comparison of our code with named peers, each a ratio within one run."""
    path = RESULTS / "benchmarks.json"
    if not path.is_file():
        return "No benchmark has been recorded yet: run `make bench`."
    content = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| what | ours | compared with | measured | aim | reached |", "|---|---|---|---|---|---|"]
    for row in content["rows"]:
        reached = "yes" if row["reached"] else "**no**"
        cells = (row["what"], row["ours"], row["peer"], row["measured"], row["aim"], reached)
        lines.append("| " + " | ".join(escape(str(cell)) for cell in cells) + " |")
    machine = content["machine"]
    lines += ["", f"Measured on {content['date']}: {machine['processor']}, one thread, with "]
    lines[-1] += ", ".join(f"{name} {version}" for name, version in content["versions"].items()) + "."
    return "\n".join(lines)


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
        cells = (f"`{name}`", entry.title, entry.licence, f"[page]({entry.page})", f"{size:.1f}" if size else "bundled")
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    notes = [f"- `{name}`: {entry.by_hand}" for name, entry in REGISTRY.items() if entry.by_hand]
    return "\n".join([*lines, "", *notes])


def provenance(result: dict[str, Any], run: Path) -> str:
    """Return the closing section of a paper's page: what made it, how to make it again, files to take away."""
    paper, git, machine = result["paper"], result["git"], result["machine"]
    commit = (
        f"`{git['commit']}`{' with uncommitted changes' if git['dirty'] else ''}" if git["commit"] else "not a checkout"
    )
    data = (
        ", ".join(f"{name} `{checksum[:12]}`" for name, checksum in result["data"].items())
        or "embedded or synthetic only"
    )
    facts = {
        "Run": f"`{result['hash']}`, preset {result['preset']}, started {result['started']}",
        "Took": f"{result['seconds']} s, peak memory of the kernel {result['peak_mib']} MiB",
        "Code": f"commit {commit}",
        "Machine": f"{machine['processor']}, {machine['cores']} cores, accelerator: {machine['accelerator']}",
        "Threads": ", ".join(f"{name}={value or 'unset'}" for name, value in machine["threads"].items()),
        "Versions": ", ".join(f"{name} {version}" for name, version in result["versions"].items()),
        "Data": data,
    }
    files = [
        f"{{download}}`{name} <{paper}_files/{name}>`" for name in ("parameters.yaml", "result.json", "claims.json")
    ]
    tables = [f"{{download}}`{p.stem} <{paper}_files/tables/{p.name}>`" for p in sorted((run / "tables").glob("*.csv"))]
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
            f"Files: {', '.join(files)}. Tables as CSV: {', '.join(tables)}.",
        ]
    )


def badge(status: str) -> str:
    """Return the verdict as a coloured word."""
    return f"[{status}]{{.verdict-{BADGES[status]}}}"


def escape(text: str) -> str:
    """Return `text` fit for a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")
