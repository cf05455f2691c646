"""The algorithm against the same thing written with plain modules and torch.optim, and its exact reductions."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from flow_toys import (
    CNN,
    DEEP,
    MLP,
    ROUTED_DEEP,
    ROUTED_MLP,
    ROUTINGS,
    SGD,
    flow_by_hand,
    make,
    mixed_by_hand,
    policy_logits,
    toys,
    toys_for,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated import run
from lib.federated.algorithms import FedAvg, FineTuned
from lib.federated.seeds import client_rng, configure_rng, evaluation_rng
from lib.federated.stack import stack
from lib.flow.flow import Flow, as_released, flow
from lib.flow.lstm import LSTMRouting
from lib.flow.policy import ClientPolicy, ExitPolicy, part
from lib.flow.regularizer import Regularizer
from lib.flow.routing import UnitRouting
from lib.flow.schedule import schedule

CLOSE = {"atol": 2e-5, "rtol": 1e-4}


def close(one, other):
    assert list(one) == list(other)
    for name in one:
        torch.testing.assert_close(one[name], other[name], **CLOSE)


def stacked(values, count=2):
    return {name: value.expand(count, *value.shape) for name, value in values.items()}


def parts(name="mlp"):
    routing = ROUTINGS[name]
    return routing, routing.model.init(1), routing.model.init(2), routing.policy.init(3)


def inputs(name="mlp", count=2, n=5):
    shape = (1, 6, 6) if name == "cnn" else (6,)
    return torch.randn(count, n, *shape, generator=torch.Generator().manual_seed(0))


# P5, the exact reductions


@pytest.mark.parametrize("name", ROUTINGS)
@pytest.mark.parametrize("mode", ["soft", "hard", "zero ties"])
def test_a_policy_that_is_sure_gives_the_network_of_its_branch(name, mode):
    routing, shared, local, policy = parts(name)
    x = inputs(name)
    shares = torch.zeros(2, 5, len(routing.places))
    for value, expected in ((0.0, shared), (1.0, local)):
        sides = (stacked(shared), stacked(local), stacked(policy))
        found, _ = routing.forward(*sides, x, mode, shares=shares + value)
        torch.testing.assert_close(found, routing.model.stacked(stacked(expected), x), atol=1e-6, rtol=1e-5)


def test_on_one_linear_layer_soft_mixing_is_interpolation_of_weights():
    from functools import partial

    from lib.federated import Model
    from lib.nets import mlp

    routing = UnitRouting(Model(partial(mlp, (6, 3))), (4,), 6)
    shared, local, policy = routing.model.init(1), routing.model.init(2), routing.policy.init(3)
    x = inputs(count=1)
    found, shares = routing.forward(*(stacked(v, 1) for v in (shared, local, policy)), x, "soft")
    for i in range(5):
        q = shares[0, i, 0]
        mixed = {name: (1 - q) * shared[name] + q * local[name] for name in shared}
        torch.testing.assert_close(found[0, i], routing.model(mixed, x[0, i : i + 1])[0])


@pytest.mark.parametrize("name", ROUTINGS)
def test_without_local_training_the_personal_network_is_the_global_one_whatever_the_policy(name):
    algorithm, federation = make(name, replace(SGD, epochs=0)), toys_for(name)
    state = algorithm.init(4)
    rngs = [client_rng(0, 1, c) for c in range(4)]
    for row in algorithm.evaluate_cohort(state, federation.clients, [{}] * 4, rngs):
        assert row["personal_accuracy"] == row["global_accuracy"]
        assert row["personal_loss"] == pytest.approx(row["global_loss"], abs=1e-5)


def test_a_policy_forced_to_local_is_fine_tuning_and_to_global_is_fedavg():
    algorithm, federation = make(policy_lr=0.0), toys()
    state = algorithm.init(4)
    plain = {name: state.tensors[name] for name in MLP.names}
    rngs = [client_rng(0, 1, c) for c in range(4)]
    own = algorithm.personalize(state, federation.clients, rngs)
    x = torch.stack([data.test_x for data in federation.clients])
    ones = torch.ones(4, x.shape[1], 2)
    tuned = FineTuned(model=MLP, local=SGD, finetune=SGD)
    rngs = [client_rng(0, 1, c) for c in range(4)]
    models = tuned.personal_models(replace(state, tensors=plain), federation.clients, [{}] * 4, rngs)
    torch.testing.assert_close(algorithm.routed_outputs(own, x, shares=ones), MLP.stacked(models, x), **CLOSE)
    shared = MLP.stacked(stacked(plain, 4), x)
    torch.testing.assert_close(algorithm.routed_outputs(own, x, shares=0 * ones), shared, **CLOSE)


# against plain modules


@pytest.mark.parametrize("name", ROUTINGS)
@pytest.mark.parametrize("hard", [False, True])
def test_the_mixed_network_is_the_one_written_unit_by_unit(name, hard):
    routing, shared, local, policy = parts(name)
    nets = [routing.model.build() for _ in range(2)]
    net = routing.policy.build()
    for module, values in zip((*nets, net), (shared, local, policy), strict=True):
        module.load_state_dict(values)
    x = inputs(name)
    mode = "hard" if hard else "soft"
    found, shares = routing.forward(*(stacked(v) for v in (shared, local, policy)), x, mode)
    for c in range(2):
        expected, _ = mixed_by_hand(*nets, net, x[c], hard=hard)
        torch.testing.assert_close(found[c], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(shares[c], torch.softmax(policy_logits(net, x[c]), 2)[..., 1])
        torch.testing.assert_close(net(x[c]), policy_logits(net, x[c]))


@pytest.mark.parametrize("name", ROUTINGS)
@pytest.mark.parametrize("split", ["none", "half"])
@pytest.mark.parametrize(("local_init", "branch_lr"), [("global", None), ("global", 0.02), ("average", None)])
def test_a_round_is_the_one_written_with_torch_optimizers(name, split, local_init, branch_lr):
    algorithm = make(name, split=split, local_init=local_init, push=0.05, policy_lr=0.07, branch_lr=branch_lr)
    federation = toys_for(name)
    state = algorithm.init(4)
    state = replace(state, tensors={n: v + 0.01 * i for i, (n, v) in enumerate(state.tensors.items())})
    for c, data in enumerate(federation.clients):
        sent = algorithm.configure(state, 1, [c], configure_rng(0, 1))[c]
        update, memory = algorithm.train(sent, data, {}, client_rng(0, 1, c))
        local, policy, shared = flow_by_hand(algorithm, state.tensors, data, client_rng(0, 1, c))
        expected = shared.state_dict() | {f"policy.{n}": v for n, v in policy.state_dict().items()}
        if local_init == "average":
            expected |= {f"local.{n}": v for n, v in local.state_dict().items()}
        close(update.tensors, expected)
        assert memory == {} and update.scalars == {"examples": data.examples}


def test_before_a_test_the_global_branch_stays_as_the_server_sent_it():
    algorithm, (data, *_) = make(push=0.05), toys().clients
    state = algorithm.init(4)
    own = algorithm.personalize(state, [data], [client_rng(0, 1, 0)])
    local, policy, shared = flow_by_hand(algorithm, state.tensors, data, client_rng(0, 1, 0), train_shared=False)
    for found, net in ((own.local, local), (own.policy, policy), (own.shared, shared)):
        close({name: value[0] for name, value in found.items()}, net.state_dict())
    close({name: value[0] for name, value in own.shared.items()}, {n: state.tensors[n] for n in MLP.names})


@pytest.mark.parametrize("options", [{}, {"split": "half"}, {"split": "three_way"}, {"split": "cross"}, {"leak": True}])
@pytest.mark.parametrize("order", ["in turns", "policy first"])
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_training_together_equals_training_one_by_one(name, options, order):
    algorithm, federation = make(name, order=order, push=0.05, **options), toys_for(name)
    state, count = algorithm.init(4), len(federation)
    sent = algorithm.configure(state, 1, range(count), configure_rng(0, 1))
    rngs = [[client_rng(0, 1, c) for c in range(count)] for _ in range(2)]
    together = algorithm.train_cohort([sent[c] for c in range(count)], federation.clients, [{}] * count, rngs[0])
    for c, (update, memory) in enumerate(together):
        single, own = algorithm.train(sent[c], federation.clients[c], {}, rngs[1][c])
        close(update.tensors, single.tensors)
        assert memory == own == {} and all(not value.requires_grad for value in update.tensors.values())
    rngs = [[evaluation_rng(0, 1, c) for c in range(count)] for _ in range(2)]
    for c, row in enumerate(algorithm.evaluate_cohort(state, federation.clients, [{}] * count, rngs[0])):
        assert row == pytest.approx(algorithm.evaluate(state, federation.clients[c], {}, rngs[1][c]), abs=1e-4)


def test_routing_by_client_uses_one_share_for_all_instances():
    algorithm = flow(replace(ROUTED_DEEP, by="client"), SGD, policy_lr=0.3)
    federation = toys()
    own = algorithm.personalize(algorithm.init(4), federation.clients, [client_rng(0, 1, c) for c in range(4)])
    shares = algorithm.routing.shares(own.policy, torch.stack([data.test_x for data in federation.clients]))
    assert shares.shape == (4, 9, 3) and (shares == shares[:, :1]).all() and shares[:, 0].unique().numel() == 12


def test_units_that_are_not_routed_use_the_global_branch():
    routing = UnitRouting(DEEP, (7,), 6, routed=(0, 2))
    shared, local, policy = DEEP.init(1), DEEP.init(2), routing.policy.init(3)
    x, ones = inputs(), torch.ones(2, 5, 2)
    found, _ = routing.forward(*(stacked(v) for v in (shared, local, policy)), x, "soft", shares=ones)
    swapped = {name: shared[name] if name.startswith("blocks.1.") else local[name] for name in DEEP.names}
    torch.testing.assert_close(found, DEEP.stacked(stacked(swapped), x))


def test_a_tie_is_global_and_as_released_it_blanks_the_unit():
    routing, shared, local, policy = parts()
    x, half = inputs(), torch.full((2, 5, 2), 0.5)
    sides = [stacked(values) for values in (shared, local, policy)]
    hard, _ = routing.forward(*sides, x, "hard", shares=half)
    torch.testing.assert_close(hard, MLP.stacked(stacked(shared), x))
    zero, _ = routing.forward(*sides, x, "zero ties", shares=half)
    assert (zero == 0).all()


@given(n=st.integers(1, 60), batch=st.integers(1, 11), split=st.sampled_from(["none", "half", "three_way", "cross"]))
@settings(max_examples=60, deadline=None)
def test_schedules_use_each_example_once_an_epoch_in_the_phases_that_it_belongs_to(n, batch, split):
    sgd = replace(SGD, batch_size=batch, epochs=3)
    plan = schedule(n, sgd, split, np.random.default_rng(0))
    phases = [sorted(np.concatenate([[], *phase]).tolist()) for phase in (plan.local, plan.policy, plan.shared)]
    everything = sorted(list(range(n)) * 3)
    if split in ("none", "cross"):
        assert phases == [everything] * 3
    elif split == "half":
        assert phases[1] == phases[2] and sorted(phases[0] + phases[1]) == everything
        assert set(phases[0]).isdisjoint(phases[1])
    else:
        assert sorted(phases[0] + phases[1] + phases[2]) == everything
        assert len(set(phases[0]) | set(phases[1]) | set(phases[2])) == n
    assert all(len(rows) <= batch for phase in (plan.local, plan.policy, plan.shared) for rows in phase)
    if split == "cross":
        for step, rows in enumerate(plan.policy):
            assert set(rows.tolist()).isdisjoint(np.concatenate([[], *plan.folds[step % 2]]).tolist())
    else:
        assert plan.folds is None


def test_a_client_with_a_single_minibatch_has_no_second_half():
    algorithm, federation = make(split="half"), toys((3, 20))
    state = algorithm.init(4)
    sent = algorithm.configure(state, 1, [0, 1], configure_rng(0, 1))
    (small, _), (large, _) = algorithm.train_cohort(
        [sent[0], sent[1]], federation.clients, [{}] * 2, [client_rng(0, 1, c) for c in (0, 1)]
    )
    close(small.tensors, state.tensors)
    assert not any(torch.equal(large.tensors[name], state.tensors[name]) for name in MLP.names)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_rounded_in_training_the_policy_moves_by_the_regularizer_alone(strength):
    algorithm = make(train_mode="hard", push=strength)
    state, data = algorithm.init(0), toys().clients[0]
    parts = algorithm.personalize(state, [data], [np.random.default_rng(0)])
    moved = sum(float((value[0] - state.tensors[f"policy.{name}"]).abs().sum()) for name, value in parts.policy.items())
    q = [float(algorithm.routing.shares(one, data.test_x[None]).mean()) for one in (parts.policy, _policy(state))]
    assert (moved == 0 and q[0] == q[1]) if strength == 0 else q[0] < q[1] - 0.02


def _policy(state):
    return {n.removeprefix("policy."): v[None] for n, v in state.tensors.items() if n.startswith("policy.")}


def test_momentum_leaks_into_frozen_parts_only_if_asked():
    federation, rngs = toys((20, 20)), [[client_rng(0, 1, c) for c in (0, 1)] for _ in range(2)]
    clean, leaky = (make(leak=leak, local_init="average") for leak in (False, True))
    state = clean.init(4)
    sent = clean.configure(state, 1, [0, 1], configure_rng(0, 1))
    one, other = (
        algorithm.train_cohort([sent[0], sent[1]], federation.clients, [{}] * 2, draws)
        for algorithm, draws in zip((clean, leaky), rngs, strict=True)
    )
    # After the local phase the local branch coasts by its momentum: 0.9 + 0.81 + ... steps of the last velocity.
    moved = other[0][0].tensors["local.blocks.0.0.weight"] - one[0][0].tensors["local.blocks.0.0.weight"]
    assert moved.abs().max() > 1e-3
    none = [make(local=replace(SGD, momentum=0.0), leak=leak) for leak in (False, True)]
    a, b = (algorithm.train(sent[0], federation.clients[0], {}, client_rng(0, 1, 0))[0].tensors for algorithm in none)
    close({n: a[n] for n in MLP.names}, {n: b[n] for n in MLP.names})  # without momentum there is nothing to leak


def test_as_released_has_all_defects_that_change_what_is_learnt():
    found = as_released(ROUTED_DEEP, SGD)
    assert (found.split, found.local_init, found.leak, found.test_mode) == ("half", "average", True, "zero ties")
    assert found.regularizer == Regularizer(0.01, "second unit") and found.branch_lr is None
    update = found.train(found.configure(found.init(0), 1, [0], configure_rng(0, 1))[0], *_one()[1:])[0]
    assert {name.split(".")[0] for name in update.tensors} == {"blocks", "local", "policy"}


def test_regularizer_terms():
    q = torch.tensor([[[0.2, 0.6, 0.9], [0.5, 0.5, 0.5]]])
    term = {t: Regularizer(2.0, t).per_example(q) for t in ("local", "global", "both", "second unit")}
    log = lambda p: -np.log(np.square(p) + 1e-6)  # noqa: E731
    assert term["local"][0, 0].item() == pytest.approx(2 * log([0.2, 0.6, 0.9]).mean(), rel=1e-5)
    assert term["global"][0, 0].item() == pytest.approx(2 * log([0.8, 0.4, 0.1]).mean(), rel=1e-5)
    assert term["both"][0, 0].item() == pytest.approx(2 * log([0.2, 0.6, 0.9, 0.8, 0.4, 0.1]).mean(), rel=1e-5)
    assert term["second unit"][0, 0].item() == pytest.approx(2 * log([0.6, 0.4]).mean(), rel=1e-5)
    leaf = torch.tensor([[[0.3]]], requires_grad=True)
    for target, sign in (("local", -1), ("global", 1)):
        (slope,) = torch.autograd.grad(Regularizer(1.0, target).per_example(leaf).sum(), leaf)
        assert slope.item() * sign > 0  # descending the term pushes towards the route that is named
    flat = torch.full((1, 1, 2), 0.5, requires_grad=True)
    assert torch.autograd.grad(Regularizer(1.0, "both").per_example(flat).sum(), flat)[0].abs().max() < 1e-5


def test_regularizer_terms_of_time_steps_and_of_an_index_that_meets_the_routes_in_two_orders():
    q = torch.tensor([[[[0.1, 0.2, 0.3], [0.4, 0.6, 0.7], [0.8, 0.9, 0.95]]]])  # three routes, three time steps
    term = {t: Regularizer(2.0, t).per_example(q).item() for t in ("local", "second unit", "second step", "opposite")}
    log = lambda p: -np.log(np.square(p) + 1e-6)  # noqa: E731
    flat = q.flatten().numpy()
    assert term["local"] == pytest.approx(2 * log(flat).mean(), rel=1e-5)
    assert term["second unit"] == pytest.approx(2 * log([0.4, 0.6, 0.7, 0.6, 0.4, 0.3]).mean(), rel=1e-5)
    assert term["second step"] == pytest.approx(2 * log([0.2, 0.6, 0.9, 0.8, 0.4, 0.1]).mean(), rel=1e-5)
    assert term["opposite"] == pytest.approx(2 * log([0.9, 0.8, 0.7, *flat[3:]]).mean(), rel=1e-5)
    units = torch.tensor([[[0.2, 0.6]]], requires_grad=True)
    opposite = Regularizer(1.0, "opposite").per_example(units)
    assert opposite.item() == pytest.approx(log([0.8, 0.6]).mean(), rel=1e-5)
    (slope,) = torch.autograd.grad(opposite.sum(), units)
    assert slope[0, 0, 0] > 0 > slope[0, 0, 1]  # first unit to the global route, last to the local one
    with pytest.raises(ValueError, match="no time steps"):
        Regularizer(1.0, "second step").per_example(units)


def test_the_released_regularizer_is_that_of_the_data_set_whose_network_it_is():
    for routing, expected in (
        (ROUTED_DEEP, Regularizer(0.01, "second unit")),
        (LSTMRouting(7, 4, 5), Regularizer(0.001, "second step")),
        (LSTMRouting(7, 4, 5, projection=6, route_outputs=True), Regularizer(0.001, "opposite")),
    ):
        assert as_released(routing, SGD).regularizer == expected


@pytest.mark.parametrize("local_init", ["global", "average"])
def test_what_is_sent_is_global_branch_and_policy_and_as_released_the_local_branch_too(local_init):
    algorithm = make(local_init=local_init)
    table = run(algorithm, toys(), rounds=1, on_failure="raise").table
    w = sum(value.numel() for value in MLP.init(0).values())
    psi = sum(value.numel() for value in algorithm.routing.policy.init(0).values())
    numbers = w + psi + (w if local_init == "average" else 0)
    assert (table["bytes_up"] == 4 * numbers + 8).all() and (table["bytes_down"] == 4 * numbers).all()


def test_the_server_averages_by_examples():
    algorithm, federation = make(), toys()
    state = algorithm.init(4)
    sent = algorithm.configure(state, 1, range(4), configure_rng(0, 1))
    updates = {c: algorithm.train(sent[c], d, {}, client_rng(0, 1, c))[0] for c, d in enumerate(federation.clients)}
    new = algorithm.aggregate(state, updates).tensors
    total = sum(d.examples for d in federation.clients)
    for name, value in new.items():
        mean = sum(u.tensors[name] * u.scalars["examples"] / total for u in updates.values())
        torch.testing.assert_close(value, mean)


@pytest.mark.skipif(not find_spec("flwr"), reason="needs the optional package flwr")
def test_same_seed_same_weights_on_the_flower_engine():
    from lib.federated.flower_client import CLIENT, make_client_app
    from lib.federated.flower_grid import InProcessGrid
    from lib.federated.flower_server import Fleet, serve

    algorithm, federation = make(push=0.05, split="cross"), toys()
    options = {"rounds": 2, "cohort_size": 3, "evaluate_every": 2}

    def setting(context):
        return algorithm, federation.clients[context.node_config[CLIENT]]

    grid = InProcessGrid(make_client_app(setting, simulated=True), len(federation))
    remote = serve(algorithm, Fleet(grid, len(federation), seed=4, timeout=60.0), simulated=True, **options)
    local = run(algorithm, federation, seed=4, chunk=1, **options)
    assert local.failures.empty and remote.failures.empty
    close(local.state.tensors, remote.state.tensors)
    pd.testing.assert_frame_equal(local.table.drop(columns="seconds"), remote.table.drop(columns="seconds"), atol=1e-5)


def test_the_global_branch_without_split_is_fedavg_on_other_minibatches():
    full = replace(SGD, batch_size=100)  # then there is one minibatch an epoch, whatever the order
    one = run(make(local=full), toys(), rounds=3, seed=1).state.tensors
    other = run(FedAvg(model=MLP, local=full), toys(), rounds=3, seed=1).state.tensors
    close({name: one[name] for name in MLP.names}, other)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: make(split="quarter").train(*_one()), "split"),
        (lambda: make(local_init="zero"), "local_init"),
        (lambda: make(branch_lr=-0.1), "learning rates"),
        (lambda: Flow(model=DEEP, routing=ROUTED_MLP), "differ"),
        (lambda: UnitRouting(MLP, (7,), 6, routed=(2,)), "routed"),
        (lambda: UnitRouting(MLP, (7,), 6, routed=()), "routed"),
        (lambda: UnitRouting(MLP, (7,), 6, by="layer"), "by"),
        (lambda: ExitPolicy(6, (4, 4), 2), "hidden layers"),
        (lambda: Regularizer(-1.0), "strength"),
        (lambda: Regularizer(1.0, "third unit"), "target"),
        (lambda: make(local=replace(SGD, epochs=None, steps=3)).train(*_one()), "epochs"),
        (lambda: make(test_mode="loud").evaluate(make().init(0), *_one()[1:]), "mode"),
    ],
)
def test_impossible_settings_are_refused(action, message):
    with pytest.raises(ValueError, match=message):
        action()


def _one():
    algorithm = make()
    sent = algorithm.configure(algorithm.init(0), 1, [0], configure_rng(0, 1))[0]
    return sent, toys().clients[0], {}, client_rng(0, 1, 0)


def test_policies_alone():
    net = ClientPolicy(3)
    values = {"logits": torch.randn(2, 3, 2)}
    assert torch.equal(net.stacked(values, torch.zeros(2, 4, 6))[:, 1], values["logits"])
    assert part({"a.b": 1, "c": 2}, "a.") == {"b": 1}
    assert CNN.names[0].startswith("blocks.0.") and stack([{"a": torch.ones(1)}] * 2)["a"].shape == (2, 1)
