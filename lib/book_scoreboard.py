"""The scoreboard: every judged claim of the up-to-date and the recorded runs, as a table, a figure and text."""

import importlib
from collections.abc import Iterable

import pandas as pd

from lib.files import write_text
from lib.jobs import PRESETS, Job, make_job, read_result
from lib.report.claims import CLOSE, COMPANION, NOT_JUDGED, NOT_REPRODUCED, NOT_RUN, REPRODUCED, STATUSES, judge
from lib.report.page import recorded
from lib.report.paths import RESULTS
from lib.report.published import published
from lib.report.style import new_figure

BADGES = {status: status.replace(" here", "").replace(" ", "-") for status in STATUSES}
# Background and ink, as the badges in scarce.css.
STATUS_COLOURS = {
    REPRODUCED: ("#00527a", "white"),
    CLOSE: ("#f2c94c", "black"),
    NOT_REPRODUCED: ("#9c3600", "white"),
    NOT_JUDGED: ("#d5d9de", "black"),
    NOT_RUN: ("#eef0f2", "black"),
}
# Where claims come from: the paper's own text that we read, what others report of it, and the companion.
ORIGINS = {"paper": "the paper says", "secondary": "others report", COMPANION: "the companion adds"}
SCALES = ("quick", "real", "gpu", "paper")  # of judged claims: the presets, and what only a GPU can show
RANKS = {scale: rank for rank, scale in enumerate(SCALES)}
COLUMNS = ["paper", "id", "statement", "source", "published", "rule", "changed", "measured", "status", "detail"]
COLUMNS += ["scale", "date"]
# A claim whose id ends so is the one without the ending, judged again by the same rule on a record of more seeds.
AGAIN = "-seeds"


def scoreboard(names: Iterable[str]) -> pd.DataFrame:
    """Return one row a judged claim of the papers' up-to-date quick runs and of their recorded runs.

    Columns are `COLUMNS`; `scale` is one of `SCALES`, `date` the day of the run. What the page of a quick run judges
    from recorded tables counts at their scale. The recorded run of a preset adds a row where it judges a claim that the
    page has judged from the quick run's tables. Claims judged again on more seeds are no claims of their own, see
    `under_one_id`.
    """
    parts = []
    for paper in names:
        job = make_job(paper)
        if job.done:
            judged = pd.read_json(job.folder / "claims.json", dtype=False)
            parts.append(_dated(judged, paper, f"quick, {read_result(job.folder)['started'][:10]}"))
        for folder in sorted(path.parent for path in (RESULTS / paper).glob("*/result.json")):
            if folder.name in PRESETS:
                result = read_result(folder)
                rows = _dated(judged_record(job, folder.name), paper, f"{result['preset']}, {result['started'][:10]}")
                parts.append(rows[rows["status"] != NOT_RUN])
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = under_one_id(pd.concat(parts, ignore_index=True))
    return table.reindex(columns=COLUMNS).fillna({"changed": ""})


def under_one_id(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows`, one a claim and scale, where what was judged again (`AGAIN`) is a row of the claim it repeats.

    At one scale the row on more seeds stands for the claim, else the first, which is the page's.
    """
    id_of = rows["id"].str.removesuffix(AGAIN)
    first = rows.drop_duplicates(["paper", "id"]).set_index(["paper", "id"])["statement"]
    keys = pd.MultiIndex.from_arrays([rows["paper"], id_of])
    again = (id_of != rows["id"]).to_numpy() & keys.isin(first.index)
    rows = rows.assign(again=again)
    rows.loc[again, "id"] = id_of[again]
    rows.loc[again, "statement"] = first.reindex(keys[again]).to_numpy()
    rows.loc[again, "measured"] = "with more seeds: " + rows.loc[again, "measured"]
    rows = rows[~(again & (rows["status"] == NOT_RUN))].sort_values("again", ascending=False, kind="stable")
    return rows.drop_duplicates(["paper", "id", "scale"]).drop(columns="again").sort_index()


def judged_record(job: Job, name: str) -> pd.DataFrame:
    """Return the claims as judged on the recorded run `name`; kept beside a finished run, whose hash covers records."""
    kept, covered = job.folder / f"claims_{name}.json", job.done and name != job.preset
    if covered and kept.is_file():
        return pd.read_json(kept, dtype=False)
    claims = importlib.import_module(f"lib.{job.paper}.claims").CLAIMS  # takes seconds
    judged = judge(claims, recorded(job.paper, name)).assign(scale="")
    if covered:
        write_text(kept, judged.to_json(orient="records"))
    return judged


def _dated(judged: pd.DataFrame, paper: str, run: str) -> pd.DataFrame:
    """Return `judged` with paper, scale and date: those of the recorded tables that a claim rests on, or of the run."""
    rests = judged["scale"].map(lambda recorded_in: (recorded_in or run).split("; ")[-1].split(", "))
    return judged.assign(paper=paper, scale=rests.str[0], date=rests.str[1])


def origin(source: str) -> str:
    """Return the key of `ORIGINS` for the source of a claim: reviews and secondary texts are not the paper's own."""
    if source == COMPANION:
        return COMPANION
    return "secondary" if source.startswith(("secondary", "public review")) else "paper"


def by_scale(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the newest row of each claim and scale, the smallest scale first, runs that did not judge before all.

    The last row of a claim is the one that counts, on every page: the largest scale at which it was judged.
    """
    rows = rows.assign(judged=~rows["status"].isin([NOT_JUDGED, NOT_RUN]), rank=rows["scale"].map(RANKS))
    newest = rows.sort_values("date", kind="stable").drop_duplicates(["paper", "id", "scale"], keep="last")
    return newest.sort_values(["judged", "rank"], kind="stable")


def verdict_counts(rows: pd.DataFrame, paper: str, kind: str) -> dict[str, int]:
    """Return how many claims of `paper` of one kind, a key of `ORIGINS`, have each verdict; each counts once."""
    own = rows[(rows["paper"] == paper) & (rows["source"].map(origin) == kind)]
    counted = by_scale(own).groupby("id").tail(1)
    return {status: int((counted["status"] == status).sum()) for status in STATUSES}


def verdict_bars(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the verdict counts behind each bar of the scoreboard figure, by its label."""
    kinds = rows["source"].map(origin)
    return {
        f"{name}: {ORIGINS[kind]}": verdict_counts(rows, name, kind)
        for name in sorted(rows["paper"].unique())
        for kind in ORIGINS
        if ((rows["paper"] == name) & (kinds == kind)).any()
    }


def scoreboard_figure(rows: pd.DataFrame):
    """Return the stacked bars of verdicts, one bar a paper and origin of its claims, see `ORIGINS`."""
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
    axis.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.3, 1.0), frameon=False, fontsize=8)
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
            f"{_reproduced(rows)} Every claim is counted once, at the largest scale at which it was judged.",
            "```",
        ]
    )


def _reproduced(rows: pd.DataFrame) -> str:
    """Return how many claims are reproduced, in all and by who makes them, as a sentence."""
    counted = by_scale(rows).groupby(["paper", "id"]).tail(1)
    good, kinds = counted["status"] == REPRODUCED, counted["source"].map(origin)
    parts = ", ".join(
        f"{good[kinds == kind].sum()} of {(kinds == kind).sum()} ({label})"
        for kind, label in ORIGINS.items()
        if (kinds == kind).any()
    )
    return f"Of {len(counted)} claims {good.sum()} are reproduced: {parts}."


def scoreboard_text(rows: pd.DataFrame) -> str:
    """Return one table a paper and origin of its claims, see `ORIGINS`: one row a claim, one column a scale."""
    parts = [statements_text(rows), ""]
    for paper in sorted(rows["paper"].unique()):
        parts.append(f"## {published(paper)['title']}\n")
        parts.append(f"Rules and remarks: [the page of {paper}](/notebooks/{paper}.ipynb), section *Claims judged*.\n")
        own = rows[rows["paper"] == paper]
        for kind, title in ORIGINS.items():
            part = own[own["source"].map(origin) == kind]
            if len(part):
                table = claim_table(part, with_published=kind != COMPANION)
                # scoreboard.js filters the tables in these boxes and reads the paper from the class.
                parts += [f"### {title.capitalize()}", "", f":::{{div}} claims-table paper-{paper}", *table, ":::", ""]
    return "\n".join(parts)


def statements_text(rows: pd.DataFrame) -> str:
    """Return how many statements the claims of `rows` make, with the papers in which there are fewer of them."""
    counts = {paper: statement_count(own) for paper, own in rows.groupby("paper")}
    claims = {paper: own["id"].nunique() for paper, own in rows.groupby("paper")}
    fewer = ", ".join(f"{paper} {counts[paper]} of {n}" for paper, n in claims.items() if counts[paper] < n)
    told = f" Statements and claims where these differ: {fewer}." if fewer else ""
    return (
        f"The {sum(claims.values())} claims make {sum(counts.values())} distinct statements: one that is tried in "
        f"several settings, on other data or with another network, is a claim in each of them.{told}"
    )


def statement_count(rows: pd.DataFrame) -> int:
    """Return how many statements of one paper differ beyond their settings, which stand in brackets."""
    return rows.drop_duplicates("id")["statement"].str.replace(r"\s*\([^()]*\)", "", regex=True).str.strip().nunique()


def claim_table(rows: pd.DataFrame, *, with_published: bool) -> list[str]:
    """Return the lines of a table with one row a claim: verdict and measurement in a column for each scale.

    Each cell but the first begins with the name of its column, which only small screens show: there the cells of a row
    stand below each other (scarce.css).
    """
    dates = {
        scale: rows.loc[rows["scale"] == scale, "date"].max() for scale in SCALES if (rows["scale"] == scale).any()
    }
    heads = [
        "claim",
        *(["published"] if with_published else []),
        *(f"{scale}, {date}" for scale, date in dates.items()),
    ]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for _, same in rows.groupby("id", sort=False):
        first, of_scale = same.iloc[-1], by_scale(same).set_index("scale")
        source = f"{first['source']}; changed later" if (same["changed"] != "").any() else first["source"]
        cells = [f"{first['statement']} *({source})*"]
        cells += [f"{column_name('published')} {first['published']}"] if with_published else []
        for scale in dates:
            row = of_scale.loc[scale] if scale in of_scale.index else None
            found = f"{column_name(scale)} {badge(row['status'])} {row['measured']}" if row is not None else ""
            cells.append(found)
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    return lines


def column_name(name: str) -> str:
    """Return the name of a column as its cells carry it."""
    return f"[{name}]{{.column-name .column-{name}}}"


def badge(status: str) -> str:
    """Return the verdict as a coloured word."""
    return f"[{status}]{{.verdict-{BADGES[status]}}}"


def escape(text: str) -> str:
    """Return `text` fit for a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")
