"""Tables of the page: medians with their intervals, headings in words and with units."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from lib.report.grids import ends_of
from lib.report.intervals import last_round, summarize
from lib.spry.experiments.adapted import HEAD, LORA
from lib.spry.experiments.arms import JVP, operations_to
from lib.spry.experiments.memory import NOT_RUN, WEIGHTS, cards
from lib.spry.experiments.real import TITLES

GB = 1e9
DEFECTS = {
    "aliased sum": "FedSGD's sum: weight of the first gradient over that of the last",
    "scaling": "Baffle+: effective number of directions",
    "positions": "split updates: share of tensors that get their own unit's average",
    "late clients": "one client more than units: share of clients that train (released: it stops)",
    "gate": "FwdLLM+: average of clients that moved by 1 and one with disagreeing minibatches, which moved by 4",
    "zero start": "LoRA's first step: squared error over that along B alone, as A has no gradient while B is zero",
}


def ranking(table: pd.DataFrame | None, data: str = "") -> pd.DataFrame:
    """Return one row an alpha and method, the most accurate first, of rows of `experiments.arms.tuned_arm`.

    `data` takes the rows of one data set; None for a table has no rows. Columns: alpha, method, seeds (number), lr
    (chosen), accuracy (final median), low and high (its interval), majority (share of the commonest label),
    operations_to_target (until the median is nine tenths of Spry's final one; infinite: never; NaN: at the first
    record), operations, forward, kib_up, kib_down and seconds (of a client, in all).
    """
    columns = ["alpha", "method", "seeds", "lr", "accuracy", "low", "high", "majority", "operations_to_target"]
    columns += ["operations", "forward", "kib_up", "kib_down", "seconds"]
    if table is None:
        return pd.DataFrame(columns=columns)
    parts = []
    for alpha, part in (table[table["data"] == data] if data else table).groupby("alpha", sort=False):
        end = last_round(part)
        found = summarize(end, ["method"], "accuracy").set_index("method")[["median", "low", "high"]]
        found = found.rename(columns={"median": "accuracy"}).sort_values("accuracy", ascending=False)
        target = 0.9 * end[end["method"] == "Spry"]["accuracy"].median()
        found["operations_to_target"] = operations_to(part, target)
        spent = end.groupby("method")[["lr", "majority", *columns[-5:]]].median()
        spent["seeds"] = end.groupby("method")["seed"].nunique()
        parts.append(found.join(spent).reset_index().assign(alpha=alpha))
    return pd.concat(parts, ignore_index=True)[columns]


def ranked(
    table: pd.DataFrame | None, data: str = "", *, rates: Sequence[float] = (), jvp: float | None = None
) -> pd.DataFrame:
    """Return `ranking` as it is read: words for what has no number, accuracy with its interval, units in headings.

    Args:
        table: rows of `experiments.arms.tuned_arm`, or None.
        data: the data set whose rows are taken.
        rates: the learning rates to choose from; one at an end of them says so.
        jvp: measured time of a pass with one tangent, in forward passes; gives a column with operations at that price.
    """
    rows = ranking(table, data)
    ends = {rate: f" ({word})" for rate, word in ends_of(rates).items()}
    words = {np.inf: "not reached"}
    work = [words.get(v, "at the start" if np.isnan(v) else f"{v:.0f}") for v in rows["operations_to_target"]]
    spread = [f" ({row.low:.2f}–{row.high:.2f})" if row.seeds > 1 else "" for row in rows.itertuples()]
    columns = {
        "α": [f"{value:g}" for value in rows["alpha"]],
        "method": rows["method"],
        "seeds": rows["seeds"],
        "rate": [f"{value:g}{ends.get(value, '')}" for value in rows["lr"]],
        "final accuracy": [f"{value:.2f}{text}" for value, text in zip(rows["accuracy"], spread, strict=True)],
        "passes to target, counted": work,
        "in all, counted": [f"{value:.0f}" for value in rows["operations"]],
        "in all, measured": [f"{value:.0f}" for value in _priced(rows, JVP if jvp is None else jvp)],
        "sent (KiB)": [f"{value:.1f}" for value in rows["kib_up"]],
        "received (KiB)": [f"{value:.1f}" for value in rows["kib_down"]],
        "time (s)": [f"{value:.2f}" for value in rows["seconds"]],
    }
    return pd.DataFrame(columns).drop(columns=["in all, measured"] if jvp is None else [])


def _priced(rows: pd.DataFrame, jvp: float) -> pd.Series:
    """Return the operations of `ranking` with `jvp` forward passes a tangent's pass, its values included.

    What a tangent adds grows from `JVP` - 1 to `jvp` - 1, in each pass that has one, one by one or several at once.
    """
    tangent = rows["method"].str.startswith(("Spry", "FedFGD"))
    return rows["operations"] + tangent * (jvp - JVP) * rows["forward"]


def lora_gains(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the final accuracy of methods with LoRA and with the classifier alone, and the paired gain, as read.

    `table` is lora of `experiments.real_tables`; methods that have both count. None has no rows.
    """
    columns = ["texts", "α", "method", HEAD, LORA, "gain from LoRA"]
    if table is None:
        return pd.DataFrame(columns=columns)
    ends = last_round(table).pivot_table(
        index=["data", "alpha", "method", "seed"], columns="trained", values="accuracy", sort=False
    )
    found = []
    for (name, alpha, method), part in ends.dropna().groupby(level=[0, 1, 2], sort=False):
        gain, middle = part[LORA] - part[HEAD], part.median()
        spread = f"{gain.median():+.2f} ({gain.min():+.2f} to {gain.max():+.2f})"
        found.append([TITLES[name], f"{alpha:g}", method, f"{middle[HEAD]:.2f}", f"{middle[LORA]:.2f}", spread])
    return pd.DataFrame(found, columns=columns)


def defects(table: pd.DataFrame) -> pd.DataFrame:
    """Return `experiments.released_defects` as it is read."""
    columns = {"right": "right", "released": "as released"}
    rows = table.assign(what=table["defect"].map(DEFECTS))[["what", *columns]].rename(columns=columns)
    return rows.assign(**{name: [f"{value:.3g}" for value in rows[name]] for name in columns.values()})


def encoder(table: pd.DataFrame) -> pd.DataFrame:
    """Return `experiments.encoder_costs` as it is read, with the time over that of backpropagation."""
    rival = table.set_index("method")["seconds"]["backprop"]
    columns = {
        "method": table["method"],
        "time of a step (ms)": [f"{1000 * value:.0f}" for value in table["seconds"]],
        "over backprop's": [f"{value / rival:.2f}" for value in table["seconds"]],
        "peak memory (MiB)": [f"{value:.0f}" for value in table["peak_mib"]],
        "of it activations and transients (MiB)": [f"{value:.1f}" for value in table["transient_mib"]],
    }
    return pd.DataFrame(columns)


def derivative(table: pd.DataFrame) -> pd.DataFrame:
    """Return `experiments.derivative_costs` as it is read, with the aim and whether it is met."""
    met = ["–" if np.isnan(row.aim) else "met" if row.ratio <= row.aim else "not met" for row in table.itertuples()]
    columns = {
        "what": table["what"],
        "time (ms)": [f"{1000 * value:.1f}" for value in table["seconds"]],
        "over": table["over"],
        "ratio": [f"{value:.2f}" for value in table["ratio"]],
        "aim, at most": ["–" if np.isnan(value) else f"{value:g}" for value in table["aim"]],
        "verdict": met,
    }
    return pd.DataFrame(columns)


def paper_table(
    predictions: pd.DataFrame, measured: pd.DataFrame | None = None, *, value: Literal["memory", "time"] = "memory"
) -> pd.DataFrame:
    """Return the numbers behind `paper_shapes`, all that were measured, as they are read.

    Without a measurement, the predicted peaks in GB: one row a shape and one column a method. With one, a row a shape,
    card and weights, a column a method, and in a cell the value at each length: "memory", peaks in GB, or "time", a
    step in ms with what it is in forward passes of the same network. Weights of which nothing was run say so once.
    """
    if measured is None:
        wide = predictions.pivot_table(index="shape", columns="method", values="predicted", aggfunc="sum", sort=False)
        return (wide / GB).map("{:.1f}".format).rename_axis("model, predicted GB", axis=0).reset_index()
    rows, methods = [], list(dict.fromkeys(measured["method"]))
    for shape in dict.fromkeys(measured["shape"]):
        for weights in WEIGHTS:
            part = measured[(measured["shape"] == shape) & (measured["weights"] == weights)]
            if not len(part):
                continue
            if set(part["status"]) == {NOT_RUN}:
                if value == "time":
                    continue
                cells = {methods[0]: "not run"}
            else:
                cells = {name: _cell(cases, value) for name, cases in part.groupby("method", sort=False)}
            rows.append({"model": shape, "GPU": cards(part, shapes=False), "weights": WEIGHTS[weights]} | cells)
    return pd.DataFrame(rows, columns=["model", "GPU", "weights", *methods]).replace("", np.nan).fillna("–")


def _cell(cases: pd.DataFrame, value: str) -> str:
    """Return what was measured at every length."""
    said = []
    for _, case in cases.groupby("length", sort=True):
        status = case["status"].iloc[0]
        seconds, forward = case["seconds"].iloc[0], case["forward_seconds"].iloc[0]
        if status != "ok":
            said.append("not run" if status == NOT_RUN else status)
        elif value == "memory":
            said.append(f"{case['measured'].sum() / GB:.2f}")
        else:
            said.append(f"{1000 * seconds:.0f} ({seconds / forward:.1f})")
    return ", ".join(said)
