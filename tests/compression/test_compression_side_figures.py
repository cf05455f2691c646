"""Measured students, dynamics and their figures on tiny networks."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib.compression import cold, layers, networks
from lib.compression.edge import edge_profile
from lib.compression.experiments.cold import cold_start
from lib.compression.experiments.latency import latency_predictors, measured_surrogate, student_costs
from lib.compression.experiments.policies import (
    dynamics,
    exact_learning,
    first_rewards,
    smallest,
    speed,
    transfer_dynamics,
)
from lib.compression.experiments.variants import ALL_REWARDS, _by_block, preferences
from lib.compression.figures.dynamics import exact_curves, policy_curves, transfer_curves
from lib.compression.figures.edge import cold_passes, edge_costs, latency_costs
from lib.compression.figures.parts import over_seeds, passes, readable, replays, scale
from lib.compression.figures.rewards import preferences as preferred
from lib.compression.figures.searches import comparison, learning
from lib.compression.figures.statements import gradient_variance, threshold_frontier
from lib.compression.figures.subsets import subset_policies
from lib.compression.noise import time_factor, timing_noise
from lib.compression.optimum import every_student, threshold_path
from lib.compression.reward import ddc, n2n
from lib.compression.surrogate import Surrogate, parameter_counts
from lib.compression.theory_gradient import noise_table

TINY = networks.resnet((2, 3), blocks=1, channels=1, pixels=8)
FREE = layers.free(TINY)
AT = Surrogate(TINY, np.where(FREE, 0.7 / FREE.sum(), 0.0), 0.3)


@pytest.fixture(scope="module")
def costs():
    return student_costs(TINY, students=8, runtime="eager", blocks=3, repeats=2)


def test_costs_of_students(costs):
    table, keep = costs
    assert table["parameters"].tolist() == parameter_counts(TINY, keep).tolist()
    np.testing.assert_allclose(table["kept"], keep[:, FREE].mean(1))
    assert (table["time_ratio"] > 0).all() and set(table["runtime"]) == {"eager"}
    with pytest.raises(ValueError, match="choose one of eager, onnx"):
        student_costs(TINY, runtime="phone")


def test_exported_students_are_timed_too():
    table, _ = student_costs(TINY, students=2, runtime="onnx", blocks=2, repeats=2)
    assert len(table) == 2 and (table["time_ratio"] > 0).all()


def test_a_surrogate_from_measured_students_costs_the_teacher_one():
    at, fit = measured_surrogate(TINY, students=12, batch=2, low=0.92)
    assert at.metrics(np.ones(len(FREE), dtype=bool))[1] == pytest.approx(1)
    assert at.low == 0.92 and fit.students == 12 and -1 <= fit.correlation <= 1 and (at.seconds >= 0).all()


def test_a_slow_start_is_in_the_exact_curves_and_in_the_first_rewards():
    table = exact_learning(AT, steps=60)
    start = table[table["step"] == 0].set_index("reward_name")
    assert start.loc["DDC", "plateau"] < start.loc["N2N", "plateau"]
    exact = AT.rewards(every_student(AT), ddc).mean()
    assert start.loc["DDC", "reward"] == pytest.approx(exact)
    first = first_rewards(AT, students=40_000).set_index("reward_name").loc["DDC"]
    assert first["fresh"] == pytest.approx(exact, abs=5 * first["spread"] / 200)
    assert first["smallest"] == smallest(AT, ddc) == pytest.approx(float(AT.rewards(~FREE, ddc)))


def test_histories_and_their_speed():
    history = dynamics(AT, rewards=("N2N",), updates=("own advantage",), iterations=20, seeds=2)
    np.testing.assert_allclose(history["share"] * smallest(AT, n2n), history["reward"])
    found = speed(history, by=["reward_name", "update"])
    assert found["seed"].tolist() == [0, 1]
    last = history[(history["iteration"] >= 18) & (history["seed"] == 1)]
    assert found["final"].iloc[1] == pytest.approx(last["share"].mean())
    with pytest.raises(ValueError, match="no 'luck': choose rewards from DDC"):
        dynamics(AT, rewards=("luck",))


def described(fig, *words):
    fig.canvas.draw()
    assert all(word in fig.scarce_caption for word in words) and fig.scarce_alt
    assert all(axis.get_xlabel() or axis.get_ylabel() or axis.get_title() for axis in fig.axes)


def test_figures_of_dynamics():
    described(policy_curves(dynamics(AT, updates=("own advantage",), iterations=6, seeds=2)), "2 seeds")
    described(transfer_curves(transfer_dynamics(AT, iterations=5, seeds=2)), "scratch", "transfer")
    described(exact_curves(exact_learning(AT, steps=20)), "DDC", "N2N")


def test_figures_of_statements():
    rewards = AT.rewards(every_student(AT), ddc)
    table = noise_table(rewards, rollouts=(1, 5), draws=500)
    ratio = table[(table["advantage"] == "shared") & (table["rollouts"] == 5)]["ratio"].iloc[0]
    described(gradient_variance(table), f"by {ratio:.2f}", "N = 5")
    described(threshold_frontier(threshold_path(AT)), "(0.9, 0.3, 0.6)")


def test_figures_of_latency(costs):
    table, _ = costs
    both = pd.concat([table, table.assign(batch=64)], ignore_index=True)
    described(latency_costs(both, latency_predictors(both, draws=200)), "eager, batch 1", "eager, batch 64")
    models = {"teacher": networks.build(TINY), "smallest": networks.build(layers.minimal(TINY))}
    profile = edge_profile(models, torch.zeros(1, 1, 8, 8), reference="teacher", blocks=2, repeats=2)
    described(edge_costs(profile), "ONNX Runtime", "int8")


def test_the_best_student_of_each_reward_is_that_of_the_enumeration():
    table = preferences(AT, iterations=10, seeds=2)
    assert list(dict.fromkeys(table["reward_name"])) == list(ALL_REWARDS)
    for name, row in table[table["what"] == "best student"].set_index("reward_name").iterrows():
        found = ALL_REWARDS[name](row["a"], row["t"], row["c"])
        assert found == pytest.approx(AT.rewards(every_student(AT), ALL_REWARDS[name]).max()), name
    ends = table[table["what"] == "end of the search"]
    assert ends.groupby("reward_name")["seed"].nunique().eq(2).all() and ends["minimal"].between(0, 1).all()
    described(preferred(table), "DDC", "Bars are over 2 searches")


def test_rewards_that_move_side_by_side_answer_their_own_policies():
    ratios = np.random.default_rng(0).random((3, 4, 5))  # a, t, c of four policies with five students each
    found = _by_block(["DDC", "N2N"])(*ratios)
    np.testing.assert_array_equal(found[:2], ddc(*ratios[:, :2]))
    np.testing.assert_array_equal(found[2:], n2n(*ratios[:, 2:]))


def test_the_constraint_of_n2n_is_in_force():
    large, small = (float(ALL_REWARDS["N2N, constrained"](1.0, 0.5, c)) for c in (0.7, 0.5))
    assert large == -1 and small == pytest.approx(float(n2n(1.0, 0.5, 0.5)))


def test_a_first_pass_is_measured_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(cold, "build", None)  # this process cannot build a network any more
    table = cold_start(TINY, processes=1, batch=4)
    assert table["network"].tolist() == ["teacher", "minimal student"] and (table[["first_s", "warm_s"]] > 0).all(
        axis=None
    )
    described(cold_passes(table), "is one of 1 fresh processes")
    told = pd.DataFrame({"process": [0, 0], "network": table["network"], "first_s": [6.0, 3.0], "warm_s": [2.0, 1.0]})
    described(cold_passes(told), "takes 3.0 times its warm one", "6.0 times as fast", "and 2.0 times where both")


def test_tables_are_shown_in_words():
    table = pd.DataFrame({"t": [0.5, np.nan, np.inf], "drawn": [1, 2, 3]})
    shown = readable(table)
    assert shown.columns.tolist() == ["time / teacher's", "students drawn"]
    assert shown["time / teacher's"].tolist() == [0.5, "–", "never"] and shown["students drawn"].tolist() == [1, 2, 3]
    assert isinstance(shown["students drawn"].iloc[0], int) and np.isnan(table["t"].iloc[1])


def test_scale_of_a_search_is_that_of_its_tables():
    history = pd.DataFrame({"method": ["DDC", "DDC", "random search"], "iteration": [0, 5, 9]})
    text = scale(pd.DataFrame({"images": [1000]}), history)
    assert "9,000 training images" in text and "6 iterations. " in text
    told = scale(
        pd.DataFrame([{"images": 1000, "half": True, "epochs": 5, "final_epochs": 16}]), history, network="VGG"
    )
    assert told.startswith("VGG") and "5 epochs a student and 16 for those judged" in told


def test_a_search_of_one_iteration_is_told_as_one():
    history = pd.DataFrame({"method": ["DDC"] * 2, "iteration": 0, "seed": 0, "valid": True, "minimal": [True, False]})
    history = history.assign(reward=[0.1, 0.3], c=0.5, a=0.9, t=0.4)
    assert "a search of 1 iteration. " in scale(pd.DataFrame({"images": [1000]}), history)
    described(learning(history), "the one iteration that there was", "DDC: reward 0.200, minimal students 50%.")
    caption = learning(history).scarce_caption
    assert " to " not in caption and "1 iterations" not in caption
    longer = pd.concat([history, history.assign(iteration=1, reward=0.6)], ignore_index=True)
    described(learning(longer), "each of 2 iterations, from the first to the last: DDC: reward 0.200 to 0.600")


def test_noisy_times_and_rewards_are_named_last():
    history = pd.DataFrame({"method": ["DDC"], "iteration": 0, "seed": 0, "valid": True, "minimal": False})
    history = history.assign(reward=0.2, c=0.5, a=0.9, t=0.4)
    final = pd.DataFrame({"method": ["DDC"], "seed": 0, "test": 0.7, "test_teacher": 0.8, "compression": 4.8})
    final = final.assign(t=0.5, reward=0.1, trainings=3)
    arms = pd.concat([final.assign(subset="A", arm=arm) for arm in ("full policy", "transfer", "scratch")])
    for fig, head, end in (
        (learning(history, noise="Noisy."), "DDC: accuracy / teacher's 0.900, parameters", "Last, DDC: reward 0.200."),
        (
            comparison(final, noise="Noisy."),
            "Test accuracy: DDC 0.700. Compression: DDC 4.8.",
            "Last, the reward: DDC 0.100.",
        ),
        (
            subset_policies(arms, noise="Noisy."),
            "Test accuracy: A: full policy 0.700,",
            "full policy 0.50, transfer 0.50, ",
        ),
    ):
        described(fig, head, end)
        caption = fig.scarce_caption
        assert caption.endswith("Noisy.") and caption.index(head) < caption.index("One seed") < caption.index(end)
    assert "Last" not in comparison(final).scarce_caption and "Reward: DDC 0.100." in comparison(final).scarce_caption


def test_times_that_differ_within_a_record_are_told():
    times = pd.DataFrame([{"minimal_s": 0.3, "teacher_s": 1.0}])
    history = pd.DataFrame({"minimal": [False, True, False], "t": [0.25, 0.29, np.nan], "seconds": [0.005, 0.0058, 1]})
    assert timing_noise(history, times=times) == timing_noise(history) == ""
    other = timing_noise(history, times=times.assign(minimal_s=0.164))
    assert "relative to the teacher took from 0.16 to 0.29." in other
    assert "not to be compared" in other and " ms" not in other
    busy = timing_noise(history.assign(t=[0.5, 0.145, np.nan], minimal=False), times=times)
    assert "from 12 to 38 ms" in busy and "minimal" not in busy
    parts = history.dropna().assign(t=[0.5, 0.145], minimal=False)
    assert timing_noise(parts.assign(subset=["A", "B"])) == ""
    assert "images A: one pass of the teacher took" in timing_noise(parts.assign(subset="A"))
    assert time_factor(history) == 1 and np.isclose(time_factor(history.assign(t=[0.5, 0.145, np.nan])), 3.34, atol=0.6)
    assert np.isnan([time_factor(history.assign(t=np.nan)), time_factor(history, times=np.nan * times)]).all()
    assert timing_noise(history.assign(t=np.nan), times=times) == timing_noise(history.assign(t=0.0)) == ""


def test_one_slow_pass_in_many_is_no_noise():
    history = pd.DataFrame({"minimal": False, "t": 0.5, "seconds": [0.005] * 40 + [0.5]})
    assert timing_noise(history) == "" != timing_noise(pd.concat([history, history.tail(1), history.tail(1)]))


def test_what_larger_passes_do_to_relative_times_is_told_where_they_do():
    times = pd.DataFrame([{"minimal_s": 0.3, "teacher_s": 1.0, "images": 5000}])
    final = pd.DataFrame({"method": ["remove all", "DDC"], "t": [0.15, 0.7]})
    told = passes(times, final)
    assert "5,000 validation images" in told and "takes 0.30 of the teacher's time, and 0.15 in passes of all" in told
    assert passes(times, final.assign(t=0.33)) == passes(times, final.iloc[1:]) == ""


def drawn(rewards, minimal):
    """A history of one search with five students in each iteration."""
    rows = [
        {"method": "DDC", "seed": 0, "iteration": k, "valid": True, "reward": r, "minimal": i < 5 * m, "a": 0.9}
        for k, (r, m) in enumerate(zip(rewards, minimal, strict=True))
        for i in range(5)
    ]
    return pd.DataFrame(rows).assign(c=0.5, t=0.4)


def test_what_a_search_learned_leads_its_caption():
    caption = learning(drawn(np.repeat([0.1, 0.2, 0.3], 20), np.linspace(0, 1, 60) > 0.9)).scarce_caption
    assert caption.startswith(
        "DDC: 50% of the students drawn in the last fifth of the iterations are minimal, and they are worth 3.0 times"
    )
    assert "minimal students" not in caption
    assert learning(drawn([0.1], [0]), noise="Noisy.").scarce_caption.startswith("Means of the students drawn in the")


def test_many_iterations_have_a_dozen_markers():
    axis = learning(drawn(np.full(60, 0.1), np.zeros(60))).axes[0]
    assert axis.lines[0].get_markevery() == 5


def test_which_student_is_worth_most_leads_the_comparison():
    rows = [("remove all", 0.4, 0.8, 6), ("DDC", 0.2, 0.9, 5), ("random search", 0.1, 0.7, 2), ("N2N", 0.3, 0.6, 3)]
    final = pd.DataFrame(rows, columns=["method", "reward", "test", "compression"]).assign(seed=0, t=0.5)
    final = final.assign(test_teacher=0.95)
    lead = "The student of remove all is worth most; that of DDC has 0.5 of its reward, more than 1 of the others. "
    assert comparison(final).scarce_caption.startswith(lead)
    for most, words in ((0.05, "less than all others"), (0.35, "more than all others")):
        assert words in comparison(final.assign(reward=[0.4, most, 0.1, 0.3])).scarce_caption
    first = comparison(final.assign(reward=[0.4, 0.5, 0.1, 0.3])).scarce_caption
    assert first.startswith("The student of DDC is worth most, that of remove all is next.")
    noisy = comparison(final, noise="Noisy.").scarce_caption
    assert noisy.startswith("Most accurate is the student of DDC (0.900, the teacher 0.950), smallest that of remove")


def test_what_recorded_steps_save_is_told_where_they_were_used():
    row = {"fit_s": 2.5, "captured_fit_s": 0.52, "captured": True}
    assert "2.5 seconds, and 0.5 with" in replays(pd.DataFrame([row]))
    assert replays(pd.DataFrame([row | {"captured": False}])) == replays(pd.DataFrame({"teacher_s": [1.0]})) == ""


def test_captions_of_policies_promise_no_interval_of_one_seed():
    one = dynamics(AT, updates=("own advantage",), iterations=6, seeds=1)
    described(policy_curves(one), "without an interval")


def test_captions_promise_an_interval_only_where_there_is_one():
    table = pd.DataFrame({"seed": [0, 0, 1, 2]})
    assert "without an interval" in over_seeds(table[:2]) and "medians" not in over_seeds(table[:2])
    assert over_seeds(table) == "Points are medians over 3 seeds, bars from the least to the largest."
    many = pd.DataFrame({"seed": range(5)})
    assert over_seeds(many, points="Lines", marks="bands") == (
        "Lines are medians over 5 seeds, bands intervals of the median."
    )
    assert over_seeds(many, marks="", what="training") == "Points are medians over 5 trainings."
