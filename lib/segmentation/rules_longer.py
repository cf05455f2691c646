"""The rules that judge the claims on the longer tables."""

import numpy as np
import pandas as pd

from lib.report import Verdict, grade, need
from lib.segmentation.rules import DISCOVERY, Tables, by_seed, change, values, weights


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
    return grade(middle, reproduced=bool(up >= 0.8), close=bool(middle > 0), measured=measured)


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
