"""Show in the terminal how a set of runs stands, while it runs."""

import threading
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from lib.jobs import Job
from lib.pool import DONE, FAILED, RUNNING, UP_TO_DATE, WAITING, Outcome, run_all

COLOURS = {WAITING: "dim", RUNNING: "cyan", DONE: "green", UP_TO_DATE: "green", FAILED: "bold red"}


def run_shown(console: Console, jobs: Sequence[Job], *, engine=run_all, **options) -> list[Outcome]:
    """Run `jobs` with `engine` (`lib.pool.run_all` or its like; `options` are its own) and show how each stands.

    In a terminal a table is kept up to date; elsewhere every start and end is a line.
    """
    states = {job.hash: Outcome(job, WAITING) for job in jobs}
    if not jobs:
        return []
    lock = threading.Lock()
    if not console.is_terminal:

        def tell(outcome: Outcome) -> None:
            with lock:
                before, states[outcome.job.hash] = states[outcome.job.hash], outcome
            if outcome.state != before.state or outcome.attempts != before.attempts:
                console.print(line(outcome), highlight=False, soft_wrap=True)

        return engine(jobs, on_change=tell, **options)
    with Live(standing(states.values()), console=console, refresh_per_second=4) as live:

        def update(outcome: Outcome) -> None:
            with lock:
                states[outcome.job.hash] = outcome
                live.update(standing(states.values()))

        return engine(jobs, on_change=update, **options)


def line(outcome: Outcome) -> str:
    """Return one line of text on how a run stands."""
    job, changed = outcome.job, changes(outcome.job)
    again = f" (attempt {outcome.attempts})" if outcome.attempts > 1 else ""
    parts = [f"{outcome.state}{again}: {job.paper} ({job.preset}{f': {changed}' if changed else ''})"]
    if outcome.state in (DONE, FAILED):
        parts += [f"{outcome.seconds:.0f} s", *([outcome.message] if outcome.message else [])]
    return ", ".join(parts)


def standing(outcomes: Iterable[Outcome]) -> Table:
    """Return the table of how each run stands."""
    table = Table("paper", "preset", "changed", "state", "seconds", "at")
    for outcome in outcomes:
        job, state = outcome.job, f"[{COLOURS[outcome.state]}]{outcome.state}[/]"
        table.add_row(
            job.paper,
            job.preset,
            changes(job),
            state,
            f"{outcome.seconds:.0f}",
            outcome.message.splitlines()[0][:80] if outcome.message else "",
        )
    return table


def changes(job: Job) -> str:
    """Return the parameters of `job` that differ from the notebook's, as text."""
    return ", ".join(f"{name}={value}" for name, value in job.changed.items())
