"""The commands on the state of things: begin a paper, tell how all runs stand."""

from typing import Annotated

import typer
from rich.console import Console

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
