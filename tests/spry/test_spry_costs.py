"""Cost formulas against counted messages, passes and operations; dropout noise against exact derivatives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from lib.spry import costs  # noqa: E402
from lib.spry.experiments.costs import communication_table, counted_costs, step_operations  # noqa: E402
from lib.spry.experiments.dropout import dropout_noise  # noqa: E402
from lib.spry.figures import costs as figures  # noqa: E402


@given(st.integers(1, 60), st.integers(1, 120), st.integers(1, 20))
def test_split_upload_is_the_larger_of_units_and_clients(units, clients, size):
    found = costs.traffic("Spry", [size] * units, clients)
    assert len(found.up) == clients
    assert sum(found.up) == size * max(units, clients)
    assert max(found.up) - min(found.up) <= size
    assert found.down == size * units


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 30), st.integers(1, 9))
def test_scalars_do_not_depend_on_the_model(sizes, clients, k):
    assert costs.traffic("Spry per iteration", sizes, clients, perturbations=k).up == (k,) * clients
    assert costs.traffic("FedAvg", sizes, clients).up == (sum(sizes),) * clients


def test_formulas_are_what_the_algorithms_do():
    table = counted_costs()
    for name in ("up_all", "down", "forward", "backward"):
        wrong = table[table[name] != table[f"{name}_formula"]]
        assert wrong.empty, wrong[["method", "clients", name, f"{name}_formula"]].to_string()


def test_operations_of_a_step():
    table = step_operations(first=(0, 6))
    assert table["forwards"].to_numpy() == pytest.approx(table["formula"].to_numpy(), rel=0.08)
    forward = table[table["method"] == "forward mode"].set_index("first")
    assert forward.loc[0, "stock"] > 2.7 > 2.3 > forward.loc[0, "forwards"]
    assert forward.loc[6, "forwards"] < 1.4
    assert "at most" in figures.step_operations(table).scarce_caption


def test_dropout_noise_drowns_small_steps():
    table = dropout_noise(steps=(1e-3, 1e-2), draws=12, seeds=2)
    middle = table.groupby(["mode", "step"])[["correlation", "error", "error_theory"]].median()
    for mode in ("eval", "shared_mask"):
        assert middle.loc[(mode, 1e-2), "correlation"] > 0.999
    released = middle.loc["as_released"]
    assert released.loc[1e-3, "error"] > 5 * released.loc[1e-2, "error"]
    assert released.loc[1e-3, "error"] == pytest.approx(released.loc[1e-3, "error_theory"], rel=0.5)
    assert released.loc[1e-3, "correlation"] < 0.9
    assert "different dropout masks" in figures.dropout_noise(table).scarce_caption


def test_communication_figure():
    table = communication_table()
    assert set(table["clients"]) == {10, 100}
    caption = figures.communication(table).scarce_caption
    assert "by 10 with 10 clients and by 50 with 100 clients" in caption


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown method 'X per iteration'"):
        costs.traffic("X per iteration", [1], 1)
    with pytest.raises(ValueError, match="choose one of backprop"):
        costs.step_cost("none", 2)
