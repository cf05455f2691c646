"""The recorded run without a notebook: its folder is read as any recorded run, and it needs few packages."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from lib import report
from lib.flow import experiments, real
from lib.report import page

BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("matplotlib", "yaml", "papermill", "IPython", "pooch", "flwr", "tqdm", "PIL"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import lib.flow.real, lib.flow.experiments.real, lib.flow.experiments.longer
"""


def test_the_folder_is_a_recorded_run_with_the_tables_of_the_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_COMMIT", "0123456789ab")
    few = ["--workers", "2", "--longer", "deltas", "--data-sets", "--seeds", "1", "--rounds", "1"]
    real.main(["--out", str(tmp_path / "flow" / "real"), *few])
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    found = report.recorded("flow", "real")
    expected = experiments.longer_tables(["deltas"], seeds=1, rounds=1)
    assert set(found) == set(expected) == {"deltas", "delta_routes"}
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table, rtol=1e-6, check_dtype=False)
    result = json.loads((tmp_path / "flow" / "real" / "result.json").read_text())
    assert result["git"] == {"commit": "0123456789ab", "dirty": None} and result["status"] == "ok"
    assert result["parameters"]["seeds"] == 1 and result["machine"]["cores"] and result["versions"]["torch"]
    assert {"hash", "preset", "started", "seconds", "peak_mib", "data"} <= set(result)
    assert not list((tmp_path / "flow" / "real").rglob(".*"))


def test_an_unknown_table_ends_the_run_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="choose from"):
        real.main(["--out", str(tmp_path / "x"), "--longer", "delta", "--data-sets"])
    assert not (tmp_path / "x").exists()


def test_what_draws_or_shows_is_not_needed():
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
