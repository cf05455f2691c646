"""Experiments without claims of their own, and every figure on tables of the real shape."""

import dataclasses
import functools
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from poisoning_toys import updates

from lib import jobs
from lib.poisoning import experiments, figures
from lib.poisoning.adversary import Costs, cost
from lib.poisoning.baselines import make_attacker
from lib.poisoning.experiments import real
from lib.poisoning.experiments.memorization import image_of, image_rows
from lib.poisoning.experiments.shares import PLACES, placed
from lib.poisoning.experiments.spectrum import PLAIN, _accuracy_by_round, accuracy_by_round
from lib.poisoning.federations import digits_population
from lib.poisoning.theory import RULES

FEW = (
    "mean",
    "median",
    "trimmed mean",
    "norm bound",
    "geometric median",
    "Krum",
    "Multi-Krum",
    "Bulyan",
    "DnC",
    "NNM + Krum",
)


def runs(adversaries, rules=("trimmed mean", "Multi-Krum"), *, beta=0.1, shares=(0.2,), kind="unit"):
    """Return a table of the spectrum's shape with made-up accuracies."""
    rng, rows = np.random.default_rng(0), []
    for rule in rules:
        for adversary in adversaries:
            for share in shares:
                for seed in range(2):
                    row = {"rule": rule, "adversary": adversary, "kind": kind, "beta": beta, "share": share}
                    row |= {"seed": seed, "rate": 0.1}
                    rows += [row | {"round": r, "accuracy": rng.uniform(0.2, 0.9)} for r in range(1, 4)]
    return pd.DataFrame(rows)


NAMES = ("none", "MPAF", "compromised 5", "hybrid 5", "compromised 20 %", "omniscient")


@functools.cache
def images():
    plan = experiments.Plan(virtual=4, images_each=5)
    table = experiments.synthetic_images(adversaries=("bootstrap 1", "bootstrap 2"), plan=plan)
    made = table.replace({"source": {"bootstrap": "ddpm"}})
    second = made[(made["compromised"] == 2) & (made["source"] == "ddpm")].assign(source="dcgan")  # not for each number
    return pd.concat([made, second], ignore_index=True)


@functools.cache
def real_tables():
    """Tables of the shape of a run on real data, some made up."""
    names = ("none", "MPAF", "MPAF 1", "noise", "compromised 5", "hybrid 1", "hybrid 5", "bootstrap 5", "omniscient")
    rules = real.ROBUST
    few = ("none", "MPAF", "bootstrap 5", "omniscient")
    made = {
        "real": runs(names, (*rules, "mean")),
        "real_attacks": runs(("LIE", "Fang"), rules),
        "real_alike": runs(few, rules, beta=10.0),
        "real_shares": runs(("MPAF", "noise", "bootstrap 5"), rules, shares=(0.08, 0.4)),
        "real_directions": pd.concat([runs(("bootstrap 5",), rules, kind=kind) for kind in ("std", "sign")]),
        "real_rules": runs(few, ("Krum", "DnC")),
        "real_images": images().replace({"compromised": {2: 5}}),
    }
    return {name: table.assign(data="mnist") for name, table in made.items()}


def directions():
    known = runs(("none", "omniscient"))
    return experiments.beside(runs(("omniscient",), kind="std"), known, ("none", "omniscient"))


def quality():
    rng = np.random.default_rng(1)
    rows = [
        {
            "rule": rule,
            "adversary": name,
            "seed": seed,
            "cosine": rng.uniform(),
            "classes": 0.1,
            "best_impact": rng.uniform(),
        }
        for rule in ("trimmed mean", "Multi-Krum")
        for name in ("noise", "hybrid 5", "bootstrap 5")
        for seed in range(2)
    ]
    return pd.DataFrame(rows)


FIGURES = {
    "adversaries": lambda: figures.adversaries(experiments.placement()),
    "strength": lambda: figures.strength(
        experiments.strength_curves(rules=FEW, seeds=2, d=40, strengths=(0.1, 1.0, 10.0))
    ),
    "breakdown": lambda: figures.breakdown(experiments.breakdown(rules=FEW, seeds=1)),
    "robustness": lambda: figures.robustness(
        experiments.robustness(rules=FEW, seeds=1, fs=(1, 2), d=5), experiments.two_points(rules=FEW)
    ),
    "krum_guarantee": lambda: figures.krum_guarantee(
        experiments.krum_guarantee(plan=experiments.Plan(rounds=2, steps=2), seeds=2)
    ),
    "mpaf_paths": lambda: figures.mpaf_paths(experiments.mpaf_paths(rounds=4)),
    "votes_and_trust": lambda: figures.votes_and_trust(experiments.votes_and_trust(counts=(0, 5, 19), d=50)),
    "quality": lambda: figures.quality(quality()),
    "cohorts": lambda: figures.cohorts(experiments.cohort_risk()),
    "spectrum": lambda: figures.spectrum(runs(NAMES)),
    "rounds": lambda: figures.rounds(runs(NAMES)),
    "heterogeneity": lambda: figures.heterogeneity(runs(NAMES), runs(("none", "MPAF", "omniscient"), beta=1.0)),
    "shares": lambda: figures.shares(runs(("MPAF", "bootstrap 5"), shares=(0.0, 0.2, 0.4))),
    "prices": lambda: figures.prices(experiments.cost_and_impact(runs(NAMES))),
    "attacks": lambda: figures.attacks(runs(("none", "LIE", "Fang", "hybrid 5"))),
    "other_rules": lambda: figures.other_rules(runs(NAMES, ("median", "Krum")), data="MNIST"),
    "directions": lambda: figures.directions(directions()),
    "taken_over": lambda: figures.taken_over(runs(("none", "hybrid 1", "hybrid 5", "bootstrap 5")), data="MNIST"),
    "variants": lambda: figures.variants(runs(NAMES, ("Multi-Krum",)), runs(NAMES, ("Multi-Krum, iterative",))),
    "samples": lambda: figures.samples(images(), each=4),
    "distances": lambda: figures.distances(images()),
}


def test_every_figure_has_its_test():
    assert {*FIGURES, "of_real", "show_real"} == set(figures.__all__)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_draw_with_a_caption_and_a_text(name):
    fig = FIGURES[name]()
    fig.canvas.draw()
    assert len(fig.scarce_caption) > 60 and "nan" not in fig.scarce_caption and len(fig.scarce_alt) > 20


@pytest.mark.parametrize("name", ["spectrum", "shares"])
def test_empty_tables_are_refused(name):
    with pytest.raises(ValueError, match="the table is empty"):
        getattr(figures, name)(runs(NAMES).iloc[:0])


def test_images_carry_their_distances():
    table = images()
    assert set(table["source"]) == {"real", "held out", "ddpm", "dcgan"}
    assert table.loc[table["source"] == "real", "distance"].isna().all()
    assert table.loc[table["source"] == "ddpm", "distance"].max() < 1e-6  # the bootstrap stands in: real images
    near = experiments.nearness(table)
    held = near[near["source"] == "held out"].set_index("compromised")["distance"]
    assert held[2] <= held[1] and held[2] > 0.5


def test_shown_pixels_are_those_of_the_images():
    clients = digits_population(seed=3)
    attacker = make_attacker("bootstrap 2", clients, experiments.Plan(virtual=3, images_each=4))
    rows = image_rows(attacker, clients, 2, "bootstrap", shown=5)
    made = rows[rows["source"] == "bootstrap"]
    assert len(made) == 12 and (made["pixels"] != "").sum() == 5 and (made["distance"] == 0).all()
    for pixels, image in zip(made["pixels"], attacker.shards[0].train_x, strict=False):
        if pixels:
            assert np.abs(image_of(pixels) / 127.5 - 1 - image.reshape(8, 8).numpy()).max() <= 1 / 255
    assert image_of("00ff80" * 4).shape == (2, 2, 3)


def test_figures_of_real_data_are_drawn_where_there_are_tables():
    assert figures.of_real({}) == {}
    found = figures.of_real(real_tables())
    parts = ("spectrum", "taken", "attacks", "rules", "alike", "directions", "shares")
    assert set(found) == {f"mnist-{part}" for part in parts} | {"real-samples", "real-distances"}
    for fig in found.values():
        fig.canvas.draw()
        assert "nan" not in fig.scarce_caption and "MNIST" in fig.scarce_caption
    for question in ("adversaries", "images", "variations"):
        shown = {}
        show = functools.partial(lambda kept, fig, name: kept.update({name: fig}), shown)
        figures.show_real({"real": real_tables()["real"]}, question, show)
        assert list(shown) == (["mnist-spectrum", "mnist-taken"] if question == "adversaries" else [])


def test_a_sweep_of_shares_begins_without_attack():
    fig = figures.of_real(real_tables(), "variations")["mnist-shares"]
    (axis, *_) = fig.axes
    assert all(list(line.get_xdata()) == [0.0, 0.08, 0.2, 0.4] for line in axis.lines)
    first = [line.get_ydata()[0] for line in axis.lines]
    main = real_tables()["real"]
    clean = main[(main["adversary"] == "none") & (main["rule"] == "median")]
    assert first == pytest.approx([clean.groupby("seed")["accuracy"].max().median()] * len(first))


def test_clients_of_one_user_are_named_so():
    table = runs(("none", "MPAF", "omniscient"), beta=np.inf)
    fig = figures.heterogeneity(runs(NAMES), table, data="FEMNIST digits")
    assert [axis.get_title() for axis in fig.axes] == [r"$\beta = 0.1$", "by user"]
    assert "by user: " in fig.scarce_caption and "inf" not in fig.scarce_caption


@pytest.mark.parametrize("name", PLACES)
def test_fakes_fill_up_the_malicious_share(name):
    place = placed(name)
    assert place.compromised == PLACES[name][0]
    if place.fakes:
        assert place.malicious / (100 + place.fakes) == pytest.approx(0.2, abs=0.005)
    assert placed("omniscient") is None and placed("compromised 20 %").compromised == 20


def test_the_front_holds_what_no_cheaper_adversary_beats():
    table = experiments.cost_and_impact(runs(NAMES), ratios=(1.0, 50.0))
    for (_, ratio), rows in table.groupby(["rule", "ratio"]):
        for row in rows.itertuples():
            assert row.cost == cost(placed(row.adversary), Costs(compromised=ratio))
            beaten = any(
                other.cost <= row.cost
                and other.best_impact >= row.best_impact
                and (other.cost, other.best_impact) != (row.cost, row.best_impact)
                for other in rows.itertuples()
            )
            assert row.front == (not beaten)
        assert rows["front"].any()


def test_the_sweep_of_shares_has_no_attacker_at_zero():
    plan = experiments.Plan(rounds=2, cohort=10, steps=2)
    table = experiments.by_share(shares=(0.0, 0.2), rules=("median",), adversaries=("MPAF", "noise"), plan=plan)
    zero = table[table["share"] == 0.0].pivot_table(index="round", columns="adversary", values="accuracy")
    assert (zero["MPAF"] == zero["noise"]).all()
    assert len(table) == 2 * 2 * 2


def test_rules_that_are_the_mean_without_attackers_share_its_run():
    clients, plan = digits_population(seed=3), experiments.Plan(rounds=2, cohort=10, steps=2)
    plain, *others = (accuracy_by_round(clients, rule, None, plan, seed=0) for rule in ("mean", *PLAIN))
    for rule, shared in zip(PLAIN, others, strict=True):
        own = _accuracy_by_round(clients, rule, None, plan, 0, "cpu")
        pd.testing.assert_frame_equal(shared, own)
        pd.testing.assert_frame_equal(shared, plain)
        assert shared is not plain
    guessed = accuracy_by_round(clients, "trimmed mean", None, dataclasses.replace(plan, tolerated=3), seed=0)
    assert not guessed.equals(plain)


def test_the_ablation_changes_one_number_at_a_time():
    plan = experiments.Plan(rounds=2, cohort=10, steps=2, virtual=3, images_each=4)
    known = experiments.spectrum(rules=["median"], adversaries=["none", "bootstrap 2"], plan=plan, seeds=2)
    table = experiments.ablation(
        known, adversary="bootstrap 2", virtual=(2,), images_each=(8,), rules=("median",), plan=plan, seeds=2
    )
    settings = list(table[["virtual", "images_each", "own"]].drop_duplicates().itertuples(index=False, name=None))
    assert settings == [(3, 4, False), (2, 4, False), (3, 8, False), (3, 4, True)] and len(table) == 8
    lost = experiments.impact(known)
    lost = lost[lost["adversary"] == "bootstrap 2"].set_index("seed")["best_impact"]
    first = table[~table["own"] & (table["virtual"] == 3) & (table["images_each"] == 4)].set_index("seed")
    assert first["best_impact"].sort_index().tolist() == lost.sort_index().tolist()
    assert table["classes"].between(0, 1).all() and len(experiments.ablation_summary(table)) == 4


def test_clients_taken_over_may_train_beside_the_virtual_ones():
    clients, plan = digits_population(seed=3), experiments.Plan(virtual=3, images_each=4)
    alone = make_attacker("bootstrap 2", clients, plan)
    both = make_attacker("bootstrap 2", clients, dataclasses.replace(plan, own=True))
    assert (len(alone.shards), len(both.shards)) == (3, 5)
    for shard, taken in zip(both.shards[3:], clients.within_reach, strict=False):
        assert torch.equal(shard.train_x, taken.train_x) and torch.equal(shard.train_y, taken.train_y)


def test_every_setting_that_the_page_advises_is_accepted():
    cells = json.loads((jobs.NOTEBOOKS / "poisoning.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    advised = [quoted or plain for quoted, plain in re.findall(r'-p (?:"([^"]+)"|([^\s`]+))', text)]
    assert len(advised) > 8
    for one in advised:
        assert jobs.make_job("poisoning", "quick", jobs.parse_overrides([one])).changed, one


def test_costs_are_measured_for_every_rule():
    table = experiments.rule_costs(clients=(8,), d=50, repeats=1)
    assert set(table["rule"]) == set(RULES) and (table["milliseconds"] >= 0).all()
    search = experiments.search_cost(benign=20, count=4, d=200, repeats=1)
    assert list(search["way"]) == ["inner products", "the rule at each probe"]
    assert len(set(search["probes"])) == 1 and search["strength"].iloc[0] > 0
    assert search["strength"].iloc[1] == pytest.approx(search["strength"].iloc[0], rel=1e-5)


def test_the_rules_of_the_figures_are_functions_of_updates_and_f():
    assert {RULES[name](updates(20, 5), 1).shape for name in RULES} == {(5,)}
