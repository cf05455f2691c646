"""What each algorithm reduces to, and closed forms on problems small enough to have them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from federated_toys import MLP, NORM, assert_close, assert_equal, plain_training, regression_model, toy_federation
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated import ClientData, Federation, LocalSGD, run, seeds
from lib.federated.algorithms import (
    APFL,
    Ditto,
    FedAvg,
    FedBABU,
    FedProx,
    FedRep,
    FineTuned,
    LGFedAvg,
    LocalOnly,
    PartiallyShared,
    PFedMe,
)
from lib.federated.server_optimizers import fedavg

SGD = LocalSGD(lr=0.1, momentum=0.9, batch_size=4, epochs=2)
FULL = LocalSGD(lr=0.1, batch_size=None)
HEAD, BODY = ("2.weight", "2.bias"), ("0.weight", "0.bias")


def pooled(federation):
    parts = zip(*((c.train_x, c.train_y, c.test_x, c.test_y) for c in federation.clients), strict=True)
    return ClientData(*(torch.cat(part) for part in parts))


def local_training(model, start, data, client, rounds, sgd=SGD):
    """One client alone, round after round, with the generators of an engine run."""
    for r in range(1, rounds + 1):
        start = plain_training(model, start, data, sgd, seeds.client_rng(0, r, client))
    return start


def test_one_full_batch_step_a_round_is_centralized_gradient_descent():
    federation = toy_federation()
    history = run(FedAvg(model=MLP, local=FULL), federation, rounds=6)
    descent = plain_training(MLP, MLP.init(0), pooled(federation), replace(FULL, epochs=6), np.random.default_rng(0))
    assert_close(history.state.tensors, descent)


def test_uniform_weights_descend_the_mean_of_the_clients_losses():
    federation = toy_federation()
    history = run(FedAvg(model=MLP, local=FULL, weight_by="uniform"), federation, rounds=1)
    steps = [plain_training(MLP, MLP.init(0), data, FULL, None) for data in federation.clients]
    assert_close(history.state.tensors, {name: sum(step[name] for step in steps) / 4 for name in steps[0]})


@pytest.mark.parametrize("model", [MLP, NORM], ids=["mlp", "batch norm"])
def test_one_client_is_plain_sgd(model):
    federation = toy_federation((16,))
    history = run(FedAvg(model=model, local=SGD), federation, rounds=3)
    assert_close(history.state.tensors, local_training(model, model.init(0), federation.clients[0], 0, 3))


@pytest.mark.parametrize("model", [MLP, NORM], ids=["mlp", "batch norm"])
def test_nothing_personal_is_fedavg_bit_for_bit(model):
    federation = toy_federation((8, 12, 16))
    one, other = (run(kind(model=model, local=SGD), federation, rounds=3) for kind in (PartiallyShared, FedAvg))
    assert_equal(one.state.tensors, other.state.tensors)
    assert one.table.drop(columns="seconds").equals(other.table.drop(columns="seconds"))


@pytest.mark.parametrize("model", [MLP, NORM], ids=["mlp", "batch norm"])
def test_everything_personal_is_local_training_bit_for_bit(model):
    federation = toy_federation((8, 12, 16))
    one = run(PartiallyShared(model=model, local=SGD, personal=model.names), federation, rounds=3)
    other = run(LocalOnly(model=model, local=SGD), federation, rounds=3)
    for c in range(3):
        assert_equal(one.memories[c], other.memories[c])
    common = run(LocalOnly(model=model, local=SGD, personal_init=7), federation, rounds=3)
    for c, data in enumerate(federation.clients):
        assert_close(common.memories[c], local_training(model, model.init(7), data, c, 3))


def test_personal_tensors_start_independently_or_from_one_seed():
    federation, frozen = toy_federation(), replace(SGD, lr=0.0)
    own = run(PartiallyShared(model=MLP, local=frozen, personal=HEAD), federation, rounds=1).memories
    assert (own[0]["2.weight"] != own[1]["2.weight"]).any()
    same = run(PartiallyShared(model=MLP, local=frozen, personal=HEAD, personal_init=4), federation, rounds=1).memories
    for c in range(4):
        assert_equal(same[c], {name: MLP.init(4)[name] for name in HEAD})


def test_partially_shared_round_written_out():
    federation, algorithm = toy_federation(), PartiallyShared(model=MLP, local=SGD, personal=HEAD, personal_init=4)
    history = run(algorithm, federation, rounds=2)
    shared, heads = {n: MLP.init(0)[n] for n in BODY}, [{n: MLP.init(4)[n] for n in HEAD}] * 4
    total = sum(data.examples for data in federation.clients)
    for r in (1, 2):
        done = [
            plain_training(MLP, shared | heads[c], data, SGD, seeds.client_rng(0, r, c))
            for c, data in enumerate(federation.clients)
        ]
        heads = [{name: values[name] for name in HEAD} for values in done]
        shared = {
            name: sum(d.examples / total * values[name] for d, values in zip(federation.clients, done, strict=True))
            for name in BODY
        }
    assert_close(history.state.tensors, shared)
    for c in range(4):
        assert_close(history.memories[c], heads[c])


def test_fedprox_without_its_term_is_fedavg():
    federation = toy_federation()
    one, other = (
        run(a, federation, rounds=3) for a in (FedProx(model=MLP, local=SGD, mu=0.0), FedAvg(model=MLP, local=SGD))
    )
    assert_equal(one.state.tensors, other.state.tensors)


def scalar_federation(targets):
    """Client c holds one example, input one and target ``targets[c]``: its loss is ``(w - target)^2 / 2``."""
    one = torch.ones(1, 1)
    return Federation("scalar", tuple(ClientData(one, one[0] * t, one, one[0] * t) for t in targets), 0)


SCALAR = regression_model(1)


def start_of(seed=0):
    return SCALAR.init(seed)["weight"].item()


@settings(max_examples=15, deadline=None)
@given(mu=st.floats(0, 3), steps=st.integers(1, 8), target=st.floats(-3, 3))
def test_fedprox_on_a_parabola(mu, steps, target):
    # w <- w - lr ((w - t) + mu (w - w0)) contracts to (t + mu w0) / (1 + mu) by 1 - lr (1 + mu) a step.
    sgd = LocalSGD(lr=0.1, batch_size=None, epochs=steps)
    history = run(FedProx(model=SCALAR, local=sgd, mu=mu), scalar_federation([target]), rounds=1, evaluate_every=0)
    w0 = start_of()
    fixed = (target + mu * w0) / (1 + mu)
    expected = fixed + (1 - 0.1 * (1 + mu)) ** steps * (w0 - fixed)
    assert history.state.tensors["weight"].item() == pytest.approx(expected, abs=1e-5)


def test_finetuning_changes_what_is_evaluated_and_nothing_else():
    federation = toy_federation()
    tune = LocalSGD(lr=0.2, batch_size=4, epochs=3)
    plain = run(FedAvg(model=MLP, local=SGD), federation, rounds=2)
    tuned = run(FineTuned(model=MLP, local=SGD, finetune=tune), federation, rounds=2)
    assert_equal(tuned.state.tensors, plain.state.tensors)
    last = tuned.table.query("round == 2").set_index("client")
    for c, data in enumerate(federation.clients):
        own = plain_training(MLP, plain.state.tensors, data, tune, seeds.evaluation_rng(0, 2, c))
        loss = torch.nn.functional.cross_entropy(MLP(own, data.test_x), data.test_y).item()
        assert last.loc[c, "personal_loss"] == pytest.approx(loss, abs=1e-5)
    assert (tuned.table["global_loss"] == plain.table["global_loss"]).all()
    nothing = run(FineTuned(model=MLP, local=SGD, finetune=replace(tune, epochs=0)), federation, rounds=2)
    assert nothing.table["personal_loss"].tolist() == pytest.approx(plain.table["global_loss"].tolist(), abs=1e-6)


def test_finetuning_the_head_keeps_the_body():
    federation, algorithm = toy_federation(), FineTuned(model=MLP, local=SGD, finetune=SGD, tuned=HEAD)
    state = algorithm.init(0)
    rngs = [seeds.evaluation_rng(0, 1, c) for c in range(4)]
    own = algorithm.personal_models(state, federation.clients, [{}] * 4, rngs)
    assert (own["0.weight"] == state.tensors["0.weight"]).all()
    assert (own["2.weight"] != state.tensors["2.weight"]).any(dim=(1, 2)).all()


def test_fedrep_trains_the_head_first_and_then_the_body():
    federation, head = toy_federation(), LocalSGD(lr=0.2, batch_size=4, epochs=3)
    history = run(FedRep(model=MLP, local=SGD, head=head, personal=HEAD, personal_init=4), federation, rounds=1)
    start = {**{n: MLP.init(0)[n] for n in BODY}, **{n: MLP.init(4)[n] for n in HEAD}}
    bodies = []
    for c, data in enumerate(federation.clients):
        rng = seeds.client_rng(0, 1, c)
        fitted = plain_training(MLP, start, data, head, rng, trained=HEAD)
        assert_close(history.memories[c], {name: fitted[name] for name in HEAD})
        bodies.append(plain_training(MLP, fitted, data, SGD, rng, trained=BODY))
    total = sum(data.examples for data in federation.clients)
    shares = [data.examples / total for data in federation.clients]
    expected = {n: sum(s * body[n] for s, body in zip(shares, bodies, strict=True)) for n in BODY}
    assert_close(history.state.tensors, expected)


def test_fedbabu_trains_the_body_under_a_frozen_head_and_fine_tunes_both():
    federation, tune = toy_federation(), LocalSGD(lr=0.2, batch_size=4, epochs=3)
    algorithm = FedBABU(model=MLP, local=SGD, finetune=tune, personal=HEAD, personal_init=4)
    history = run(algorithm, federation, rounds=1)
    start = {**{n: MLP.init(0)[n] for n in BODY}, **{n: MLP.init(4)[n] for n in HEAD}}
    bodies = [
        plain_training(MLP, start, data, SGD, seeds.client_rng(0, 1, c), trained=BODY)
        for c, data in enumerate(federation.clients)
    ]
    total = sum(data.examples for data in federation.clients)
    shares = [data.examples / total for data in federation.clients]
    expected = {n: sum(s * body[n] for s, body in zip(shares, bodies, strict=True)) for n in BODY}
    assert_close(history.state.tensors, expected)
    last = history.table.set_index("client")
    for c, data in enumerate(federation.clients):
        assert_close(history.memories[c], {n: start[n] for n in HEAD})
        own = plain_training(MLP, expected | history.memories[c], data, tune, seeds.evaluation_rng(0, 1, c))
        loss = torch.nn.functional.cross_entropy(MLP(own, data.test_x), data.test_y).item()
        assert last.loc[c, "personal_loss"] == pytest.approx(loss, abs=1e-5)
    for options in ({"personal": ()}, {"personal": HEAD, "personal_init": None}):
        with pytest.raises(ValueError, match="freezes one head"):
            FedBABU(model=MLP, local=SGD, **options)


def test_lg_fedavg_averages_the_head_and_keeps_the_body():
    federation = toy_federation()
    history = run(LGFedAvg(model=MLP, local=SGD, personal=BODY), federation, rounds=2)
    assert list(history.state.tensors) == list(HEAD) and list(history.memories[0]) == list(BODY)
    with pytest.raises(ValueError, match="personal and shared"):
        LGFedAvg(model=MLP, local=SGD)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_apfl_at_the_ends_is_fedavg_or_local_training(alpha):
    federation, sgd = toy_federation(), replace(SGD, momentum=0.0)
    history = run(APFL(model=MLP, local=sgd, alpha=alpha), federation, rounds=3)
    shared = run(FedAvg(model=MLP, local=sgd), federation, rounds=3)
    assert_close(history.state.tensors, shared.state.tensors)
    if alpha == 0:
        assert history.table["personal_loss"].tolist() == pytest.approx(
            shared.table["personal_loss"].tolist(), abs=1e-5
        )
        return
    for c, data in enumerate(federation.clients):
        own = {name: history.memories[c][name] for name in MLP.names}
        assert_close(own, local_training(MLP, MLP.init(0), data, c, 3, sgd))


@settings(max_examples=15, deadline=None)
@given(alpha=st.floats(0, 1), target=st.floats(-2, 2), adaptive=st.booleans())
def test_apfl_on_a_parabola(alpha, target, adaptive):
    sgd = LocalSGD(lr=0.2, batch_size=None, epochs=3)
    algorithm = APFL(model=SCALAR, local=sgd, alpha=alpha, adaptive=adaptive)
    history = run(algorithm, scalar_federation([target, -target]), rounds=2, evaluate_every=0)
    w = start_of()
    v, mix = [w, w], [alpha, alpha]
    for _ in range(2):
        sent = []
        for c, t in enumerate((target, -target)):
            u = w
            for step in range(3):
                gap, slope = v[c] - u, mix[c] * v[c] + (1 - mix[c]) * u - t
                u, v[c] = u - 0.2 * (u - t), v[c] - 0.2 * mix[c] * slope
                if adaptive and step == 0:
                    mix[c] = min(max(mix[c] - 0.2 * gap * slope, 0), 1)
            sent.append(u)
        w = sum(sent) / 2
    assert history.state.tensors["weight"].item() == pytest.approx(w, abs=1e-5)
    for c in range(2):
        assert history.memories[c]["weight"].item() == pytest.approx(v[c], abs=1e-5)
        assert history.memories[c]["apfl.alpha"].item() == pytest.approx(mix[c], abs=1e-5)


def test_apfl_keeps_its_mixing_weight_between_zero_and_one():
    # Far from the mean of the targets, private models gain so much that alpha would leave [0, 1].
    sgd = LocalSGD(lr=0.5, batch_size=None)
    history = run(APFL(model=SCALAR, local=sgd, adaptive=True), scalar_federation([40.0, -40.0]), rounds=3)
    seen = [history.memories[c]["apfl.alpha"].item() for c in range(2)]
    assert all(0 <= alpha <= 1 for alpha in seen) and 1 in seen


def test_ditto_untied_is_local_training_and_its_shared_model_is_fedavg():
    federation = toy_federation()
    history = run(Ditto(model=MLP, local=FULL, lam=0.0), federation, rounds=3)
    assert_equal(history.state.tensors, run(FedAvg(model=MLP, local=FULL), federation, rounds=3).state.tensors)
    alone = run(LocalOnly(model=MLP, local=FULL, personal_init=0), federation, rounds=3)
    for c, data in enumerate(federation.clients):
        assert_equal(history.memories[c], alone.memories[c])
        assert_close(history.memories[c], local_training(MLP, MLP.init(0), data, c, 3, FULL))


@settings(max_examples=15, deadline=None)
@given(lam=st.floats(0, 4), target=st.floats(-2, 2))
def test_ditto_on_a_parabola(lam, target):
    # The personal model contracts to (t + lam w) / (1 + lam), with w what the server sent in the round.
    sgd = LocalSGD(lr=0.1, batch_size=None, epochs=4)
    history = run(Ditto(model=SCALAR, local=sgd, lam=lam), scalar_federation([target]), rounds=2, evaluate_every=0)
    w = v = start_of()
    for _ in range(2):
        fixed = (target + lam * w) / (1 + lam)
        v = fixed + (1 - 0.1 * (1 + lam)) ** 4 * (v - fixed)
        w = target + 0.9**4 * (w - target)
    assert history.memories[0]["weight"].item() == pytest.approx(v, abs=1e-5)


def test_ditto_solves_the_personal_problem_with_its_own_settings():
    federation = toy_federation()
    still = run(Ditto(model=MLP, local=SGD, solver=replace(SGD, lr=0.0)), federation, rounds=2)
    for c in range(4):
        assert_close(still.memories[c], MLP.init(0))


@settings(max_examples=15, deadline=None)
@given(lam=st.floats(0.5, 5), steps=st.integers(1, 40), beta=st.floats(0.1, 1))
def test_pfedme_on_a_parabola(lam, steps, beta):
    # The inner steps contract theta from w to (t + lam w) / (1 + lam); the outer step is w - lr lam (w - theta).
    algorithm = PFedMe(
        model=SCALAR,
        local=LocalSGD(lr=0.05, batch_size=None, epochs=2),
        lam=lam,
        inner_lr=0.1,
        inner_steps=steps,
        server=partial(fedavg, lr=beta),
    )
    history = run(algorithm, scalar_federation([1.5, -0.5]), rounds=1, evaluate_every=0)
    sent = []
    for c, target in enumerate((1.5, -0.5)):
        w = start_of()
        for _ in range(2):
            best = (target + lam * w) / (1 + lam)
            theta = best + (1 - 0.1 * (1 + lam)) ** steps * (w - best)
            w = w - 0.05 * lam * (w - theta)
        assert history.memories[c]["weight"].item() == pytest.approx(theta, abs=1e-5)
        sent.append(w)
    expected = (1 - beta) * start_of() + beta * sum(sent) / 2
    assert history.state.tensors["weight"].item() == pytest.approx(expected, abs=1e-5)


def test_pfedme_descends_the_moreau_envelope():
    # With the inner problem solved, one outer step is gradient descent on the envelope, whose gradient by the closed
    # form of a quadratic is lam (w - theta*) with theta* = (A + lam I)^-1 (b + lam w).
    data = toy_federation((30,)).clients[0]
    data = ClientData(data.train_x, data.train_x[:, 0] - data.train_x[:, 1], data.test_x, data.test_x[:, 0])
    model, lam = regression_model(6), 2.0
    algorithm = PFedMe(model=model, local=LocalSGD(lr=0.1, batch_size=None), lam=lam, inner_lr=0.2, inner_steps=200)
    history = run(algorithm, Federation("q", (data,), 0), rounds=1)
    x, y, w = data.train_x.double(), data.train_y.double(), model.init(0)["weight"][0].double()
    theta = torch.linalg.solve(x.T @ x / 30 + lam * torch.eye(6), x.T @ y / 30 + lam * w)
    torch.testing.assert_close(history.memories[0]["weight"][0].double(), theta, atol=1e-5, rtol=0)
    stepped = w - 0.1 * lam * (w - theta)
    torch.testing.assert_close(history.state.tensors["weight"][0].double(), stepped, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PartiallyShared(model=MLP, personal=("2.wight",)), "no tensor '2.wight'"),
        (lambda: FedAvg(model=MLP, personal=HEAD), "use PartiallyShared"),
        (lambda: LocalOnly(model=MLP, personal=HEAD), "use PartiallyShared"),
        (lambda: APFL(model=MLP, alpha=1.5), r"choose it in \[0, 1\]"),
        (lambda: APFL(model=MLP, local=SGD), "set momentum"),
        (lambda: APFL(model=NORM), "without them"),
        (lambda: PFedMe(model=MLP, inner_lr=1.0, lam=3.0), "keep it below 2"),
        (lambda: PFedMe(model=MLP, local=SGD), "set momentum"),
        (lambda: PFedMe(model=NORM), "without them"),
    ],
)
def test_settings_without_meaning_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
