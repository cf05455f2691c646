"""Losses against sums written out, what each step moves, delivery against brute force, and what fitting promises."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch.nn.functional import binary_cross_entropy

from lib.segmentation import losses, stopping
from lib.segmentation.allocation import Totals, allocate
from lib.segmentation.discovery import Batches, Steps, initialise, pick, place_segments
from lib.segmentation.experiments.benches import benches, segments_of
from lib.segmentation.joint import Delivery, fit
from lib.segmentation.media import full_price
from lib.segmentation.networks import Networks, represent, stacked
from lib.segmentation.rules_theory import precision
from lib.segmentation.settings import Settings, choices_table
from lib.segmentation.theory import estimator_table, regrouping_table

TINY = Settings(segments=4, embedding=4, recurrent=4, hidden=6, steps_init=20, steps_selector=10, steps_joint=12,
                batch=64, lp_every=4)  # fmt: skip


@pytest.fixture(scope="module")
def made():
    return benches([0, 1], train=200, test=150)


def run(made, lams=(0.0, 2.0), settings=TINY):
    fitted = fit([b.train for b in made], [b.media for b in made], lams=lams, seeds=[b.seed for b in made],
                 settings=settings)  # fmt: skip
    return fitted, segments_of(fitted, [b.test for b in made])


def test_losses_by_hand():
    y, logits = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.3, -1.2, 2.0]])
    g = torch.sigmoid(logits[0])
    every = losses.user_segment_loss(y, logits)[0]
    for i in range(2):
        for k in range(3):
            assert every[i, k] == pytest.approx(float(binary_cross_entropy(g[k], y[0, i])), abs=1e-6)
    assert losses.predictive(y, logits, torch.tensor([[2, 0]]))[0] == pytest.approx(
        float((every[0, 2] + every[1, 0]) / 2)
    )
    pairs = [(0, 1), (0, 2), (1, 2)]
    wanted = -sum(-(g[a] * torch.log(g[b]) + (1 - g[a]) * torch.log(1 - g[b])) for a, b in pairs) / (2 * 1)
    assert losses.distance(logits)[0] == pytest.approx(float(wanted), abs=1e-5)
    with pytest.raises(ValueError, match="3 segments"):
        losses.distance(logits[:, :2])


@examples(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_entropies_are_within_their_bounds(segments, seed):
    log_pi = torch.log_softmax(3 * torch.randn(2, 20, segments, generator=torch.Generator().manual_seed(seed)), dim=-1)
    top = np.log(segments) + 1e-5
    assert ((losses.user_entropy(log_pi) >= 0) & (losses.user_entropy(log_pi) <= top)).all()
    even = torch.full((1, 20, segments), -float(np.log(segments)))
    assert ((losses.imbalance(log_pi) >= -top) & (losses.imbalance(log_pi) <= 1e-6)).all()
    assert losses.imbalance(even)[0] == pytest.approx(-np.log(segments), abs=1e-5)


def test_draws_follow_the_distribution():
    pi = torch.tensor([[0.1, 0.6, 0.3]]).repeat(30_000, 1)[None]
    drawn = losses.draw(pi.log(), torch.rand(1, 30_000, generator=torch.Generator().manual_seed(0)))
    assert np.abs(np.bincount(drawn[0], minlength=3) / 30_000 - [0.1, 0.6, 0.3]).max() < 0.01
    assert losses.draw(pi[:, :1].log(), torch.tensor([[0.99999]])).item() == 2


def test_the_sampled_gradient_is_the_exact_one_in_the_mean():
    table = estimator_table(samples=4000, users=8, segments=5, seed=3)
    distance, variance = precision(table)
    assert (distance < 1.5).all() and variance["baseline"] < variance["plain"] and len(table) == 2 * 8 * 5
    generator = torch.Generator().manual_seed(3)
    logits, cost = (draw(1, 8, 5, generator=generator, dtype=torch.float64)[0] for draw in (torch.randn, torch.rand))
    pi, cost = torch.softmax(logits, dim=-1), cost + 0.5
    wanted = pi * (cost - (pi * cost).sum(dim=-1, keepdim=True)) / 8  # the softmax's derivative, written out
    assert np.allclose(table.loc[table["estimator"] == "plain", "exact"], wanted.flatten())


def test_the_baseline_is_the_mean_of_the_others():
    log_pi = torch.log_softmax(torch.randn(1, 4, 3), dim=-1)
    cost, sampled = torch.rand(1, 4, 3), torch.tensor([[0, 1, 2, 1]])
    drawn = cost[0, range(4), sampled[0]]
    others = torch.stack([drawn[[j for j in range(4) if j != i]].mean() for i in range(4)])
    wanted = ((drawn - others) * log_pi[0, range(4), sampled[0]]).mean()
    assert losses.actor_loss(log_pi, cost, sampled)[0] == pytest.approx(float(wanted), abs=1e-6)


def test_regrouping_is_free_where_there_is_no_gap():
    table = regrouping_table(np.array([0.0, 0.1, 10.0]), exposure=np.array([0.5, 0.5, -1.0]), charge=np.zeros(3),
                             price=1.0, loss_gap=np.array([0.0, 1.0, 0.0]))  # fmt: skip
    assert table["moved"].tolist() == pytest.approx([0, 1 / 3, 2 / 3]) and table["lost"].tolist() == [0, 0, 1 / 3]


def test_each_step_moves_its_part_alone(made):
    pages, cells, outcomes = stacked([b.train for b in made])
    networks = Networks(made[0].train, [0, 1], segments=4, widths=TINY.widths)
    steps = Steps(networks, TINY)
    torch.nn.init.normal_(networks.centroids)
    parts = {"critic": networks.predictor, "map": networks.map}
    before = {name: [p.detach().clone() for p in part.parameters()] for name, part in parts.items()}
    steps.actor.param_groups[0]["lr"] = steps.embedding.param_groups[0]["lr"] = 0.0
    kept = [p.detach().clone() for p in networks.encoder.parameters()]
    steps.take(pages[:, :50], outcomes[:, :50], cells[:, :50], torch.rand(2, 50))
    assert all(torch.equal(a, b) for a, b in zip(kept, networks.encoder.parameters(), strict=True))
    for name, part in parts.items():
        assert any(not torch.equal(a, b) for a, b in zip(before[name], part.parameters(), strict=True)), name


@pytest.mark.parametrize("start", ["latent", "outcome"])
def test_segments_are_placed_on_their_users(made, start):
    settings = Settings(segments=4, start=start, embedding=4, recurrent=4, hidden=6)
    pages, _, _ = stacked([b.train for b in made])
    networks = Networks(made[0].train, [0, 1], segments=4, widths=settings.widths)
    z = represent(networks, pages)
    labels = place_segments(networks, z, [0, 1], settings)
    for r in range(2):
        for k in range(4):
            if start == "latent":
                wanted = z[r][labels[r] == k].mean(dim=0)
                assert torch.allclose(torch.tanh(networks.centroids[r, k]), wanted, atol=1e-3)
            else:
                assert torch.isclose(torch.tanh(networks.centroids[r, k]), z[r], atol=1e-4).all(dim=1).any()


def test_initialisation_learns(made):
    pages, _, outcomes = stacked([b.train for b in made])
    networks = Networks(made[0].train, [0, 1], segments=4, widths=TINY.widths)
    settings = Settings(
        segments=4, embedding=4, recurrent=4, hidden=6, steps_init=100, steps_selector=400, batch=200, lr_init=0.02
    )

    def loss():
        with torch.no_grad():
            return losses.predictive(outcomes, networks.user_logits(represent(networks, pages)), _all(200))

    before = loss()
    initialise(networks, pages, outcomes, Batches([0, 1], 200, 200), [0, 1], settings)
    z = represent(networks, pages)
    assert (loss() < before).all()
    labels = place_segments(networks, z, [0, 1], settings)
    assert (networks.log_assignment(z).argmax(-1) == labels).float().mean() > 0.9


def _all(n):
    return torch.arange(n).expand(2, -1)


@pytest.mark.parametrize("value", ["exposures", "conversions"])
@pytest.mark.parametrize("charge", ["targeted", "matched", "exposed"])
def test_the_delivery_term_by_brute_force(made, value, charge):
    settings = Settings(segments=4, value=value, embedding=4, recurrent=4, hidden=6)
    pages, cells, outcomes = stacked([b.train for b in made])
    networks = Networks(made[0].train, [0, 1], segments=4, widths=settings.widths)
    torch.nn.init.normal_(networks.centroids)
    media = [b.media for b in made]
    delivery = Delivery(media, [1.5], cells, outcomes, 0.15, charge, settings)
    z = represent(networks, pages)
    delivery.allocate(networks, z)
    found = delivery.reward(networks, pick(cells, _all(30)))(z[:, :30]).detach().numpy()
    for r, bench in enumerate(made):
        pi = networks.log_assignment(z).exp()[r].detach().double().numpy()
        worth = torch.sigmoid(networks.segment_logits())[r].detach().numpy() if value == "conversions" else np.ones(4)
        users = bench.train
        e, q = bench.media.exposure[users.cell], bench.media.charge(charge)[users.cell]
        plan = allocate(Totals((pi.T @ e) * worth[:, None], pi.T @ q), 0.15 * full_price(len(users), bench.media))
        unit = e.mean() * (users.outcome.mean() if value == "conversions" else 1)
        for i in range(30):
            for k in range(4):
                wanted = 1.5 / unit * (plan.share[k] * (worth[k] * e[i] - plan.price * q[i])).sum()
                assert found[r, i, k] == pytest.approx(wanted, abs=2e-3)


def test_predicted_cells_average_over_the_map(made):
    settings = Settings(segments=4, static="predicted", embedding=4, recurrent=4, hidden=6)
    pages, cells, outcomes = stacked([b.train for b in made])
    networks = Networks(made[0].train, [0, 1], segments=4, widths=settings.widths)
    delivery = Delivery([b.media for b in made], [1.0], cells, outcomes, 0.15, "targeted", settings)
    z = represent(networks, pages)
    exposed, charged = delivery.by_user(networks, z, cells)
    chance = torch.softmax(networks.map(z), dim=-1)[0].detach().numpy()
    assert np.allclose(exposed[0], chance @ made[0].media.exposure, atol=1e-5)
    assert np.allclose(charged[0], made[0].media.price, atol=1e-5)


def test_fitting_is_paired_and_reproducible(made):
    fitted, found = run(made)
    _, same = run(made)
    assert all((found[key].test == same[key].test).all() for key in found)
    _, one = run(made, lams=(0.0,))
    for s in (0, 1):  # discovery only is the same whatever runs beside it
        assert (found[s, 0.0].test == one[s, 0.0].test).all()
        assert np.allclose(found[s, 0.0].rates, one[s, 0.0].rates, atol=1e-5)
    assert not np.allclose(found[0, 0.0].rates, found[0, 2.0].rates, atol=1e-6)
    assert [model for model, _, _ in fitted.models()] == [0, 1, 2, 3]


def test_discovery_only_knows_nothing_of_media_or_cells(made):
    other = [replace(b, media=made[1 - i].media) for i, b in enumerate(made)]
    shuffled = [
        b.train.__class__(b.train.pages, b.train.cell[::-1].copy(), b.train.outcome, b.train.n_pages, 8) for b in made
    ]
    blind = [replace(b, train=users) for b, users in zip(made, shuffled, strict=True)]
    _, found = run(made)
    for changed in (other, blind):
        _, theirs = run(changed)
        assert all((found[s, 0.0].test == theirs[s, 0.0].test).all() for s in (0, 1))
        assert any(not np.array_equal(found[s, 2.0].rates, theirs[s, 2.0].rates) for s in (0, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "exact"},
        {"encoder": "flat"},
        {"start": "outcome"},
        {"static": "predicted"},
        {"value": "conversions"},
        {"bidirectional": True},
        {"baseline": False},
        {"beta": 0.0, "segments": 2},
        {"steps_joint": 0},
    ],
)
def test_every_choice_runs(made, change):
    _, found = run(made, settings=Settings(**(vars(TINY) | change)))
    for one in found.values():
        assert one.test.max() < len(one.rates) and ((one.rates > 0) & (one.rates < 1)).all()


def test_settings_and_fit_refuse(made):
    for change, words in (
        ({"actor": "greedy"}, "reinforce"),
        ({"start": "random"}, "latent"),
        ({"segments": 2}, "3 segments"),
        ({"batch": 0}, "at least 1"),
        ({"static": "guessed"}, "observed"),
        ({"value": "clicks"}, "exposures"),
    ):
        with pytest.raises(ValueError, match=words):
            Settings(**change)
    with pytest.raises(ValueError, match="at least 0"):
        run(made, lams=(0.0, -1.0))
    table = choices_table(TINY).set_index("choice")
    assert set(table.index) == set(vars(TINY)) and table["what it is"].str.len().gt(5).all()
    assert table.loc["lp_every", "what it is"] == "steps between two solutions of the allocation"


def test_early_stopping_keeps_each_models_best_by_users_it_did_not_learn_from(made):
    settings = replace(TINY, look_every=4, steps_init=60, lr_init=0.02, lr=0.05)
    seen = []

    class Watched(stopping.Best):
        def look(self):
            super().look()
            seen.append(stopping.auprc(self.networks, self.held))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lib.segmentation.joint.Best", Watched)
        fitted, _ = run(made, settings=settings)
    learned, held = stopping.hold_out([one.train for one in made], [0, 1])
    assert [len(users) for users in held] == [30, 30] and len(learned[0]) == 170
    last = stopping.auprc(fitted.networks, [users for users in held for _ in range(2)])
    assert len(seen) == 3 and (last >= np.max(seen, axis=0) - 1e-12).all()
    assert (last > np.min(seen, axis=0)).any()  # the looks differ, so that there is something to choose
    one = average_precision_score(
        held[0].outcome, segments_of(fitted, held)[0, 0.0].rates[segments_of(fitted, held)[0, 0.0].test]
    )
    assert last[0] == pytest.approx(one)
