"""Communication after every minibatch: what goes up, and that the server makes the client's gradient again."""

from dataclasses import replace

import pytest
import torch
from spry_toys import DROPOUT, LOCAL, MODEL, assert_near, batches, toy, true_gradient

from lib.federated import run
from lib.federated.communication import tensor_bytes
from lib.federated.seeds import client_rng, configure_rng
from lib.federated.server_optimizers import fedavg
from lib.spry.baselines import Backpropagation, Baffle, FedMeZO, FwdLLM
from lib.spry.baselines.methods import method
from lib.spry.forward_gradient import forward_gradient
from lib.spry.local_training import mask_seed, seeded_call
from lib.spry.per_iteration import JVPS, PerIteration
from lib.spry.released import aliased_sum
from lib.spry.spry import Spry
from lib.spry.units import aggregate_units

K = 3
SERVER = {"server": fedavg, "local": replace(LOCAL, lr=0.1)}


def one_round(algorithm, federation, seed=5):
    state, cohort = algorithm.init(seed), range(len(federation))
    sent = algorithm.configure(state, 1, cohort, configure_rng(seed, 1))
    updates = {c: algorithm.train(sent[c], federation.clients[c], {}, client_rng(seed, 1, c))[0] for c in cohort}
    return state, sent, updates


@pytest.mark.parametrize("model", [MODEL, DROPOUT], ids=["plain", "dropout"])
@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("sharing", ["independent", "shared_iteration"])
def test_the_servers_update_is_the_average_of_the_clients_gradients_bit_by_bit(model, split, sharing):
    spry = Spry(model=model, perturbations=K, split=split, v_sharing=sharing, **SERVER)
    algorithm, federation = PerIteration(method=spry), toy()
    state, sent, updates = one_round(algorithm, federation)
    computed = {}
    for c, data in enumerate(federation.clients):
        x, y = batches(data, spry.local, client_rng(5, 1, c))[0]
        call = seeded_call(model, "shared_mask", mask_seed(sent[c].scalars, 0))

        def loss(params, call=call, x=x, y=y):
            return (model.loss(call(state.tensors | params, x), y) * torch.full((len(y),), 1 / len(y))).sum()

        directions = spry.directions(sent[c], 0)
        moving = {name: state.tensors[name] for name in directions}
        computed[c] = forward_gradient(loss, moving, directions).gradient
        again = algorithm.gradient(state, c, updates[c])
        assert_near(again, computed[c], atol=0)
    zero = {name: torch.zeros_like(value) for name, value in state.tensors.items()}
    weighted = {c: (g, federation.clients[c].examples) for c, g in computed.items()}
    average = aggregate_units(zero, weighted, "examples")
    expected = {name: value - 0.1 * average[name] for name, value in state.tensors.items()}
    assert_near(algorithm.aggregate(state, updates).tensors, expected, atol=0)


@pytest.mark.parametrize("count", [1, 4, 10])
@pytest.mark.parametrize("kind", [Spry, FedMeZO, Baffle, FwdLLM])
def test_exactly_k_scalars_go_up(count, kind):
    algorithm = PerIteration(method=kind(model=MODEL, perturbations=count, **SERVER))
    _, _, updates = one_round(algorithm, toy())
    for update in updates.values():
        assert list(update.tensors) == [JVPS] and update.tensors[JVPS].shape == (count,)
        assert tensor_bytes(update.tensors) == 4 * count
    table = run(algorithm, toy(), rounds=3, evaluate_every=0).table
    assert set(table.bytes_up - 4 * count) == {5 * 8}  # examples, passes, slot: the same for every K and every model
    assert set(table.forward_passes) == {count if kind is Spry else 2 * count} and set(table.backward_passes) == {0}


@pytest.mark.parametrize("kind", [Spry, FedMeZO])
def test_a_stack_of_clients_sends_what_single_ones_send(kind):
    algorithm, federation = PerIteration(method=kind(model=MODEL, perturbations=K, **SERVER)), toy()
    # Differences of float32 losses lose digits, so the rounding of a stack shows.
    tolerance = 1e-6 if kind is Spry else 1e-3
    one, other = (run(algorithm, federation, rounds=2, chunk=chunk).state.tensors for chunk in (25, 1))
    assert_near(one, other, atol=tolerance)
    # The engine would train one by one where a stack raises, so ask for the stack itself.
    state, cohort = algorithm.init(5), range(4)
    sent = algorithm.configure(state, 1, cohort, configure_rng(5, 1))
    rngs = [client_rng(5, 1, c) for c in cohort]
    together = algorithm.train_cohort(list(sent.values()), federation.clients, [{}] * 4, rngs)
    for (update, _), single in zip(together, one_round(algorithm, federation)[2].values(), strict=True):
        torch.testing.assert_close(update.tensors[JVPS], single.tensors[JVPS], atol=tolerance, rtol=tolerance)


def test_one_client_per_iteration_is_plain_descent_along_its_forward_gradient():
    spry = Spry(model=MODEL, perturbations=K, optimizer="sgd", **SERVER)
    local = replace(spry.local, epochs=None, steps=1)
    federation = toy((9,))
    each = run(PerIteration(method=spry), federation, rounds=4, seed=2).state.tensors
    epoch = run(replace(spry, local=local), federation, rounds=4, seed=2).state.tensors
    assert_near(each, epoch)


def test_fedsgd_is_descent_along_the_average_gradient_and_sends_it():
    algorithm, federation = method("FedSGD", MODEL, SERVER["local"]), toy()
    state, _, updates = one_round(algorithm, federation)
    total, average = sum(d.examples for d in federation.clients), {}
    for c, data in enumerate(federation.clients):
        gradient = true_gradient(MODEL, state.tensors, *batches(data, LOCAL, client_rng(5, 1, c))[0])
        for name, value in gradient.items():
            average[name] = average.get(name, 0) + data.examples / total * value
    expected = {name: value - 0.1 * average[name] for name, value in state.tensors.items()}
    assert_near(algorithm.aggregate(state, updates).tensors, expected)
    assert tensor_bytes(updates[0].tensors) == 4 * sum(value.numel() for value in state.tensors.values())


def test_the_released_fedsgd_gives_weights_four_four_two():
    ones = [{"w": torch.eye(3)[c]} for c in range(3)]
    assert aliased_sum(ones)["w"].tolist() == [4, 4, 2]
    # The same with real buffers: a reference to .grad, and a backward pass that adds to it.
    weight = torch.zeros(3, requires_grad=True)
    kept = None
    for c in range(3):
        weight[c].backward()
        if kept is None:
            kept = weight.grad
        else:
            kept += weight.grad
    assert kept.tolist() == [4, 4, 2]
    right = method("FedSGD", MODEL, SERVER["local"], weight_by="uniform")
    wrong = replace(right, as_released=True)
    state, _, updates = one_round(right, toy((8, 8, 8)))
    g = [updates[c].tensors["4.bias"] for c in range(3)]
    moved = state.tensors["4.bias"] - 0.1 * (4 * g[0] + 4 * g[1] + 2 * g[2]) / 3
    torch.testing.assert_close(wrong.aggregate(state, updates).tensors["4.bias"], moved)


def test_a_cohort_that_loses_clients_still_finds_everybodys_perturbations():
    spry = Spry(model=MODEL, perturbations=K, **SERVER)
    algorithm, federation = PerIteration(method=spry), toy()
    state, sent, updates = one_round(algorithm, federation)
    after = algorithm.aggregate(state, {c: updates[c] for c in (1, 3)}).tensors
    changed = {name for name in MODEL.names if not torch.equal(after[name], state.tensors[name])}
    assert changed == {name for c in (1, 3) for name in spry.owned(sent[c])}


def test_protocols_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="no scalars to send"):
        PerIteration(method=Backpropagation(model=MODEL))
    with pytest.raises(ValueError, match="one of gradients"):
        PerIteration(method=Spry(model=MODEL), as_released=True)
    with pytest.raises(ValueError, match="no upload 'all'"):
        PerIteration(method=Spry(model=MODEL), upload="all")
