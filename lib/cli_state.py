"""The commands on the state of things: begin a paper, tell how all runs stand."""

from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()


def new_paper(
    name: Annotated[str, typer.Argument(help="one lower-case word; room, notebook and tests are called so")],
) -> None:
    """Begin a paper from a template that works: room, notebook, presets, tests, and a line in the book's contents."""
    from lib.batch import ensure
    from lib.book import store_outputs
    from lib.jobs import make_job
    from lib.new_paper import create

    for path in create(name):
        console.print(str(path), soft_wrap=True, highlight=False)
    with console.status(f"executing the notebook of {name}"):
        store_outputs(name, ensure(make_job(name)))
    console.print(
        "The notebook ran and shows its outputs. Now replace the example piece by piece, claims before results; "
        f"'pytest tests/{name}' and 'scarce run {name}' tell at any time whether it still works.",
        soft_wrap=True,
    )


def status() -> None:
    """Tell what runs now, what failed, what is up to date or recorded, and what the runs take on disk."""
    from lib.report.paths import runs_dir
    from lib.status import standing

    found = standing()
    disk = found.disk.assign(mib=found.disk["mib"].round(1))
    presets = found.presets.drop(columns="hash").rename(columns={"peak_mib": "peak MiB"})
    show("running now", found.running.drop(columns="folder"), "nothing")
    show("failed, and not succeeded since", found.failed.drop(columns="log"), "nothing")
    for log in found.failed["log"]:
        console.print(f"  log: {log}", soft_wrap=True, highlight=False)
    show("papers", presets.assign(when=presets["when"].str[:16]), "no paper")
    show(f"{runs_dir()}: {disk['mib'].sum():.1f} MiB", disk.rename(columns={"mib": "MiB"}), "empty")


def show(title: str, frame: pd.DataFrame, without: str) -> None:
    """Print `frame` as a table below its title, or the words `without` where it has no row."""
    if frame.empty:
        console.print(f"{title}: {without}", highlight=False, soft_wrap=True)
        return
    table = Table(*map(str, frame.columns), title=escape(title), title_justify="left")
    for row in frame.itertuples(index=False):
        table.add_row(*("" if pd.isna(value) else escape(str(value)) for value in row))
    console.print(table)
