"""Spry against the same steps by hand, stacks against single clients, sharing of perturbations, dropout."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from spry_toys import DROPOUT, EQUAL, LOCAL, LORA, MODEL, assert_near, batches, toy, true_gradient

from lib.federated import LocalSGD, run
from lib.federated.seeds import client_rng, configure_rng
from lib.federated.server_optimizers import fedavg
from lib.spry.baselines.backpropagation import Backpropagation
from lib.spry.client_optimizers import adamw, sgd
from lib.spry.local_training import seeded_call
from lib.spry.perturbations import Key, perturbation
from lib.spry.spry import SEED, Spry, finetuning
from lib.spry.units import units

PLAIN = {"server": fedavg, "optimizer": "sgd"}


def start(method, cohort, round=1, seed=5):
    state = method.init(seed)
    return state, method.configure(state, round, cohort, configure_rng(seed, round))


def rngs(count, seed=5):
    return [client_rng(seed, 1, c) for c in range(count)]


def test_one_client_without_split_is_a_forward_gradient_run_by_hand():
    federation, method = toy((9,)), Spry(model=MODEL, local=LOCAL, perturbations=3, **PLAIN)
    found = run(method, federation, rounds=2, seed=5).state.tensors
    assert_near(found, run(replace(method, split=False), federation, rounds=2, seed=5).state.tensors, atol=0)
    values = MODEL.init(5)
    parts = units({name: value.shape for name, value in values.items()})
    for round in (1, 2):
        for step, (x, y) in enumerate(batches(federation.clients[0], LOCAL, client_rng(5, round, 0))):
            v = {}
            for unit in parts:
                v |= perturbation(Key(5, round, step, 0, unit.index), unit.shapes, count=3)
            gradient = true_gradient(MODEL, values, x, y)
            slopes = [sum((gradient[n] * v[n][k]).sum() for n in v) for k in range(3)]
            estimate = {n: sum(s * v[n][k] for k, s in enumerate(slopes)) / 3 for n in v}
            values = {n: value - LOCAL.lr * estimate[n] for n, value in values.items()}
    assert_near(found, values, atol=1e-5)


def test_clients_send_their_units_and_the_server_averages_a_unit():
    method, federation = Spry(model=MODEL, local=LOCAL, **PLAIN), toy((9, 6, 13, 8))
    state, sent = start(method, [0, 1, 2, 3])
    results = {c: method.train(sent[c], federation.clients[c], {}, client_rng(5, 1, c))[0] for c in sent}
    holders = {name: [c for c in results if name in results[c].tensors] for name in MODEL.names}
    assert sorted(len(clients) for clients in holders.values()) == [1, 1, 1, 1, 2, 2]  # four clients, three units
    after = method.aggregate(state, results).tensors
    for name, clients in holders.items():
        counts = [federation.clients[c].examples for c in clients]
        mean = sum(n * results[c].tensors[name] for n, c in zip(counts, clients, strict=True)) / sum(counts)
        torch.testing.assert_close(after[name], mean)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("clients", [2, 5])
def test_a_stack_of_clients_equals_one_client_after_the_other(optimizer, split, clients):
    local = replace(LOCAL, epochs=2, weight_decay=0.1, momentum=0.5 * (optimizer == "sgd"))
    method = Spry(
        model=MODEL, local=local, optimizer=optimizer, split=split, perturbations=2, classifier_share=1, at_once=split
    )
    datas = toy((9, 6, 13, 8, 4)[:clients]).clients
    _, sent = start(method, range(clients))
    stacked = method.train_cohort(list(sent.values()), datas, [{}] * clients, rngs(clients))
    for c, rng in enumerate(rngs(clients)):
        alone = method.train(sent[c], datas[c], {}, rng)[0]
        # AdamW's first steps are the signs of gradients, so rounding shows where a gradient is near zero.
        assert_near(stacked[c][0].tensors, alone.tensors, atol=1e-6 if optimizer == "sgd" else 1e-4)
        assert stacked[c][0].scalars == alone.scalars
        steps = 2 * -(-datas[c].examples // 4)
        assert alone.scalars == {"examples": datas[c].examples, "forward_passes": 2 * steps, "backward_passes": 0}


@pytest.mark.parametrize("sharing", ["independent", "shared_iteration", "shared_round"])
def test_who_shares_perturbations(sharing):
    method = Spry(model=MODEL, local=LOCAL, split=False, v_sharing=sharing)
    _, sent = start(method, [3, 7])
    names = list(MODEL.names)

    def same(c, i, d, j):
        left, right = method.directions(sent[c], i), method.directions(sent[d], j)
        return all(torch.equal(left[n], right[n]) for n in names)

    assert same(3, 1, 3, 1)
    assert same(3, 1, 7, 1) == (sharing != "independent")
    assert same(3, 0, 3, 1) == (sharing == "shared_round")
    _, later = start(method, [3, 7], round=2)
    assert not torch.equal(method.directions(later[3], 0)[names[0]], method.directions(sent[3], 0)[names[0]])


def test_slots_are_dealt_anew_unless_the_map_is_fixed():
    method = Spry(model=MODEL, local=LOCAL)
    dealt = {tuple(s.scalars["slot"] for s in start(method, range(3), round)[1].values()) for round in range(1, 30)}
    assert len(dealt) == 6
    fixed = replace(method, shuffle_slots=False)
    assert {tuple(s.scalars["slot"] for s in start(fixed, range(3), r)[1].values()) for r in (1, 2, 3)} == {(0, 1, 2)}


def test_everyone_trains_the_classifiers_share_and_no_more():
    method = Spry(model=MODEL, local=LOCAL, classifier_share=1, shuffle_slots=False)
    _, sent = start(method, range(3))
    names = list(MODEL.names)
    assert [method.owned(s) for s in sent.values()] == [
        (*names[:2], names[5]),
        (*names[2:4], names[5]),
        tuple(names[4:]),
    ]
    assert list(method.directions(sent[0], 0)) == [*names[:2], names[5]]


def test_a_unit_that_nobody_brought_back_stays():
    method = Spry(model=MODEL, local=LOCAL, server=fedavg, shuffle_slots=False)
    state, sent = start(method, range(3))
    update = method.train(sent[1], toy().clients[1], {}, client_rng(5, 1, 1))[0]
    after = method.aggregate(state, {1: update})
    changed = {n for n in MODEL.names if not torch.equal(after.tensors[n], state.tensors[n])}
    assert changed == set(MODEL.names[2:4]) and int(after.optimizer[SEED]) == 5


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_client_optimizers_are_torchs(kind):
    rng = torch.Generator().manual_seed(0)
    local = LocalSGD(lr=0.03, momentum=0.7 * (kind == "sgd"), weight_decay=0.1)
    values, moments = {"w": torch.randn(3, 2, generator=rng)}, {}
    other = values["w"].clone().requires_grad_()
    options = {"lr": local.lr, "weight_decay": local.weight_decay}
    theirs = (
        torch.optim.SGD([other], momentum=0.7, **options) if kind == "sgd" else torch.optim.AdamW([other], **options)
    )
    for step in range(1, 6):
        other.grad = torch.randn(3, 2, generator=rng)
        values, moments = (sgd if kind == "sgd" else adamw)(values, {"w": other.grad}, moments, step, local)
        theirs.step()
        torch.testing.assert_close(values["w"], other.detach(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("step", [sgd, adamw])
def test_clients_of_a_stack_may_have_rates_of_their_own(step):
    rates, decay = (0.1, 0.5, 2.0), {"momentum": 0.5, "weight_decay": 0.01}
    values, gradient = ({"w": torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(s))} for s in (0, 1))
    found, _ = step(values, gradient, {}, 1, LocalSGD(lr=7.0, **decay), torch.tensor(rates))
    for c, lr in enumerate(rates):
        alone = step({"w": values["w"][c]}, {"w": gradient["w"][c]}, {}, 1, LocalSGD(lr=lr, **decay))[0]
        torch.testing.assert_close(found["w"][c], alone["w"])


def test_dropout_masks_are_a_function_of_the_seed_and_the_mode():
    values, x = DROPOUT.init(0), torch.ones(50, 4)
    before = torch.random.get_rng_state()
    shared, released, plain = (seeded_call(DROPOUT, mode, 9) for mode in ("shared_mask", "as_released", "eval"))
    assert torch.equal(shared(values, x), shared(values, x))
    assert not torch.equal(released(values, x), released(values, x))
    assert torch.equal(plain(values, x), DROPOUT(values, x)) and not torch.equal(shared(values, x), plain(values, x))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("backend", ["func", "dual"])
def test_a_net_with_dropout_and_frozen_weights_trains_one_by_one_and_repeatably(backend):
    method = Spry(model=DROPOUT, local=LOCAL, per_unit=1, backend=backend)
    federation = toy()
    one, other = (run(method, federation, rounds=2, seed=3) for _ in range(2))
    assert_near(one.state.tensors, other.state.tensors, atol=0)
    assert "0.weight" not in one.state.tensors
    mask_free = run(replace(method, dropout_mode="eval"), federation, rounds=2, seed=3)
    assert any((one.state.tensors[n] - mask_free.state.tensors[n]).abs().max() > 1e-6 for n in DROPOUT.names)
    single = run(method, federation, rounds=2, seed=3, chunk=1)
    assert_near(one.state.tensors, single.state.tensors, atol=0)


def test_evaluation_after_personal_epochs_is_apart_from_the_servers_model():
    method, federation = Spry(model=MODEL, local=LOCAL, **PLAIN), toy()
    before = run(method, federation, rounds=1).table.dropna(subset="global_loss")
    after = run(replace(method, personal_epochs=5), federation, rounds=1).table.dropna(subset="global_loss")
    assert np.allclose(before.global_loss, after.global_loss)
    assert np.allclose(before.global_loss, before.personal_loss) and not np.allclose(
        before.global_loss, after.personal_loss
    )


def test_positions_instead_of_names_mix_the_tensors_of_different_units():
    """Section "server aggregation" of the released code's defects, in the smallest case: four units, two clients."""
    right = Spry(model=EQUAL, local=LOCAL, shuffle_slots=False, weight_by="uniform", **PLAIN)
    wrong = replace(right, aggregation="as_released")
    state, sent = start(right, [0, 1])
    datas = toy((8, 8)).clients
    updates = {c: right.train(sent[c], datas[c], {}, client_rng(5, 1, c))[0] for c in sent}
    good, bad = right.aggregate(state, updates).tensors, wrong.aggregate(state, updates).tensors
    for layer in range(4):
        for kind in ("weight", "bias"):
            name = f"{layer}.{kind}"
            torch.testing.assert_close(good[name], updates[layer % 2].tensors[name])
    for kind in ("weight", "bias"):
        # The first layer of the server is now the mean of two different layers, and the last two learned nothing.
        for place, (a, b) in enumerate([(0, 1), (2, 3)]):
            mixed = (updates[0].tensors[f"{a}.{kind}"] + updates[1].tensors[f"{b}.{kind}"]) / 2
            torch.testing.assert_close(bad[f"{place}.{kind}"], mixed)
            assert torch.equal(bad[f"{place + 2}.{kind}"], state.tensors[f"{place + 2}.{kind}"])
    with pytest.raises(ValueError, match="different shapes"):
        run(replace(wrong, model=MODEL), toy(), rounds=1)


def test_more_clients_than_units_stop_the_released_assignment_before_anybody_trains():
    ours = Spry(model=MODEL, local=LOCAL, **PLAIN)  # three units
    released = replace(ours, assignment="as_released")
    four = run(ours, toy(), rounds=1, cohort_size=4)
    assert four.failures.empty and len(four.table.query("status == 'trained'")) == 4
    with pytest.raises(ValueError, match="no share for 1 of 4 clients, as there are 3 units"):
        released.configure(released.init(5), 1, range(4), configure_rng(5, 1))
    three = [run(method, toy(), rounds=2, cohort_size=3).state.tensors for method in (ours, released)]
    assert_near(*three, atol=0)


def test_lora_a_is_noise_after_the_first_round_unless_it_waits():
    """B is zero at the start, so A has no gradient: backpropagation leaves it still for a step, forward mode not."""
    released = Spry(model=LORA, local=replace(LOCAL, batch_size=99), **PLAIN)
    still = replace(released, lora_a_waits=True)
    exact = Backpropagation(model=LORA, local=released.local, **PLAIN)

    def moved(method, rounds):
        state = run(method, toy(), rounds=rounds, cohort_size=2, seed=5).state.tensors
        return {name: bool((state[name] != value).any()) for name, value in LORA.init(5).items()}

    assert moved(exact, 1) == moved(still, 1) == {"lora_A": False, "lora_B": True}
    assert moved(released, 1) == moved(still, 2) == {"lora_A": True, "lora_B": True}
    with pytest.raises(ValueError, match="LoRA's A alone, which waits"):
        run(replace(still, per_unit=1), toy(), rounds=1, cohort_size=2)


def test_what_is_sent_up_is_the_share_of_the_weights():
    federation, names = toy((8,) * 6), MODEL.names
    table = run(Spry(model=MODEL, local=LOCAL), federation, rounds=1, evaluate_every=0).table
    sizes = {n: 4 * v.numel() for n, v in MODEL.init(0).items()}
    pairs = sorted([sizes[names[i]] + sizes[names[i + 1]] for i in (0, 2, 4)] * 2)
    assert sorted(table.bytes_up - 24) == pairs  # beside examples and passes
    assert set(table.bytes_down) == {sum(sizes.values()) + 40}  # all weights, a seed and four numbers


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="no v_sharing 'often'"):
        Spry(model=MODEL, v_sharing="often")
    with pytest.raises(ValueError, match="perturbations must be at least 1"):
        Spry(model=MODEL, perturbations=0)
    assert finetuning(1e-3).weight_decay == 0.01


@pytest.mark.parametrize("method", ["lora", "classifier"])
def test_a_small_transformer_trains_and_single_clients_agree_with_cohorts(method):
    pytest.importorskip("peft")
    from lib.federated import ClientData, Federation, Model
    from lib.spry.text_model import text_model

    build = functools.partial(text_model, "bert", hidden=16, vocabulary=40, length=6, method=method, dropout=0.1)
    model, rng = Model(build, dropout=True), torch.Generator().manual_seed(1)
    ids, y = torch.randint(1, 40, (24, 6), generator=rng), torch.randint(0, 2, (24,), generator=rng)
    x = torch.stack([ids, torch.ones_like(ids)], dim=1)
    clients = tuple(ClientData(x[i : i + 6], y[i : i + 6], x[i + 6 : i + 8], y[i + 6 : i + 8]) for i in (0, 8, 16))
    spry = Spry(model=model, local=finetuning(1e-3, batch_size=3))
    one, other = (run(spry, Federation("text", clients, 2), rounds=2, seed=2, chunk=c) for c in (25, 1))
    assert_near(one.state.tensors, other.state.tensors, atol=0)
    assert all("lora" in name or "classifier" in name for name in model.names) and model.has_frozen
    assert one.failures.empty and other.failures.empty
