import pytest
from toy_notebook import CLAIMS, FIGURE, SETUP, write_notebook


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder with one small paper, and an empty runs folder; returns the temporary folder."""
    notebooks, runs = tmp_path / "notebooks", tmp_path / "runs"
    write_notebook(notebooks / "toy.ipynb", "seeds = 3\nscale = 1.0\nks = [1, 2]", SETUP, FIGURE, CLAIMS)
    (notebooks / "presets").mkdir()
    (notebooks / "presets" / "toy.yaml").write_text("quick: {}\nreal: {seeds: 5}\n")
    monkeypatch.setenv("SCARCE_NOTEBOOKS", str(notebooks))
    monkeypatch.setenv("SCARCE_RUNS", str(runs))
    monkeypatch.setattr("lib.jobs.NOTEBOOKS", notebooks)
    monkeypatch.setattr("lib.batch.NOTEBOOKS", notebooks)
    return tmp_path
