"""The baselines against lib.federated, against Spry, and against steps by hand; the released defects among them."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from spry_toys import DROPOUT, LOCAL, MODEL, assert_near, batches, toy, true_gradient

from lib.federated import LocalSGD, Model, run
from lib.federated.algorithms import FedAvg
from lib.federated.seeds import client_rng, configure_rng
from lib.federated.server_optimizers import fedavg
from lib.spry.baselines import METHODS, Backpropagation, Baffle, FedMeZO, FwdLLM, method
from lib.spry.federation import dirichlet_equal_sizes, tail_test_federation
from lib.spry.local_training import estimates
from lib.spry.per_iteration import PerIteration
from lib.spry.spry import YOGI, Spry
from lib.spry.toy import digits_federation, softmax_model
from lib.spry.zero_order import cosines, gradient_variance


@pytest.mark.parametrize("server", [fedavg, YOGI], ids=["fedavg", "fedyogi"])
def test_backpropagation_with_sgd_is_the_fedavg_of_lib_federated(server):
    local = replace(LOCAL, momentum=0.5, weight_decay=0.01)
    ours = Backpropagation(model=MODEL, local=local, optimizer="sgd", server=server)
    theirs = FedAvg(model=MODEL, local=local, server=server)
    one, other = (run(a, toy(), rounds=3, cohort_size=3, seed=1) for a in (ours, theirs))
    # FedYogi divides by the root of small squares, which enlarges rounding.
    assert_near(one.state.tensors, other.state.tensors, atol=1e-6 if server is fedavg else 1e-4)
    assert set(one.table.backward_passes.dropna()) == set(one.table.forward_passes.dropna())


def test_split_averaging_with_one_client_that_owns_all_is_fedavg():
    federation = toy((9,))
    split = run(method("FedAvgSplit", MODEL, LOCAL), federation, rounds=3).state.tensors
    assert_near(split, run(method("FedAvg", MODEL, LOCAL), federation, rounds=3).state.tensors, atol=0)


def test_split_clients_leave_what_they_do_not_own():
    algorithm = method("FedAvgSplit", MODEL, replace(LOCAL, epochs=None, steps=1), optimizer="sgd")
    state = algorithm.init(5)
    sent = algorithm.configure(state, 1, range(3), configure_rng(5, 1))
    for c, data in enumerate(toy((8, 8, 8)).clients):
        update = algorithm.train(sent[c], data, {}, client_rng(5, 1, c))[0].tensors
        gradient = true_gradient(MODEL, state.tensors, *batches(data, LOCAL, client_rng(5, 1, c))[0])
        assert_near(update, {n: state.tensors[n] - LOCAL.lr * gradient[n] for n in algorithm.owned(sent[c])})


def one_step(algorithm, model=MODEL, federation=None, state=None):
    """Return the state, the directions and the estimates of a cohort on its first minibatches."""
    from lib.federated.batches import cohort_batches
    from lib.federated.stack import stack

    federation = federation or toy()
    state = state or algorithm.init(5)
    sent = list(algorithm.configure(state, 1, range(len(federation)), configure_rng(5, 1)).values())
    rngs = [client_rng(5, 1, c) for c in range(len(federation))]
    batch = next(cohort_batches(federation.clients, algorithm.local, rngs))
    values = stack([{n: s.tensors[n] for n in model.names} for s in sent])
    drawn = [algorithm.directions(s, 0) for s in sent]
    return state, drawn, estimates(algorithm, sent, values, model.names, batch, 0)


@pytest.mark.parametrize("kind", [FedMeZO, Baffle, FwdLLM])
def test_with_the_same_perturbations_differences_are_the_derivatives_of_fedfgd(kind):
    options = {"model": MODEL, "local": LOCAL, "perturbations": 4}
    exact = one_step(Spry(split=False, **options))[2]
    found = one_step(kind(step=1e-2, **options))[2]
    # The error is of the order of the square of the step, beside rounding.
    torch.testing.assert_close(found.jvps, exact.jvps, atol=5e-3, rtol=5e-3)


def test_fwdllm_uses_the_candidates_that_resemble_the_last_update():
    algorithm = FwdLLM(model=MODEL, local=LOCAL, perturbations=3, candidates=5)
    state = algorithm.init(5)
    first = algorithm.configure(state, 1, [0, 1], configure_rng(5, 1))
    assert set(first[0].tensors) == set(MODEL.names)
    data = toy().clients[0]
    state = algorithm.aggregate(state, {0: algorithm.train(first[0], data, {}, client_rng(5, 1, 0))[0]})
    sent = algorithm.configure(state, 2, [0, 1], configure_rng(5, 2))[0]
    previous = {n: state.tensors[n] - first[0].tensors[n] for n in MODEL.names}
    assert_near({n: sent.tensors[f"previous.{n}"] for n in MODEL.names}, previous, atol=0)
    pool = Spry(model=MODEL, split=False, perturbations=15).directions(sent, 0)
    best = torch.sort(cosines(pool, previous), descending=True).values
    chosen = algorithm.directions(sent, 0)
    torch.testing.assert_close(cosines(chosen, previous), best[:3])
    released = replace(algorithm, repeat_as_released=True).directions(sent, 0)
    torch.testing.assert_close(cosines(released, previous), best[:1].repeat(3))
    # The state that the run keeps does not grow.
    names = set(state.optimizer)
    again = algorithm.aggregate(state, {0: algorithm.train(sent, data, {}, client_rng(5, 2, 0))[0]})
    assert set(again.optimizer) == names


def test_the_released_baffle_steps_along_its_first_perturbation_alone():
    right = Baffle(model=MODEL, local=LOCAL, perturbations=5, step=1e-3)
    _, drawn, good = one_step(right)
    _, _, bad = one_step(replace(right, scale_as_released=True))
    torch.testing.assert_close(bad.jvps[:, 0], 2 * good.jvps[:, 0])
    assert (bad.jvps[:, 1:].abs() <= 1.001e-6 * good.jvps[:, 1:].abs()).all()
    for c, directions in enumerate(drawn):
        name = MODEL.names[0]
        torch.testing.assert_close(
            bad.gradient[name][c], 2 * good.jvps[c, 0] / 5 * directions[name][0], atol=1e-5, rtol=1e-3
        )


def test_the_gate_leaves_out_clients_whose_gradients_disagree():
    federation, local = toy((9, 6, 13)), replace(LOCAL, lr=0.0)  # at rate zero the gradients are those of the start
    options = {"model": MODEL, "local": local, "perturbations": 3, "candidates": 1, "server": fedavg}
    plain = FwdLLM(**options)
    state = plain.init(0)
    sent = plain.configure(state, 1, range(3), np.random.default_rng(0))

    def updates(algorithm):
        rngs = [np.random.default_rng(c) for c in range(3)]
        instructions = [sent[c] for c in range(3)]
        found = algorithm.train_cohort(instructions, federation.clients, [{}] * 3, rngs)
        return {c: update for c, (update, _) in enumerate(found)}

    gated = updates(FwdLLM(gate=1.0, **options))
    for c, data in enumerate(federation.clients):
        gradients = [
            plain.estimate(lambda p, x=x, y=y: MODEL.loss(MODEL(p, x), y).mean(), state.tensors, v).gradient
            for (x, y), v in (
                (part, plain.directions(sent[c], i))
                for i, part in enumerate(batches(data, local, np.random.default_rng(c)))
            )
        ]
        assert gated[c].scalars["variance"] == pytest.approx(gradient_variance(gradients), rel=1e-2)
    assert "variance" not in updates(plain)[0].scalars
    # The middle one's variance as the gate: the noisiest client is out, whatever it sends.
    order = sorted(gated, key=lambda c: gated[c].scalars["variance"])
    algorithm = FwdLLM(gate=gated[order[1]].scalars["variance"], **options)
    spoiled = {name: value + 1000 for name, value in gated[order[2]].tensors.items()}
    brought = gated | {order[2]: replace(gated[order[2]], tensors=spoiled)}
    average = algorithm.aggregate(state, brought)
    assert all((average.tensors[name] - value).abs().max() < 1 for name, value in state.tensors.items())
    # As released the gate is open to it.
    released = method("FwdLLM+", MODEL, local, as_released=True, server=fedavg).aggregate(state, brought)
    assert all((released.tensors[name] - value).min() > 100 for name, value in state.tensors.items())
    closed = FwdLLM(gate=-1.0, **options).aggregate(state, gated)
    assert_near(dict(closed.tensors), dict(state.tensors))


def test_a_gated_run_on_the_engine():
    history = run(method("FwdLLM+", MODEL, LOCAL, perturbations=2, gate=0.5), toy(), rounds=2, cohort_size=3)
    assert history.failures.empty and history.table["variance"].notna().any()


def test_dropout_inside_differences_drowns_the_derivative_unless_the_mask_is_shared():
    def error(mode):
        options = {"model": DROPOUT, "local": LOCAL, "per_unit": 1}
        slopes = []
        for seed in range(12):
            federation = toy((8,), seed=seed)
            exact = Spry(
                split=False, perturbations=4, dropout_mode="eval" if mode == "eval" else "shared_mask", **options
            )
            found = Baffle(perturbations=4, step=1e-3, dropout_mode=mode, **options)
            slopes.append(one_step(found, DROPOUT, federation)[2].jvps - one_step(exact, DROPOUT, federation)[2].jvps)
        return torch.cat(slopes).square().mean().sqrt().item()

    assert error("shared_mask") < 1e-2 and error("eval") < 1e-2
    assert error("as_released") > 10


@pytest.mark.parametrize("name", [*METHODS, "FedSGD", "Spry per iteration", "FedAvg per iteration"])
@pytest.mark.parametrize("as_released", [False, True])
def test_every_method_runs_and_lowers_nothing_to_nan(name, as_released):
    options = {"aggregation": "per_unit"} if as_released and name == "Spry" else {}
    options |= {} if name in ("FedSGD",) or "Avg" in name or "Yogi" in name else {"perturbations": 2}
    algorithm = method(name, MODEL, LOCAL, as_released=as_released and name != "Spry per iteration", **options)
    history = run(algorithm, toy(), rounds=2, cohort_size=3)
    assert history.failures.empty and np.isfinite(history.table.global_loss.dropna()).all()
    assert isinstance(algorithm, PerIteration) == (name == "FedSGD" or "iteration" in name)


def test_matched_methods_share_server_optimizer_and_dropout():
    matched = [method(name, MODEL, LOCAL) for name in METHODS if "Avg" not in name]
    assert {m.server for m in matched} == {YOGI} and {m.dropout_mode for m in matched} == {"shared_mask"}
    assert method("Baffle+", MODEL, LOCAL, as_released=True).server is fedavg
    assert method("Spry", MODEL, LOCAL, as_released=True).personal_epochs == 5
    with pytest.raises(ValueError, match="share their dropout masks"):
        method("Baffle+", MODEL, LOCAL, as_released=True, at_once=True)
    with pytest.raises(ValueError, match="unknown method 'Sprint'"):
        method("Sprint", MODEL, LOCAL)


def test_equal_clients_use_every_label_once_at_most_and_are_skewed_by_alpha():
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(5), 41)
    spread = {}
    for alpha in (0.01, 100.0):
        parts = dirichlet_equal_sizes(labels, 10, alpha=alpha, rng=rng)
        assert {len(part) for part in parts} == {20} and len(np.unique(np.concatenate(parts))) == 200
        counts = np.array([np.bincount(labels[part], minlength=5) for part in parts]) / 20
        spread[alpha] = ((counts - 0.2) ** 2).sum(axis=1).mean()
    assert spread[0.01] > 0.4 and spread[100.0] < 0.1
    x = torch.arange(205 * 4).reshape(205, 2, 2)
    federation = tail_test_federation(x, torch.tensor(labels), parts, name="text")
    first = federation.clients[0]
    assert first.train_x.dtype == torch.int64 and len(first.test_y) == 4 and federation.classes == 5
    assert torch.equal(torch.cat([first.train_x, first.test_x]), x[torch.from_numpy(parts[0])])


def test_on_random_features_of_digits_backpropagation_beats_splitting_beats_forward_gradients():
    federation, model = digits_federation(), softmax_model()
    assert {client.examples for client in federation.clients} == {59}
    found = {}
    for name, lr in {"FedAvg": 16, "FedAvgSplit": 4, "Spry": 0.1, "FedFGD shared": 0.03}.items():
        local = LocalSGD(lr=lr, batch_size=8, epochs=None, steps=7)
        algorithm = method(name, model, local, server=fedavg, optimizer="sgd", per_unit=1)
        table = run(algorithm, federation, rounds=20, cohort_size=16, evaluate_every=20).table
        found[name] = table.global_accuracy.dropna().mean()
    assert found["FedAvg"] > found["FedAvgSplit"] > found["Spry"] > found["FedFGD shared"] > 0.3


@pytest.mark.parametrize("name", ["FedAvg", "Baffle+", "FwdLLM"])
def test_the_baselines_train_a_small_transformer(name):
    pytest.importorskip("peft")
    from lib.federated import ClientData, Federation
    from lib.spry.text_model import text_model

    model = Model(functools.partial(text_model, "bert", hidden=16, vocabulary=40, length=6, dropout=0.1), dropout=True)
    rng = torch.Generator().manual_seed(1)
    ids, y = torch.randint(1, 40, (8, 6), generator=rng), torch.randint(0, 2, (8,), generator=rng)
    x = torch.stack([ids, torch.ones_like(ids)], dim=1)
    federation = Federation("text", (ClientData(x[:6], y[:6], x[6:], y[6:]),), 2)
    options = {} if name == "FedAvg" else {"perturbations": 2}
    history = run(method(name, model, replace(LOCAL, lr=1e-3), **options), federation, rounds=2, seed=2)
    assert history.failures.empty and history.table.global_loss.notna().all()
