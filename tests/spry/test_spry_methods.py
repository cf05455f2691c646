"""The method comparison: tuned on other partitions, counted, and the same table for the same seed."""

import numpy as np
import pandas as pd
import pytest

from lib.spry import figures
from lib.spry.experiments import arms as module
from lib.spry.experiments import method_comparison, protocols, released_defects, released_runs, sweeps
from lib.spry.experiments.arms import operations_to

SMALL = {"rates": (1.0, 8.0), "rounds": 2, "seeds": 2}


@pytest.fixture(scope="module")
def comparison():
    names = ("FedAvg", "Spry", "Spry, more directions", "FedFGD", "FedMeZO", "Spry + Yogi")
    return method_comparison(methods=names, alphas=(1.0,), zero_order_k=2, **SMALL)


def test_passes_and_operations_are_counted(comparison):
    end = comparison[comparison["round"] == 2].groupby("method").first()
    steps = 2 * 7
    assert end.loc["FedAvg", ["forward", "backward", "operations"]].tolist() == [steps, steps, 2 * steps]
    assert end.loc["Spry", ["forward", "backward", "operations"]].tolist() == [steps, 0, 2 * steps]
    # Two tangents at once share the pass of the values: three passes' worth, not four.
    assert end.loc["Spry, more directions", ["forward", "operations"]].tolist() == [2 * steps, 3 * steps]
    assert end.loc["FedMeZO", ["forward", "operations"]].tolist() == [2 * steps, 2 * steps]


def test_small_differences_follow_exact_derivatives(comparison):
    wide = comparison.pivot_table(index=["seed", "round"], columns="method", values="accuracy")
    assert np.allclose(wide["FedFGD"], wide["FedMeZO"], atol=0.02)


def test_rates_are_chosen_on_partitions_of_their_own(monkeypatch):
    seen = []

    def rows(arm, alpha, lr, seed, *, final=False):
        seen.append((lr, seed, final))
        accuracy = -abs(lr - 2) if final else -abs(lr - 4)  # judging alone would take the other rate
        return pd.DataFrame({"method": [arm.label], "lr": lr, "seed": seed, "round": 1, "accuracy": accuracy})

    monkeypatch.setattr(module, "run_rows", rows)
    table = method_comparison(methods=("Spry",), alphas=(1.0,), rates=(2.0, 4.0), seeds=2, tuning_seeds=2)
    assert set(table["lr"]) == {2.0} and set(table["seed"]) == {0, 1}
    assert {seed for _, seed, final in seen if final} == {module.TUNING, module.TUNING + 1}


def test_every_round_is_recorded_from_before_the_first(comparison):
    rows = comparison[(comparison["method"] == "FedAvg") & (comparison["seed"] == 0)]
    assert rows["round"].tolist() == [0, 1, 2] and rows["operations"].iloc[0] == 0
    assert rows["accuracy"].iloc[0] < 0.3 < rows["accuracy"].iloc[-1]  # untrained
    assert rows["majority"].between(0.08, 0.2).all()  # ten digits


def test_judged_seeds_stay_clear_of_those_for_tuning():
    with pytest.raises(ValueError, match="stay below 1000"):
        method_comparison(methods=("Spry",), seeds=2, seed=999)


def test_processes_change_nothing(comparison):
    found = method_comparison(methods=("FedAvg", "Spry"), alphas=(1.0,), **SMALL, workers=2)
    alone = comparison[comparison["method"].isin(("FedAvg", "Spry"))].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.drop(columns="seconds"), alone.drop(columns="seconds"))


def test_runs_as_released():
    table = released_runs(rates=(1.0,), rounds=2, seeds=1)
    end = table[table["round"] == 2].set_index("method")["accuracy"]
    assert end["Spry, as released"] < end["Spry"] - 0.05  # averaged by position, most of the work is lost
    assert len(end) == 8 and "as released" in figures.released_runs(table).scarce_caption


def test_same_seed_same_table(comparison):
    again = method_comparison(methods=("Spry",), alphas=(1.0,), **SMALL)
    first = comparison[comparison["method"] == "Spry"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), again.drop(columns="seconds"))


def test_protocols_and_sweeps(comparison):
    table = protocols(**SMALL)
    sent = table[table["round"] == 2].groupby("method")["kib_up"].first()
    assert sent["Spry per iteration"] < sent["FedSGD"] / 10 and table["forward"].max() == 14
    both = figures.with_epochs(comparison, table)
    assert set(both["method"]) == {"FedAvg", "Spry", "Spry per iteration", "FedSGD"}
    assert "KiB" in figures.protocols(both).scarce_caption
    swept = sweeps(perturbations=(1, 2), cohorts=(2,), **SMALL)
    assert set(map(tuple, swept[["sweep", "value"]].to_numpy())) == {("K", 1), ("K", 2), ("M", 2), ("M", 8)}
    assert "Final accuracy" in figures.sweeps(swept).scarce_caption
    assert "Spry" in figures.methods(comparison).scarce_alt


def test_operations_to_a_target():
    table = pd.DataFrame(
        {"method": ["a", "a", "b"], "round": [1, 2, 1], "accuracy": [0.5, 0.9, 0.6], "operations": [10, 20, 10]}
    )
    assert operations_to(table, 0.8).to_dict() == {"a": 20, "b": np.inf}
    early = operations_to(table, 0.55)
    assert early["a"] == 20 and np.isnan(early["b"])  # there at the first record: when is not known


def test_released_defects():
    table = released_defects(clients=4, perturbations=5).set_index("defect")
    assert table.loc["aliased sum"].tolist() == [1.0, 4.0]
    assert table.loc["scaling", "right"] == pytest.approx(5, rel=1e-4)
    assert table.loc["scaling", "released"] == pytest.approx(1, abs=0.01)
    assert table.loc["positions"].tolist() == [1.0, 0.0]
