"""The rules that judge the claims on the longer tables."""

import numpy as np
import pandas as pd

from lib.report import Verdict, grade, need
from lib.segmentation.rules import (
    DISCOVERY,
    SAME_AUC,
    Tables,
    by_seed,
    change,
    equal_auc,
    spread,
    values,
    weights,
)


def gained(table: pd.DataFrame) -> np.ndarray:
    """Return the relative change of exposures from discovery only to the largest weight, one number a seed."""
    return change(table, list(weights(table).values())[-1], DISCOVERY, "exposed", relative=True)


def dependence(tables: Tables) -> Verdict:
    """What learned segments gain where behaviour tells nothing of static cells, and where it tells all it can."""
    table = tables["dependence"]
    need(table, rho=(0.0, 1.0))
    middle = {rho: np.median(gained(rows)) for rho, rows in table.groupby("rho")}
    measured = "median gain by rho " + ", ".join(f"{value:+.1%} ({rho:g})" for rho, value in middle.items())
    none, most = middle[0.0], middle[1.0]
    return grade(
        none + most,
        reproduced=bool(abs(none) <= 0.03 and most > 0.05),
        close=bool(most > none and most > 0),
        measured=measured,
    )


def media(tables: Tables) -> Verdict:
    """In how many draws of the media the largest weight exposes more."""
    gain = gained(tables["media"])
    low, middle, high = np.quantile(gain, [0.05, 0.5, 0.95])
    up = float((gain > 0).mean())
    measured = f"more in {up:.0%} of {len(gain)} draws, {middle:+.1%} in the median, {low:+.1%} to {high:+.1%}"
    auc = change(tables["media"], list(weights(tables["media"]).values())[-1], DISCOVERY, "auc")
    measured += f"; AUC {np.median(auc):+.3f}"
    same = np.median(auc) >= -SAME_AUC
    return grade(middle, reproduced=bool(up >= 0.8 and same), close=bool(middle > 0), measured=measured)


def teaching(tables: Tables) -> Verdict:
    """The gain with and without the map's loss in the encoder's step."""
    table = tables["ablation"]
    need(table, variant=("as here", "map does not teach"))
    with_map, without = (gained(table[table["variant"] == name]) for name in ("as here", "map does not teach"))
    more = with_map - without
    measured = f"exposures gained {np.median(with_map):+.1%} with, {np.median(without):+.1%} without; by seed more by "
    measured += by_seed(more)
    return grade(
        np.median(more), reproduced=bool(np.median(more) > 0.01), close=bool(np.median(more) > 0), measured=measured
    )


def outcome_helps(tables: Tables) -> Verdict:
    """AUC of discovery only beside deep clustering that does not see the outcome."""
    table, others = tables["deep"], ("autoencoder + k-means", "DEC", "IDEC")
    auc = {name: values(table, name, "auc").median() for name in (DISCOVERY, *others)}
    best = max(auc[name] for name in others)
    measured = "median AUC " + ", ".join(f"{name} {value:.3f}" for name, value in auc.items())
    lead = auc[DISCOVERY] - best
    return grade(sum(auc.values()), reproduced=bool(lead > 0.02), close=bool(lead > 0), measured=measured)


def best_start(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of discovery only's best start, by seed: most exposures at an AUC not 0.01 below the first's.

    Both are of validation users, as for the weight.
    """
    starts = table[table["method"].str.startswith(DISCOVERY)]
    first = starts["seed"].map(values(table, DISCOVERY, "validation_auc"))
    kept = starts[starts["validation_auc"] >= first - SAME_AUC]
    return kept.loc[kept.groupby("seed")["validation_exposed"].idxmax()].set_index("seed").sort_index()


def beyond_best_start(table: pd.DataFrame) -> np.ndarray:
    """Return the relative change of exposures from the best start of discovery only to ours, one number a seed."""
    return (values(table, equal_auc(table), "exposed") / best_start(table)["exposed"] - 1).to_numpy()


def available(table: pd.DataFrame) -> np.ndarray:
    """Return what knowing the side adds to exposures, from the oracles, one number a seed: what there is to gain."""
    return change(table, "oracle: level x side", "oracle: level", "exposed", relative=True)


def more_seeds(tables: Tables) -> Verdict:
    """The rule on exposures over many seeds, most of which must gain."""
    table = tables["seeds"]
    name = equal_auc(table)
    gain, auc = change(table, name, DISCOVERY, "exposed", relative=True), change(table, name, DISCOVERY, "auc")
    middle, same = np.median(gain), np.median(auc) >= -SAME_AUC
    return grade(
        middle + np.median(auc),
        reproduced=bool(same and middle >= 0.05 and (gain > 0).mean() >= 0.8),
        close=bool(same and middle > 0.02),
        measured=f"{name}: {spread(gain)}, from {gain.min():+.1%} to {gain.max():+.1%}; AUC {np.median(auc):+.3f}",
    )


def tries(tables: Tables) -> Verdict:
    """Exposures beside the best of as many starts of discovery only."""
    table = tables["seeds"]
    need(table, method=f"{DISCOVERY}, start 2")
    name, gain = equal_auc(table), beyond_best_start(table)
    start = (best_start(table)["exposed"] / values(table, DISCOVERY, "exposed") - 1).to_numpy()
    middle = np.median(gain)
    measured = f"{name} against the best start: {spread(gain)}; the best start against the first: {spread(start)}"
    often = (gain > 0).mean() >= 0.8
    return grade(middle, reproduced=bool(middle >= 0.05 and often), close=bool(middle > 0), measured=measured)


def where_possible(tables: Tables) -> Verdict:
    """Whether the seeds that gain are those whose media leave something to gain."""
    table = tables["seeds"]
    name, there = equal_auc(table), available(table)
    gain = change(table, name, DISCOVERY, "exposed", relative=True)
    agree = pd.Series(gain).rank().corr(pd.Series(there).rank())
    losing, rest = there[gain < 0], there[gain >= 0]
    measured = f"{name}: rank correlation {agree:.2f}"
    measured += f"; where exposures fall the oracle gains at most {losing.max():.1%}" if len(losing) else ""
    measured += f"; elsewhere {np.median(rest):.1%} in the median" if len(rest) else ""
    return grade(agree, reproduced=bool(agree >= 0.7), close=bool(agree >= 0.4), measured=measured)
