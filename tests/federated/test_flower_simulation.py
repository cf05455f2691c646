"""The Flower engine on Flower's simulation engine: same weights as the local engine, failures, nothing left running."""

import os
from pathlib import Path

import pandas as pd
import pytest
from flower_cases import (
    Unreliable,
    as_images,
    assert_same_weights,
    convolutional,
    digits,
    fedavg,
    numbered,
    personal_heads,
)

from lib.federated.checks import ClientError
from lib.federated.flower import run_flower
from lib.federated.run import run
from lib.federated.server_optimizers import fedadam

pytestmark = [
    pytest.mark.slow,
    # Ray leaves log files and handles of its processes to the garbage collector, at any time after its stop.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def unreliable(**options):
    like = personal_heads()
    return Unreliable(model=like.model, local=like.local, personal=like.personal, **options)


def test_fedavg_with_a_server_optimizer_ends_at_the_weights_of_the_local_engine():
    federation, algorithm = digits(4), fedavg(server=fedadam)
    options = {"rounds": 3, "cohort_size": 3, "seed": 7, "evaluate_every": 3}
    local, remote = run(algorithm, federation, **options), run(algorithm, federation, engine="flower", **options)
    assert_same_weights(local, remote, tolerance=1e-6)
    same = ["round", "client", "status", "examples", "bytes_up", "bytes_down"]
    assert remote.table[same].equals(local.table[same]) and remote.failures.empty


def test_a_convolutional_network_ends_at_the_weights_of_the_local_engine():
    algorithm, federation = convolutional(), as_images(digits(3))
    options = {"rounds": 2, "seed": 3}
    local, remote = run(algorithm, federation, **options), run(algorithm, federation, engine="flower", **options)
    assert_same_weights(local, remote, tolerance=1e-6)
    assert remote.failures.empty


def test_personal_heads_and_failures_of_every_kind_end_at_the_weights_of_the_local_engine():
    failures, federation = {"raises": 40, "nan": 41, "hangs": 42}, numbered(4)
    # The deadline must leave the first training of a process its time on a busy machine.
    remote = run_flower(unreliable(**failures, seconds=600), federation, rounds=3, seed=1, timeout=15)
    local = run(unreliable(**failures), federation, rounds=3, seed=1)
    assert_same_weights(local, remote, tolerance=1e-6)
    found = dict(zip(remote.failures["client"], remote.failures["status"], strict=True))
    assert found == {0: "raised", 1: "not finite", 2: "missing"}
    assert set(remote.failures["round"]) == {2}
    same = local.table.columns.drop("seconds")
    pd.testing.assert_frame_equal(remote.table[same], local.table[same], atol=1e-5)


def test_raise_stops_the_simulation_and_its_processes():
    import ray

    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "PATH")}
    with pytest.raises(ClientError, match=r"client 1 failed in round 2 .*OSError: disk full"):
        run(unreliable(raises=41), numbered(2), rounds=3, engine="flower", on_failure="raise")
    assert not ray.is_initialized()
    assert before == {name: os.environ.get(name) for name in before}
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():  # Linux
        names = [Path(f"/proc/{child}/comm").read_text().strip() for child in children.read_text().split()]
        assert not [name for name in names if "ray" in name or "gcs" in name]
