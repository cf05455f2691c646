"""A sweep on a cluster of two Ray nodes, both on this machine."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

import pandas as pd
import pytest

from lib.jobs import papers
from lib.report.paths import ROOT

CLUSTER = """
import json, os, sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(json.dumps(cluster.address), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def cluster(monkeypatch):
    """The address of a cluster of two nodes with one processor each, which run in a process of their own."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (extra 'federated')")
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    quiet |= {"RAY_raylet_start_wait_time_s": "180"}  # a busy machine starts a node slowly
    # Ray notes its newest cluster in its folder; in one of its own no other test can find and join this one. The path
    # must be short, since sockets lie below it.
    folder = tempfile.mkdtemp(prefix="ray-")
    monkeypatch.setenv("RAY_TMPDIR", folder)
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | quiet,
    )
    address = None
    for line in process.stdout:
        if line.startswith('"'):
            address = json.loads(line)
            break
    assert address, "the cluster did not start"
    yield address
    process.communicate("", timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_sweep_runs_on_two_nodes_and_leaves_the_same_runs(toy, cluster):
    spec = toy / "scales.yaml"
    spec.write_text("papers: [toy]\ngrid: {toy: {scale: [1.0, 2.0, 3.0, 4.0]}}\n")
    command = [sys.executable, "-m", "lib.cli", "sweep", str(spec)]
    done = subprocess.run([*command, "--engine", "ray", "--address", cluster], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    summary = pd.read_csv(toy / "runs" / "sweeps" / "scales" / "summary.csv")
    assert (summary["state"] == "done").all() and len(summary) == 4
    nodes = {line.rsplit("node ", 1)[1].split()[0] for line in done.stdout.splitlines() if "node " in line}
    assert len(nodes) == 2
    again = subprocess.run([*command, "--engine", "process"], cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0
    assert (pd.read_csv(toy / "runs" / "sweeps" / "scales" / "summary.csv")["state"] == "up to date").all()


def test_an_unknown_engine_is_refused(toy, scarce):
    spec = toy / "s.yaml"
    spec.write_text("papers: [toy]\n")
    code, _, err = scarce("sweep", str(spec), "--engine", "rey")
    assert code == 1
    assert "unknown engine 'rey': did you mean 'ray'" in err


@pytest.mark.slow
@pytest.mark.skipif("SCARCE_WEEKLY" not in os.environ, reason="ten minutes and more: set SCARCE_WEEKLY=1")
def test_all_papers_run_on_two_nodes(tmp_path, monkeypatch, cluster):
    monkeypatch.setenv("SCARCE_RUNS", str(tmp_path / "runs"))
    spec = tmp_path / "everything.yaml"
    spec.write_text("papers: all\n")
    command = [sys.executable, "-m", "lib.cli", "sweep", str(spec), "--engine", "ray", "--address", cluster]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    summary = pd.read_csv(tmp_path / "runs" / "sweeps" / "everything" / "summary.csv")
    assert set(summary["paper"]) == set(papers()) and (summary["state"] == "done").all()
    assert len({line.rsplit("node ", 1)[1].split()[0] for line in done.stdout.splitlines() if "node " in line}) == 2
