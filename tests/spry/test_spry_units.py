"""Units, their assignment to clients, and the average a unit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib.spry.released import released_assignment
from lib.spry.units import aggregate_units, assign_units, classifier_share, units


@given(st.integers(1, 60), st.integers(1, 60))
def test_every_unit_has_a_client_and_every_client_a_unit(count, clients):
    shares = assign_units(count, clients)
    assert len(shares) == clients and all(shares)
    dealt = [unit for share in shares for unit in share]
    assert set(dealt) == set(range(count))
    assert len(dealt) == max(count, clients)
    loads = [len(share) for share in shares]
    holders = np.bincount(dealt)
    assert max(loads) - min(loads) <= 1 and holders.max() - holders.min() <= 1
    assert all(len(set(share)) == len(share) for share in shares)


def test_the_deal_is_cyclic():
    assert assign_units(5, 2) == [(0, 2, 4), (1, 3)]
    assert assign_units(2, 5) == [(0,), (1,), (0,), (1,), (0,)]
    with pytest.raises(ValueError, match="at least one of each"):
        assign_units(0, 3)


@given(st.integers(1, 60), st.integers(1, 60))
def test_the_released_deal_is_ours_until_clients_outnumber_units(count, clients):
    if clients <= count:
        assert released_assignment(count, clients) == assign_units(count, clients)
    else:
        with pytest.raises(ValueError, match=f"no share for {clients - count} of {clients} clients"):
            released_assignment(count, clients)


@given(st.integers(1, 20), st.integers(1, 5))
def test_units_are_the_tensors_in_order(count, per_unit):
    shapes = {f"t{i}": torch.Size([i + 1, 2]) for i in range(count)}
    found = units(shapes, per_unit)
    assert [name for unit in found for name in unit.names] == list(shapes)
    assert [unit.index for unit in found] == list(range(-(-count // per_unit)))
    assert all(len(unit.names) == per_unit for unit in found[:-1])
    assert sum(unit.size for unit in found) == sum(shape.numel() for shape in shapes.values())


def test_classifier_share_is_the_tail():
    assert classifier_share(["a", "b", "c"], 2) == ("b", "c")
    assert classifier_share(["a"], 0) == ()
    with pytest.raises(ValueError, match="choose 0 to 1"):
        classifier_share(["a"], 2)


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 3), st.sampled_from(["examples", "uniform"]))
def test_the_average_a_unit_is_that_of_brute_force(count, clients, shared, weight_by):
    rng = np.random.default_rng([count, clients, shared])
    shapes = {f"t{i}": torch.Size([2, i + 1]) for i in range(2 * count)}
    parts, tail = units(shapes), classifier_share(list(shapes), shared if shared <= 2 * count else 0)
    server = {name: torch.from_numpy(rng.standard_normal(shape)) for name, shape in shapes.items()}
    updates = {}
    for client, share in enumerate(assign_units(count, clients)):
        if client % 4 == 3:
            continue  # this one failed
        names = {name for u in share for name in parts[u].names} | set(tail)
        tensors = {name: torch.from_numpy(rng.standard_normal(shapes[name])) for name in names}
        updates[client] = (tensors, int(rng.integers(1, 50)))
    found = aggregate_units(server, updates, weight_by)
    assert list(found) == list(server)
    for name, value in server.items():
        for index in np.ndindex(*value.shape):
            top, bottom = 0.0, 0
            for tensors, examples in updates.values():
                if name in tensors:
                    weight = examples if weight_by == "examples" else 1
                    top, bottom = top + weight * tensors[name][index].item(), bottom + weight
            assert found[name][index].item() == pytest.approx(top / bottom if bottom else value[index].item())


def test_a_tensor_that_the_server_does_not_know_is_refused():
    with pytest.raises(ValueError, match="'b', which the server does not have"):
        aggregate_units({"a": torch.zeros(1)}, {0: ({"b": torch.zeros(1)}, 3)})
