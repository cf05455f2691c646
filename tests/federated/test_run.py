"""The local engine: order of the round, failures, accounting, history."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from federated_toys import MLP, NORM, assert_close, assert_equal, plain_training, toy_federation
from flower_cases import MALFORMED, spoilt

from lib.federated import LocalSGD, run, seeds
from lib.federated.algorithms import FedAvg, PartiallyShared
from lib.federated.checks import ClientError, expectation, update_problem
from lib.federated.cohort import sample_cohort
from lib.federated.communication import payload_bytes
from lib.federated.types import Instruction, ServerState, Update

SGD = LocalSGD(lr=0.1, momentum=0.5, batch_size=4)


def fedavg_by_hand(model, federation, rounds, cohort_size, seed):
    """McMahan's algorithm with plain networks, nothing shared with the engine but the generators."""
    weights = model.init(seed)
    for r in range(1, rounds + 1):
        cohort = sample_cohort(len(federation), cohort_size, seeds.cohort_rng(seed, r))
        datas = [federation.clients[c] for c in cohort]
        trained = [
            plain_training(model, weights, data, SGD, seeds.client_rng(seed, r, c))
            for c, data in zip(cohort, datas, strict=True)
        ]
        total = sum(data.examples for data in datas)
        weights = {
            name: sum(data.examples / total * w[name] for data, w in zip(datas, trained, strict=True))
            for name in weights
        }
    return weights


@pytest.mark.parametrize("model", [MLP, NORM], ids=["mlp", "batch norm"])
@pytest.mark.parametrize("cohort_size", [None, 3])
@pytest.mark.parametrize("chunk", [1, 2, 25])
def test_fedavg_equals_the_usual_code(model, cohort_size, chunk):
    federation = toy_federation((10, 12, 6, 20))
    history = run(FedAvg(model=model, local=SGD), federation, rounds=3, cohort_size=cohort_size, seed=4, chunk=chunk)
    assert_close(history.state.tensors, fedavg_by_hand(model, federation, 3, cohort_size, 4))
    assert history.state.round == 3


def test_table_has_a_row_a_client_and_round_and_counts_bytes():
    federation, algorithm = toy_federation(), FedAvg(model=MLP, local=SGD)
    history = run(algorithm, federation, rounds=3, cohort_size=2, evaluate_every=2)
    table = history.table
    size = sum(value.numel() * 4 for value in MLP.init(0).values())
    assert table[["round", "client"]].equals(table[["round", "client"]].sort_values(["round", "client"]))
    for r in (1, 2, 3):
        cohort = sample_cohort(4, 2, seeds.cohort_rng(0, r))
        rows = table[table["round"] == r].set_index("client")
        assert set(rows.index) == (set(cohort) if r == 1 else {0, 1, 2, 3})  # rounds 2 and 3 (the last) are evaluated
        for c, row in rows.iterrows():
            sampled = c in cohort
            assert row["status"] == ("trained" if sampled else "not sampled")
            assert (row["bytes_down"], row["bytes_up"]) == ((size, size + 8) if sampled else (0, 0))
            if sampled:
                assert row["examples"] == federation.clients[c].examples and row["seconds"] > 0
            assert np.isnan(row["personal_accuracy"]) == (r == 1)
    assert history.failures.empty and history.memories.keys() == set(table[table["status"] == "trained"]["client"])


def test_evaluation_does_not_change_training():
    federation, algorithm = toy_federation(), FedAvg(model=MLP, local=SGD)
    often, never = (run(algorithm, federation, rounds=3, evaluate_every=every) for every in (1, 0))
    assert_equal(often.state.tensors, never.state.tensors)
    assert "global_accuracy" in often.table and "global_accuracy" not in never.table


def test_last_metrics_are_those_of_the_last_state():
    federation, algorithm = toy_federation(), FedAvg(model=MLP, local=SGD)
    history = run(algorithm, federation, rounds=2)
    last = history.table[history.table["round"] == 2]
    for c, data in enumerate(federation.clients):
        right = (MLP(history.state.tensors, data.test_x).argmax(1) == data.test_y).float().mean()
        assert last["global_accuracy"].iloc[c] == pytest.approx(right.item())
    assert (last["personal_accuracy"] == last["global_accuracy"]).all()


@dataclass(frozen=True)
class OneByOne:
    """FedAvg without the optional functions: only what the protocol demands."""

    inner: FedAvg

    def __getattr__(self, name):
        if name in ("train_cohort", "evaluate_cohort"):
            raise AttributeError(name)
        return getattr(self.inner, name)


def test_an_algorithm_needs_only_the_five_functions():
    federation, algorithm = toy_federation(), FedAvg(model=MLP, local=SGD)
    whole, bare = run(algorithm, federation, rounds=2), run(OneByOne(algorithm), federation, rounds=2)
    assert_close(whole.state.tensors, bare.state.tensors)
    columns = ["round", "client", "bytes_up", "personal_accuracy"]
    assert whole.table[columns].equals(bare.table[columns])


@dataclass(frozen=True, kw_only=True)
class Faulty(PartiallyShared):
    """Partially shared training in which one client, known by its number of examples, fails in one way."""

    kind: str = "raise"
    bad: int = 12
    personal: tuple = field(default=("2.bias",))

    def train_stacked(self, instructions, datas, memories, rngs):
        results = super().train_stacked(instructions, datas, memories, rngs)
        return [self._spoil(result, data) for result, data in zip(results, datas, strict=True)]

    def _spoil(self, result, data):
        update, memory = result
        if data.examples != self.bad:
            return result
        if self.kind == "raise":
            raise OSError("disk is full")
        if self.kind == "none":
            return None
        memory = {name: value * float("nan") for name, value in memory.items()}
        if self.kind in MALFORMED:
            return spoilt(update, self.kind), memory
        tensors, scalars = dict(update.tensors), dict(update.scalars)
        if self.kind in ("nan", "inf"):
            tensors["0.weight"] = tensors["0.weight"] * float(self.kind)
        elif self.kind == "nan loss":
            scalars["train_loss"] = float("nan")
        return Update(tensors, scalars), memory


FAULTS = {
    "raise": ("raised", "OSError: disk is full"),
    "none": ("missing", "did not answer"),
    "nan": ("not finite", "lower the learning rate"),
    "inf": ("not finite", "lower the learning rate"),
    "nan loss": ("not finite", "'train_loss'"),
    **{kind: ("malformed", message) for kind, message in MALFORMED.items()},
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("chunk", [1, 25])
def test_a_client_that_fails_is_left_out_and_reported(kind, chunk):
    federation = toy_federation((7, 12, 3, 20))
    history = run(Faulty(model=MLP, local=SGD, kind=kind), federation, rounds=2, chunk=chunk)
    status, message = FAULTS[kind]
    assert history.failures[["round", "client", "status"]].to_numpy().tolist() == [[1, 1, status], [2, 1, status]]
    assert history.failures["message"].str.contains(message, regex=False).all()
    rows = history.table[history.table["client"] == 1]
    assert (rows["status"] == status).all() and (rows["bytes_down"] > 0).all()
    assert (rows["bytes_up"] == 0).all() and rows["examples"].isna().all()
    assert 1 not in history.memories and set(history.memories) == {0, 2, 3}
    # The others get what they would get in a federation where the client never takes part.
    assert_close(history.state.tensors, without_client_one(federation, chunk))


def without_client_one(federation, chunk):
    algorithm = Faulty(model=MLP, local=SGD, bad=-1)
    configure = algorithm.configure

    class Without:
        def __getattr__(self, name):
            return getattr(algorithm, name)

        def configure(self, state, round, cohort, rng):
            return configure(state, round, [c for c in cohort if c != 1], rng)

    return run(Without(), federation, rounds=2, chunk=chunk).state.tensors


@pytest.mark.parametrize("kind", FAULTS)
def test_on_failure_raise_stops_with_one_clear_error(kind):
    with pytest.raises(ClientError, match=r"client 1 failed in round 1 .*on_failure='skip' goes on without it"):
        run(Faulty(model=MLP, local=SGD, kind=kind), toy_federation((7, 12, 3)), rounds=2, on_failure="raise")


def test_a_round_in_which_all_fail_leaves_the_weights():
    federation, algorithm = toy_federation((12, 12)), Faulty(model=MLP, local=SGD, kind="nan")
    history = run(algorithm, federation, rounds=2)
    assert_equal(history.state.tensors, algorithm.init(0).tensors)
    assert history.state.round == 2 and len(history.failures) == 4


@dataclass(frozen=True, kw_only=True)
class Unseen(FedAvg):
    """One client, known by its number of examples, cannot be evaluated."""

    def personal_models(self, state, datas, memories, rngs):
        if any(data.examples == 12 for data in datas):
            raise OSError("no camera")
        return super().personal_models(state, datas, memories, rngs)


@pytest.mark.parametrize("chunk", [1, 25])
def test_a_client_that_fails_in_its_evaluation_has_no_metrics_there(chunk):
    federation, algorithm = toy_federation((7, 12, 3)), Unseen(model=MLP, local=SGD)
    history = run(algorithm, federation, rounds=2, evaluate_every=2, chunk=chunk)
    assert history.failures.to_numpy().tolist() == [[2, 1, "raised", "no metrics: OSError('no camera')"]]
    last = history.table[history.table["round"] == 2].set_index("client")
    assert last["personal_loss"].isna().tolist() == [False, True, False]
    assert (last["status"] == "trained").all()
    with pytest.raises(ClientError, match="client 1 failed in the evaluation of round 1: no metrics: OSError"):
        run(algorithm, federation, rounds=2, on_failure="raise", chunk=chunk)


def test_clients_without_test_examples_have_no_metrics_and_are_no_failure():
    federation = toy_federation((7, 12), test=0)
    for algorithm in (FedAvg(model=MLP, local=SGD), PartiallyShared(model=MLP, local=SGD, personal=("2.bias",))):
        history = run(algorithm, federation, rounds=1)
        assert history.failures.empty and "personal_loss" not in history.table


def test_divergence_is_reported_not_averaged():
    history = run(FedAvg(model=MLP, local=replace(SGD, lr=1e38, epochs=4)), toy_federation(), rounds=1)
    assert (history.failures["status"] == "not finite").all() and len(history.failures) > 0
    assert all(torch.isfinite(value).all() for value in history.state.tensors.values())


def test_payload_bytes_are_the_bytes_of_the_content():
    tensors = {"a": torch.zeros(3, 2), "b": torch.zeros(5, dtype=torch.float64), "c": torch.zeros(4, dtype=torch.int8)}
    scalars = {"examples": 3, "loss": 0.5, "last": True, "note": "café"}
    assert payload_bytes(Update(tensors, scalars)) == 24 + 40 + 4 + 8 + 8 + 1 + 5
    assert payload_bytes(Instruction({})) == 0
    expanded = torch.zeros(1, 10).expand(100, 10)  # what crosses the network is every element
    assert payload_bytes(Instruction({"x": expanded})) == 4000
    with pytest.raises(ValueError, match="scalar 'bad' is a list"):
        payload_bytes(Update({}, {"bad": [1]}))


def test_update_problem_accepts_what_is_fine():
    sent, scalars = {"w": torch.zeros(2), "n": torch.tensor(1)}, {"examples": 1, "loss": 0.5, "last": True, "by": "me"}
    update = Update({"n": torch.tensor(2), "w": torch.ones(2)}, scalars)
    assert update_problem(update, sent, exact=True) is None
    large = Update({"w": torch.tensor([3e38, 3e38]), "z": torch.tensor([1j])}, scalars)  # a sum that overflows
    assert update_problem(large) is None


@pytest.mark.parametrize("name", ["round", "client", "status", "bytes_up", "bytes_down", "seconds"])
def test_a_client_cannot_write_the_columns_of_the_server(name):
    status, message = update_problem(Update({"w": torch.ones(2)}, {"examples": 1, name: 7}))
    assert status == "malformed"
    assert f"scalar {name!r} has the name of a column" in message


def test_only_an_algorithm_that_says_what_it_expects_refuses_other_names():
    """Clients that each train some of the tensors, or send something else than tensors of the server, are fine."""
    sent = Instruction({"w": torch.zeros(2), "v": torch.zeros(3)})
    part = Update({"w": torch.ones(2), "slopes": torch.ones(7)}, {"examples": 1})
    assert update_problem(part, **expectation(object(), sent, sent.tensors)) is None
    wrong = Update({"w": torch.ones(3)}, {"examples": 1})
    assert update_problem(wrong, **expectation(object(), sent, sent.tensors))[0] == "malformed"
    averaging = expectation(FedAvg(model=MLP), sent)
    assert update_problem(part, **averaging) == ("malformed", "tensor 'slopes' was not expected")
    assert update_problem(Update({"w": torch.ones(2)}, part.scalars), **averaging)[1] == "tensor 'v' is missing"


@dataclass(frozen=True, kw_only=True)
class Halves(FedAvg):
    """Each client sends the one tensor that it was told to train; the server takes it over."""

    def configure(self, state, round, cohort, rng):
        names = ("0.weight", "2.weight")
        return {c: Instruction(state.tensors, {"name": names[c % 2]}) for c in cohort}

    def expected_update(self, instruction):
        name = instruction.scalars["name"]
        return {name: instruction.tensors[name]}

    def train_cohort(self, instructions, datas, memories, rngs):
        results = super().train_cohort(instructions, datas, memories, rngs)
        return [
            (Update({name: update.tensors[name] for name in self.expected_update(sent)}, update.scalars), {})
            for sent, (update, _) in zip(instructions, results, strict=True)
        ]

    def aggregate(self, state, updates):
        tensors = state.tensors | {name: v for update in updates.values() for name, v in update.tensors.items()}
        return ServerState(state.round + 1, tensors)


def test_clients_may_send_different_tensors():
    history = run(Halves(model=MLP, local=SGD), toy_federation((7, 12)), rounds=1)
    assert history.failures.empty
    start = MLP.init(0)
    moved = [name for name, value in history.state.tensors.items() if not torch.equal(value, start[name])]
    assert moved == ["0.weight", "2.weight"]


def test_progress_wraps_the_rounds():
    seen = []

    def progress(iterable, label):
        seen.append((list(iterable), label))
        return iterable

    run(FedAvg(model=MLP), toy_federation(), rounds=2, progress=progress)
    assert seen == [([1, 2], "FedAvg")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "raise them"),
        ({"evaluate_every": -1}, "raise them"),
        ({"chunk": 0}, "raise them"),
        ({"checkpoint_every": 0}, "raise them"),
        ({"on_failure": "retry"}, "choose 'skip' or 'raise'"),
        ({"engine": "mpi"}, "choose 'local' or 'flower'"),
        ({"cohort_size": 5}, "lower cohort_size"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run(FedAvg(model=MLP), toy_federation(), **{"rounds": 1} | options)
