import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lib.bslb.experiments import corral, costs, regret, robustness, tuning
from lib.bslb.experiments.methods import DEFAULT_METHODS, METHODS, TUNED, feedback_batches, longest_exploration
from lib.bslb.experiments.slopes import regret_slopes
from lib.bslb.figures import corral as corral_figures
from lib.bslb.figures import looks
from lib.bslb.figures import regret as regret_figures
from lib.bslb.figures import robustness as robustness_figures
from lib.bslb.figures.tuning import tuning as tuning_figure

SMALL = {"d": 20, "replicates": 3, "seed": 0}
TINY = {
    "regret_by_horizon": (regret, {"horizons": (20, 40, 80), "arms_per_pull": 5, "ks": (2, 3)}),
    "fixed_pool_trap": (regret, {"horizons": (20, 40, 80), "arms": 120, "arms_per_pull": 5, "k": 2}),
    "regret_by_exploration": (regret, {"T": 60, "arms": 300, "k": 3, "lengths": (5, 20, 55), "betas": (0.0, 1.0)}),
    "regret_by_tail": (regret, {"T": 60, "arms": 300, "k": 3, "betas": (0.0, 1.0), "exploration": 20}),
    "regret_curves": (regret, {"T": 60, "arms": 300, "k": 3, "points": 10}),
    "version_comparison": (regret, {"horizons": (20, 40), "ks": (2, 4), "arms_per_pull": 5}),
    "corral_regret": (corral, {"T": 60, "arms": 300, "true_ks": (2, 4), "grid": (1, 4), "etas": (0.1, 0.5)}),
    "corral_weights": (corral, {"T": 60, "arms": 300, "grid": (1, 4), "points": 12}),
    "subset_gain": (robustness, {"T": 60, "arms": 200, "rares": (0.1, 1.0), "exploration": 20, "u": 40, "k": 3}),
    "estimator_by_noise": (robustness, {"T": 60, "arms": 300, "k": 2, "sigmas": (0.1, 1.0)}),
    "sparsity_edge": (robustness, {"T": 60, "arms": 300, "settings": ((2, 0.0), (5, 0.3))}),
}
FIGURES = {regret: regret_figures, corral: corral_figures, robustness: robustness_figures}
REPLICATES = 3
ROWS = {
    "regret_by_horizon": 3 * 2 * len(DEFAULT_METHODS) * REPLICATES,
    "fixed_pool_trap": 2 * 3 * 2 * REPLICATES,
    "regret_by_exploration": 2 * 3 * REPLICATES,
    "regret_by_tail": 2 * 2 * REPLICATES,
    "regret_curves": 10 * len(DEFAULT_METHODS) * REPLICATES,
    "version_comparison": 2 * 2 * 2 * REPLICATES,
    "corral_regret": 2 * (1 + 2 + 2 * 2) * REPLICATES,
    "corral_weights": 2 * 12 * 2 * REPLICATES,
    "subset_gain": 2 * 3 * 5 * REPLICATES,
    "estimator_by_noise": 2 * 3 * 5 * REPLICATES,
    "sparsity_edge": 2 * 6 * REPLICATES,
}


@pytest.fixture(scope="module")
def tables():
    return {name: getattr(room, name)(**SMALL, **options) for name, (room, options) in TINY.items()}


@pytest.mark.parametrize("name", TINY)
def test_tables_are_complete_and_repeatable(tables, name):
    room, options = TINY[name]
    seen = []

    def progress(items, label):
        seen.append(label)
        return items

    again = getattr(room, name)(**SMALL, **options, progress=progress)
    pd.testing.assert_frame_equal(tables[name], again)
    assert seen and len(tables[name]) == ROWS[name]
    if "regret" in tables[name]:
        assert tables[name]["regret"].min() >= -1e-9
    other = getattr(room, name)(**{**SMALL, "seed": 1}, **options)
    value = "regret" if "regret" in other else "weight"
    assert not np.allclose(other[value], tables[name][value])


@pytest.mark.parametrize("name", TINY)
def test_figures_draw_labelled_axes_and_a_caption_with_numbers(tables, name):
    room = TINY[name][0]
    fig = getattr(FIGURES[room], name)(tables[name])
    fig.canvas.draw()
    assert all(axis.get_xlabel() for axis in fig.axes if axis.axison) and fig.axes[0].get_ylabel()
    assert any(character.isdigit() for character in fig.scarce_caption) and fig.scarce_alt
    assert "nan" not in fig.scarce_caption and "{" not in fig.scarce_alt


def test_weights_of_the_bases_sum_to_one(tables):
    table = tables["corral_weights"]
    totals = table.groupby(["share", "eta", "true_k", "replicate", "pull"])["weight"].sum()
    np.testing.assert_allclose(totals, 1, atol=1e-9)


def test_random_grows_linearly_only_if_the_pool_grows():
    table = regret.fixed_pool_trap(horizons=(50, 100, 200), arms=1000, d=40, k=3, replicates=40, seed=0)
    slopes = regret_slopes(table, by=("scaling", "method")).set_index(["scaling", "method"])["slope"]
    assert slopes["pool grows with T", "random"] == pytest.approx(1, abs=0.05)
    assert slopes["fixed pool", "random"] < 0.92


def test_orderings_at_the_acceptance_size():
    table = robustness.sparsity_edge(settings=((5, 0.0), (30, 0.3)), replicates=4, seed=1)
    mean = table.groupby(["k", "method"])["regret"].mean()
    assert mean[5, "BSLB (v1, c=1)"] < 0.7 * mean[5, "ridge ETC"] < 0.7 * mean[5, "random"]
    assert mean[5, "LinUCB (alpha=0)"] < mean[5, "LinUCB (alpha=1)"]
    assert mean[5, "greedy Lasso"] < mean[5, "BSLB (v1, c=1)"]
    assert mean[30, "LinUCB (alpha=0)"] < mean[30, "BSLB (v1, c=1)"]


def test_subset_pays_at_an_intermediate_minority():
    table = robustness.subset_gain(rares=(0.3,), replicates=6, iterations=20, seed=0)
    mean = table.groupby("method")[["regret", "lambda_min"]].mean()
    assert mean.loc["subset", "regret"] < 0.85 * mean.loc["uniform", "regret"]
    assert mean.loc["subset", "lambda_min"] > 5 * mean.loc["uniform", "lambda_min"]


def test_slopes_recover_an_exact_power_law_for_each_group():
    rows = [
        (m, T, 0, s, c * T**e)
        for m, e in (("a", 0.5), ("b", 1.0))
        for T in (10, 40, 90)
        for s, c in enumerate((1, 2, 4))
    ]
    table = pd.DataFrame(rows, columns=["method", "horizon", "pool", "replicate", "regret"])
    slopes = regret_slopes(table, by=("method",))
    for column in ("slope", "low", "high"):
        np.testing.assert_allclose(slopes[column], [0.5, 1.0], atol=1e-9)
    with pytest.raises(ValueError, match="two horizons"):
        regret_slopes(table[table["horizon"] == 10], by=("method",))


@pytest.mark.parametrize("reward", robustness.REWARDS)
def test_bent_rewards_keep_the_spread_and_the_saturating_one_the_ranking(reward):
    env = robustness.soft_sparse_environment(arms=500, d=20, k=3, replicates=2, seed=0)
    bent = robustness._bent(env, reward)
    np.testing.assert_allclose(bent.std(axis=1), env.means.std(axis=1))
    same = (np.argsort(bent, axis=1) == np.argsort(env.means, axis=1)).all()
    assert same == (reward != "interactions")


def test_interactions_are_the_products_of_pairs_of_terms():
    env = robustness.soft_sparse_environment(arms=50, d=6, k=3, replicates=1, seed=0)
    terms = env.theta[0] * env.arms
    pairs = sum(terms[:, i] * terms[:, j] for i in range(6) for j in range(i))
    linear = env.means[0]
    raw = linear + pairs * linear.std() / pairs.std()
    np.testing.assert_allclose(robustness._bent(env, "interactions")[0], raw * linear.std() / raw.std())


def test_feedback_batches():
    expected = {"random": 1, "BSLB (v1, c=1)": 2, "greedy Lasso": 16, "thresholded Lasso": 15, "LinTS": 300}
    assert {name: feedback_batches(name, 300) for name in expected} == expected
    assert longest_exploration((1, 8), 1000) == 400


def drawn_colours(fig, methods):
    """Return the colours in which each label of `methods` is drawn on any axis, and the markers."""
    found = {}
    for axis in fig.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            if label in methods:
                line = handle if hasattr(handle, "get_color") else handle.lines[0]
                found.setdefault(label, set()).add(line.get_color())
    return found


@pytest.mark.parametrize("name", ["regret_by_horizon", "regret_curves", "estimator_by_noise", "sparsity_edge"])
def test_a_method_has_one_colour_everywhere_and_one_legend_names_all(tables, name):
    fig = getattr(FIGURES[TINY[name][0]], name)(tables[name])
    FigureCanvasAgg(fig).draw()
    methods = set(tables[name]["method"]) - ({"random"} if name == "estimator_by_noise" else set())
    colours = drawn_colours(fig, methods)
    assert colours == {method: {looks.LOOKS[method][0]} for method in methods}
    (legend,) = fig.legends
    assert methods <= {text.get_text() for text in legend.get_texts()}
    assert all(axis.get_legend() is None for axis in fig.axes)
    box = legend.get_window_extent()
    assert not any(box.overlaps(axis.get_tightbbox()) for axis in fig.axes)


def test_looks_cover_all_methods_and_are_distinct():
    assert set(looks.LOOKS) == set(METHODS) and len(set(looks.LOOKS.values())) == len(METHODS)
    assert looks.look("subset") == looks.look("BSLB (v1, c=1)")
    with pytest.raises(ValueError, match="no look"):
        looks.look("magic")


def test_settings_in_use_are_the_winners_of_an_equal_search():
    table = tuning.tune()
    assert set(table.groupby("method")["setting"].nunique()) == {3} and set(tuning.GRID) == set(TUNED)
    won = table[table["best"]].drop_duplicates("method").set_index("method")["setting"]
    assert won.to_dict() == {method: tuning.describe(options) for method, options in TUNED.items()}
    medians = table.groupby(["method", "setting"])["regret"].median()
    assert all(medians[method].idxmin() == setting for method, setting in won.items())
    fig = tuning_figure(table)
    fig.canvas.draw()
    assert [text.get_text() for text in fig.axes[0].get_yticklabels()] == list(tuning.GRID)
    assert "alpha=0, penalty=30" in fig.scarce_caption


def test_tuning_repeats_and_depends_on_the_seed():
    small = {"T": 40, "arms": 200, "d": 30, "k": 2, "replicates": 2}
    first, again, other = (tuning.tune(**small, seed=s) for s in (5, 5, 6))
    pd.testing.assert_frame_equal(first, again)
    assert len(first) == 9 * 3 * 2 and not np.allclose(first["regret"], other["regret"])


def test_fixed_pool_trap_reuses_a_table_of_the_growing_pool(tables):
    options = {**SMALL, "horizons": (20, 40), "arms": 120, "arms_per_pull": 5, "k": 2}
    reused = regret.fixed_pool_trap(**options, horizon=tables["regret_by_horizon"])
    pair = ["method", "horizon", "scaling", "replicate"]
    fresh = regret.fixed_pool_trap(**options).set_index(pair)["regret"].sort_index()
    pd.testing.assert_series_equal(reused.set_index(pair)["regret"].sort_index(), fresh)
    with pytest.raises(ValueError, match="lacks rows"):
        regret.fixed_pool_trap(**{**options, "horizons": (20, 50)}, horizon=tables["regret_by_horizon"])


def test_tail_is_explored_as_long_as_version_1_asks_by_default():
    table = regret.regret_by_tail(T=60, arms=300, k=3, betas=(0.0,), **SMALL)
    assert set(table.loc[table["method"] == "BSLB", "explored_pulls"]) == {22}  # 3^(1/3) 60^(2/3) = 22.1


def test_costs_say_how_long_the_design_was_solved():
    table = costs.policy_costs(T=30, arms=120, d=10, k=2, methods=("random", "BSLB (v1, c=1)", "ESTC"), iterations=7)
    assert table["design_iterations"].tolist() == [0, 7, 7]


@pytest.mark.parametrize(
    ("experiment", "options", "word"),
    [
        (regret.regret_by_horizon, {"replicates": 0}, "replicates"),
        (regret.regret_by_horizon, {"horizons": ()}, "horizons is empty"),
        (regret.regret_by_horizon, {"horizons": (50,)}, "two horizons"),
        (regret.regret_by_horizon, {"ks": ()}, "ks is empty"),
        (regret.regret_by_horizon, {"ks": (5, 500)}, "k = 500"),
        (regret.fixed_pool_trap, {"horizons": (50,)}, "two horizons"),
        (regret.regret_by_exploration, {"lengths": ()}, "lengths is empty"),
        (regret.regret_by_tail, {"betas": ()}, "betas is empty"),
        (regret.regret_by_tail, {"betas": (40.0,)}, "beta = 40"),
        (regret.regret_curves, {"k": 0}, "k = 0"),
        (regret.version_comparison, {"replicates": 0}, "replicates"),
        (corral.corral_regret, {"ranges": ()}, "ranges is empty"),
        (corral.corral_regret, {"etas": ()}, "etas is empty"),
        (corral.corral_weights, {"grid": (500,)}, "k = 500"),
        (robustness.subset_gain, {"pools": 0}, "pools"),
        (robustness.subset_gain, {"rares": ()}, "rares is empty"),
        (robustness.estimator_by_noise, {"sigmas": ()}, "empty"),
        (robustness.sparsity_edge, {"settings": ((30, 20.0),)}, "beta = 20"),
        (costs.policy_costs, {"k": 401}, "k = 401"),
        (tuning.tune, {"replicates": 0}, "replicates"),
    ],
)
def test_settings_that_cannot_run_are_refused_at_once(experiment, options, word):
    with pytest.raises(ValueError, match=word):
        experiment(**options)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="choose from"):
        regret.regret_by_horizon(methods=("magic",), **SMALL)
    with pytest.raises(ValueError, match="choose from"):
        robustness.estimator_by_noise(rewards=("cubic",), **SMALL)
    table = pd.DataFrame({"k": [5], "method": ["random"]})
    with pytest.raises(ValueError, match="no rows"):
        regret_figures.regret_by_horizon(table, k=7)
    assert set(DEFAULT_METHODS) <= set(METHODS)
