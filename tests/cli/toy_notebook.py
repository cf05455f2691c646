"""A small notebook with parameters, a figure and a claim, for tests of the runner."""

import nbformat

SETUP = """
import pandas as pd
from lib import report
table = pd.DataFrame({"seed": range(seeds), "value": [scale * seed for seed in range(seeds)]})
"""
FIGURE = """
fig, axes = report.new_figure()
axes[0, 0].plot(table["seed"], table["value"])
report.show(report.describe(fig, caption="It rises.", alt="A line."), "line")
"""
CLAIMS = """
claim = report.Claim("c", "It rises", "companion", "none", "ends above 0", ("table",),
                     lambda t: report.Verdict("reproduced", str(t["table"]["value"].max())))
report.keep({"table": table})
judged = report.verdicts([claim], {"table": table})
"""


def write_notebook(path, parameters, *cells):
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[first, *(nbformat.v4.new_code_cell(cell.strip()) for cell in cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def make_toy(folder, monkeypatch):
    """Make a small paper with two presets in `folder`, and let the project look there, and for runs, too."""
    notebooks = folder / "notebooks"
    write_notebook(notebooks / "toy.ipynb", "seeds = 3\nscale = 1.0\nks = [1, 2]", SETUP, FIGURE, CLAIMS)
    (notebooks / "presets").mkdir()
    (notebooks / "presets" / "toy.yaml").write_text("quick: {}\nreal: {seeds: 5}\n")
    monkeypatch.setenv("SCARCE_NOTEBOOKS", str(notebooks))
    monkeypatch.setenv("SCARCE_RUNS", str(folder / "runs"))
    monkeypatch.setattr("lib.jobs.NOTEBOOKS", notebooks)
    monkeypatch.setattr("lib.batch.NOTEBOOKS", notebooks)
