"""Every rule on tables made by hand: it says yes, nearly and no, and it refuses NaN."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from rule_cases import check_all_verdicts, check_rule, check_unmeasured, flattened

import lib.spry
from lib.jobs import import_closure
from lib.report import COMPANION, judge
from lib.report.claims import NOT_JUDGED, NOT_RUN
from lib.report.published import published
from lib.spry import CLAIMS
from lib.spry.experiments.released_runs import RELEASED
from lib.spry.memory_model import PAPER_SHAPES, TRANSIENT

YES, NEARLY, NO = "reproduced", "close", "not reproduced"


def runs(**accuracies):
    """Return a comparison at two alphas: {method, with _ for a space: final accuracies by seed, or by alpha}."""
    made = []
    for name, values in accuracies.items():
        by_alpha = values if isinstance(values, dict) else {1.0: values, 0.1: values}
        for alpha, some in by_alpha.items():
            for seed, value in enumerate(np.atleast_1d(some)):
                for r, accuracy in ((1, 0.0), (9, value)):
                    row = {"method": name.replace("_", " "), "alpha": alpha, "seed": seed, "round": r}
                    made.append(row | {"accuracy": accuracy, "operations": 10.0 * r, "majority": 0.1})
    return pd.DataFrame(made)


def accuracy(*gains):
    zero = {"FedMeZO": 0.3, "Baffle+": 0.5, "FwdLLM+": 0.4}
    parts = [runs(**{n: dict.fromkeys((1.0, 0.1), v) for n, v in zero.items()})]
    return {"comparison": pd.concat([*parts, runs(Spry={1.0: 0.5 + gains[0], 0.1: 0.5 + gains[-1]})])}


def below(*gaps):
    spry = {1.0: 0.9 - gaps[0], 0.1: 0.9 - gaps[-1]}
    return {"comparison": runs(FedAvg=0.9, FedYogi=0.8, Spry=spry)}


def slower(*ratios):
    """Return a comparison in which zero-order methods need `ratios` times the operations of Spry."""
    table = runs(Spry=0.5, FedMeZO=0.5, **{"Baffle+": 0.5, "FwdLLM+": 0.5})
    factor = dict(zip(("FedMeZO", "Baffle+", "FwdLLM+"), ratios, strict=True))
    return {"comparison": table.assign(operations=table["operations"] * table["method"].map(factor).fillna(1))}


def gpu(backprop, forward):
    """Return measured peaks in GB by shape, the same at both lengths."""
    rows = []
    for shape in backprop:
        full = shape == "RoBERTa-large"
        for length in (64, 256):
            case = {
                "shape": shape,
                "batch": 8,
                "length": length,
                "dtype": "bfloat16",
                "status": "ok",
                "category": "all",
            }
            rival = {
                "method": "backprop",
                "weights": "full" if full else "4bit kept",
                "measured": backprop[shape] * 1e9,
            }
            ours = {"method": "forward mode", "weights": "full" if full else "4bit", "measured": forward[shape] * 1e9}
            rows += [case | rival, case | ours]
    return {"gpu_memory": pd.DataFrame(rows)}


def four(*ratios):
    names = tuple(PAPER_SHAPES)
    return gpu(dict(zip(names, ratios, strict=True)), dict.fromkeys(names, 1.0))


def one_shape(shape):
    return lambda back, forward: gpu({shape: back}, {shape: forward})


def depth(**ends):
    """Return transients at 2 and 24 layers by method, with _ for a space."""
    rows = [
        [layers, name.replace("_", " ").replace("zero order", "zero-order"), TRANSIENT, value]
        for name, values in ends.items()
        for layers, value in zip((2, 24), values, strict=True)
    ]
    return {"depth": pd.DataFrame(rows, columns=["layers", "method", "category", "measured"])}


def paired(first, second, *gains, table="comparison"):
    return {table: runs(**{first: 0.5 + np.array(gains), second: np.full(len(gains), 0.5)})}


def per_iteration(*gains):
    both = paired("Spry per iteration", "Spry", *gains)["comparison"]
    mine = both["method"] == "Spry"
    return {"comparison": both[mine], "protocols": both[~mine]}


def sweep(name, values):
    rows = [[name, value, 0, 9, accuracy] for value, accuracy in values.items()]
    return {"sweeps": pd.DataFrame(rows, columns=["sweep", "value", "seed", "round", "accuracy"])}


def no_split(*gains):
    shared = runs(**{"FedFGD shared": np.full(len(gains), 0.1)})
    return {"comparison": pd.concat([paired("Spry", "FedFGD", *gains)["comparison"], shared])}


def bias(skew, total, averaged=(1.0, 1.0, 1.0)):
    table = {"alpha": [100.0, 1.0, 0.1], "skew": skew, "bias2": total, "averaged2": averaged}
    return {"bias": pd.DataFrame(table).assign(averaged2_theory=1.0)}


def floor(slope, ratio):
    rows = [
        [name, alpha, r, (r / 400) ** slope * (ratio if alpha == 0.1 else 1.0)]
        for name in ("fixed", "re-sampled")
        for alpha in (100.0, 0.1)
        for r in (10, 50, 100, 400)
    ]
    return {"floor": pd.DataFrame(rows, columns=["map", "alpha", "round", "norm2"])}


def estimator(*off):
    table = pd.DataFrame({"dimension": range(len(off)), "perturbations": 1, "clients": 1, "mse_theory": 10.0})
    return {"estimator": table.assign(mse=10.0 * (1 + np.array(off)))}


def one_step(ratio):
    rows = [["split", 16, ratio], ["own directions", 16, 1.0], ["split", 1, 9.0], ["own directions", 1, 1.0]]
    return {"one_step": pd.DataFrame(rows, columns=["method", "clients", "mse"])}


def splitting(*gains):
    rows = [
        [name, steps, 0.1, value]
        for steps, gain in zip((1, 64), gains, strict=True)
        for name, value in (("split", 10.0), ("own directions", 10.0 * gain))
    ]
    return {"splitting": pd.DataFrame(rows, columns=["method", "steps", "lr", "rounds"])}


def dropout(released, shared):
    rows = [["as_released", 1e-4, released], ["as_released", 1e-1, 0.9], ["shared_mask", 1e-2, shared]]
    return {"dropout": pd.DataFrame(rows, columns=["mode", "step", "correlation"])}


def defects(*released):
    table = pd.DataFrame({"defect": [f"d{i}" for i in range(len(released))], "right": 1.0, "released": released})
    return {"defects": table}


def counted(sent, other=7):
    rows = [["Spry per iteration", 3, sent, 6, 5, 5, 2, 2, 0, 0], ["FedAvg", 3, other, 7, 5, 5, 1, 1, 1, 1]]
    names = ["up_all", "up_all_formula", "down", "down_formula", "forward", "forward_formula"]
    table = pd.DataFrame(rows, columns=["method", "clients", *names, "backward", "backward_formula"])
    return {"counted": table.assign(books=5)}


def released(*losses):
    """Return runs of two methods that lose so much by their defect."""
    names = {f"m{place}": 0.5 for place in range(len(losses))}
    defect = {f"m{place}{RELEASED}": 0.5 - loss for place, loss in enumerate(losses)}
    return {"released": runs(**names, **defect)}


# By claim: the function that makes its tables, and arguments for each verdict.
CASES = {
    "memory-range": (four, {YES: [(1.4, 5.5, 6, 7.1)], NEARLY: [(1.1, 2, 3, 4)], NO: [(0.9, 5, 6, 8), (1.1, 2, 2, 3)]}),
    "memory-llama2-7b": (
        one_shape("Llama2-7B"),
        {YES: [(33.9, 6.1)], NEARLY: [(33.9, 7.5), (20.0, 6.0)], NO: [(10.0, 6.0)]},
    ),
    "memory-opt-13b": (
        one_shape("OPT-13B"),
        {YES: [(77.5, 10.8)], NEARLY: [(90.0, 12.0), (50.0, 10.0)], NO: [(30.0, 10.0)]},
    ),
    "memory-small-shapes": (
        lambda flat, ratio: depth(forward_mode=(1.0, flat), backprop=(1.5, ratio * flat)),
        {YES: [(1.05, 8.0)], NEARLY: [(1.2, 8.0), (1.0, 5.0)], NO: [(1.5, 8.0), (1.0, 0.9)]},
    ),
    "convergence-time": (
        slower,
        {YES: [(1.3, 2.0, 5.0), (1.3, np.inf, 5.0)], NEARLY: [(1.1, 2.0, 5.0)], NO: [(1.0, 2.0, 5.0), (0.5, 3.0, 3.0)]},
    ),
    "accuracy": (
        accuracy,
        {YES: [(0.06, 0.2)], NEARLY: [(0.06, 0.01), (0.02, 0.2)], NO: [(0.2, -0.01), (-0.1, -0.2)]},
    ),
    "unbiased": (
        bias,
        {
            YES: [((0.1, 1, 10), (0.2, 1, 10))],
            NEARLY: [((0.1, 1, 10), (1.1, 2, 11)), ((1, 0.1, 10), (1, 0.1, 10))],
            NO: [((0.1, 1, 10), (5, 6, 12)), ((0.1, 1, 10), (12, 2, 1))],
        },
    ),
    "rate": (floor, {YES: [(-1.0, 3.0)], NEARLY: [(-0.7, 3.0), (-1.0, 1.2)], NO: [(-0.2, 3.0), (-1.0, 0.9)]}),
    "accuracy-backprop": (
        below,
        {YES: [(0.05, 0.01)], NEARLY: [(0.05, 0.1)], NO: [(0.05, 0.2), (-0.01, 0.05)]},
    ),
    "zero-order-memory": (
        lambda *ends: depth(forward_mode=ends, zero_order=(1.0, 1.0)),
        {YES: [(1.1, 1.2)], NEARLY: [(1.5, 4.0)], NO: [(0.9, 1.2)]},
    ),
    "per-iteration": (per_iteration, {YES: [(0.01, 0.02)], NEARLY: [(-0.01, 0.01, 0.02)], NO: [(-0.01, 0.0)]}),
    "perturbations": (
        lambda *values: sweep("K", dict(zip((1, 10, 20), values, strict=True))),
        {YES: [(0.5, 0.8, 0.805)], NEARLY: [(0.5, 0.8, 0.85)], NO: [(0.5, 0.6, 0.9), (0.8, 0.5, 0.4)]},
    ),
    "clients": (
        lambda *values: sweep("M", dict(zip((2, 4, 8), values, strict=True))),
        {YES: [(0.3, 0.4, 0.5)], NEARLY: [(0.3, 0.6, 0.5)], NO: [(0.5, 0.6, 0.4)]},
    ),
    "split-backprop": (
        lambda *gains: paired("FedAvg", "FedAvgSplit", *gains),
        {YES: [(0.06, 0.07), (0.0, 0.06, 0.07)], NEARLY: [(0.02, 0.03)], NO: [(0.0, 0.02)]},
    ),
    "no-split": (no_split, {YES: [(0.06, 0.1)], NEARLY: [(0.02, 0.03)], NO: [(0.0, 0.01)]}),
    "variance-identity": (estimator, {YES: [(0.05, -0.05)], NEARLY: [(0.15, 0.0)], NO: [(0.3, 0.0), (0.0, -0.3)]}),
    "forward-fits": (
        lambda *peaks: gpu(
            dict.fromkeys(("Llama2-7B", "OPT-13B"), 50), dict(zip(("Llama2-7B", "OPT-13B"), peaks, strict=True))
        ),
        {YES: [(6.9, 10.9)], NEARLY: [(7.5, 9.0)], NO: [(6.0, 13.0)]},
    ),
    "checkpointing": (
        lambda *ends: depth(backprop=(1, 11.0), forward_mode=(1, 1.0), checkpointed_backprop=(1, ends[0])),
        {YES: [(1.5,), (0.5,)], NEARLY: [(5.0,)], NO: [(8.0,)]},
    ),
    "one-step-splitting": (one_step, {YES: [(1.05,)], NEARLY: [(0.85,)], NO: [(0.5,)]}),
    "local-steps": (splitting, {YES: [(0.95, 3.0)], NEARLY: [(0.9, 1.2), (1.2, 3.0)], NO: [(1.2, 1.0)]}),
    "averaged-bias": (
        lambda *ratio: bias((1, 1, 1), (1, 1, 1), ratio),
        {YES: [(0.9, 1.0, 1.1)], NEARLY: [(0.9, 1.0, 1.5)], NO: [(1.0, 1.0, 9.0), (0.1, 1.0, 1.0)]},
    ),
    "dropout-noise": (dropout, {YES: [(0.1, 0.999)], NEARLY: [(0.7, 0.95), (-0.6, 0.999)], NO: [(0.9, 0.999)]}),
    "released-defects": (defects, {YES: [(2.0, 0.1)], NEARLY: [(2.0, 1.0)], NO: [(1.1, 1.0)]}),
    "released-runs": (released, {YES: [(0.03, 0.2)], NEARLY: [(0.03, 0.0)], NO: [(0.0, -0.1)]}),
    "exactly-k-scalars": (counted, {YES: [(6,)], NEARLY: [(6, 8)], NO: [(9,)]}),
    "same-directions": (
        lambda *gaps: paired("FedFGD", "FedMeZO", *gaps),
        {YES: [(0.005, -0.005)], NEARLY: [(0.0, -0.02)], NO: [(0.0, 0.1), (-0.1, 0.0)]},
    ),
}


def on_texts(make, *data):
    """Return the tables that `make` makes, as the rows of every data set named."""

    def tables(*arguments):
        rows = pd.concat(make(*arguments).values(), ignore_index=True)
        return {"texts": pd.concat([rows.assign(data=name) for name in data], ignore_index=True)}

    return tables


# The rules on real texts are those on the digits, so their cases are, too.
CASES |= {
    f"texts-{name}": (on_texts(CASES[name][0], *data), CASES[name][1])
    for name, data in {
        "convergence-time": ("ag-news", "sst2"),
        "accuracy": ("ag-news", "sst2"),
        "accuracy-backprop": ("ag-news", "sst2"),
        "per-iteration": ("ag-news",),
        "split-backprop": ("ag-news", "sst2"),
        "no-split": ("ag-news", "multirc"),
    }.items()
}
BY_ID = {claim.id: claim for claim in CLAIMS}
MEASURED = ["accuracy", "measured", "bias2", "averaged2", "norm2", "mse", "rounds", "correlation", "released", "up_all"]


def test_claims_are_well_formed():
    assert len(BY_ID) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.rule and claim.needs and claim.statement[0].isupper()
        assert claim.source == COMPANION or claim.source.startswith(("abstract", "secondary (")), claim.id
        assert (claim.published == "not stated") == (claim.source == COMPANION)
    assert set(judge(CLAIMS, {})["status"]) == {NOT_RUN}


def test_nothing_of_the_papers_body_is_presented_as_read():
    for key, value in published("spry")["values"].items():
        assert (value["known"] == "paper") == (value["where"] == "abstract"), key
        assert bool(value["text"]) == (value["known"] != "unknown"), key


def test_every_rule_is_judged_in_every_way():
    assert set(CASES) == set(BY_ID)
    check_all_verdicts(CASES)


@pytest.mark.parametrize(("claim", "status", "arguments"), flattened(CASES))
def test_rule(claim, status, arguments):
    check_rule(CASES, BY_ID, claim, status, arguments)


@pytest.mark.parametrize("claim", CASES)
def test_nothing_follows_from_what_was_not_measured(claim):
    check_unmeasured(CASES, BY_ID, claim, MEASURED)


def test_one_data_set_that_fails_decides():
    good, bad = (on_texts(accuracy, name)(gain, gain)["texts"] for name, gain in (("ag-news", 0.2), ("sst2", -0.1)))
    judged = judge([BY_ID["texts-accuracy"]], {"texts": pd.concat([good, bad])})
    assert judged["status"][0] == NO and "ag-news: " in judged["measured"][0]
    assert judge([BY_ID["texts-accuracy"]], {"texts": good})["status"][0] == NOT_RUN


def test_time_is_not_judged_where_the_target_is_met_at_the_first_record():
    tables = slower(1.3, 2.0, 5.0)
    table = tables["comparison"].copy()
    table.loc[(table["method"] == "FedMeZO") & (table["round"] == 1), "accuracy"] = 0.49
    judged = judge([BY_ID["convergence-time"]], {"comparison": table})
    assert judged["status"][0] == NOT_JUDGED and "FedMeZO" in judged["measured"][0]


@pytest.mark.parametrize(("name", "floor"), [("texts-accuracy", 0.48), ("texts-convergence-time", 0.42)])
def test_texts_are_not_judged_near_the_commonest_label(name, floor):
    tables = CASES[name][0](*CASES[name][1][YES][0])["texts"]
    ok = judge([BY_ID[name]], {"texts": tables.assign(majority=floor - 0.2)})["status"][0]
    low = judge([BY_ID[name]], {"texts": tables.assign(majority=floor + 0.1)})
    assert ok == YES and low["status"][0] == NOT_JUDGED and "commonest label" in low["detail"][0]


def test_memory_on_a_gpu_is_judged_at_its_setting_and_with_its_rival_only():
    claim, tables = BY_ID["memory-opt-13b"], one_shape("OPT-13B")(77.5, 10.8)
    table = tables["gpu_memory"]
    assert judge([claim], {"gpu_memory": table.assign(batch=4)})["status"][0] == NOT_RUN
    assert judge([claim], {"gpu_memory": table[table["length"] == 64]})["status"][0] == NOT_RUN
    assert judge([claim], {"gpu_memory": table.assign(weights="4bit")})["status"][0] == NOT_RUN
    full = table.assign(
        status=["ok", "ok", "out of memory", "ok"], measured=table["measured"].where(np.array([1, 1, 0, 1], bool))
    )
    judged = judge([claim], {"gpu_memory": full})
    assert judged["status"][0] == NOT_JUDGED and "256 tokens, backprop: out of memory" in judged["measured"][0]


def test_measuring_memory_loads_nothing_that_draws():
    code = "import sys, lib.spry.memory; assert 'matplotlib' not in sys.modules and 'yaml' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="it has CLAIMS"):
        lib.spry.nothing  # noqa: B018


def test_a_change_of_the_method_makes_a_run_of_the_page_stale():
    reached = {path.name for path in import_closure("from lib import spry")}
    assert {"spry.py", "arms.py", "rules_theory.py", "zero_order.py", "claims_texts.py", "published.yaml"} <= reached
