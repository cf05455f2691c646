"""A real deployment on the loopback: the commands of the page "Past one machine", a SuperLink and two SuperNodes."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.federated.flower_api import ENVIRONMENT, Context, RecordDict
from lib.federated.flower_app import digits, experiment_of, main
from lib.federated.run import run
from lib.federated.types import Federation

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "past_one_machine.md").read_text()
APP = tomllib.loads((ROOT / "deploy" / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
BIN = Path(sys.executable).parent
PATIENCE = 240  # seconds; a message takes about five on an idle machine


def commands(program):
    """Return the page's commands of `program`, as argument lists, lines joined at backslashes."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True)) and words[0] == program]


def loopback(program):
    """Return the page's commands of `program` that stay on this machine without encryption."""
    return [words for words in commands(program) if "--insecure" in words and "--simulation" not in words]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def process(words, log, environment):
    """Run a command in a process group of its own, and end the whole group on the way out."""
    with log.open("w") as file:
        child = subprocess.Popen(
            [BIN / words[0], *words[1:]], stdout=file, stderr=file, env=environment, cwd=ROOT, start_new_session=True
        )
    try:
        yield child
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)


def wait_for(condition, what, log):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what} after {PATIENCE} s; {log.name} ends with\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


def healthy(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200
    except OSError:
        return False


@pytest.fixture
def superlink(tmp_path):
    """Start the SuperLink and the SuperNodes of the page, on free ports.

    Give the environment of `flwr run` and the processes of the SuperNodes.
    """
    ports = {"9092": free_port(), "9094": free_port(), "9095": free_port()}

    def local(words):
        return [re.sub(r"\b(9092|9094|9095)\b", lambda match: ports[match[0]], word) for word in words]

    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"  # the SuperLink starts its helpers by name
    environment = {**os.environ, **ENVIRONMENT, "FLWR_HOME": str(tmp_path), "PATH": path}
    [connection] = re.findall(r"```toml\n(.*?127\.0\.0\.1.*?)```", PAGE, re.DOTALL)
    (tmp_path / "config.toml").write_text(local([connection])[0])
    with ExitStack() as stack:
        [link] = loopback("flower-superlink")
        stack.enter_context(process(local(link), tmp_path / "superlink.log", environment))
        wait_for(lambda: healthy(ports["9092"]), "no SuperLink", tmp_path / "superlink.log")
        nodes = loopback("flower-supernode")
        assert len(nodes) == 2
        started = [
            stack.enter_context(process(local(node), tmp_path / f"supernode{number}.log", environment))
            for number, node in enumerate(nodes)
        ]
        yield environment, started


def submit(folder, environment, **config):
    """Submit a run as the page does, with `config`."""
    settings = " ".join(f"{key}={value}" for key, value in config.items())
    [words] = [words for words in commands("flwr") if words[1:] == ["run", "deploy", "here"]]
    command = [BIN / words[0], *words[1:], "--run-config", f'{settings} output="{folder}"']
    subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, timeout=60)


def outcome(folder, log):
    """Wait for the end of a run and return its weights and its table."""
    wait_for((folder / "weights.npz").exists, "no weights", log)
    return np.load(folder / "weights.npz"), pd.read_csv(folder / "history.csv")


@pytest.mark.slow
def test_two_supernodes_train_to_the_weights_of_the_local_engine(superlink, tmp_path):
    before = (ROOT / "deploy" / "pyproject.toml").read_bytes()
    environment, _ = superlink
    cases = [("shared", {"evaluate-every": 0}), ("personal", {"evaluate-every": 2, "experiment.personal-units": 1})]
    for name, config in cases:
        submit(tmp_path / name, environment, rounds=2, seed=3, **config)
        weights, table = outcome(tmp_path / name, tmp_path / "superlink.log")
        algorithm, load = digits(2, seed=3, personal_units=config.get("experiment.personal-units", 0))
        federation = Federation("digits", (load(0), load(1)), 10)
        local = run(algorithm, federation, rounds=2, seed=3, evaluate_every=config["evaluate-every"])
        assert list(weights) == list(local.state.tensors)
        for key, value in local.state.tensors.items():
            np.testing.assert_allclose(weights[key], value.numpy(), rtol=0, atol=1e-6)
        same = [column for column in local.table if column != "seconds"]
        pd.testing.assert_frame_equal(table[same], local.table[same], check_dtype=False, atol=1e-5)
    assert (ROOT / "deploy" / "pyproject.toml").read_bytes() == before


@pytest.mark.slow
def test_a_supernode_that_dies_is_a_missing_client(superlink, tmp_path):
    environment, nodes = superlink
    log = tmp_path / "supernode1.log"
    submit(tmp_path / "killed", environment, rounds=3, seed=3, timeout=30.0, **{"evaluate-every": 0})
    wait_for(lambda: "train message" in log.read_text(), "no work for the second SuperNode", log)
    os.killpg(nodes[1].pid, signal.SIGKILL)
    _, table = outcome(tmp_path / "killed", tmp_path / "superlink.log")
    lost, kept = sorted(table.groupby("client")["status"].agg(list), key=lambda found: found.count("trained"))
    assert kept == ["trained"] * 3
    assert lost[1:] == ["missing"] * 2 and lost[0] in ("trained", "missing")  # its first answer may have been sent


def test_a_run_that_fails_says_why(tmp_path, capsys):
    config = {"experiment.name": "lib.nowhere:digits", "clients": 2, "seed": 0, "output": str(tmp_path)}
    context = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config=config)
    with pytest.raises(ModuleNotFoundError):
        main(None, context)
    assert (tmp_path / "error.txt").read_text() == "ModuleNotFoundError: No module named 'lib.nowhere'\n"
    assert "lib.nowhere" in capsys.readouterr().out


def test_the_page_uses_only_options_that_the_commands_have():
    environment = {**os.environ, **ENVIRONMENT, "COLUMNS": "200"}
    for program in ("flower-superlink", "flower-supernode"):
        shown = subprocess.run([BIN / program, "--help"], capture_output=True, text=True, check=True, env=environment)
        options = {word.split("=")[0] for words in commands(program) for word in words if word.startswith("--")}
        assert options and options <= set(re.findall(r"--[a-z-]+", shown.stdout)), program


def test_the_pages_python_runs():
    first = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    assert 'engine="flower"' in first
    names = {}
    exec("\n".join(line for line in first.splitlines() if "engine" not in line), names)
    assert names["history"].state.round == 3 and len(names["federation"]) == 4


def test_the_app_names_what_exists_and_its_defaults_make_an_experiment():
    config = {}
    for key, value in APP["config"].items():
        config |= {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
    algorithm, load = experiment_of(config, config["clients"])
    assert algorithm.personal == () and load(0).examples > 100
    shares = [{tuple(x) for x in load(client).train_x.flatten(1).tolist()} for client in range(2)]
    assert not shares[0] & shares[1]
    with pytest.raises(ValueError, match="module:function"):
        experiment_of(config | {"experiment.name": "digits"}, 2)


def test_personal_units_are_the_last_of_the_network():
    for units, count in ((0, 0), (1, 2), (2, 4)):
        algorithm, _ = digits(2, seed=0, personal_units=units)
        assert algorithm.personal == algorithm.model.parameter_names[4 - count :]
