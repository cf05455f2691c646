"""An interrupted run goes on to exactly the same weights, and never from the wrong or a damaged file."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from federated_toys import MLP, D, assert_equal, toy_federation
from torch import nn

from lib.federated import LocalSGD, Model, run
from lib.federated.algorithms import FedAvg, PartiallyShared
from lib.federated.server_optimizers import fedadam

ALGORITHM = PartiallyShared(
    model=MLP, local=LocalSGD(lr=0.1, batch_size=4), personal=("2.weight", "2.bias"), server=partial(fedadam, lr=0.1)
)


class PowerCut(Exception):
    pass


def stop_after(rounds):
    def progress(iterable, label):
        for round in iterable:
            if round > rounds:
                raise PowerCut
            yield round

    return progress


def same(one, other):
    assert one.state.round == other.state.round
    assert_equal(one.state.tensors, other.state.tensors)
    assert_equal(one.state.optimizer, other.state.optimizer)
    assert one.memories.keys() == other.memories.keys()
    for client in one.memories:
        assert_equal(one.memories[client], other.memories[client])
    columns = [name for name in one.table if name != "seconds"]
    assert one.table[columns].equals(other.table[columns])


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("stop", [0, 1, 3, 4])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, every, stop):
    federation, path = toy_federation(), tmp_path / "deep" / "run.pt"
    options = {"rounds": 5, "cohort_size": 2, "seed": 3}
    whole = run(ALGORITHM, federation, **options)
    with pytest.raises(PowerCut):
        run(ALGORITHM, federation, **options, checkpoint=path, checkpoint_every=every, progress=stop_after(stop))
    assert path.exists() == (stop >= every)
    same(run(ALGORITHM, federation, **options, checkpoint=path, checkpoint_every=every), whole)
    nothing_left = stop_after(0)  # would raise before the first round that it is asked to do
    same(run(ALGORITHM, federation, **options, checkpoint=path, progress=nothing_left), whole)


def test_a_finished_run_can_be_extended(tmp_path):
    federation, path = toy_federation(), tmp_path / "run.pt"
    run(ALGORITHM, federation, rounds=2, checkpoint=path)
    same(run(ALGORITHM, federation, rounds=4, checkpoint=path), run(ALGORITHM, federation, rounds=4))


def test_a_crash_while_writing_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    federation, path = toy_federation(), tmp_path / "run.pt"
    run(ALGORITHM, federation, rounds=2, checkpoint=path)
    good = path.read_bytes()

    def torn(content, file):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(OSError, match="no space left"):
        run(ALGORITHM, federation, rounds=3, checkpoint=path)
    assert path.read_bytes() == good and list(tmp_path.iterdir()) == [path]


def repartitioned():
    """The toy federation with the same training examples dealt to the same sizes of clients in another order."""
    clients = toy_federation().clients
    sizes, rng = [client.examples for client in clients], torch.Generator().manual_seed(1)
    order = torch.randperm(sum(sizes), generator=rng)
    x = torch.cat([client.train_x for client in clients])[order].split(sizes)
    y = torch.cat([client.train_y for client in clients])[order].split(sizes)
    dealt = tuple(replace(client, train_x=a, train_y=b) for client, a, b in zip(clients, x, y, strict=True))
    return replace(toy_federation(), clients=dealt)


def relabelled(part):
    """The toy federation with the labels of one client's `part` moved on by one example."""
    first, *rest = toy_federation().clients
    labels = getattr(first, part).roll(1)
    assert not torch.equal(labels, getattr(first, part))
    return replace(toy_federation(), clients=(replace(first, **{part: labels}), *rest))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"cohort_size": 3},
        {"algorithm": replace(ALGORITHM, local=LocalSGD(lr=0.2, batch_size=4))},
        {"algorithm": FedAvg(model=MLP)},
        {"federation": toy_federation((7, 12, 3, 21))},
        {"federation": toy_federation(seed=1)},
        {"federation": repartitioned()},
        {"federation": relabelled("train_y")},
        {"federation": relabelled("test_y")},
    ],
)
def test_the_checkpoint_of_another_run_is_refused(tmp_path, change):
    path = tmp_path / "run.pt"
    options = {"algorithm": ALGORITHM, "federation": toy_federation(), "rounds": 2, "checkpoint": path}
    run(**options)
    with pytest.raises(ValueError, match=r"belongs to another run .* delete it or choose another path"):
        run(**options | change)


def test_two_functions_of_one_name_are_two_networks(tmp_path):
    path, federation = tmp_path / "run.pt", toy_federation()
    small, large = (
        Model(lambda width=width: nn.Sequential(nn.Linear(D, width), nn.Linear(width, 3))) for width in (2, 4)
    )
    run(FedAvg(model=small), federation, rounds=1, checkpoint=path)
    with pytest.raises(ValueError, match=r"other algorithm"):
        run(FedAvg(model=large), federation, rounds=2, checkpoint=path)


def test_a_longer_checkpoint_is_not_passed_off_as_a_short_run(tmp_path):
    path, federation = tmp_path / "run.pt", toy_federation()
    run(ALGORITHM, federation, rounds=3, checkpoint=path)
    with pytest.raises(ValueError, match="has done 3 rounds and 2 were asked for"):
        run(ALGORITHM, federation, rounds=2, checkpoint=path)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"hello"])
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = tmp_path / "run.pt"
    run(ALGORITHM, toy_federation(), rounds=1, checkpoint=path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        run(ALGORITHM, toy_federation(), rounds=2, checkpoint=path)


def test_nothing_but_tensors_and_plain_values_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / "run.pt"
    torch.save({"identity": {}, "trap": Trap()}, path)
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        run(ALGORITHM, toy_federation(), rounds=1, checkpoint=path)
    assert not (tmp_path / "sprung").exists()
