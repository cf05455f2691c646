"""One suite for every generic algorithm: shapes, seeds, permutation, stacks against single clients."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from federated_toys import CNN, MLP, NORM, assert_close, assert_equal, toy_federation

from lib.federated import Federation, LocalSGD, run
from lib.federated.algorithms import (
    APFL,
    Ditto,
    Ensemble,
    FedAvg,
    FedBABU,
    FedProx,
    FedRep,
    FineTuned,
    HypCluster,
    KNNPer,
    LGFedAvg,
    LocalOnly,
    PartiallyShared,
    PFedMe,
)
from lib.federated.seeds import client_rng, configure_rng
from lib.federated.server_optimizers import fedadam

SGD = LocalSGD(lr=0.1, momentum=0.9, weight_decay=0.01, batch_size=4, epochs=2)
PLAIN = LocalSGD(lr=0.1, batch_size=4, epochs=2)
ALGORITHMS = {
    "FedAvg": lambda model: FedAvg(model=model, local=SGD),
    "FedAdam": lambda model: FedAvg(model=model, local=SGD, server=partial(fedadam, lr=0.1), weight_by="uniform"),
    "FedProx": lambda model: FedProx(model=model, local=SGD, mu=0.5),
    "FineTuned": lambda model: FineTuned(model=model, local=SGD, finetune=PLAIN),
    "LocalOnly": lambda model: LocalOnly(model=model, local=SGD),
    "PartiallyShared": lambda model: PartiallyShared(model=model, local=SGD, personal=model.parameter_names[-2:]),
    "FedRep": lambda model: FedRep(model=model, local=SGD, head=PLAIN, personal=model.parameter_names[-2:]),
    "FedBABU": lambda model: FedBABU(model=model, local=SGD, finetune=PLAIN, personal=model.parameter_names[-2:]),
    "LGFedAvg": lambda model: LGFedAvg(model=model, local=SGD, personal=model.parameter_names[:2]),
    "APFL": lambda model: APFL(model=model, local=PLAIN, adaptive=True),
    "Ditto": lambda model: Ditto(model=model, local=SGD, lam=0.3),
    "PFedMe": lambda model: PFedMe(model=model, local=PLAIN, lam=2.0, inner_lr=0.1),
    "KNNPer": lambda model: KNNPer(model=model, local=SGD, neighbours=3, weight=0.4),
    "Ensemble": lambda model: Ensemble(model=model, local=SGD, finetune=PLAIN, alpha=0.4),
    "HypCluster": lambda model: HypCluster(model=model, local=SGD, clusters=2),
}
WITH_BUFFERS = [name for name in ALGORITHMS if name not in ("APFL", "PFedMe")]
NOT_WHOLE = [
    "LocalOnly",
    "PartiallyShared",
    "FedRep",
    "FedBABU",
    "LGFedAvg",
    "HypCluster",
]  # the server holds no one complete model
SENT_BACK = [name for name in ALGORITHMS if name != "HypCluster"]  # whose clients send what they receive


def two_rounds(algorithm, federation):
    """States, updates and memories of two rounds, client by client through `train`."""
    state, memories, updates = algorithm.init(1), {}, {}
    for r in (1, 2):
        sent = algorithm.configure(state, r, range(len(federation)), configure_rng(1, r))
        for c, data in enumerate(federation.clients):
            updates[c], memories[c] = algorithm.train(sent[c], data, memories.get(c, {}), client_rng(1, r, c))
        state = algorithm.aggregate(state, updates)
    return state, updates, memories


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("model", [MLP, CNN], ids=["mlp", "cnn"])
def test_training_together_equals_training_one_by_one(name, model):
    algorithm = ALGORITHMS[name](model)
    federation = toy_federation(shape=(1, 6, 6) if model is CNN else (6,))
    datas, count = federation.clients, len(federation)
    state, _, memories = two_rounds(algorithm, federation)
    # Half of the clients are new, half have a memory.
    kept = [memories[c] if c % 2 else {} for c in range(count)]
    sent = algorithm.configure(state, 3, range(count), configure_rng(1, 3))
    rngs = [[client_rng(1, 3, c) for c in range(count)] for _ in range(2)]
    together = algorithm.train_cohort([sent[c] for c in range(count)], datas, kept, rngs[0])
    for c, (update, memory) in enumerate(together):
        single, own = algorithm.train(sent[c], datas[c], kept[c], rngs[1][c])
        assert_close(update.tensors, single.tensors)
        assert_close(memory, own)
        assert update.scalars == single.scalars and update.scalars["examples"] == datas[c].examples
    rngs = [[client_rng(1, 3, c) for c in range(count)] for _ in range(2)]
    for c, row in enumerate(algorithm.evaluate_cohort(state, datas, kept, rngs[0])):
        assert row == pytest.approx(algorithm.evaluate(state, datas[c], kept[c], rngs[1][c]), abs=1e-5)


@pytest.mark.parametrize("name", WITH_BUFFERS)
def test_networks_with_running_statistics_run_and_agree_too(name):
    algorithm, federation = ALGORITHMS[name](NORM), toy_federation((8, 6, 10))
    state, _, memories = two_rounds(algorithm, federation)
    history = run(algorithm, federation, rounds=2, seed=1)
    assert history.failures.empty
    assert_equal(history.state.tensors, state.tensors)
    for c, memory in memories.items():
        assert_equal(history.memories[c], memory)


@pytest.mark.parametrize("name", SENT_BACK)
def test_updates_have_the_names_and_shapes_of_the_servers_tensors(name):
    algorithm = ALGORITHMS[name](MLP)
    state, updates, _ = two_rounds(algorithm, toy_federation())
    assert state.round == 2
    for update in updates.values():
        assert list(update.tensors) == list(state.tensors)
        for key, value in update.tensors.items():
            assert value.shape == state.tensors[key].shape and value.dtype == torch.float32
            assert not value.requires_grad


@pytest.mark.parametrize("name", ALGORITHMS)
def test_memory_outlives_the_round_without_the_stack_it_was_computed_in(name):
    memories = run(ALGORITHMS[name](MLP), toy_federation(), rounds=1, evaluate_every=0).memories
    assert len(memories) == 4
    for memory in memories.values():
        assert all(value.untyped_storage().nbytes() == value.numel() * 4 for value in memory.values())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_arguments_are_left_as_they_are(name):
    algorithm, federation = ALGORITHMS[name](MLP), toy_federation()
    state, updates, memories = two_rounds(algorithm, federation)
    parts = [state.tensors, state.optimizer, *memories.values(), *(update.tensors for update in updates.values())]
    copies = [{key: value.clone() for key, value in part.items()} for part in parts]
    sent = algorithm.configure(state, 3, range(4), configure_rng(1, 3))
    rngs = [client_rng(1, 3, c) for c in range(4)]
    algorithm.train_cohort([sent[c] for c in range(4)], federation.clients, [memories[c] for c in range(4)], rngs)
    algorithm.aggregate(state, updates)
    algorithm.evaluate_cohort(state, federation.clients, [memories[c] for c in range(4)], rngs)
    for part, copy in zip(parts, copies, strict=True):
        assert_equal(part, copy)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_seed_decides(name):
    algorithm, federation = ALGORITHMS[name](MLP), toy_federation()
    one, again, other = (run(algorithm, federation, rounds=2, seed=seed, cohort_size=3) for seed in (1, 1, 2))
    assert_equal(one.state.tensors, again.state.tensors)
    columns = [column for column in one.table if column != "seconds"]
    assert one.table[columns].equals(again.table[columns])
    assert not one.table[columns].equals(other.table[columns])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_order_of_updates_does_not_matter(name):
    algorithm = ALGORITHMS[name](MLP)
    state, updates, _ = two_rounds(algorithm, toy_federation())
    backwards = dict(reversed(updates.items()))
    assert_close(algorithm.aggregate(state, updates).tensors, algorithm.aggregate(state, backwards).tensors)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_numbering_the_clients_otherwise_permutes_the_outcome(name):
    # Full batches, so that only the initial personal tensors could depend on the client's number; they are given.
    algorithm = ALGORITHMS[name](MLP)
    full = replace(algorithm.local, batch_size=None)
    changes = {"local": full} | ({"head": full} if name == "FedRep" else {})
    changes |= {"personal_init": 5} if hasattr(algorithm, "personal_init") else {}
    algorithm = replace(algorithm, **changes)
    federation, order = toy_federation(), [2, 0, 3, 1]
    permuted = Federation("permuted", tuple(federation.clients[c] for c in order), federation.classes)
    one, other = (run(algorithm, f, rounds=2, evaluate_every=0) for f in (federation, permuted))
    assert_close(one.state.tensors, other.state.tensors)
    for position, c in enumerate(order):
        assert_close(other.memories[position], one.memories[c])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_metrics_are_probabilities_and_losses_of_the_models_there_are(name):
    history = run(ALGORITHMS[name](MLP), toy_federation(), rounds=2)
    assert history.table["personal_accuracy"].between(0, 1).all() and (history.table["personal_loss"] > 0).all()
    assert ("global_accuracy" in history.table) == (name not in NOT_WHOLE)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_learns(name):
    # All labels of these clients follow one rule that a linear map gets right.
    rng, clients = np.random.default_rng(0), []
    for data in toy_federation((40, 40, 40), test=60).clients:
        x = torch.from_numpy(rng.standard_normal((100, 6))).float()
        clients.append(type(data)(x[:40], x[:40, :3].argmax(1), x[40:], x[40:, :3].argmax(1)))
    history = run(ALGORITHMS[name](MLP), Federation("easy", tuple(clients), 3), rounds=12, evaluate_every=12)
    assert history.table.query("round == 12")["personal_accuracy"].mean() > 0.6


@pytest.mark.parametrize("name", SENT_BACK)
def test_bytes_are_the_shared_tensors_both_ways(name):
    algorithm = ALGORITHMS[name](MLP)
    table = run(algorithm, toy_federation(), rounds=1).table
    shared = sum(value.numel() * 4 for value in algorithm.init(0).tensors.values())
    assert (table["bytes_down"] == shared).all() and (table["bytes_up"] == shared + 8).all()
    assert (shared == 0) == (name == "LocalOnly")
