import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from lib.compression.edge import edge_profile, exported_accuracy, repeatability, static_costs
from lib.compression.predictors import predictors, rank_correlations
from lib.profiling.interleaved import block_ratios, interleaved
from lib.profiling.onnx_file import export_onnx, onnx_session, onnx_weight_bytes, quantize_onnx

IMAGE = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)


def net(width=6, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        return nn.Sequential(*layers, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(width, 10))


def test_costs_by_hand():
    costs = static_costs(net(6), IMAGE)
    assert costs["parameters"] == 6 * 9 + 2 * 6 + 6 * 10 + 10
    assert costs["bytes"] == 4 * (costs["parameters"] + 2 * 6) + 8  # running statistics, and a counter of eight bytes
    assert costs["flops"] == 2 * (6 * 9 * 64 + 6 * 10)
    # Beside each other at the peak: the normalized map and what it is made from, or its ReLU.
    assert costs["activation_bytes"] == 2 * 6 * 64 * 4


def test_the_mode_of_a_network_is_restored():
    for training in (True, False):
        model = net().train(training)
        static_costs(model, IMAGE)
        export_onnx(model, IMAGE)
        assert all(part.training is training for part in model.modules())


def test_an_exported_file_gives_torchs_numbers_and_names_no_place_of_this_machine():
    model = net().eval()
    content = export_onnx(model, IMAGE)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = model(IMAGE).numpy()
    np.testing.assert_allclose(session.run(None, {session.get_inputs()[0].name: IMAGE.numpy()})[0], expected, atol=1e-6)
    assert b"site-packages" not in content and b".py" not in content


def test_int8_takes_a_quarter_of_the_bytes_and_is_near():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10)).eval()
    content = export_onnx(model, IMAGE)
    small = quantize_onnx(content)
    assert 0.24 < len(small) / len(content) < 0.3
    results = [s.run(None, {s.get_inputs()[0].name: IMAGE.numpy()})[0] for s in map(onnx_session, (content, small))]
    assert 0 < np.abs(results[0] - results[1]).max() < 0.02


def test_weights_of_a_file_have_its_own_precision():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10)).eval()
    weights, biases = 64 * 512 + 512 * 10, 512 + 10
    plain = export_onnx(model, IMAGE)
    shapes = onnx_weight_bytes(plain) - 4 * (weights + biases)  # constants that are no weights
    assert 0 <= shapes < 100
    int8 = onnx_weight_bytes(quantize_onnx(plain))
    assert weights + 4 * biases <= int8 < weights + 4 * biases + 100  # a scale and a zero point for each layer


def test_profile_of_three_networks(tmp_path):
    models = {"teacher": net(64), "half": net(32), "minimal": net(2)}
    images = torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = models["teacher"].eval()(images).argmax(1)
    folder = tmp_path / "downloads"
    table = edge_profile(
        models, IMAGE, reference="teacher", blocks=3, repeats=5, images=images, labels=labels, folder=folder
    ).set_index(["model", "precision"])
    assert list(table.loc["teacher"].index) == ["float32", "int8"] and len(table) == 6
    assert (table.loc[("teacher", "float32"), ["time_ratio", "time_low", "time_high"]] == 1).all()
    assert table.loc[("teacher", "float32"), "accuracy"] == 1
    assert (table["p90_ms"] >= table["median_ms"]).all() and (table["time_low"] <= table["time_high"]).all()
    assert table.loc[("minimal", "float32"), "parameters"] == 2 * 9 + 2 * 2 + 2 * 10 + 10
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{m}-{p}.onnx" for m, p in table.index)
    assert table["activation_bytes"].isna().tolist() == [precision == "int8" for _, precision in table.index]
    for model, precision in table.index:
        content = (folder / f"{model}-{precision}.onnx").read_bytes()
        assert len(content) == table.loc[(model, precision), "file_bytes"]
        assert exported_accuracy(onnx_session(content), images, labels) == table.loc[(model, precision), "accuracy"]


def test_profiles_refuse_what_they_cannot_compare():
    with pytest.raises(ValueError, match="'big' is not among the models: choose from small"):
        edge_profile({"small": net()}, IMAGE, reference="big")
    with pytest.raises(ValueError, match="give both or neither"):
        edge_profile({"small": net()}, IMAGE, reference="small", images=IMAGE)


def test_interleaving_calls_each_as_often_as_told_and_in_blocks():
    log = []
    seconds = interleaved(
        {"a": lambda: log.append("a"), "b": lambda: log.append("b")}, blocks=6, repeats=4, warmup=2, seed=0
    )
    assert seconds["a"].shape == (6, 4) and (seconds["a"] >= 0).all()
    blocks = np.array(log).reshape(12, 6)
    assert (blocks == blocks[:, :1]).all()
    turns = blocks[:, 0].reshape(6, 2)
    assert all(set(turn) == {"a", "b"} for turn in turns) and len({tuple(turn) for turn in turns}) == 2


def test_ratios_within_blocks_ignore_what_slows_a_whole_block():
    slow = np.array([[1.0], [5.0], [2.0]])
    seconds = {"teacher": slow * [1, 2, 3], "student": slow * [0.5, 0.6, 0.7]}
    np.testing.assert_allclose(block_ratios(seconds, "teacher")["student"], [0.3] * 3)
    with pytest.raises(ValueError, match="'x' was not measured"):
        block_ratios(seconds, "x")
    for wrong in ({"blocks": 0}, {"repeats": 0}, {"warmup": -1}):
        with pytest.raises(ValueError, match="give at least 1, 1 and 0"):
            interleaved({"a": int}, **wrong)
    with pytest.raises(ValueError, match="at least one call"):
        interleaved({})


def test_change_between_two_tables_is_symmetric():
    one = pd.DataFrame({"model": ["a", "b"], "precision": "float32", "time_ratio": [1.0, 0.2]})
    two = one.assign(time_ratio=[1.0, 0.25])
    for pair in ((one, two), (two, one)):
        np.testing.assert_allclose(repeatability(*pair)["change"], [0, 0.25])


def students(n=30, seed=0):
    rng = np.random.default_rng(seed)
    time = rng.random(n)
    values = {"parameters": rng.random(n), "flops": time + 0.3 * rng.random(n), "activation_bytes": -time}
    return pd.DataFrame(values | {"time_ratio": time})


def test_rank_correlations_are_spearmans_with_ties():
    values = np.random.default_rng(3).integers(0, 4, size=(5, 20, 3)).astype(float)
    expected = [[spearmanr(part[:, k], part[:, 2]).statistic for k in range(2)] for part in values]
    np.testing.assert_allclose(rank_correlations(values), expected)


def test_predictors_of_known_strength():
    table = predictors(students()).set_index("predictor")
    assert table.loc["activation_bytes", "rank_correlation"] == pytest.approx(-1)
    assert table.loc["flops", "best_share"] == 1 and table["best_share"].sum() == pytest.approx(1)
    assert (table["low"] <= table["rank_correlation"]).all() and (table["rank_correlation"] <= table["high"]).all()
    assert table.loc["parameters", "low"] < 0 < table.loc["parameters", "high"]


def test_the_gain_over_a_rival_is_of_the_same_resamples():
    table = predictors(students(), rival="parameters").set_index("predictor")
    assert (table.loc["parameters", ["gain_low", "gain_high"]] == 0).all()
    assert table.loc["flops", "gain_low"] > 0 > table.loc["activation_bytes", "gain_high"]
    copied = predictors(students().assign(activation_bytes=lambda t: 2 * t["flops"]), rival="flops")
    assert copied.set_index("predictor").loc["activation_bytes", ["gain_low", "gain_high"]].eq(0).all()


def test_the_interval_covers_the_correlation_of_the_population():
    # Spearman's correlation of a bivariate normal with correlation r is 6/pi asin(r/2).
    rng, r, covered = np.random.default_rng(0), 0.6, 0
    for trial in range(60):
        x, noise = rng.standard_normal((2, 60))
        table = pd.DataFrame({"flops": x, "time_ratio": r * x + np.sqrt(1 - r**2) * noise})
        row = predictors(table, columns=("flops",), draws=400, seed=trial).iloc[0]
        covered += row["low"] <= 6 / np.pi * np.arcsin(r / 2) <= row["high"]
    assert 46 <= covered <= 60  # 54 expected at level 0.9; 46 lies 3.4 standard deviations below


def test_predictors_refuse_what_they_cannot_rank():
    with pytest.raises(ValueError, match="at least five"):
        predictors(students(4))
    with pytest.raises(ValueError, match="no column 'speed'"):
        predictors(students(), columns=("speed",))
    with pytest.raises(ValueError, match="'flops' is the same for all students"):
        predictors(students().assign(flops=1))
