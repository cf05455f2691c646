"""The longer tables: which pieces there are, that they are tuned alike, and how they are read."""

import pickle

import numpy as np
import pandas as pd
import pytest
from spry_tables import bias, runs, ways

from lib.jobs import make_job
from lib.spry import figures, rules_memory, rules_theory
from lib.spry.experiments import arms
from lib.spry.experiments.finetuning import METHODS, WAYS, way_arm
from lib.spry.experiments.longer import LONG, longer_tasks
from lib.spry.experiments.methods import NAMES, PROTOCOLS, digits_problem
from lib.spry.experiments.real import ALL, real_tasks
from lib.spry.experiments.skew import skew_tasks
from lib.tables import chosen

PARAMETERS = {
    "data_sets": ["digits", "ag-news", "sst2", "multirc"],
    "rates": [0.1, 1.0],
    "rounds": 3,
    "lora_rounds": 2,
    "seeds": 3,
}
PARAMETERS |= {"zero_order_k": 4, "candidates": 3, "text_rates": [0.1], "text_rounds": 2}


def test_every_cell_of_a_longer_table_is_a_piece_of_its_own():
    tasks = longer_tasks(PARAMETERS)
    counts = pd.Series([task.table for task in tasks]).value_counts().to_dict()
    assert counts == {
        "skew": 3 * len((*NAMES, *PROTOCOLS)),
        "lora_long": 2 * len(LONG),
        "peft": 2 * len(WAYS) * len(METHODS),
        "multirc": 2 * len(ALL),
    }
    for data, table in (("digits", "skew"), ("multirc", "multirc")):
        assert {task.table for task in longer_tasks(PARAMETERS | {"data_sets": [data]})} == {table}
    assert not longer_tasks(PARAMETERS | {"data_sets": ["sst2"]})
    skew = next(task for task in tasks if task.table == "skew")
    assert skew.options["rates"] == (0.1, 1.0) and len(skew.options["seeds"]) == 5
    long = next(task for task in tasks if task.table == "lora_long").options
    assert (long["rounds"], long["tuning_rounds"]) == (8, 4) and long["rates"] == (0.0025, 0.01, 0.04, 0.16, 0.64)
    assert all(len(pickle.dumps(task)) < 10_000 for task in tasks)


def test_multirc_is_computed_once():
    assert real_tasks(["multirc"]) == []
    real = make_job("spry", "real", {})
    assert {task.table for task in chosen(real, [])} == {"texts", "lora", "skew", "lora_long", "peft", "multirc"}
    only = chosen(real, ["multirc"])
    assert len(only) == 2 * len(ALL) and {task.options["data"] for task in only} == {"multirc"}


def test_a_rate_is_chosen_in_as_many_rounds_as_asked_for(monkeypatch):
    seen = []

    def rows(arm, alpha, runs, *, final=False):
        seen.append((arm.problem.rounds, final))
        found = [[arm.label, lr, seed, 1, lr] for lr, seed in runs]
        return pd.DataFrame(found, columns=["method", "lr", "seed", "round", "accuracy"])

    monkeypatch.setattr(arms, "run_rows", rows)
    (arm,) = arms.named_arms(["Spry"], digits_problem(rounds=12))
    for tuning_rounds in (None, 5):
        arms.tuned_arm(**arms.arm_options(arm, 1.0, (0.1, 1.0), (0,), 1, tuning_rounds=tuning_rounds))
    assert seen == [(12, True), (12, False), (5, True), (12, False)]


def test_label_skew_is_run_and_read():
    plan = {"rates": (1.0,), "rounds": 1, "seeds": 2, "tuning_seeds": 1}
    tasks = skew_tasks(alphas=(100.0, 0.1), methods=("FedAvg", "Spry", "FedSGD"), **plan)
    table = pd.concat([task.rows() for task in tasks], ignore_index=True)
    assert set(table["alpha"]) == {100.0, 0.1} and table["seed"].nunique() == 2
    caption = figures.by_skew(table).scarce_caption
    assert r"from $\alpha=100$ to 0.1" in caption and "2 seeds, 1 rounds" in caption
    shown = figures.skew_table(table)
    assert shown.columns.tolist() == ["method", "α = 100", "α = 0.1"] and len(shown) == 3
    assert "rate 1" in shown.to_string() and "highest" not in shown.to_string()
    some = figures.skew_table(table.assign(lr=table["lr"].mask(table["method"] == "Spry", 0.1)))
    assert some.to_string().count("rate 1 (highest)") == 4 and some.to_string().count("rate 0.1 (lowest)") == 2


@pytest.mark.parametrize(
    ("zero_order", "said"),
    [(0.5, ": FedAvg 0.00, Spry 0.30 (diff"), (0.3, ": FedAvg 0.00, Spry 0.30; the most by FedMeZO, 0.40 (diff")],
)
def test_a_label_skew_figure_says_what_backpropagation_and_spry_lose(zero_order, said):
    table = runs(FedAvg={100.0: 0.9, 0.1: 0.904}, Spry={100.0: 0.8, 0.1: 0.5}, FedMeZO={100.0: 0.7, 0.1: zero_order})
    assert said in figures.by_skew(table).scarce_caption


def test_ways_to_finetune_are_read_by_size():
    shown = figures.ways(ways(seeds=2, FedAvg=np.arange(6)[:, None] / 10)["peft"])
    first = shown[shown["α"] == "1"]
    assert first["trained"].tolist()[0] == "classifier alone" and first["weights"].is_monotonic_increasing
    assert first["FedAvg"].tolist()[0] == "0.50 (0.50–0.50)" and set(first["texts"]) == {"AG News"}
    tuned = ways(FedAvg=0.4)["peft"]
    high = (tuned["method"] == "FedAvg") & (tuned["trained"] == "IA3") & (tuned["alpha"] == 1)
    some = figures.ways(tuned.assign(lr=tuned["lr"].mask(high, 2.0))).set_index(["α", "trained"])
    assert some.loc[("1", "IA3"), "FedAvg"] == "0.40 (0.40–0.40), highest rate"
    assert some["FedAvg"].str.endswith("lowest rate").sum() == 11
    with pytest.raises(ValueError, match="no way to finetune 'all'"):
        way_arm("all")


def test_levels_stand_beside_the_commonest_label():
    table = runs(FedAvg=(0.2, 0.3, 0.4), Spry=0.1).assign(data="multirc", majority=0.56)
    shown = figures.levels(table)
    assert shown["α"].tolist() == ["1", "0.1"]
    assert shown.iloc[0].tolist() == ["MultiRC", "1", "FedAvg", "0.30", "0.10", "0.56"]


def test_the_verdict_on_bias_says_what_the_authors_homogeneous_setting_is():
    tables = bias((0.2, 1, 10))
    assert "homogeneous" not in rules_theory.unbiased(tables).measured  # nothing was drawn there
    more = tables["sampled"].iloc[-1:].assign(alpha=1.0, error2=1.3)
    said = rules_theory.unbiased(tables | {"sampled": pd.concat([tables["sampled"], more])}).measured
    assert '13 times at alpha=1, the authors\' own "homogeneous" setting, so biased there' in said


def test_four_bits_are_not_compared_with_bfloat16():
    rows = [
        {"shape": shape, "method": method, "weights": weights, "measured": value}
        for shape, ours in (("RoBERTa-large", "full"), ("OPT-13B", "4bit"))
        for method, weights, value in (
            ("backprop", "4bit", 5),
            ("checkpointed backprop", "full", 3),
            ("forward mode", ours, 1),
        )
    ]
    table = pd.DataFrame(rows).assign(batch=8, length=256, status="ok")
    assert rules_memory._others(table, "RoBERTa-large") == "checkpointed backprop (bfloat16) 3.0 times"
    assert rules_memory._others(table, "OPT-13B") == "backprop (4 bits) 5.0 times"
