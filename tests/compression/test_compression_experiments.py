"""Experiments on networks so small that they take moments: what the tables hold, and the figures on them."""

import os

import numpy as np
import pandas as pd
import pytest
import torch

from lib import data as store
from lib.compression import data, experiments, figures, layers, networks
from lib.compression.baselines import all_students
from lib.compression.experiments import cifar, methods, real
from lib.compression.experiments.cifar import cifar10_tables
from lib.compression.experiments.frontier import LADDER, pareto
from lib.compression.experiments.oracle import TINY, _text
from lib.compression.experiments.published import published_rows
from lib.compression.experiments.real import tasks_of, threshold_rows
from lib.compression.reward import Thresholds, ddc
from lib.compression.search import Found, best
from lib.compression.students import StudentTrainer, trained_teacher
from lib.compression.training import Recipe, accuracy
from lib.report import published


@pytest.fixture(scope="module")
def teacher():
    return trained_teacher(networks.mini_resnet((3, 4, 4)), data.digits(), recipe=Recipe(epochs=4, soft=0.0))


@pytest.fixture(scope="module")
def found(teacher):
    names = ("DDC", "N2N", methods.RANDOM, methods.MINIMAL, methods.UNITS, methods.FIXED)
    return experiments.searches([teacher], methods=names, iterations=1, rollouts=3)


@pytest.fixture(scope="module")
def subsets(teacher, found):
    return experiments.subset_searches([teacher], found, subsets=("B",), iterations=2, budget=1, rollouts=2)


def described(fig):
    fig.canvas.draw()
    assert fig.scarce_caption and fig.scarce_alt and "nan" not in fig.scarce_caption


def test_trainer_measures_what_it_trains(teacher):
    trainer = StudentTrainer(teacher, Recipe(epochs=1))
    keep = layers.smallest_valid(teacher.architecture)
    row = trainer(keep[None])[0]
    size = layers.parameter_count(layers.minimal(teacher.architecture))
    assert row["parameters"] == size and row["c"] == size / layers.parameter_count(teacher.architecture)
    whole = accuracy(teacher.net, teacher.images.val_x, teacher.images.val_y)
    assert row["a"] == pytest.approx(row["accuracy"] / whole) and 0 < row["t"] < 1
    assert row["masked"] == row["accuracy"]


def test_every_method_is_judged_on_the_test_part(teacher, found):
    table = found.final.set_index("method")
    least = layers.parameter_count(layers.minimal(teacher.architecture))
    assert table.loc["remove all", "parameters"] == least and table.loc["remove all", "kept"] == 0
    assert table.loc["remove all units", "kept"] > 0
    np.testing.assert_allclose(table["reward"], ddc(table["a"], table["t"], table["c"]))
    np.testing.assert_allclose(table["compression"], 1 / table["c"])
    spent = found.history[found.history["trained"]].groupby("method").size()
    assert spent["random search"] == spent["DDC"] == table.loc["DDC", "trainings"]
    n2n = found.history[(found.history["method"] == "N2N") & found.history["valid"]]
    np.testing.assert_allclose(n2n["reward"], ddc(n2n["a"], n2n["t"], n2n["c"]))
    np.testing.assert_allclose(n2n["sought"], n2n["a"] * (1 - n2n["c"]) * (1 + n2n["c"]))
    with pytest.raises(ValueError, match="no method 'luck'"):
        experiments.searches([teacher], methods=("luck",))


def test_savings_count_draws_over_trainings(found):
    table = experiments.cache_savings(found.history).set_index("method")
    drawn = found.history[found.history["valid"]].groupby("method").size()
    assert (table["drawn"] == drawn[table.index]).all()
    assert (table["savings"] >= 1).all()


def test_arms_of_a_subset(teacher, found, subsets):
    table = subsets["final"].set_index("arm")
    assert set(table.index) == {"full policy", "subset policy", "transfer", "scratch"}
    drawn = found.history[found.history["method"] == "DDC"]
    keep = best(drawn, teacher.architecture)
    expected = layers.parameter_count(layers.student(teacher.architecture, keep))
    assert table.loc["full policy", "parameters"] == expected
    assert subsets["history"].groupby("arm")["iteration"].max().to_dict() == {"scratch": 1, "transfer": 0}
    with pytest.raises(ValueError, match="budget"):
        experiments.subset_searches([teacher], found, iterations=1, budget=2)


def test_heads(teacher, found):
    table = experiments.heads([teacher], found, subsets=("B",), runs=2)
    wide = table.pivot_table(index=["network", "seed"], columns="head", values=["test", "parameters"])
    assert (wide["test"]["masked"] >= wide["test"]["full"]).all()
    cut = 6 * (4 + 1)  # six classes fewer, each with four weights and a bias
    assert (wide["parameters"]["masked"] - wide["parameters"]["sliced"] == cut).all()
    described(figures.heads(table))


def test_preferred_student_is_the_best_by_brute_force():
    rng = np.random.default_rng(0)
    history = pd.DataFrame(rng.uniform(0.1, 1, (40, 3)), columns=["a", "t", "c"]).assign(trained=True, seed=0)
    ladder = (Thresholds(0.9, 0.3, 0.6), Thresholds(0.99, 0.9, 0.9))
    chosen = experiments.preferred(history, ladder=ladder)
    for row, at in zip(chosen.itertuples(), ladder, strict=True):
        assert row.reward == max(float(ddc(r.a, r.t, r.c, at)) for r in history.itertuples())
    edge = pareto(history)
    beaten = [
        any(o.a >= r.a and o.t <= r.t and (o.a, o.t) != (r.a, r.t) for o in history.itertuples())
        for r in history.itertuples()
    ]
    assert sorted(edge.index) == [i for i, flag in enumerate(beaten) if not flag]
    described(figures.frontier(history, experiments.preferred(history)))


def test_the_caption_of_a_frontier_tells_where_a_median_falls():
    history = pd.DataFrame({"trained": True, "a": [0.9, 0.95], "t": [0.3, 0.5], "c": [0.2, 0.4]})
    chosen = pd.DataFrame({"thresholds": ["x", "y", "z"], "seed": 0, "a": [0.9, 0.95, 0.96], "t": [0.3, 0.4, 0.5]})
    falling, rising = (
        figures.frontier(history, chosen.assign(c=sizes)) for sizes in ([0.2, 0.4, 0.3], [0.2, 0.3, 0.4])
    )
    assert "the median of parameters falls from 0.400 to 0.300 at (z)" in falling.scarce_caption
    assert "None of these medians falls" in rising.scarce_caption


def test_searches_in_a_table():
    keeps, rng = all_students(TINY), np.random.default_rng(0)
    table = pd.DataFrame({"key": [_text(keep) for keep in keeps], "a": rng.random(len(keeps))})
    table = table.assign(accuracy=0.9, t=0.3, c=0.3)
    valid = [layers.invalid(layers.student(TINY, keep), TINY) is None for keep in keeps]
    table = table.assign(valid=valid, reward=ddc(table["a"], table["t"], table["c"]), kept=0.5, minimal=False)
    curves = experiments.tabular_searches(table, seeds=2, iterations=3)
    assert curves["best"].max() <= 1 and (curves.groupby(["method", "seed"])["best"].diff().dropna() >= 0).all()
    assert (curves["found"] == (curves["best"] >= 1)).all()
    spent = curves.groupby(["method", "seed"])["trainings"].max()
    assert spent["random search"].equals(spent["DDC"])
    greedy = curves[curves["method"] == "greedy removal"].groupby("seed")["trainings"].max()
    free = int(layers.free(TINY).sum())
    assert (greedy <= free * (free + 1) // 2).all()
    described(figures.oracle(table, curves))


def test_paper_tables_beside_ours(found, subsets):
    noisy = found.final.assign(seed=0)
    table = published_rows({"final": found.final, "subsets": subsets["final"], "gpu_final": noisy, "other": noisy})
    paper = table[table["where"] == "paper"]
    assert len(paper) == sum(map(len, published("compression")["tables"].values()))
    row = paper[paper["table"].str.startswith("T3") & (paper["network"] == "DDC")].iloc[0]
    assert row["speed-up"] == pytest.approx(5.46 / 1.48)
    at = table.index[(table["where"] == "paper") & table["table"].str.startswith("T3") & (table["network"] == "DDC")][0]
    ours, gpu, after = (table.loc[at + step] for step in (1, 2, 3))  # right below the paper's row
    one = found.final.set_index("method").loc["DDC"]
    assert (ours["network"], ours["accuracy"], ours["compression"]) == ("DDC", one["test"], one["compression"])
    assert ours["where"].endswith("this run, 1 seed") and ours["speed-up"] == pytest.approx(1 / one["t"])
    assert gpu["network"] == "DDC" and np.isnan(gpu["speed-up"]) and after["where"] == "paper"
    below = table[table["where"].str.startswith("here") & (table["network"] == "vehicles, transfer")]
    assert set(below["table"].str.split().str[0]) == {"T9"}
    drawn = subsets["final"].set_index(["subset", "arm"])["test"].loc[("B", "transfer")]
    assert below["accuracy"].iloc[0] == drawn
    teacher = table[table["where"].str.startswith("here") & (table["network"] == "teacher")]
    assert (teacher["accuracy"] == found.final["test_teacher"].median()).all() and len(teacher) == 2


def test_greedy_removal_stands_below_the_other_methods(found):
    greedy = found.final.iloc[:1].assign(method="greedy removal")
    table = experiments.all_methods({"methods": found.final, "greedy": greedy})
    assert table["method"].tolist() == [*found.final["method"], "greedy removal"]
    assert experiments.all_methods({}) is None and len(experiments.all_methods({"greedy": greedy})) == 1


def test_greedy_removal_is_compared_with_the_search_of_its_own_record(found):
    rows = [("DDC", 0, 0.2, 80), ("greedy removal", 0, 0.3, 400), ("DDC", 1, 0.4, 90), ("greedy removal", 1, 0.3, 400)]
    greedy = pd.DataFrame(rows, columns=["method", "seed", "reward", "trainings"])
    text = figures.beside_greedy(greedy)
    assert "reward 0.300 against 0.300, higher in 1 of 2 seeds, after 400 trainings against 85 (medians)" in text
    assert figures.beside_greedy(None) == figures.beside_greedy(greedy[:1]) == ""
    table = experiments.all_methods({"methods": found.final, "greedy": greedy})
    assert table["method"].tolist() == [*found.final["method"], "greedy removal", "greedy removal"]


def test_a_baseline_is_compared_with_the_search_seed_by_seed():
    pairs = [(0, 0.90, 0.95, 0.4), (1, 0.80, 0.90, 0.6), (2, 0.99, 0.90, 0.5)]
    rows = [{"method": "DDC", "seed": seed, "test": one, "t": 0.2, "parameters": 100} for seed, one, _, _ in pairs]
    rows += [{"method": "Taylor pruning", "seed": s, "test": two, "t": t, "parameters": 90} for s, _, two, t in pairs]
    text = figures.beside_search(pd.DataFrame(rows), "Taylor pruning")
    assert "at 0.90 times the parameters" in text and "test accuracy +0.050" in text
    assert "higher in 2 of 3 seeds, at 2.50 times its time" in text


def test_taylor_pruning_stands_beside_the_papers_pruning():
    chain = pd.DataFrame({"method": ["Taylor pruning"] * 3, "seed": [0, 1, 2], "test": [0.7, 0.8, 0.9], "t": 0.5})
    table = published_rows({"chain": chain.assign(test_teacher=0.95, compression=4.0)})
    row = table[(table["network"] == "pruning") & (table["where"] != "paper")].iloc[0]
    assert row["accuracy"] == 0.8 and row["table"].startswith("T2") and row["where"].endswith("3 seeds")


def test_a_record_of_more_seeds_leads_the_comparison(found):
    record = pd.concat([found.final.assign(seed=seed, reward=0.1 * seed) for seed in (1, 2, 3)])
    figure = figures.comparison(found.final, record=record[record["method"] != "N2N"])
    described(figure)
    lead, here = figure.scarce_caption.split("In this run, reward: ")
    assert "Over 3 recorded seeds" in lead and "DDC 0.200" in lead and "N2N" not in lead and "N2N" in here
    bars = [len(each.axes[0].containers) for each in (figures.comparison(found.final), figure)]
    assert bars[1] == bars[0] + record["method"].nunique() - 1


def test_figures(found, subsets):
    described(figures.comparison(found.final))
    described(figures.learning(found.history))
    described(figures.subset_policies(subsets["final"]))
    described(figures.transfer_learning(subsets["history"]))
    described(figures.reward_curves(experiments.reward_curves()))
    described(figures.reward_surface(experiments.reward_surface()))


def test_names_of_the_experiments_load():
    for name in experiments.__all__:
        assert callable(getattr(experiments, name))
    with pytest.raises(AttributeError, match="has no attribute"):
        experiments.luck  # noqa: B018
    with pytest.raises(ValueError, match="choose from"):
        experiments.real_tables(["luck"])
    assert experiments.real_tables([]) == {}


def test_longer_tables_are_pieces_by_seed():
    parameters = {"longer": ["methods", "subsets", "thresholds"], "data_sets": ["digits"], "longer_seeds": 2}
    tasks = tasks_of(parameters | {"iterations": 3, "minutes": 1, "device": "cpu"})
    counts = pd.Series([task.table for task in tasks]).value_counts()
    once = dict.fromkeys(("methods", "greedy", "drawn", "chain", "more_subsets", "more_subset_history"), 2)
    assert counts.to_dict() == {"searched_frontier": 2 * len(LADDER)} | once
    assert {task.options["seed"] for task in tasks} == {0, 1}
    rows = threshold_rows(step=1, seed=1, iterations=1)
    assert rows["seed"].tolist() == [1] and rows["thresholds"].tolist() == ["0.95, 0.45, 0.6"]


def test_a_chain_is_thinned_to_the_size_of_the_student_that_the_search_finds(monkeypatch):
    monkeypatch.setattr(real, "CHAIN", networks.mini_vgg((3, "M", 4)))
    table = real.chain_rows(seed=1, iterations=1).set_index("method")
    assert set(table.index) >= {"DDC", "N2N", "Taylor pruning", "library pruning", "uniform width", "greedy removal"}
    assert table["seed"].eq(1).all() and table["test"].between(0, 1).all() and table["t"].gt(0).all()
    thin = table.loc[["Taylor pruning", "library pruning", "uniform width"], "parameters"]
    assert thin.between(1, 1.02 * table.loc["DDC", "parameters"] + 1).all()
    free = int(layers.free(real.CHAIN).sum())
    assert table.loc["greedy removal", "trainings"] == free * (free + 1) // 2


def test_greedy_removal_is_a_piece_of_its_own(monkeypatch, teacher):
    monkeypatch.setattr(real, "digits_teacher", lambda seed: teacher)
    monkeypatch.setattr(methods, "greedy_removal", lambda teacher, ask, *, seed: Found(history, keep, None))
    keep = layers.smallest_valid(teacher.architecture)
    history = pd.DataFrame({"trained": [True], "valid": [True], "reward": [0.1], "a": [0.9], "t": [0.3], "c": [0.2]})
    table = real.greedy_rows(seed=3, iterations=1)
    row = table.set_index("method").loc["greedy removal"]
    assert (row["seed"], row["trainings"], row["kept"]) == (3, 1, 0)
    assert table["method"].tolist() == ["DDC", "random search", "remove all", "greedy removal"]


def test_students_drawn_by_searches_are_pieces_of_their_own(monkeypatch, teacher):
    monkeypatch.setattr(real, "digits_teacher", lambda seed: teacher)
    rows = real.drawn_rows(seed=2, iterations=1)
    assert set(rows["method"]) == {"DDC", "random search"} and rows["seed"].eq(2).all()
    again = real.subset_history_rows(seed=2, iterations=4)
    assert again.groupby("arm")["iteration"].max().to_dict() == {"scratch": 1, "transfer": 0}
    assert again["seed"].eq(2).all() and set(again["subset"]) == {"A", "B"}


@pytest.mark.parametrize("before", [False, True])
def test_a_first_pass_says_whether_it_tried_algorithms(monkeypatch, before):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    images, tried = data.digits(), []

    def timed(*_, **__):
        tried.append(torch.backends.cudnn.benchmark)
        return 1.0

    monkeypatch.setattr(cifar, "first_pass_seconds", timed)
    with cifar._first_algorithm():
        row = cifar._first_pass(networks.build(networks.mini_resnet((2, 3, 4))), images, False)
    assert row == {"first_pass_s": 1.0, "algorithms_tried": False} and tried == [False]
    assert torch.backends.cudnn.benchmark is before
    assert cifar._first_pass(None, images, False)["algorithms_tried"] is before


@pytest.mark.parametrize("seconds", [(1, 1), (3, 3), (30, 4), (1, 0.5), (0.1, 0.1)])
def test_random_search_has_the_time_of_the_search_on_all_classes(monkeypatch, teacher, seconds):
    """A clock that moves by so many seconds an iteration of the search, and of random search."""
    clock, judged = [0.0], []

    def lasting(seconds, iterations, stop):
        rows = []
        for iteration in range(iterations):
            clock[0] += seconds
            rows.append({"iteration": iteration, "trained": True, "valid": False, "reward": -1.0})
            if stop(pd.DataFrame(rows)):
                break
        return Found(pd.DataFrame(rows), np.ones(1, dtype=bool), None)

    def final(run, table, trainer, chosen):
        judged.append(chosen)
        run.add(table, pd.DataFrame())

    monkeypatch.setattr(cifar.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(cifar, "search", lambda *_, iterations, stop: lasting(seconds[0], iterations, stop))
    monkeypatch.setattr(cifar, "random_search", lambda *_, trainings, stop, **__: lasting(seconds[1], trainings, stop))
    monkeypatch.setattr(cifar, "_final", final)
    run = cifar._Run(100.0, None)
    clock[0] = 10.0  # what came before
    cifar._all_classes(run, StudentTrainer(teacher, Recipe(epochs=1)), 100, "", 0.6)
    ours, chance = (facts["trainings"] for facts, _ in judged[-1][1:])
    assert ours == chance
    assert clock[0] == pytest.approx(10 + ours * sum(seconds)) and clock[0] <= 75


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("SCARCE_DATA_MIRROR"), reason="CIFAR-10 is not at hand")
def test_cifar_tables_within_a_time_limit():
    store.require("cifar10")
    seen = []
    options = {"images": 800, "tests": 300, "epochs": 1, "teacher_epochs": 4, "iterations": 1, "budget": 1, "lr": 0.01}
    options |= {"vgg": True, "write": lambda *pair: seen.append(pair)}
    tables = cifar10_tables(minutes=0.01, width=1 / 16, **options)
    assert set(tables) == {"times", "history", "final", "subset_history", "subsets", "vgg_history", "vgg_final"}
    assert [len(tables[name]) for name in ("times", "final", "subsets")] == [1, 3, 6]
    assert not tables["times"]["algorithms_tried"].any()
    last = dict(seen)  # what is written last is what is returned
    assert all(tables[name].equals(last[name]) for name in tables)
    assert set(tables["subsets"]["arm"]) == {"full policy", "transfer", "scratch"}


def test_a_history_without_valid_students_has_no_reward_of_its_own():
    history = pd.DataFrame({"reward": [-1.0, -1.0], "valid": [False, False]})
    judged = methods.judged_history(history)
    assert judged["reward"].tolist() == judged["sought"].tolist() == [-1.0, -1.0]
