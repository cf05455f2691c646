"""Memory of a step: predictions against measurements, flat forward mode, four-bit weights against full ones."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from lib.spry import memory  # noqa: E402
from lib.spry.experiments.memory import (  # noqa: E402
    BERT,
    KEPT,
    NOT_RUN,
    cards,
    memory_by_depth,
    paper_predictions,
)
from lib.spry.figures import memory as figures  # noqa: E402
from lib.spry.figures.tables import GB, paper_table  # noqa: E402
from lib.spry.forward_gradient import forward_gradient  # noqa: E402
from lib.spry.four_bit import FourBitLinear, pack, unpack  # noqa: E402
from lib.spry.memory_cases import BUDGET  # noqa: E402
from lib.spry.memory_model import (  # noqa: E402
    METHODS,
    PAPER_SHAPES,
    STOCK,
    TRANSIENT,
    Shape,
    parameter_counts,
    predicted,
    transient_vectors,
)
from lib.spry.text_model import trainable  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and peft warn about themselves


@pytest.fixture(scope="module")
def table():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return memory_by_depth(layers=(2, 24))


def transients(table):
    part = table[table["category"] == TRANSIENT]
    return part.pivot_table(index="layers", columns="method", values="measured")


def test_forward_mode_is_flat_in_depth_and_seven_times_below_backprop(table):
    found = transients(table)
    assert found.loc[24, "forward mode"] < 1.1 * found.loc[2, "forward mode"]
    assert found.loc[24, "backprop"] > 7 * found.loc[24, "forward mode"]
    assert found.loc[24, "backprop"] > 9 * found.loc[2, "backprop"]
    # The honest rival: checkpointed backprop is within a factor of two and a half of forward mode.
    assert found.loc[24, "checkpointed backprop"] < 2.5 * found.loc[24, "forward mode"]


def assert_close(table):
    table = table[table["method"] != STOCK]  # not predicted
    totals = table.groupby(["method", "layers"])[["measured", "predicted"]].sum()
    assert totals["predicted"].to_numpy() == pytest.approx(totals["measured"].to_numpy(), rel=0.05)
    part = table[table["category"] == TRANSIENT]
    assert part["predicted"].to_numpy() == pytest.approx(part["measured"].to_numpy(), rel=0.05)


def test_prediction_of_every_bar(table):
    assert set(table["method"]) == {*METHODS, STOCK}
    assert_close(table)


@pytest.mark.parametrize("family", ["roberta", "opt", "llama"])
@pytest.mark.parametrize(("batch", "length", "heads", "inner"), [(4, 32, 4, 344), (2, 128, 8, 512), (3, 64, 2, 400)])
def test_prediction_across_shapes(family, batch, length, heads, inner):
    shape = Shape(family=family, layers=3, hidden=128, heads=heads, inner=inner, positions=128)
    for method in METHODS:
        assert_close(memory.measure(shape, method, batch=batch, length=length))


@pytest.mark.parametrize("family", ["roberta", "opt", "llama"])
def test_prediction_in_half_precision(family):
    shape = Shape(family=family, layers=3, hidden=128, heads=4, inner=344, positions=64)
    for method in METHODS:
        table = memory.measure(shape, method, batch=2, length=48, dtype=torch.bfloat16)
        assert table["predicted"].sum() == pytest.approx(table["measured"].sum(), rel=0.1)


@pytest.mark.parametrize("family", ["bert", "roberta", "opt", "llama"])
def test_parameter_counts_are_exact(family):
    shape = Shape(family=family, layers=3, hidden=32, heads=2, inner=96, vocabulary=50, positions=20, classes=3)
    net = memory.build(shape, rank=2)
    counts = parameter_counts(shape, rank=2)
    assert counts.frozen == sum(p.numel() for p in net.parameters() if not p.requires_grad)
    assert counts.trained == sum(p.numel() for p in net.parameters() if p.requires_grad)
    linear = [m.weight for m in net.modules() if isinstance(m, torch.nn.Linear) and not m.weight.requires_grad]
    assert counts.linear == sum(weight.numel() for weight in linear)


def test_paper_shapes_have_the_models_sizes():
    # The public sizes: 355 M, 6.61 B (without the output layer), 6.66 B and 12.85 B.
    sizes = {name: parameter_counts(shape).frozen / 1e9 for name, shape in PAPER_SHAPES.items()}
    assert sizes == pytest.approx(
        {"RoBERTa-large": 0.354, "Llama2-7B": 6.607, "OPT-6.7B": 6.658, "OPT-13B": 12.853}, rel=0.002
    )
    assert parameter_counts(PAPER_SHAPES["RoBERTa-large"]).trained == 98_304 + 1_051_650


@pytest.mark.parametrize("skip_frozen", [False, True])
def test_step_functions_agree_on_the_gradient(skip_frozen):
    # One direction of forward mode times the direction is backprop's gradient along it.
    shape = replace(BERT, layers=2, hidden=32, inner=64)
    net = memory.build(shape, skip_frozen=skip_frozen)
    x, y = torch.ones(2, 2, 8, dtype=torch.long), torch.tensor([0, 1])
    values = trainable(net)
    generator = torch.Generator().manual_seed(0)
    v = {name: torch.randn(1, *value.shape, generator=generator) for name, value in values.items()}

    def loss(p):
        return torch.nn.functional.cross_entropy(torch.func.functional_call(net, p, (x,)), y)

    jvp = forward_gradient(loss, values, v, backend="dual").jvps[0]
    loss({}).backward()
    exact = sum((p.grad * v[name][0]).sum() for name, p in net.named_parameters() if p.requires_grad)
    assert float(jvp) == pytest.approx(float(exact), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_changes_trained_weights_only(method):
    net = memory.build(replace(BERT, hidden=32, inner=64), skip_frozen=method == "forward mode")
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    step, _ = memory.step_function(net, method, torch.ones(2, 2, 8, dtype=torch.long), torch.tensor([0, 1]))
    step()
    changed = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert changed <= {name for name, p in net.named_parameters() if p.requires_grad}


def test_four_bits_round_trip():
    weight = torch.randn(6, 64, generator=torch.Generator().manual_seed(0))
    codes, scales = pack(weight)
    assert codes.dtype == torch.uint8
    assert codes.numel() == weight.numel() // 2
    error = (unpack(codes, scales, (6, 64)) - weight).abs().view(-1, 64).amax(dim=1)
    assert (error <= scales[:, 0] / 2 * 1.001).all()
    levels = unpack(codes, scales, (6, 64))
    assert torch.allclose(unpack(*pack(levels), (6, 64)), levels, atol=1e-6)
    with pytest.raises(ValueError, match="multiple of 64"):
        pack(torch.zeros(3, 5))


@pytest.mark.parametrize("kept", [False, True])
def test_four_bit_linear_is_a_linear_layer(kept):
    other = torch.nn.Linear(64, 8).double().requires_grad_(False)
    layer = FourBitLinear(other, keep_dequantized=kept)
    other.weight.copy_(unpack(layer.codes, layer.scales, (8, 64)))
    x = torch.randn(3, 64, dtype=torch.double, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.allclose(layer(x), other(x))
    assert torch.autograd.gradcheck(layer, (x,), check_forward_ad=True)


def test_four_bit_weights_in_the_step():
    shape = Shape(family="opt", layers=4, hidden=64, heads=2, inner=256, positions=64)
    found = {
        (method, weights): memory.measure(shape, method, batch=1, length=8, weights=weights).set_index("category")
        for method in METHODS
        for weights in ("4bit", "4bit kept")
    }
    for table in found.values():
        row = table.loc["parameters"]
        assert row["measured"] == pytest.approx(row["predicted"], rel=0.01)
        assert table["measured"].sum() == pytest.approx(table["predicted"].sum(), rel=0.15)
    kept = {key: table.loc[TRANSIENT, "measured"] for key, table in found.items()}
    linear = 4 * parameter_counts(shape).linear
    # Left to autograd, backprop keeps all dequantized weights; the others never hold more than a layer's.
    assert kept["backprop", "4bit kept"] - kept["backprop", "4bit"] > 0.7 * linear
    assert kept["forward mode", "4bit"] < 0.5 * linear
    assert kept["zero-order", "4bit kept"] < 0.5 * linear


def test_predictions_grow_as_they_should():
    small, large = replace(BERT, layers=6), replace(BERT, layers=12)
    growth = {
        m: transient_vectors(large, m, batch=4, length=32) / transient_vectors(small, m, batch=4, length=32)
        for m in METHODS
    }
    assert growth["forward mode"] == growth["zero-order"] == 1
    assert growth["checkpointed backprop"] < 1.3 < 1.7 < growth["backprop"]
    with pytest.raises(ValueError, match="choose one of backprop"):
        predicted(BERT, "none", batch=1, length=1)


def test_figures(table):
    assert "times less than backprop" in figures.memory_bars(table).scarce_caption
    ratio = transients(table).loc[24]
    assert f"{ratio['backprop'] / ratio['forward mode']:.1f} times" in figures.memory_by_depth(table).scarce_caption
    assert "Predictions, not measurements" in figures.paper_shapes(paper_predictions()).scarce_caption


def test_figure_of_a_gpu_run_keeps_kinds_of_weights_apart():
    predictions = paper_predictions()
    rows = predictions.assign(weights="4bit", device="a GPU", status="ok", measured=2 * predictions["predicted"])
    kept = rows["method"] == KEPT
    rows.loc[kept, ["method", "weights"]] = "backprop", "4bit kept"
    other = rows.assign(weights="full", measured=rows["measured"] * 100)  # must not be mixed in
    full = (rows["shape"] == "OPT-13B") & kept
    rows.loc[full, ["measured", "status"]] = np.nan, "out of memory"
    measured = pd.concat([rows, other]).assign(seconds=0.2, forward_seconds=0.1)
    figure = figures.paper_shapes(predictions, measured)
    want = 2 * predictions[(predictions["shape"] == "Llama2-7B") & (predictions["method"] == "forward mode")]
    assert f"and {want['predicted'].sum() / 1e9:.1f} GB" in figure.scarce_caption
    words = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert words == [" out of memory"]
    table = paper_table(predictions, measured).set_index(["model", "weights"])
    assert set(table.index.levels[1]) == {"4 bits", "4 bits, kept", "bfloat16"}
    assert table.loc[("Llama2-7B", "4 bits"), "forward mode"] == f"{want['predicted'].sum() / GB:.2f}"
    assert table.loc[("OPT-13B", "4 bits, kept"), "backprop"] == "out of memory"
    time = paper_table(predictions, measured, value="time").set_index(["model", "weights"])
    assert time.loc[("Llama2-7B", "4 bits"), "forward mode"] == "200 (2.0)"


def test_cards_are_named_and_what_was_not_run_is_said_once():
    predictions = paper_predictions()
    rows = predictions[predictions["method"] != KEPT].assign(weights="4bit", device="NVIDIA H100 80GB HBM3")
    rows = rows.assign(status="ok", measured=rows["predicted"], seconds=0.2, forward_seconds=0.1)
    rows.loc[rows["shape"] == "OPT-13B", "device"] = "NVIDIA H200"
    late = rows[rows["shape"] == "OPT-13B"].groupby("method", as_index=False).first()
    late = late.assign(weights="full", status=NOT_RUN, measured=np.nan, seconds=np.nan, device="NVIDIA H100 80GB HBM3")
    measured = pd.concat([rows, late])
    said = "NVIDIA H100 (RoBERTa-large, Llama2-7B, OPT-6.7B) and NVIDIA H200 (OPT-13B)"
    assert cards(measured) == said
    assert f"Measured on {said}" in figures.paper_shapes(predictions, measured).scarce_caption
    table = paper_table(predictions, measured)
    last = table[table["model"] == "OPT-13B"].set_index("weights")
    assert last["GPU"].to_dict() == {"4 bits": "NVIDIA H200", "bfloat16": "–"}
    assert last.loc["bfloat16", ["backprop", "forward mode"]].tolist() == ["not run", "–"]
    assert "not run" not in paper_table(predictions, measured, value="time").to_string()
    assert NOT_RUN == BUDGET  # the word that the measurement writes
    text = table.to_string().lower()
    assert "nan" not in text and "inf" not in text and "_" not in text


def test_command_writes_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "SMALL", replace(BERT, hidden=32, inner=64))
    memory.main(
        [
            "--shapes",
            "small",
            "--methods",
            "zero-order",
            "--batch",
            "1",
            "--length",
            "8",
            "--out",
            str(tmp_path / "t.csv"),
        ]
    )
    assert "zero-order,2" in (tmp_path / "t.csv").read_text()
    with pytest.raises(SystemExit):
        memory.main(["--shapes", "huge"])
