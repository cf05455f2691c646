"""The choice of a setting on partitions on which nothing is judged."""

import pandas as pd
import pytest

from lib.federated.tuning import best_settings, tuning_seeds


def runs(scores):
    """Return a table of runs: {(method, lr): accuracies}."""
    rows = [(method, lr, value) for (method, lr), values in scores.items() for value in values]
    return pd.DataFrame(rows, columns=["method", "lr", "accuracy"])


def test_the_best_median_is_chosen_for_each_method_apart():
    table = runs({("a", 0.1): [0.5, 0.6, 0.7], ("a", 0.2): [0.1, 0.5, 0.9], ("b", 0.1): [0.2], ("b", 0.2): [0.3]})
    chosen = best_settings(table, ["method"])
    assert chosen.to_dict("list") == {"method": ["a", "b"], "lr": [0.1, 0.2]}


def test_a_run_without_a_value_is_worse_than_any_other():
    nan = float("nan")
    table = runs({("a", 0.1): [0.2, 0.2, 0.2], ("a", 0.2): [0.9, nan, nan], ("b", 0.1): [nan], ("b", 0.2): [0.0]})
    assert best_settings(table, ["method"])["lr"].tolist() == [0.1, 0.2]
    assert best_settings(runs({("a", 0.2): [nan], ("a", 0.1): [nan]}), ["method"])["lr"].tolist() == [0.1]


def test_ties_go_to_the_smallest_setting_and_names_are_free():
    table = runs({("a", 3.0): [0.5], ("a", 2.0): [0.5]}).rename(columns={"lr": "mu", "accuracy": "score"})
    assert best_settings(table, ["method"], setting="mu", value="score")["mu"].tolist() == [2.0]


def test_no_partition_is_both_chosen_and_judged_on():
    assert list(tuning_seeds(3, 2)) == [1002, 1003, 1004]
    with pytest.raises(ValueError, match="stay below 1000"):
        tuning_seeds(3, 998)
