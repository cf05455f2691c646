"""The method comparison: tuned on other partitions, counted, and the same table for the same seed."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib.report.style import COLOURS
from lib.spry import figures
from lib.spry.experiments import arms as module
from lib.spry.experiments import digits_tables, released_defects
from lib.spry.experiments.arms import named_arms, operations_to, run_rows, tuned_arm
from lib.spry.experiments.methods import NAMES as KNOWN
from lib.spry.experiments.methods import PROTOCOLS, RELEASED, digits_problem
from lib.spry.figures.methods import FAMILIES, LOOKS
from lib.spry.forward_gradient import forward_gradient

NAMES = ("FedAvg", "Spry", "Spry, more directions", "FedFGD", "FedMeZO", "Spry + Yogi")
SMALL = {"rates": (1.0, 8.0), "rounds": 2, "sweep_rounds": 2, "seeds": 2, "perturbations": (1, 2), "cohorts": (2,)}


@pytest.fixture(scope="module")
def tables():
    return digits_tables(methods=NAMES, zero_order_k=2, candidates=2, **SMALL)


@pytest.fixture
def comparison(tables):
    return tables["comparison"]


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

    def rows(arm, alpha, runs, *, final=False):
        seen.extend((lr, seed, final) for lr, seed in runs)
        # Judging alone would take the other rate.
        found = [[arm.label, lr, seed, 1, -abs(lr - (2 if final else 4))] for lr, seed in runs]
        return pd.DataFrame(found, columns=["method", "lr", "seed", "round", "accuracy"])

    monkeypatch.setattr(module, "run_rows", rows)
    (arm,) = named_arms(["Spry"], digits_problem())
    table = tuned_arm(arm, 1.0, (2.0, 4.0), (0, 1), 2)
    assert set(table["lr"]) == {2.0} and set(table["seed"]) == {0, 1}
    assert {seed for _, seed, final in seen if final} == {module.TUNING, module.TUNING + 1}


def test_every_round_is_recorded_from_before_the_first(comparison):
    rows = comparison[(comparison["method"] == "FedAvg") & (comparison["seed"] == 0)]
    assert rows["round"].tolist() == [0, 1, 2] and rows["operations"].iloc[0] == 0
    assert rows["accuracy"].iloc[0] < 0.3 < rows["accuracy"].iloc[-1]  # untrained
    assert rows["majority"].between(0.08, 0.2).all()  # ten digits


def test_judged_seeds_stay_clear_of_those_for_tuning():
    with pytest.raises(ValueError, match="stay below 1000"):
        digits_tables(seeds=2, seed=999)


def test_processes_change_nothing(tables):
    found = digits_tables(methods=NAMES, zero_order_k=2, candidates=2, **SMALL, workers=2)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(found[name].drop(columns="seconds"), table.drop(columns="seconds"))


@pytest.mark.parametrize("name", ["Spry", "FedYogi", "FwdLLM+", "FedSGD", "Spry per iteration"])
def test_runs_side_by_side_are_the_runs_alone(name):
    (arm,) = named_arms([name], digits_problem(rounds=2), zero_order_k=2, candidates=2)
    runs = [(0.1, 0), (1.0, 0), (1.0, 1)]
    together = run_rows(arm, 0.5, runs).drop(columns="seconds")
    for lr, seed in runs:
        alone = _alone(arm, 0.5, lr, seed)
        mine = together[(together["lr"] == lr) & (together["seed"] == seed) & (together["round"] > 0)]
        assert np.abs(mine["accuracy"].to_numpy() - alone["accuracy"].to_numpy()).max() < 0.02  # a digit or two
        for column in ("forward", "backward", "kib_up"):
            assert mine[column].tolist() == alone[column].tolist()


def _alone(arm, alpha, lr, seed):
    """Run by the common engine: accuracy and what a client has spent after each round."""
    from lib.federated.run import run

    inner = 7 if arm.name in ("FedSGD", "Spry per iteration") else 1
    plan = {"rounds": 2 * inner, "cohort_size": 16, "seed": seed, "evaluate_every": inner}
    table = run(module._algorithm(arm, lr), arm.problem.deal(alpha, seed), **plan).table
    return module._by_round(table, inner, 1.0)


def test_tables_share_the_run_that_they_have_in_common(tables):
    swept = tables["sweeps"]
    assert set(map(tuple, swept[["sweep", "value"]].to_numpy())) == {("K", 1), ("K", 2), ("M", 2), ("M", 8)}
    same = [swept[swept["method"] == name]["accuracy"].tolist() for name in ("K 1", "M 8")]
    same.append(tables["released"][tables["released"]["method"] == "Spry"]["accuracy"].tolist())
    assert same[0] == same[1] == same[2]
    assert "Final accuracy" in figures.sweeps(swept).scarce_caption


def test_runs_as_released(tables):
    table = tables["released"]
    end = table[table["round"] == 2].groupby("method")["accuracy"].median()
    assert end[f"Spry{RELEASED}"] < end["Spry"] - 0.05  # averaged by position, most of the work is lost
    assert len(end) == 8 and "as released" in figures.released_runs(table).scarce_caption


def test_protocols(tables, comparison):
    table = tables["protocols"]
    sent = table[table["round"] == 2].groupby("method")["kib_up"].first()
    assert sent["Spry per iteration"] < sent["FedSGD"] / 10 and table["forward"].max() == 14
    both = figures.with_epochs(comparison, table)
    assert set(both["method"]) == {"FedAvg", "Spry", "Spry per iteration", "FedSGD"}
    assert "KiB" in figures.protocols(both).scarce_caption
    assert "Spry" in figures.methods(comparison).scarce_alt


def test_every_method_has_a_look_of_its_own_in_one_panel_a_row(comparison):
    for names in (*(tuple(family) for family in FAMILIES.values()), ("Spry", "FedAvg", *PROTOCOLS)):
        assert len({LOOKS[name] % len(COLOURS) for name in names}) == len(names)
    assert set(LOOKS) == {*KNOWN, *PROTOCOLS}
    axes = np.array(figures.methods(comparison).axes).reshape(-1, len(FAMILIES))
    assert len(axes) == 2 * comparison["alpha"].nunique()
    named = [text.get_text() for axis in axes[0] for text in axis.get_legend().get_texts()]
    assert sorted(named) == sorted(comparison["method"].unique())
    for axis in axes.flat:  # the others stand behind
        assert len(axis.lines) == comparison["method"].nunique()


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
    assert table.loc["late clients"].tolist() == [1.0, 0.0]
    assert table.loc["gate"].tolist() == [1.0, (3 * 1 + 5) / 4]
    assert table.loc["zero start", "right"] == 1
    assert table.loc["zero start", "released"] == 129 / 65  # (2 n + 1) / (n + 1), n = 64


def test_half_of_the_error_of_loras_first_step_is_noise_in_a():
    """A loss linear in ``B A x`` at B = 0, with directions drawn."""
    generator, width = torch.Generator().manual_seed(0), 64
    x, target, a = (torch.randn(width, generator=generator) for _ in range(3))
    params = {"A": a, "B": torch.zeros(width)}
    v = {name: torch.randn(2000, width, generator=generator) for name in params}
    found = forward_gradient(lambda p: (p["B"] @ target) * (p["A"] @ x), params, v, at_once=True)
    error_b = (found.jvps[:, None] * v["B"] - (a @ x) * target).square().sum(dim=1).mean()
    error_a = (found.jvps[:, None] * v["A"]).square().sum(dim=1).mean()
    assert float((error_a + error_b) / error_b) == pytest.approx(129 / 65, rel=0.02)
