"""The rules that judge the claims about memory: at the paper's shapes on a GPU, at small shapes on a processor."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lib.report import Verdict, grade, need
from lib.report.claims import NOT_JUDGED
from lib.spry.experiments.memory import WEIGHTS, cards
from lib.spry.memory_model import PAPER_SHAPES, STOCK, TRANSIENT

Tables = Mapping[str, pd.DataFrame]
GB = 1e9
# What is judged on a GPU: the batch of the released script, in bfloat16, at its length and at four times as much, since
# the setting behind the published bars is not known to us.
BATCH, LENGTHS, DTYPE = 8, (64, 256), "bfloat16"
LIMITS = {"Llama2-7B": 7, "OPT-13B": 11}  # GB


def _kinds(shape: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return method and weights of the rival and of forward mode.

    Quantized, the rival is backpropagation that keeps all dequantized weights until its backward pass.
    """
    if _quantized(shape):
        return ("backprop", "4bit kept"), ("forward mode", "4bit")
    return ("backprop", "full"), ("forward mode", "full")


def _quantized(shape: str) -> bool:
    return shape != "RoBERTa-large"


def _gpu(table: pd.DataFrame, shape: str) -> tuple[dict[int, tuple[float, float]], list[str]]:
    """Return by length the peaks in bytes of the rival and of forward mode, and what has no number and why."""
    rows = table[(table["shape"] == shape) & (table["batch"] == BATCH) & (table["dtype"] == DTYPE)]
    found, failed = {}, []
    for length in LENGTHS:
        part = rows[rows["length"] == length]
        pair = []
        for method, weights in _kinds(shape):
            need(part[part["weights"] == weights], method=method)
            case = part[(part["method"] == method) & (part["weights"] == weights)]
            failed += [f"{shape}, {length} tokens, {method}: {why}" for why in set(case["status"]) - {"ok"}]
            pair.append(case["measured"].sum(min_count=1))
        found[length] = pair[0], pair[1]
    return found, failed


def _others(table: pd.DataFrame, shape: str) -> str:
    """Return the peaks of the other rivals over forward mode's at the longest length.

    Only rivals whose weights are stored as forward mode's are: both quantized, or both in bfloat16.
    """
    rows = table[(table["shape"] == shape) & (table["batch"] == BATCH) & (table["length"] == max(LENGTHS))]
    total = rows[rows["status"] == "ok"].groupby(["method", "weights"])["measured"].sum(min_count=1)
    rival, ours = _kinds(shape)
    rivals = [kind for kind in total.index if "backprop" in kind[0] and kind != rival]
    over = {kind: total[kind] / total[ours] for kind in rivals if (kind[1] == "full") == (ours[1] == "full")}
    return ", ".join(f"{method} ({WEIGHTS[weights]}) {value:.1f} times" for (method, weights), value in over.items())


def memory_range(tables: Tables) -> Verdict:
    """The rival over forward mode at the paper's four shapes, at both lengths.

    RoBERTa-large is not quantized: backpropagation and forward mode both have its weights in bfloat16.
    """
    ratios, failed = {}, []
    for shape in PAPER_SHAPES:
        found, why = _gpu(tables["gpu_memory"], shape)
        failed += why
        ratios[shape] = [back / forward for back, forward in found.values()]
    if failed:
        return Verdict(NOT_JUDGED, "; ".join(failed))
    low = min(map(min, ratios.values()))
    high = min(max(values[place] for values in ratios.values()) for place in range(len(LENGTHS)))
    listed = {shape: " and ".join(f"{value:.1f}" for value in values) for shape, values in ratios.items()}
    weights = {shape: "" if _quantized(shape) else f", {DTYPE} weights on both sides" for shape in ratios}
    measured = ", ".join(f"{values} ({shape}{weights[shape]})" for shape, values in listed.items())
    measured += f" at {' and '.join(map(str, LENGTHS))} tokens, on {cards(tables['gpu_memory'])}"
    detail = "; ".join(f"{shape}: {_others(tables['gpu_memory'], shape)}" for shape in PAPER_SHAPES)
    total = sum(map(sum, ratios.values()))
    good, near = low >= 1.4 and high >= 7.1, low > 1 and high >= 3.5
    return grade(total, reproduced=good, close=near, measured=measured, detail=f"other rivals: {detail}")


def memory_at(shape: str, *, ratio: float, limit: float) -> Callable[[Tables], Verdict]:
    """Return the rule on one shape: forward mode's peak under `limit` GB and the rival's `ratio` times as high."""

    def rule(tables: Tables) -> Verdict:
        table = tables["gpu_memory"]
        found, failed = _gpu(table, shape)
        if failed:
            ours = ", ".join(f"{forward / GB:.1f} GB at {length} tokens" for length, (_, forward) in found.items())
            return Verdict(NOT_JUDGED, f"forward mode {ours}; {'; '.join(failed)}")
        over = {length: back / forward for length, (back, forward) in found.items()}
        measured = "; ".join(
            f"{length} tokens: {back / GB:.1f} GB and {forward / GB:.1f} GB, {over[length]:.1f} times"
            for length, (back, forward) in found.items()
        )
        measured += f", on {cards(table[table['shape'] == shape])}"
        good = all(forward < limit * GB for _, forward in found.values())
        least, total = min(over.values()), sum(over.values())
        detail = f"other rivals at {max(LENGTHS)} tokens: {_others(table, shape)}"
        reproduced = good and least >= ratio
        return grade(total, reproduced=reproduced, close=least >= ratio / 2, measured=measured, detail=detail)

    return rule


def checkpointed(tables: Tables) -> Verdict:
    """Checkpointed backpropagation over forward mode, with the same weights, at the paper's shapes and both lengths."""
    table = tables["gpu_memory"]
    rows = table[(table["batch"] == BATCH) & (table["dtype"] == DTYPE)]
    over: dict[str, list[float]] = {}
    for shape in PAPER_SHAPES:
        _, (ours, weights) = _kinds(shape)
        for length in LENGTHS:
            case = rows[(rows["shape"] == shape) & (rows["weights"] == weights) & (rows["length"] == length)]
            need(case[case["status"] == "ok"], method=("checkpointed backprop", ours))
            peak = case.groupby("method")["measured"].sum(min_count=1)
            over.setdefault(shape, []).append(peak["checkpointed backprop"] / peak[ours])
    measured = ", ".join(f"{' and '.join(f'{v:.2f}' for v in values)} ({shape})" for shape, values in over.items())
    measured += f" times at {' and '.join(map(str, LENGTHS))} tokens, on {cards(table)}"
    worst = max(map(max, over.values()))
    total = sum(map(sum, over.values()))
    return grade(total, reproduced=worst <= 1.2, close=worst <= 1.5, measured=measured)


def forward_fits(tables: Tables) -> Verdict:
    """Forward mode's peaks at the two shapes of the abstract, against round limits."""
    peaks = {}
    for shape, limit in LIMITS.items():
        rows = tables["gpu_memory"]
        rows = rows[(rows["shape"] == shape) & (rows["batch"] == BATCH) & (rows["dtype"] == DTYPE)]
        rows = rows[(rows["method"] == "forward mode") & (rows["weights"] == "4bit")]
        need(rows, length=LENGTHS)
        for length in LENGTHS:
            peaks[shape, length] = rows[rows["length"] == length]["measured"].sum(min_count=1) / GB / limit
    measured = "; ".join(
        f"{shape} {share * LIMITS[shape]:.2f} GB at {length} tokens" for (shape, length), share in peaks.items()
    )
    gpu = tables["gpu_memory"]
    measured += f", on {cards(gpu[gpu['shape'].isin(LIMITS)])}"
    worst = max(peaks.values())
    return grade(sum(peaks.values()), reproduced=worst < 1, close=worst < 1.1, measured=measured)


def _by_depth(table: pd.DataFrame, *methods: str) -> pd.DataFrame:
    """Return bytes, one row a depth in ascending order and one column a method; all of `methods` needed."""
    need(table, method=methods)
    total = table.groupby(["layers", "method"], as_index=False)["measured"].sum(min_count=1)
    return total.pivot_table(index="layers", columns="method", values="measured", dropna=False).sort_index()


def _transients(table: pd.DataFrame, *methods: str) -> pd.DataFrame:
    return _by_depth(table[table["category"] == TRANSIENT], *methods)


def memory_small(tables: Tables) -> Verdict:
    """Growth of forward mode's transient memory with depth, and backpropagation over it."""
    wide = _transients(tables["depth"], "backprop", "forward mode")
    growth = wide["forward mode"].iloc[-1] / wide["forward mode"].iloc[0] - 1
    ratio = wide["backprop"] / wide["forward mode"]
    measured = f"forward mode grows by {growth:.1%}; backprop {ratio.iloc[-1]:.1f} times at {wide.index[-1]} layers"
    whole = _by_depth(tables["depth"], "backprop", "forward mode").iloc[-1]
    measured += f"; whole peaks, with weights: {whole['backprop'] / whole['forward mode']:.2f} times"
    if STOCK in wide:
        measured += f"; forward mode on PyTorch's own layers: {(wide['backprop'] / wide[STOCK]).iloc[-1]:.1f} times"
    good = abs(growth) <= 0.1 and ratio.iloc[-1] >= 7
    return grade(growth + ratio.sum(), reproduced=good, close=abs(growth) <= 0.3 and ratio.min() > 1, measured=measured)


def zero_order_memory(tables: Tables) -> Verdict:
    """Forward mode's whole peak, and its transient memory, over those of the zero-order method, at every depth."""
    pair = ("forward mode", "zero-order")
    whole, wide = _by_depth(tables["depth"], *pair), _transients(tables["depth"], *pair)
    peak, ratio = (part[pair[0]] / part[pair[1]] for part in (whole, wide))
    measured = f"whole peaks {peak.min():.2f} to {peak.max():.2f} times, transients {ratio.min():.2f} to "
    measured += f"{ratio.max():.2f} times the zero-order method's, {wide.index[0]} to {wide.index[-1]} layers"
    total = ratio.sum(skipna=False) + peak.sum(skipna=False)
    return grade(total, reproduced=peak.min() > 1 and peak.max() <= 1.25, close=ratio.min() > 1, measured=measured)


def checkpointing(tables: Tables) -> Verdict:
    """The share of the gap between backpropagation and forward mode that checkpointing closes, at the largest depth."""
    found = _transients(tables["depth"], "backprop", "checkpointed backprop", "forward mode").iloc[-1]
    share = (found["backprop"] - found["checkpointed backprop"]) / (found["backprop"] - found["forward mode"])
    over = np.divide(found["checkpointed backprop"], found["forward mode"])
    measured = f"{share:.0%} of the gap; {over:.2f} times forward mode"
    return grade(share, reproduced=share >= 0.9, close=share >= 0.5, measured=measured)
