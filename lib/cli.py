"""The ``scarce`` command: run papers, render the book, look after data, read the claims."""

import http.server
import os
import signal
import sys
from functools import partial
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table

from lib.batch import RunFailed, ensure, record
from lib.cli_batch import diff, sweep
from lib.jobs import PRESETS, Job, make_job, papers, parse_overrides, preset_values
from lib.pool import FAILED
from lib.progress import run_shown

app = typer.Typer(
    help="Learning under Scarcity: run the notebooks, render the book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Real data sets: list, fetch, verify.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.command()(sweep)
app.command()(diff)
console = Console()
errors = Console(stderr=True)

Preset = Annotated[str, typer.Option("--preset", "-s", help=f"one of {', '.join(PRESETS)}")]


@app.callback()
def options(debug: Annotated[bool, typer.Option(help="show full tracebacks")] = False) -> None:
    """Keep the global options."""
    if debug:
        os.environ["SCARCE_DEBUG"] = "1"


@app.command("list")
def list_papers() -> None:
    """List the papers, their presets, whether each run is up to date and when one was recorded in results/."""
    table = Table("paper", "preset", "state", "seconds", "peak MiB", "hash")
    for paper in papers():
        for preset in PRESETS:
            if preset != "quick" and not preset_values(paper, preset):
                continue
            job = make_job(paper, preset)
            result = run_facts(job)
            state = ("[green]done[/]" if job.done else "to do") + recorded_when(job)
            table.add_row(paper, preset, state, *(str(result.get(k, "")) for k in ("seconds", "peak_mib")), job.hash)
    console.print(table)


@app.command()
def run(
    paper: Annotated[str, typer.Argument(help="paper; 'scarce list' shows them")],
    preset: Preset = "quick",
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE, repeatable")] = None,
    force: Annotated[bool, typer.Option("--force", help="run even if an up-to-date run exists")] = False,
    keep: Annotated[bool, typer.Option("--record", help="copy the finished run to results/")] = False,
) -> None:
    """Execute the notebook of one paper and keep its record under runs/."""
    job = make_job(paper, preset, parse_overrides(parameter or []))
    if job.done and not force:
        console.print(f"{paper} ({preset}) is up to date: {job.folder}")
    else:
        with console.status(f"{paper} ({preset})") as status:
            folder = ensure(job, force=force, progress=lambda step: status.update(f"{paper} ({preset}) {step}"))
        facts = run_facts(job)
        console.print(f"{paper} ({preset}): {facts['seconds']} s, peak {facts['peak_mib']} MiB, {folder}")
    if keep:
        console.print(f"recorded in {record(job)}")


@app.command()
def book(
    force: Annotated[bool, typer.Option("--force", help="render even if nothing changed")] = False,
) -> None:
    """Execute what is stale at the quick preset, then render and check the book."""
    from lib.book import render

    up_to_date(papers())
    with console.status("rendering the book"):
        index, fresh = render(force=force)
    console.print(f"{'rendered' if fresh else 'nothing changed'}: open {index} or run 'scarce serve'")


@app.command()
def notebooks() -> None:
    """Execute what is stale at the quick preset and store the outputs in notebooks/."""
    from lib.book import store_outputs

    for job in up_to_date(papers()):
        console.print(f"stored in {store_outputs(job.paper, job.folder)}")


@app.command()
def serve(port: Annotated[int, typer.Option(help="0 takes any free port")] = 8000) -> None:
    """Serve the rendered book on this machine until Ctrl-C."""
    from lib.book import HTML

    if not (HTML / "index.html").is_file():
        raise ValueError("the book is not rendered yet: run 'scarce book' first")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        console.print(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C stops)")
        server.serve_forever()


@app.command()
def claims(paper: Annotated[str | None, typer.Argument(help="one paper; all if absent")] = None) -> None:
    """Show every judged claim: the paper's figure, ours, and the verdict."""
    from lib.book_scoreboard import scoreboard

    table = Table("paper", "claim", "published", "measured", "verdict", "scale")
    rows = scoreboard([paper] if paper else papers())
    for row in rows.itertuples():
        table.add_row(row.paper, row.statement, row.published, row.measured, row.status, row.scale)
    console.print(table if len(rows) else "no finished run yet: run 'scarce book' first")


@data_app.command("list")
def data_list() -> None:
    """List the data sets and where each file lies; the book's data page tells licences and sources."""
    print_files(["name", "file", "state", "source", "bytes"])


@data_app.command("verify")
def data_verify() -> None:
    """Check every file that is present against its checksum; exit 1 if one is corrupt."""
    status = print_files(["name", "file", "state", "source"])
    if (status["state"] == "corrupt").any():
        raise ValueError("a data file is corrupt: delete it and run 'scarce data fetch NAME'")


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="name of the data set; 'scarce data list' shows them")],
) -> None:
    """Download a data set from its official source and verify it."""
    from lib import data

    console.print(f"{name}: {data.fetch(name)}")


def print_files(columns: list[str]):
    """Print the chosen columns of the data status and return the whole table."""
    from lib import data

    status = data.status()
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in status[columns].astype(str).itertuples(index=False):
        table.add_row(*row)
    console.print(table)
    return status


def up_to_date(names: list[str]) -> list[Job]:
    """Execute the stale ones of the papers `names` at the quick preset, as many at a time as fit; return their jobs."""
    jobs = [make_job(paper) for paper in names]
    outcomes = run_shown(console, [job for job in jobs if not job.done])
    failed = [outcome for outcome in outcomes if outcome.state == FAILED]
    if failed:
        raise RunFailed(failed[0].message)
    return jobs


def run_facts(job: Job) -> dict:
    """Return the result of the finished run of `job`, or an empty dict."""
    from lib.jobs import read_result

    return read_result(job.folder)


def recorded_when(job: Job) -> str:
    """Return ", recorded" with the day of the newest record of this paper and preset, or nothing."""
    from lib.jobs import read_result
    from lib.report.paths import RESULTS

    kept = [read_result(path.parent) for path in (RESULTS / job.paper).glob("*/result.json")]
    days = [result["started"][:10] for result in kept if result.get("preset") == job.preset]
    return f", recorded {max(days)}" if days else ""


def interrupt(*_) -> None:
    """Treat a polite termination as Ctrl-C; a second one does not disturb the cleaning up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Run the command; an expected error is one line on stderr and exit status 1."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        app()
    except SystemExit as ended:
        if ended.code == 130:  # what the command-line library makes of Ctrl-C
            errors.print("interrupted; nothing was left half-written")
        raise
    except (ValueError, OSError, RunFailed, ModuleNotFoundError, yaml.YAMLError) as error:
        if "SCARCE_DEBUG" in os.environ:
            raise
        errors.print(f"[bold red]error:[/] {' '.join(str(error).split())}", soft_wrap=True, highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
