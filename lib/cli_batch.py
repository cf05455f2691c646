"""The commands for many runs: sweep a specification, compare two runs."""

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lib.batch import RunFailed
from lib.jobs import Job, known
from lib.pool import FAILED, estimate, fitting_workers
from lib.progress import changes, run_shown
from lib.sweep import read_sweep

console = Console()


def sweep(
    spec: Annotated[Path, typer.Argument(help="YAML file: papers, presets, seeds, grid, plot")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the runs and what they will cost, run none")] = False,
    workers: Annotated[int, typer.Option(help="runs at a time; 0 takes what fits cores and memory")] = 0,
    retries: Annotated[int, typer.Option(help="further attempts of a run whose process died or took too long")] = 1,
    limit: Annotated[float, typer.Option(help="seconds an attempt may take; 0 sets no limit")] = 0,
    engine: Annotated[str, typer.Option(help="process (this machine) or ray (a cluster)")] = "process",
    address: Annotated[str, typer.Option(help="of the Ray cluster; local starts one on this machine")] = "local",
    export: Annotated[Path | None, typer.Option(help="write the runs as a Snakefile to this path, run none")] = None,
    gpus: Annotated[float, typer.Option(help="GPUs a run reserves on Ray, also a fraction; -1: by preset")] = -1,
    keep: Annotated[bool, typer.Option("--record", help="copy the report to results/, for the book")] = False,
) -> None:
    """Run every combination of papers, presets, seeds and grids; what is done is not run again."""
    plan = read_sweep(spec)
    if keep and (dry_run or export):
        raise ValueError("--record keeps the report of finished runs: leave out --dry-run and --export")
    chosen = workers or fitting_workers(plan.jobs)
    if dry_run:
        show_plan(plan.jobs, chosen)
        return
    if export:
        from lib.snakefile import write_snakefile

        console.print(f"{len(plan.jobs)} runs: {write_snakefile(export, plan.name, plan.jobs)}", soft_wrap=True)
        return
    from lib.sweep_report import record_report, write_report

    known(engine, ("process", "ray"), "engine")
    options = {"retries": retries, "limit": limit or None}
    if engine == "ray":
        from lib.pool_ray import run_all_on_ray

        options |= {"engine": run_all_on_ray, "address": address, "gpus": None if gpus < 0 else gpus}
    else:
        options["workers"] = chosen
    outcomes = run_shown(console, plan.jobs, **options)
    page = write_report(plan, outcomes)
    console.print(f"report: {page}", soft_wrap=True)
    failed = [outcome for outcome in outcomes if outcome.state == FAILED]
    if failed:
        raise RunFailed(f"{len(failed)} of {len(outcomes)} runs failed, the first: {failed[0].message}")
    if keep:
        console.print(f"recorded in {record_report(page.parent)}", soft_wrap=True)


def show_plan(jobs: tuple[Job, ...], workers: int) -> None:
    """Print the runs of a sweep with the time and memory that earlier runs of their kind took."""
    table = Table("paper", "preset", "changed", "state", "seconds", "peak MiB")
    total, unknown = 0.0, 0
    for job in jobs:
        seconds, peak = estimate(job)
        if not job.done:
            total += seconds or 0
            unknown += seconds is None
        said = [f"{value:.0f}" if value is not None else "unknown" for value in (seconds, peak)]
        table.add_row(job.paper, job.preset, changes(job), "done" if job.done else "to do", *said)
    console.print(table)
    minutes = math.ceil(total / workers / 60)
    without = f", {unknown} without an earlier run to go by" if unknown else ""
    todo = sum(not job.done for job in jobs)
    console.print(f"{todo} of {len(jobs)} to run, {workers} at a time: about {minutes} min{without}")


def diff(
    a: Annotated[str, typer.Argument(help="folder of a run, PAPER/PRESET, PAPER/PRESET/HASH or results/PAPER/NAME")],
    b: Annotated[str, typer.Argument(help="the run to compare it with, named likewise")],
    page: Annotated[Path | None, typer.Option("--html", help="write a page with figures side by side")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="exit with 1 if anything differs")] = False,
) -> None:
    """Compare two runs of one paper: parameters, verdicts, tables, and with --html their figures."""
    from lib.diff import compare, find_run
    from lib.diff_page import as_html

    found = compare(find_run(a), find_run(b))
    moved = found.claims[found.claims["A"] != found.claims["B"]]
    for title, part in (("facts", found.facts), ("verdicts", moved), ("tables", found.tables)):
        if len(part):
            table = Table(*map(str, part.columns), title=title, title_justify="left")
            for row in part.itertuples(index=False):
                table.add_row(*("" if value != value else _short(value) for value in row))
            console.print(table)
    if found.identical:
        console.print("no difference in parameters, verdicts and tables")
    if page:
        page.write_text(as_html(found), encoding="utf-8")
        console.print(f"page: {page}", soft_wrap=True)
    if exit_code and not found.identical:
        raise typer.Exit(1)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
