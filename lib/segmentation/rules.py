"""The rules that judge the claims about delivery and prediction: one function a claim, from tables to a verdict."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from lib.report import Missing, Verdict, grade, need
from lib.report.intervals import median_interval

Tables = Mapping[str, pd.DataFrame]
DISCOVERY = "discovery only"
SAME_AUC = 0.01  # "equal AUC" of the specification's measure


def values(table: pd.DataFrame, method: str, value: str) -> pd.Series:
    """Return `value` of `method` by seed."""
    need(table, method=method)
    return table[table["method"] == method].drop_duplicates("seed").set_index("seed")[value].sort_index()


def change(table: pd.DataFrame, first: str, second: str, value: str, *, relative: bool = False) -> np.ndarray:
    """Return the change of `value` from `second` to `first`, one number a seed that has both."""
    both = pd.concat([values(table, first, value), values(table, second, value)], axis=1, join="inner").to_numpy()
    if not len(both):
        raise Missing(f"{first} beside {second}")
    return both[:, 0] / both[:, 1] - 1 if relative else both[:, 0] - both[:, 1]


def weights(table: pd.DataFrame) -> dict[float, str]:
    """Return the names of our method by its weight, those above 0 only."""
    rows = table[table["lam"] > 0].drop_duplicates("method").sort_values("lam")
    if rows.empty:
        raise Missing("a delivery weight above 0")
    return dict(zip(rows["lam"], rows["method"], strict=True))


def equal_auc(table: pd.DataFrame) -> str:
    """Return the method with most exposures in the median among the weights whose median AUC is not 0.01 lower.

    Both medians are of validation users: what is judged on test users was not chosen on them. Where every weight costs
    more AUC than that, the smallest weight is judged.
    """
    names = list(weights(table).values())
    kept = [name for name in names if np.median(change(table, name, DISCOVERY, "validation_auc")) >= -SAME_AUC]
    gains = {name: np.median(change(table, name, DISCOVERY, "validation_exposed", relative=True)) for name in kept}
    return max(gains, key=gains.get) if gains else names[0]


def by_seed(numbers: np.ndarray, form: str = "+.1%") -> str:
    """Return the numbers, smallest first."""
    return ", ".join(format(number, form) for number in np.sort(numbers))


def spread(gain: np.ndarray) -> str:
    """Return the median of relative changes of exposures, one a seed, its interval, and how many seeds lose."""
    middle, low, high = median_interval(gain)
    losing = f"fewer in {(gain < 0).sum()} of {len(gain)} seeds"
    return f"median {middle:+.1%}, interval {low:+.1%} to {high:+.1%}, {losing}"


def exposures(tables: Tables) -> Verdict:
    """Exposures under one budget at equal AUC: the measure of the specification."""
    table = tables["methods"]
    name = equal_auc(table)
    gain, auc = (change(table, name, DISCOVERY, "exposed", relative=True), change(table, name, DISCOVERY, "auc"))
    measured = f"{name}: exposures by seed {by_seed(gain)}; {spread(gain)}; AUC {np.median(auc):+.3f}"
    same = np.median(auc) >= -SAME_AUC
    middle = np.median(gain)
    return grade(
        middle + np.median(auc),
        reproduced=bool(same and middle >= 0.05 and (gain > 0).mean() >= 0.8),
        close=bool(same and middle > 0.02),
        measured=measured,
        detail=f"the weight is the best of {len(weights(table))} on validation users, discovery only is learned once; "
        f"on test users, {by_weight(table)}",
    )


def by_weight(table: pd.DataFrame) -> str:
    """Return what each weight changes in the median on test users, which no choice has seen: exposures and AUC."""
    found = []
    for lam, name in weights(table).items():
        gain, auc = change(table, name, DISCOVERY, "exposed", relative=True), change(table, name, DISCOVERY, "auc")
        found.append(f"{np.median(gain):+.1%} at AUC {np.median(auc):+.3f} with {lam:g}")
    return ", ".join(found)


def rates(tables: Tables) -> Verdict:
    """Match and exposure rate at the same weight, at once."""
    table = tables["methods"]
    name = equal_auc(table)
    found = [change(table, name, DISCOVERY, column) for column in ("match_rate", "exposure_rate")]
    medians = [np.median(one) for one in found]
    often = all((one > 0).mean() >= 0.8 for one in found)
    measured = f"{name}: match rate {medians[0]:+.3f}, exposed of targeted {medians[1]:+.3f} in the median"
    up = min(medians) > 0
    return grade(sum(medians), reproduced=bool(up and often), close=bool(up), measured=measured)


def budget(tables: Tables) -> Verdict:
    """The budget with which the exposures of discovery only are reached."""
    table = tables["methods"]
    name = equal_auc(table)
    needed = values(table, name, "needed").to_numpy()
    middle = np.median(needed)
    measured = f"{name}: {middle:.0%} of the budget in the median, by seed {by_seed(needed, '.0%')}"
    return grade(middle, reproduced=middle <= 0.95, close=middle < 1, measured=measured)


def prediction(tables: Tables) -> Verdict:
    """AUC at the same weight, beside discovery only and the segmentations that do not see the outcome."""
    table = tables["methods"]
    name, others = equal_auc(table), ("random", "k-means on pages", "RFM")
    auc = {one: values(table, one, "auc").median() for one in (name, DISCOVERY, *others)}
    measured = ", ".join(f"{one} {value:.3f}" for one, value in auc.items())
    best = max(auc[one] for one in others)
    good = auc[name] >= auc[DISCOVERY] - SAME_AUC and auc[name] > best
    near = auc[name] >= auc[DISCOVERY] - 0.03 and auc[name] > auc["random"] + 0.1
    return grade(sum(auc.values()), reproduced=bool(good), close=bool(near), measured=f"median AUC: {measured}")


def used(tables: Tables) -> Verdict:
    """Segments with at least 1 % of the users, in every run of ours."""
    table = tables["methods"]
    ours = table[table["lam"] >= 0]
    if ours.empty:
        raise Missing(DISCOVERY)
    least, middle = ours["used"].min(skipna=False), ours["used"].median(skipna=False)
    measured = f"at least {least:.0f}, median {middle:.0f}, over {len(ours)} runs"
    return grade(least, reproduced=least >= 5, close=middle >= 5, measured=measured)


def trade_off(tables: Tables) -> Verdict:
    """Exposures against the weight: the largest beside discovery only, and the order between."""
    table = tables["methods"]
    names = [DISCOVERY, *weights(table).values()]
    middle = [values(table, name, "exposed").median() for name in names]
    last = change(table, names[-1], DISCOVERY, "exposed", relative=True)
    measured = "median exposures per 1,000 by weight: " + ", ".join(f"{one:.1f}" for one in middle)
    rising = all(b >= a * 0.99 for a, b in pairwise(middle))
    return grade(
        sum(middle),
        reproduced=bool(rising and (last > 0).mean() >= 2 / 3 and np.median(last) > 0),
        close=bool(np.median(last) > 0),
        measured=measured,
    )


def follows_side(tables: Tables) -> Verdict:
    """Agreement of segments with the hidden static side and with the topic, from discovery only to the largest weight.

    Adjusted Rand indices: 0 is chance, 1 the same partition.
    """
    table = tables["methods"]
    name = list(weights(table).values())[-1]
    side, topic = (change(table, name, DISCOVERY, f"ari_{what}") for what in ("side", "topic"))
    measured = f"{name}: ARI with the side {np.median(values(table, DISCOVERY, 'ari_side')):.3f} "
    measured += f"{np.median(side):+.3f} (by seed {by_seed(side, '+.3f')}), with the topic {np.median(topic):+.3f}"
    more = np.median(side) - np.median(topic)
    return grade(
        more,
        reproduced=bool((side > 0).mean() >= 0.8 and np.median(side) >= 0.01 and np.median(topic) < 0.01),
        close=bool(np.median(side) > 0 and more > 0),
        measured=measured,
    )


def converters(tables: Tables) -> Verdict:
    """Converters exposed by the plan for conversions, at the same weight."""
    table = tables["methods"]
    name = equal_auc(table)
    gain = change(table, name, DISCOVERY, "valued_converters", relative=True)
    middle = np.median(gain)
    measured = f"{name}: exposed converters by seed {by_seed(gain)}, median {middle:+.1%}"
    often = (gain > 0).mean() >= 0.8
    return grade(middle, reproduced=bool(middle >= 0.02 and often), close=middle >= -0.02, measured=measured)


def beyond_kmeans(tables: Tables) -> Verdict:
    """Exposures and AUC beside k-means on pages, which is told of neither delivery nor outcome."""
    table, other = tables["methods"], "k-means on pages"
    name = equal_auc(table)
    gain, auc = change(table, name, other, "exposed", relative=True), change(table, name, other, "auc")
    measured = f"{name}: exposures by seed {by_seed(gain)}, median {np.median(gain):+.1%}; AUC {np.median(auc):+.3f}"
    up, better = np.median(gain) > 0, np.median(auc) > 0
    return grade(
        np.median(gain) + np.median(auc),
        reproduced=bool(better and np.median(gain) >= 0.02 and (gain > 0).mean() >= 0.8),
        close=bool(better and up),
        measured=measured,
    )


def static_alone(tables: Tables) -> Verdict:
    """Static cells as segments: exposures and AUC."""
    table = tables["methods"]
    seen = values(table, "static cells", "exposed").median()
    ours = max(values(table, name, "exposed").median() for name in weights(table).values())
    auc = values(table, "static cells", "auc").median()
    measured = f"{seen:.1f} exposed per 1,000 against {ours:.1f} at most by ours; AUC {auc:.3f}"
    blind = abs(auc - 0.5) <= 0.03
    return grade(seen + ours + auc, reproduced=bool(seen > 1.2 * ours and blind), close=seen > ours, measured=measured)


def post_hoc(tables: Tables) -> Verdict:
    """Half as many segments cut along static cells afterwards, against ours at equal AUC."""
    table = tables["methods"]
    name = equal_auc(table)
    gain = change(table, "post-hoc split", name, "exposed", relative=True)
    auc = np.median(change(table, "post-hoc split", name, "auc"))
    measured = f"exposures {np.median(gain):+.0%} and AUC {auc:+.3f} against {name}, in the median"
    more = np.median(gain) > 0
    return grade(
        np.median(gain) + auc,
        reproduced=bool(more and auc >= -SAME_AUC),
        close=bool(more and auc >= -0.03),
        measured=measured,
    )


def lookalike(tables: Tables) -> Verdict:
    """Members among the audiences of static cells, at equal AUC."""
    name = equal_auc(tables["methods"])
    more = change(tables["lookalikes"], name, DISCOVERY, "precision")
    precision = values(tables["lookalikes"], name, "precision").median()
    measured = f"{name}: precision {precision:.2f} in the median, {np.median(more):+.3f} against discovery only"
    middle, auc = np.median(more), np.median(change(tables["methods"], name, DISCOVERY, "auc"))
    often = (more > 0).mean() >= 0.8
    return grade(middle + auc, reproduced=bool(middle >= 0.02 and often), close=bool(middle > 0), measured=measured)


def plans(tables: Tables) -> Verdict:
    """What plans without an optimizer reach of the linear program's exposures."""
    table = tables["plans"]
    need(table, plan=("greedy", "equal split", "proportional to size"))
    worst, middle = table["gain"].max(skipna=False), table.groupby("plan", sort=False)["gain"].median()
    measured = "median share of the program's exposures: " + ", ".join(f"{one} {g:.3f}" for one, g in middle.items())
    near, far = middle["greedy"], max(middle["equal split"], middle["proportional to size"])
    never = worst <= 1 + 1e-9
    return grade(
        worst + near + far,
        reproduced=bool(never and near >= 0.99 and far < near),
        close=bool(never and near >= 0.95),
        measured=measured,
    )


def concentration(tables: Tables) -> Verdict:
    """The largest share of exposures in one static cell."""
    table = tables["methods"]
    name = list(weights(table).values())[-1]
    more = change(table, name, DISCOVERY, "concentration")
    middle = values(table, name, "concentration").median()
    measured = f"{name}: {middle:.0%} of the exposures in one cell, {np.median(more):+.3f} in the median"
    up = np.median(more) > 0
    return grade(np.median(more), reproduced=bool(up and (more > 0).mean() >= 0.8), close=bool(up), measured=measured)
