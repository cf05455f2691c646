"""The generators, the outcomes, the closed forms and PartialFed."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from flow_toys import MLP, ROUTED_MLP, SGD, toys
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.federated import run
from lib.federated.algorithms import FedAvg, FineTuned
from lib.federated.seeds import client_rng
from lib.flow.baselines.partialfed import LOGITS, PartialFed
from lib.flow.experiments.rates import LINEAR, global_gradient, gradient_terms, output_gradient
from lib.flow.experiments.statements import instance_value_check, mixing_check
from lib.flow.federations import digits, dirichlet_digits, styled_digits, text_federation
from lib.flow.mixture import mixture
from lib.flow.outcomes import apart_table, by_run, clients_table, global_right, personal_right
from lib.flow.synthetic import synthetic
from lib.flow.theory import Setting, best_alpha, curvature, risk, value_of_instances


def test_the_mixture_labels_each_instance_by_the_rule_of_its_type():
    made = mixture(rho=0.4, delta=0.7, clients=3, train=50, test=30, seed=5)
    rng = np.random.default_rng([5, 211])
    common = rng.standard_normal((5, 19))
    for c, data in enumerate(made.federation.clients):
        own = np.sqrt(1 - 0.49) * common + 0.7 * rng.standard_normal((5, 19))
        z, x = rng.random(80) < 0.4, rng.standard_normal((80, 19))
        rng.standard_normal(80)
        expected = [((own if local else common) @ row).argmax() for local, row in zip(z, x, strict=True)]
        assert torch.cat([data.train_y, data.test_y]).tolist() == expected
        assert np.array_equal(np.concatenate([made.train_local[c], made.test_local[c]]), z)
        inputs = torch.cat([data.train_x, data.test_x])
        assert np.allclose(inputs[:, 1:].numpy(), x, atol=1e-6)
        assert ((inputs[:, 0] > 0).numpy() == z).all()  # the cue is ten of its standard deviations away from zero


def test_clients_of_the_mixture_may_hold_unequally_many_instances():
    made = mixture(rho=0.5, clients=3, train=(2, 5, 9), test=4, seed=1)
    assert [data.examples for data in made.federation.clients] == [2, 5, 9] == [len(z) for z in made.train_local]
    assert made.test_local.shape == (3, 4)
    even = (
        mixture(rho=0.5, clients=3, train=5, test=4, seed=1),
        mixture(rho=0.5, clients=3, train=[5] * 3, test=4, seed=1),
    )
    for one, other in zip(*(sized.federation.clients for sized in even), strict=True):
        assert torch.equal(one.train_x, other.train_x) and torch.equal(one.test_y, other.test_y)
    with pytest.raises(ValueError, match="one for each"):
        mixture(rho=0.5, clients=3, train=(2, 5))


def test_the_mixture_at_its_ends():
    for rho, share in ((0.0, 0.0), (1.0, 1.0)):
        assert mixture(rho=rho, clients=2).test_local.mean() == share
    same = mixture(rho=1.0, delta=0.0, clients=2, seed=3).federation.clients
    other = mixture(rho=0.0, delta=0.0, clients=2, seed=3).federation.clients
    assert all(torch.equal(a.train_y, b.train_y) for a, b in zip(same, other, strict=True))  # one rule for all
    with pytest.raises(ValueError, match="shares"):
        mixture(rho=1.2)
    with pytest.raises(ValueError, match="two features"):
        mixture(rho=0.5, classes=1)


def test_synthetic_clients_differ_as_asked():
    alike = synthetic(alpha=1, beta=1, clients=4, examples=400, iid=True, seed=1)
    means = torch.stack([data.train_x.mean(dim=0) for data in alike.clients])
    assert means.abs().max() < 0.25
    spread = [
        torch.stack(
            [d.train_x.mean(dim=0).mean() for d in synthetic(alpha=0, beta=b, clients=40, seed=1).clients]
        ).std()
        for b in (0.0, 4.0)
    ]
    assert spread[0] < 0.4 < 1.4 < spread[1]
    variances = alike.clients[0].train_x.var(dim=0)
    assert torch.allclose(variances, torch.arange(1, 61) ** -1.2, rtol=0.4)
    sizes = [data.examples for data in synthetic(alpha=0, beta=0, seed=1).clients]
    assert min(sizes) >= 50 and max(sizes) <= 1000
    with pytest.raises(ValueError, match="variances"):
        synthetic(alpha=-1, beta=0)


def test_digits_by_class_and_by_style():
    for made in (dirichlet_digits(alpha=0.1, seed=1), styled_digits(strength=1.0, seed=1)):
        assert sum(data.examples + len(data.test_y) for data in made.clients) == 1797
    plain, styled = styled_digits(strength=0.0, seed=1), styled_digits(strength=1.0, seed=1)
    x = {tuple(row.tolist()) for row in torch.from_numpy(digits()[0])}
    assert all(tuple(row.tolist()) in x for row in plain.clients[0].train_x)
    for one, other in zip(plain.clients, styled.clients, strict=True):
        assert torch.equal(one.train_y, other.train_y) and not torch.equal(one.train_x, other.train_x)
        assert other.train_x.min() >= 0 and other.train_x.max() <= 1
    with pytest.raises(ValueError, match="negative"):
        styled_digits(strength=-1.0)


def test_text_is_cut_in_windows_with_the_next_characters():
    federation, vocabulary = text_federation(["abcabcabcabcabcab", "ccccccccccccccccc"], length=4, windows=4)
    assert vocabulary == "abc" and federation.classes == 3
    one = federation.clients[0]
    assert one.train_x.tolist() == [[0, 1, 2, 0], [1, 2, 0, 1], [2, 0, 1, 2]] and one.test_x.tolist() == [[0, 1, 2, 0]]
    assert one.train_y[0].tolist() == [1, 2, 0, 1] and one.test_y.tolist() == [[1, 2, 0, 1]]
    numbered, _ = text_federation(["abcabcabcabcabcab"], length=4, windows=4, vocabulary="xabc")
    assert numbered.classes == 4 and numbered.clients[0].train_x[0].tolist() == [1, 2, 3, 1]
    with pytest.raises(ValueError, match="lower windows"):
        text_federation(["abc"], length=4, windows=4)


def test_outcomes_count_instances_and_harm_strictly():
    before = [torch.tensor([True, True, False, False]), torch.tensor([True, False]), torch.tensor([False, False])]
    after = [torch.tensor([True, False, False, False]), torch.tensor([False, True]), torch.tensor([True, False])]
    table = clients_table(before, [*after])
    assert table["harmed"].tolist() == [1, 0, 0] and table["tied"].tolist() == [0, 1, 0]
    shares = table[["both", "only_global", "only_personal", "neither"]]
    assert shares.to_numpy().tolist() == [[0.25, 0.25, 0, 0.5], [0, 0.5, 0.5, 0], [0, 0, 0.5, 0.5]]
    assert (shares.sum(axis=1) == 1).all() and table["personal"].tolist() == [0.25, 0.5, 0.5]
    means = by_run(table.assign(method="m", seed=0), ["method", "seed"])
    assert means["harmed"].tolist() == [pytest.approx(1 / 3)] and "client" not in means


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_accuracies_are_sums_of_the_two_by_two_table(pairs):
    g, p = (torch.tensor(side) for side in zip(*pairs, strict=True))
    row = clients_table([g], [p]).iloc[0]
    assert row["global"] == pytest.approx(row["both"] + row["only_global"])
    assert row["personal"] == pytest.approx(row["both"] + row["only_personal"])
    assert row["harmed"] == (row["personal"] < row["global"])


def test_right_and_wrong_are_those_of_the_engines_metrics():
    federation = toys()
    for algorithm in (FineTuned(model=MLP, local=SGD, finetune=SGD), FedAvg(model=MLP, local=SGD)):
        history = run(algorithm, federation, rounds=2, seed=4)
        last = history.table.query("round == 2")
        after = personal_right(algorithm, history.state, federation, history.memories, seed=4)
        before = global_right(algorithm, history.state, federation)
        assert [float(r.double().mean()) for r in after] == pytest.approx(last["personal_accuracy"].tolist())
        assert [float(r.double().mean()) for r in before] == pytest.approx(last["global_accuracy"].tolist())


# propositions


def test_closed_forms_against_simulation():
    mixing = mixing_check(examples=(5, 80), spreads=(0.05, 0.8), clients=(3, 20))
    assert (mixing["alpha"] - mixing["predicted"]).abs().max() < 0.01
    assert (mixing["simulated_risk"] / mixing["risk"] - 1).abs().max() < 0.03
    value = instance_value_check()
    inner = value[value["predicted"] > 0]
    assert (inner["value"] / inner["predicted"] - 1).abs().max() < 0.03
    assert value[value["rho"].isin([0, 1])]["value"].abs().max() < 1e-12


@given(
    clients=st.integers(2, 50),
    n=st.integers(1, 200),
    noise=st.floats(0.01, 10),
    spread=st.floats(0.001, 10),
    alpha=st.floats(-1, 2),
)
@settings(max_examples=100, deadline=None)
def test_the_risk_is_a_parabola_around_the_best_weight(clients, n, noise, spread, alpha):
    at = Setting(clients, n, noise, spread)
    best = best_alpha(at)
    excess = risk(alpha, at) - risk(best, at)
    assert excess == pytest.approx(curvature(at) * (alpha - best) ** 2, rel=1e-6, abs=1e-9)


@given(rho=st.floats(0.01, 0.99), low=st.floats(0.001, 1), high=st.floats(0.001, 1))
@settings(max_examples=50, deadline=None)
def test_the_value_of_instances_is_what_one_common_weight_loses(rho, low, high):
    at, other = Setting(10, 20, 1.0, low), Setting(10, 20, 1.0, high)
    grid = np.linspace(0, 1, 20001)
    common = rho * risk(grid, other) + (1 - rho) * risk(grid, at)
    own = rho * risk(best_alpha(other), other) + (1 - rho) * risk(best_alpha(at), at)
    assert value_of_instances(rho, at, high) == pytest.approx(common.min() - own, abs=1e-7)


def test_impossible_settings_of_the_propositions():
    with pytest.raises(ValueError, match="two clients"):
        Setting(1, 5, 1.0, 1.0)


def test_gradients_are_those_of_autograd():
    federation = synthetic(alpha=1, beta=1, clients=3, examples=20, seed=2)
    values = LINEAR.init(1)
    leaves = {name: value.clone().requires_grad_() for name, value in values.items()}
    x, y = (torch.cat([getattr(d, part) for d in federation.clients]) for part in ("train_x", "train_y"))
    grads = torch.autograd.grad(LINEAR.loss(LINEAR(leaves, x), y).mean(), list(leaves.values()))
    assert global_gradient(values, federation) == pytest.approx(sum(float(g.square().sum()) for g in grads), rel=1e-4)
    found = output_gradient(LINEAR(values, x), x, y)
    assert torch.allclose(found[:, :-1], grads[0], atol=1e-6) and torch.allclose(found[:, -1], grads[1], atol=1e-6)


# PartialFed

CHOOSER = PartialFed(model=MLP, local=SGD, routing=replace(ROUTED_MLP, by="client"), choice_lr=0.5)


def test_partialfed_loads_everything_at_first_and_what_its_logits_prefer_later():
    federation = toys()
    state, (data, *_) = CHOOSER.init(1), federation.clients
    first = CHOOSER.personal_models(state, [data], [{}], [client_rng(0, 1, 0)])
    for name, value in first.items():
        assert torch.equal(value[0], state.tensors[name])
    own = MLP.init(9) | {LOGITS: torch.tensor([[0.0, 1.0], [1.0, 0.0]])}
    found = CHOOSER.personal_models(state, [data], [own], [client_rng(0, 1, 0)])
    for name, value in found.items():
        expected = own[name] if name.startswith("blocks.0.") else state.tensors[name]
        assert torch.equal(value[0], expected)


def test_partialfed_learns_to_keep_units_that_fit_its_data():
    (data,) = toys((40,)).clients
    state = CHOOSER.init(1)
    fitted = FineTuned(model=MLP, local=SGD, finetune=replace(SGD, epochs=30)).personal_models(
        state, [data], [{}], [client_rng(0, 1, 0)]
    )
    own = {name: value[0] for name, value in fitted.items()} | {LOGITS: torch.zeros(2, 2)}
    sent = CHOOSER.configure(state, 1, [0], np.random.default_rng(0))[0]
    update, memory = CHOOSER.train(sent, data, own, client_rng(0, 2, 0))
    assert (memory[LOGITS][:, 1] > memory[LOGITS][:, 0]).all()
    assert set(memory) == {*MLP.names, LOGITS} and list(update.tensors) == list(MLP.names)
    still = replace(CHOOSER, choice_lr=0.0)
    same, _ = still.train(sent, data, own, client_rng(0, 2, 0))
    plain, _ = FedAvg(model=MLP, local=SGD).train(sent, data, {}, client_rng(0, 2, 0))
    assert list(same.tensors) == list(plain.tensors)


def test_partialfed_chooses_by_client():
    with pytest.raises(ValueError, match="by='client'"):
        PartialFed(model=MLP, local=SGD, routing=ROUTED_MLP)
    history = run(CHOOSER, toys(), rounds=3, seed=1, on_failure="raise")
    assert isinstance(history.table, pd.DataFrame) and history.table["personal_accuracy"].between(0, 1).all()


def test_routes_apart_counts_what_leaves_the_most_frequent_route():
    alike = torch.full((4, 2), 0.9)
    one_leaves = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.6], [0.6, 0.4]])
    text = torch.tensor([[[0.9, 0.9, 0.1]], [[0.9, 0.1, 0.9]]])  # two instances, one unit, three characters
    table = apart_table([alike, one_leaves, text, torch.zeros(0, 2)])
    assert table["client"].tolist() == [0, 1, 2] and table["routed"].tolist() == [4, 4, 6]
    assert table["apart"].tolist() == pytest.approx([0, 1 / 4, 2 / 6])
    assert table["local"].tolist() == pytest.approx([1, 5 / 8, 4 / 6])


def test_a_routed_gradient_is_bounded_by_the_branches_over_what_they_serve():
    """Two instances by hand: one input number, two classes, a bias; all gradients are errors times (x, 1)."""
    x, y = torch.tensor([[2.0], [-1.0]]), torch.tensor([0, 1])
    ours, own = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0], [math.log(3.0), 0.0]])
    found = gradient_terms(ours, own, torch.tensor([True, False]), x, y)

    def square(first, second):  # errors of class 0: the other class has the opposite
        return 2 * ((2 * first - second) ** 2 + (first + second) ** 2) / 4

    expected = {"share": 0.5, "global": square(-0.5, 0.5), "local": square(-0.25, 0.75), "routed": square(-0.25, 0.5)}
    expected["mix"] = (expected["global"] + expected["local"]) / 2
    expected["parts"] = (2 * 0.25**2 * 5 + 2 * 0.5**2 * 2) / 2  # the local branch on x = 2, the global one on x = -1
    assert found == pytest.approx(expected) and found["routed"] < found["parts"]


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_on_the_routed_gradient_holds_and_is_tight_without_a_choice(seed):
    rng = torch.Generator().manual_seed(seed)
    x, ours, own = (torch.randn(7, size, generator=rng) for size in (4, 3, 3))
    y, local = torch.randint(3, (7,), generator=rng), torch.rand(7, generator=rng) > 0.5
    found = gradient_terms(ours, own, local, x, y)
    assert found["routed"] <= found["parts"] * (1 + 1e-12)
    for every in (True, False):
        one = gradient_terms(ours, own, torch.full((7,), every), x, y)
        assert one["routed"] == one["mix"] == one["parts"] == one["local" if every else "global"]
