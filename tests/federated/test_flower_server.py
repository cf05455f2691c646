"""Our ServerApp and ClientApp on an in-process grid: same weights, same accounts, same failures as the local engine."""

import functools

import pandas as pd
import pytest
import torch
from flower_cases import (
    MALFORMED,
    Unreliable,
    as_images,
    assert_same_weights,
    convolutional,
    digits,
    fedavg,
    numbered,
    personal_heads,
)
from flwr.server.superlink.linkstate.utils import create_message_error_unavailable_res_message

from lib.federated.checkpoint import run_identity
from lib.federated.checks import ClientError
from lib.federated.flower_client import CLIENT, make_client_app
from lib.federated.flower_grid import InProcessGrid
from lib.federated.flower_records import pack, unpack
from lib.federated.flower_server import Fleet, serve
from lib.federated.run import run
from lib.federated.server_optimizers import fedadam


def flower(algorithm, federation, *, seed=0, silent=(), deadline=None, **options):
    def setting(context):
        return algorithm, federation.clients[context.node_config[CLIENT]]

    grid = InProcessGrid(make_client_app(setting, deadline=deadline, simulated=True), len(federation))
    fleet = Fleet(grid, len(federation), seed=seed, timeout=1.0)
    grid.silence(*silent)
    return serve(algorithm, fleet, simulated=True, **options)


def unreliable(**options):
    like = personal_heads()
    return Unreliable(model=like.model, local=like.local, personal=like.personal, **options)


def assert_same_history(one, other):
    assert_same_weights(one, other)
    pd.testing.assert_frame_equal(one.table.drop(columns="seconds"), other.table.drop(columns="seconds"), atol=1e-5)
    pd.testing.assert_frame_equal(one.failures, other.failures)


@pytest.mark.parametrize("make", [fedavg, personal_heads, functools.partial(fedavg, server=fedadam)])
def test_same_seed_same_weights_and_same_table_as_the_local_engine(make):
    options = {"rounds": 3, "cohort_size": 3, "evaluate_every": 2}
    federation = digits(5)
    local, remote = run(make(), federation, seed=3, **options), flower(make(), federation, seed=3, **options)
    assert_same_history(local, remote)
    assert remote.table.personal_accuracy.notna().sum() == 2 * 5
    other = flower(make(), federation, seed=4, **options)
    assert any((other.state.tensors[k] - v).abs().max() > 1e-3 for k, v in remote.state.tensors.items())


def test_a_convolutional_network_has_the_same_history_as_on_the_local_engine():
    federation, options = as_images(digits(3)), {"rounds": 2, "seed": 3}
    assert_same_history(run(convolutional(), federation, **options), flower(convolutional(), federation, **options))


def test_memory_never_crosses_the_network():
    federation, algorithm = digits(3), personal_heads()
    sent = []

    class Tap(InProcessGrid):
        def push_messages(self, messages):
            sent.extend(messages := list(messages))
            return super().push_messages(messages)

        def pull_messages(self, message_ids):
            sent.extend(replies := super().pull_messages(message_ids))
            return replies

    grid = Tap(make_client_app(lambda context: (algorithm, federation.clients[context.node_config[CLIENT]])), 3)
    history = serve(algorithm, Fleet(grid, 3, seed=0, timeout=1.0), rounds=2)
    names = {name for message in sent for name in unpack(message.content)[0]}
    assert names == set(history.state.tensors) and not names & set(algorithm.personal)
    assert history.memories == {}
    local = run(algorithm, federation, rounds=2)
    for client, context in enumerate(grid.contexts.values()):
        for name, value in local.memories[client].items():
            torch.testing.assert_close(torch.from_numpy(context.state["memory"][name].numpy()), value)


@pytest.mark.parametrize("failure", [{"raises": 41}, {"nan": 42}, {"hangs": 40}, {"raises": 40, "nan": 41}])
def test_a_client_that_fails_is_left_out_as_on_the_local_engine(failure):
    federation = numbered(4)
    local = run(unreliable(**failure), federation, rounds=3)
    remote = flower(unreliable(**failure), federation, rounds=3)
    assert_same_history(local, remote)
    assert len(remote.failures) == len(failure) and set(remote.failures["round"]) == {2}


@pytest.mark.parametrize("how", MALFORMED)
def test_a_malformed_update_is_left_out_as_on_the_local_engine(how):
    federation, algorithm = numbered(3), unreliable(malformed=41, how=how)
    local, remote = run(algorithm, federation, rounds=3), flower(algorithm, federation, rounds=3)
    assert_same_history(local, remote)
    assert remote.failures[["round", "client", "status"]].to_numpy().tolist() == [[2, 1, "malformed"]]
    assert MALFORMED[how] in remote.failures["message"][0]
    with pytest.raises(ClientError, match=r"client 1 failed in round 2 \(malformed\)"):
        flower(algorithm, federation, rounds=3, on_failure="raise")


def test_a_client_over_its_deadline_is_missing_and_keeps_its_old_memory():
    federation = numbered(3)
    slow = unreliable(hangs=41, seconds=1.5)
    remote = flower(slow, federation, rounds=3, deadline=0.5)
    assert_same_weights(run(unreliable(hangs=41), federation, rounds=3), remote)
    assert remote.failures[["round", "client", "status"]].to_numpy().tolist() == [[2, 1, "missing"]]


def test_the_superlink_that_answers_for_a_lost_node_counts_as_its_silence():
    class Superlink(InProcessGrid):
        def _deliver(self, message):
            name = super()._deliver(message)
            if message.metadata.dst_node_id in self.silent:
                self._replies[name] = create_message_error_unavailable_res_message(message.metadata, "node_unavail")
            return name

    federation, algorithm = numbered(3), unreliable()
    grid = Superlink(make_client_app(lambda context: (algorithm, federation.clients[context.node_config[CLIENT]])), 3)
    fleet = Fleet(grid, 3, seed=0, timeout=1.0)
    grid.silence(1)
    history = serve(algorithm, fleet, rounds=2, evaluate_every=0)
    assert history.failures[["round", "client", "status"]].to_numpy().tolist() == [[1, 1, "missing"], [2, 1, "missing"]]


def test_a_client_that_never_answers_is_missing_from_every_round():
    federation = numbered(3)
    remote = flower(personal_heads(), federation, rounds=2, silent=[1])
    assert_same_weights(run(unreliable(hangs=41, when=(1, 2)), federation, rounds=2), remote)
    client = remote.table[remote.table.client == 1]
    assert set(client.status) == {"missing"} and client.bytes_up.eq(0).all() and client.personal_accuracy.isna().all()
    assert remote.failures.client.eq(1).all() and remote.failures.message.str.contains("no metrics").sum() == 2


def test_a_round_without_any_answer_leaves_the_server_alone():
    algorithm = fedavg()
    history = flower(algorithm, digits(2), rounds=2, silent=[0, 1])
    start = algorithm.init(0).tensors
    assert history.state.round == 2
    assert all(torch.equal(history.state.tensors[name], start[name]) for name in start)


@pytest.mark.parametrize("failure", [{"raises": 41}, {"nan": 42}, {"hangs": 40}])
def test_raise_stops_the_run_with_the_clients_name(failure):
    number = next(iter(failure.values())) - 40
    with pytest.raises(ClientError, match=f"client {number} failed in round 2"):
        flower(unreliable(**failure), numbered(4), rounds=3, on_failure="raise")


def test_a_checkpoint_continues_to_the_same_weights_on_either_engine(tmp_path):
    federation, algorithm = digits(3), personal_heads()
    identity = run_identity(algorithm, federation, seed=0, cohort_size=2, evaluate_every=1, on_failure="skip")
    options = {"cohort_size": 2, "checkpoint": tmp_path / "run.pt"}
    whole = run(algorithm, federation, rounds=4, cohort_size=2)
    flower(algorithm, federation, rounds=2, identity=identity, **options)
    assert_same_history(whole, flower(algorithm, federation, rounds=4, identity=identity, **options))
    (tmp_path / "run.pt").unlink()
    run(algorithm, federation, rounds=1, **options)
    assert_same_history(whole, flower(algorithm, federation, rounds=4, identity=identity, **options))


def test_no_checkpoint_without_the_clients_memories(tmp_path):
    grid = InProcessGrid(make_client_app(lambda context: None), 2)
    with pytest.raises(ValueError, match="memories"):
        serve(fedavg(), Fleet(grid, 2, seed=0, timeout=1.0), rounds=1, checkpoint=tmp_path / "run.pt")


def test_missing_and_doubled_clients_are_refused_at_the_start():
    app = make_client_app(lambda context: None)
    with pytest.raises(TimeoutError, match="2 of 3"):
        Fleet(InProcessGrid(app, 2), 3, seed=0, timeout=1.0, start_timeout=0.3)
    grid = InProcessGrid(app, 2)
    for context in grid.contexts.values():
        context.node_config[CLIENT] = 0
    with pytest.raises(ValueError, match="partition-id 0 to 1"):
        Fleet(grid, 2, seed=0, timeout=1.0)


def test_records_keep_order_values_types_and_shapes():
    tensors = {"b": torch.randn(3, 2), "a": torch.tensor(1.5), "none": torch.zeros(0, 4), "n": torch.arange(3)}
    scalars = {"examples": 7, "loss": 0.1, "last": True, "rule": "mean"}
    back, read, envelope = unpack(pack(tensors, scalars, round=2))
    assert list(back) == list(tensors) and read == scalars and envelope == {"round": 2}
    assert [type(value) for value in read.values()] == [int, float, bool, str]
    for name, value in tensors.items():
        assert back[name].dtype == value.dtype and torch.equal(back[name], value)
    assert unpack(pack({}, {}))[:2] == ({}, {})
