"""Splitting against local steps: the closed form, its optimum, and the simulation of both."""

import numpy as np
import pytest

from lib.report.intervals import median_interval
from lib.spry import theory
from lib.spry.experiments.splitting import best_rates, splitting_rounds
from lib.spry.figures import theory as figures

SMALL = {"dimension": 64, "clients": 4, "steps": (1, 8), "seeds": 5, "longest": 300}


@pytest.fixture(scope="module")
def table():
    return splitting_rounds(**SMALL)


@pytest.mark.parametrize("method", theory.METHODS)
def test_factor_of_one_round_by_simulation(method):
    d, m, steps, lr, draws = 8, 4, 3, 0.1, 40_000
    rng = np.random.default_rng(0)
    w0 = rng.standard_normal(d)
    block = d // m if method == "split" else d
    runs = np.tile(w0, (draws, 1 if method == "shared directions" else m, 1))
    for _ in range(steps):
        v = rng.standard_normal(runs.shape)
        if method == "split":
            v *= np.repeat(np.eye(m), block, axis=1)
        runs = runs - lr * (runs * v).sum(axis=2, keepdims=True) * v
    end = runs.mean(axis=1)
    if method == "split":  # each client's own block, the rest untouched
        end = np.stack([runs[:, i // block, i] for i in range(d)], axis=1)
    measured = np.square(end).sum(axis=1).mean() / (w0 @ w0)
    assert measured == pytest.approx(theory.round_factor(method, lr, dimension=d, clients=m, steps=steps), rel=0.03)


@pytest.mark.parametrize("method", theory.METHODS)
@pytest.mark.parametrize("steps", [1, 16])
def test_best_rounds_beats_a_fine_grid(method, steps):
    rounds, lr = theory.best_rounds(method, dimension=256, clients=16, steps=steps)
    factors = [
        theory.round_factor(method, rate, dimension=256, clients=16, steps=steps)
        for rate in np.geomspace(1e-4, 0.9, 5000)
    ]
    assert rounds == pytest.approx(np.log(100) / -np.log(min(factors)), rel=1e-4)
    assert theory.round_factor(method, lr, dimension=256, clients=16, steps=steps) == pytest.approx(
        min(factors), rel=1e-4
    )


def test_the_split_optimum_is_known():
    # 1 - 2 lr + lr^2 (p + 2) is least at 1 / (p + 2).
    rounds, lr = theory.best_rounds("split", dimension=256, clients=16, steps=1)
    assert lr == pytest.approx(1 / 18, rel=1e-4)
    assert rounds == pytest.approx(np.log(100) / -np.log(1 - 1 / 18), rel=1e-6)


def test_simulated_rounds_are_on_the_closed_form(table):
    best = best_rates(table).groupby(["method", "steps"])[["rounds", "best_theory"]].median()
    reached = best[best["rounds"].notna() & (best["rounds"] > 2)]
    assert len(reached) >= 5
    assert (reached["rounds"] / reached["best_theory"]).to_numpy() == pytest.approx(1, rel=0.2)


def test_splitting_gains_with_local_steps_only(table):
    best = best_rates(table).pivot_table(index="steps", columns="method", values="rounds", aggfunc="median")
    assert best.loc[1, "own directions"] <= 1.1 * best.loc[1, "split"]
    assert best.loc[8, "split"] < best.loc[8, "own directions"] < best.loc[8, "shared directions"]


def test_same_seed_same_table_and_figure(table):
    assert table.equals(splitting_rounds(**SMALL))
    fig = figures.splitting_rounds(table)
    wanted = median_interval(best_rates(table).query("method == 'split' and steps == 8")["rounds"].to_numpy())[0]
    assert f"{wanted:.1f}" in fig.scarce_caption
