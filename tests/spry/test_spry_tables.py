"""Tables of the page: words and units instead of column names, NaN and infinity; what a derivative costs."""

import numpy as np
import pandas as pd
import pytest

from lib.spry import figures


@pytest.fixture
def runs():
    """Spry ends at 0.5, so the target is 0.45: never met by one, met at the first record by another."""
    finals = {"Spry": (0.2, 0.5), "slow": (0.1, 0.4), "early": (0.46, 0.6)}
    rows = [
        [name, 0.1, seed, 1.5, r, accuracy, 0.3, 100.0 * r, 50.0 * r, 2.5 * r, 4.0 * r, 0.25 * r]
        for name, values in finals.items()
        for seed in range(3 if name == "Spry" else 1)
        for r, accuracy in enumerate(values)
    ]
    columns = ["method", "alpha", "seed", "lr", "round", "accuracy", "majority", "operations", "forward", "kib_up"]
    return pd.DataFrame(rows, columns=[*columns, "kib_down", "seconds"])


def test_a_ranking_is_read_in_words(runs):
    table = figures.ranked(runs).set_index("method")
    assert table.index.tolist() == ["early", "Spry", "slow"]
    work = table["passes to target, counted"]
    assert work.to_dict() == {"early": "at the start", "Spry": "100", "slow": "not reached"}
    assert table.loc["Spry", "final accuracy"] == "0.50 (0.50–0.50)" and table.loc["slow", "final accuracy"] == "0.40"
    assert table.loc["slow", ["sent (KiB)", "received (KiB)", "time (s)"]].tolist() == ["2.5", "4.0", "0.25"]
    assert "in all, measured" not in table and table.loc["slow", "rate"] == "1.5"


def test_rates_at_an_end_say_so_and_tangents_have_their_measured_price(runs):
    table = figures.ranked(runs, rates=(0.5, 1.5), jvp=2.6).set_index("method")
    assert set(table["rate"]) == {"1.5 (highest)"} and set(table["in all, counted"]) == {"100"}
    # 50 passes, each with one tangent: 2.6 instead of 2 forward passes. The others have no tangents.
    assert table["in all, measured"].to_dict() == {"early": "100", "Spry": "130", "slow": "100"}
    # As well for K = 4 at once, 1 + K counted: the passes of tangents at 1.6 instead of 1, beside one of values.
    several = runs.assign(operations=runs["round"] * 5.0, forward=runs["round"] * 4.0)
    assert figures.ranked(several, jvp=2.6).set_index("method").loc["Spry", "in all, measured"] == f"{1 + 4 * 1.6:.0f}"


def test_no_table_shows_raw_numbers_or_column_names(runs):
    aims = pd.DataFrame({"what": ["a", "b"], "over": "c", "seconds": 0.1, "ratio": [2.0, 3.0], "aim": [np.nan, 2.6]})
    encoder = pd.DataFrame({"method": ["backprop", "x"], "seconds": [0.1, 0.2], "peak_mib": 3.0, "transient_mib": 1.0})
    defects = pd.DataFrame({"defect": ["scaling"], "right": [10.0], "released": [1.0001]})
    shown = [figures.ranked(runs), figures.derivative(aims), figures.encoder(encoder), figures.defects(defects)]
    for table in shown:
        assert table.map(lambda value: isinstance(value, str | int | np.integer)).all(axis=None)
        text = table.to_string().replace("infinite", "")
        assert not any(raw in text for raw in ("NaN", "nan", "inf", "_", "None"))
    assert shown[1]["verdict"].tolist() == ["–", "not met"] and shown[2]["over backprop's"].tolist() == ["1.00", "2.00"]
    assert shown[3].to_numpy().tolist() == [["Baffle+: effective number of directions", "10", "1"]]


def test_a_derivative_is_timed_beside_its_peers():
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    from lib.spry.experiments import derivative_costs
    from lib.spry.experiments.derivative import derivative_times

    table = derivative_costs(layers=2, batch=2, length=16, repeats=1)
    assert len(table) == 3 and (table["difference"] < 1e-4).all()  # the same derivative as PyTorch's
    assert np.allclose(table["ratio"], table["seconds"] / table["other_seconds"]) and (table["seconds"] > 0).all()
    times, _ = derivative_times(layers=2, batch=2, length=16, k=2, repeats=1)
    assert {"one by one", "at once"} < set(times)
