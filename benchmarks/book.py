"""The time of the quick notebooks, each and all from a clean state, as the runs of the last build have it."""

from datetime import datetime

from benchmarks.lines import target
from lib.jobs import make_job, papers, read_result

TWO_MINUTES = ("bslb", "fedper", "flow")  # the others have three
ALL_MINUTES = 10


def measure() -> dict:
    """Return the seconds of each paper's finished quick run, and from the first start to the last end.

    Raises ValueError unless the runs are of one build: removed ones are made anew by ``make book``.
    """
    results = {paper: read_result(make_job(paper).folder) for paper in papers()}
    missing = [paper for paper, result in results.items() if not result]
    if missing:
        raise ValueError(f"no finished quick run of {missing[0]}: make book first")
    seconds = {paper: result["seconds"] for paper, result in results.items()}
    started = {paper: datetime.fromisoformat(result["started"]).timestamp() for paper, result in results.items()}
    wall = max(started[paper] + seconds[paper] for paper in results) - min(started.values())
    if wall > sum(seconds.values()) + 60:  # there were pauses
        raise ValueError("the quick runs are of several builds: remove runs/, then make book")
    return {"notebooks": seconds, "wall_seconds": wall}


def rows(found: dict) -> list[dict]:
    """Rows on building the book."""
    lines = []
    for paper, seconds in found["notebooks"].items():
        limit = 120 if paper in TWO_MINUTES else 180
        measured, aim = f"{seconds:.0f} s", f"at most {limit} s"
        lines.append(target(f"Notebook {paper} at quick", "beside another", measured, aim, seconds <= limit))
    minutes, what = found["wall_seconds"] / 60, f"All {len(found['notebooks'])} notebooks, none done before"
    within = minutes <= ALL_MINUTES
    lines.append(target(what, "make book", f"{minutes:.1f} minutes", f"at most {ALL_MINUTES} minutes", within))
    return lines
