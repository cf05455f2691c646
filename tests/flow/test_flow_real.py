"""The recorded run without a notebook: its folder is read as any recorded run, and it needs few packages."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from lib import report, tables
from lib.flow import experiments
from lib.flow.experiments.real import real_tasks, tasks_of
from lib.jobs import make_job
from lib.report import page

BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("matplotlib", "papermill", "IPython", "pooch", "flwr", "tqdm", "PIL"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import lib.tables, lib.flow.experiments.real, lib.flow.experiments.longer
"""


def test_the_folder_is_a_recorded_run_with_the_tables_of_the_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_COMMIT", "0123456789ab")
    few = ["-p", "longer=[deltas]", "-p", "data_sets=[digits]", "-p", "seeds=1", "-p", "rounds=1"]
    tables.main(["flow", "--workers", "2", "--out", str(tmp_path / "flow" / "real"), *few])
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    found = report.recorded("flow", "real")
    expected = experiments.longer_tables(["deltas"], seeds=1, rounds=1)
    assert set(found) == set(expected) == {"deltas", "delta_routes"}
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table, rtol=1e-6, check_dtype=False)
    result = json.loads((tmp_path / "flow" / "real" / "result.json").read_text())
    assert result["git"] == {"commit": "0123456789ab", "dirty": None} and result["parameters"]["seeds"] == 1


def test_the_pieces_on_real_data_follow_their_tuning():
    parameters = make_job("flow", "real", {"real_seeds": 3, "more_methods": ["APFL", "FedRep"]}).parameters
    tasks = tasks_of(parameters)
    assert {"methods", "ablation", "digits"} < {task.table for task in tasks}
    needs = {task.table: task.needs for task in tasks}
    for name, groups in (("femnist", 5), ("cifar10", 5), ("shakespeare", 4)):
        first, second = f"{name}_fedavg_tuning", f"{name}_tuning"
        assert needs[first] == () and needs[second] == (first,) and needs[name] == (first, second)
        settings, count = 2 if name == "cifar10" else 1, [task.table for task in tasks].count
        assert count(name) == settings * 3 * groups and count(second) == settings * 2 * 8 * (groups)
        methods = [task.options["methods"] for task in tasks if task.table == name]
        assert needs[f"{name}_routes"] == (first, second) and count(f"{name}_routes") == settings * 3
        assert sum("FedRep" in group for group in methods) == (0 if name == "shakespeare" else settings * 3)
    with pytest.raises(ValueError, match="unknown data set or method 'FedX'"):
        real_tasks(["cifar10"], more=["FedX"])


def test_an_unknown_table_ends_the_run_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="choose from"):
        tables.main(["flow", "--out", str(tmp_path / "x"), "-p", "longer=[delta]"])
    assert not (tmp_path / "x").exists()


def test_what_draws_or_shows_is_not_needed():
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
