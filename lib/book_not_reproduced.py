"""The page "What we could not reproduce, and why": every claim that fell short at some scale, with rule and remark."""

import pandas as pd

from lib.book_scoreboard import ORIGINS, badge, by_scale, origin
from lib.report.claims import COMPANION, NOT_JUDGED, NOT_REPRODUCED, NOT_RUN
from lib.report.published import published

# Each claim stands in the first group that it fits, by its verdict at the largest scale at which it was judged.
GROUPS = {
    NOT_REPRODUCED: "Contradicted at the largest scale that was run",
    "smaller": "Contradicted at a smaller scale only",
    NOT_JUDGED: "Ran, but nothing follows",
    NOT_RUN: "Not run here",
}
EXPLAINED = {
    NOT_REPRODUCED: "The measurement contradicts the claim by the stated rule.",
    "smaller": "The larger run bears the claim out, or nearly; the smaller one does not.",
    NOT_JUDGED: "The experiment ran, but what the comparison rests on was not met, so that it says neither yes nor no.",
    NOT_RUN: "These need data, hardware or a longer run than any recorded one.",
}


def not_reproduced_text(rows: pd.DataFrame) -> str:
    """Return the page's generated part from the rows of `lib.book_scoreboard.scoreboard`: counts, groups, claims."""
    claims = [group_rows for _, group_rows in rows.groupby(["paper", "id"], sort=False)]
    placed = [(group(claim), claim) for claim in claims]
    counts = {name: sum(found == name for found, _ in placed) for name in GROUPS}
    told = "; ".join(f"{title.lower()}: {counts[name]}" for name, title in GROUPS.items())
    parts = [f"Of {len(claims)} claims, {sum(counts.values())} stand on this page ({told}).", ""]
    for name, title in GROUPS.items():
        if counts[name]:
            parts += [f"## {title}", "", EXPLAINED[name], ""]
        for paper in sorted(rows["paper"].unique()):
            own = [claim for found, claim in placed if found == name and claim["paper"].iloc[0] == paper]
            if own:
                parts += [f"### {published(paper)['title']} ({len(own)})", "", *map(claim_text, own)]
    return "\n".join([*parts, *reading_limits(sorted(rows["paper"].unique()))])


def group(claim: pd.DataFrame) -> str | None:
    """Return the key of `GROUPS` for the rows of one claim, one a scale, or None if it held wherever it was judged."""
    judged = by_scale(claim)
    largest = judged["status"].iloc[-1]
    if largest in GROUPS:
        return largest
    return "smaller" if (judged["status"] == NOT_REPRODUCED).any() else None


def claim_text(claim: pd.DataFrame) -> str:
    """Return one claim as an entry of a definition list: statement, published figure, verdicts, rule, remarks."""
    ordered = by_scale(claim)
    last = ordered.iloc[-1]
    lines = [f"**{plain(last['statement'])}**"]
    if last["source"] == COMPANION:
        lines.append(f": *{ORIGINS[COMPANION].capitalize()} this.*")
    else:
        found = f"{ORIGINS[origin(last['source'])].capitalize()}: {plain(last['source'])}"
        lines.append(f": *{found}.* Published: {plain(last['published'])}.")
    for row in ordered.iloc[::-1].itertuples():
        remark = f" Why: {plain(row.detail)}." if row.detail else ""
        measured = plain(row.measured) or "nothing was measured"
        lines.append(f"\n  {badge(row.status)} at {row.scale}, {row.date}: {measured}.{remark}")
    lines.append(f"\n  The rule: {plain(last['rule'])}.")
    if last["changed"]:
        lines.append(f"\n  Changed after a result was seen: {plain(last['changed'])}.")
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Return `text` on one line and without its full stop, to be set into a sentence."""
    return " ".join(str(text).split()).removesuffix(".")


def reading_limits(papers: list[str]) -> list[str]:
    """Return the lines on what of each paper was read: what we could not read, we could not check."""
    lines = ["## What we had of each paper", "", "A claim that we could not read, we could not judge.", ""]
    for paper in papers:
        identity = published(paper)
        lines += [f"[{identity['title']}](/notebooks/{paper}.ipynb)", f": {' '.join(identity['read'].split())}", ""]
    return lines
