"""The rules that judge the claims on annotation and recommendation."""

import pandas as pd

from lib.bslb.rules import Tables, middle
from lib.report import Verdict, grade, median_interval, need
from lib.report.claims import NOT_JUDGED


def digits_efficacy(tables: Tables) -> Verdict:
    """BSLB's labels must help on hard digits, leave easy ones right, and cost less regret than random ones."""
    table = tables["digits"]
    need(table, policy=("bslb", "random"))
    found, met, right = [], [], []
    for task, part in table.groupby("task", sort=False):
        wide = part.pivot_table(index="T", columns="policy", values=["hard_accuracy", "regret"], aggfunc="median")
        gain = float((wide["hard_accuracy"]["bslb"] - wide["hard_accuracy"]["random"]).min())
        regret = float((wide["regret"]["bslb"] / wide["regret"]["random"]).max())
        easy = min(middle(part, "easy_accuracy", policy="bslb", T=T) for T in wide.index)
        met.append(gain >= 0.04 and easy >= 0.99 and regret <= 0.8)
        right.append(gain > 0 and regret < 1)
        found.append(f"{task}: hard {gain:+.3f}, easy {easy:.2f}, regret {regret:.2f} of random's")
    return grade(sum(met), reproduced=all(met), close=all(right), measured="; ".join(found))


def subset_annotation(tables: Tables) -> Verdict:
    """BSLB with the chosen subset against BSLB with uniform exploration: hard accuracy, paired by seed."""
    table = tables["digits"]
    need(table, policy=("bslb", "uniform_etc"))
    wide = table.pivot_table(index="seed", columns="policy", values="hard_accuracy")
    value, low, high = median_interval((wide["bslb"] - wide["uniform_etc"]).to_numpy())
    measured = f"hard accuracy {value:+.3f} against uniform exploration [{low:+.3f}, {high:+.3f}]"
    return grade(value, reproduced=low > 0, close=False, measured=measured)


def beats_all_labels(tables: Tables) -> Verdict:
    """Hard accuracy of BSLB at the largest budget against a classifier trained on every label."""
    table = tables["digits"]
    part = table[table["T"] == table["T"].max()]
    need(part, policy=("bslb", "all"))
    medians = part.pivot_table(index="task", columns="policy", values="hard_accuracy", aggfunc="median")
    gap = medians["bslb"] - medians["all"]
    measured = f"{gap.min():+.3f} to {gap.max():+.3f} over {len(gap)} classes"
    return grade(float(gap.min()), reproduced=float(gap.min()) > 0, close=False, measured=measured)


def rare_class_found(tables: Tables) -> Verdict:
    """Share of positives among the labels bought by BSLB against random labels, in the one-vs-rest tasks."""
    table = tables["digits"]
    need(table, policy=("bslb", "random"))
    medians = table.pivot_table(index="task", columns="policy", values="positive_fraction", aggfunc="median")
    ratio = float((medians["bslb"] / medians["random"]).min())
    measured = f"at least {ratio:.1f} times as many positives as random labels"
    return grade(ratio, reproduced=ratio >= 2, close=ratio > 1, measured=measured)


def hard_points_hurt(tables: Tables) -> Verdict:
    """On balanced ten-class digits the truly hardest labels must lower the accuracy on hard digits."""
    table = tables["counterexamples"]
    part = table[table["task"] == "10 digits"]
    need(part, policy=("random", "difficulty_oracle"))
    wide = part.pivot_table(index="seed", columns="policy", values="hard_accuracy")
    loss = wide["random"] - wide["difficulty_oracle"]
    value, low, high = median_interval(loss.to_numpy())
    measured = f"hard accuracy {value:.3f} lower than with random labels [{low:.3f}, {high:.3f}]"
    return grade(value, reproduced=low > 0.05, close=value > 0, measured=measured)


def margin_is_better(tables: Tables) -> Verdict:
    """Margin sampling, which refits a model between labels, against BSLB on the one-vs-rest digits."""
    table = tables["digits"]
    need(table, policy=("margin", "bslb"))
    wide = table.pivot_table(index="seed", columns="policy", values="hard_accuracy")
    value, low, high = median_interval((wide["margin"] - wide["bslb"]).to_numpy())
    measured = f"hard accuracy {value:+.3f} against BSLB [{low:+.3f}, {high:+.3f}]"
    return grade(value, reproduced=low > 0, close=value > 0, measured=measured)


def voc_difficulty(tables: Tables) -> Verdict:
    """Difficulty regret on PASCAL VOC at 100 and 200 pulls, as a share of the exact expectation of random pulls."""
    table = tables["voc"]
    need(table, policy=("bslb", "full_data_linear"), T=(100, 200))
    part = table[(table["policy"] == "bslb") & table["T"].isin([100, 200])]
    share = (part["regret"] / part["random_regret"]).groupby(part["T"]).median()
    measured = ", ".join(f"{value:.2f} of random's regret (T={T})" for T, value in share.items())
    ceiling = table[table["policy"] == "full_data_linear"]["kendall_tau"].median()
    detail = f"object lists, not images: a linear model fitted on all scores ranks with Kendall's tau {ceiling:.2f}"
    worst = float(share.max())
    return grade(worst, reproduced=worst <= 0.8, close=worst < 1, measured=measured, detail=detail)


def voc_accuracy(tables: Tables) -> Verdict:
    """Balanced accuracy on hard images after BSLB's labels against random labels, over classes and budgets."""
    return _balanced_gain(tables["voc_accuracy"])


def sst2_accuracy(tables: Tables) -> Verdict:
    """Accuracy on hard sentences after BSLB's labels against random labels."""
    return _balanced_gain(tables["sst2"])


def recommendation(tables: Tables) -> Verdict:
    """Regret of BSLB as a share of random pulls' and of LinUCB's, on MovieLens."""
    return _share_of_peers(tables["movielens"])


def recommendation_synthetic(tables: Tables) -> Verdict:
    """Regret of BSLB as a share of random pulls' and of LinUCB's, on the low-rank generator."""
    return _share_of_peers(tables["low_rank"])


def _balanced_gain(table: pd.DataFrame) -> Verdict:
    """Judge the gain over random labels, averaged over tasks and budgets within a seed.

    Where even all labels do no better than random ones or a coin on the hard third, difficulty is not what stands
    between a classifier and the right answer there, and the comparison says nothing.
    """
    need(table, policy=("bslb", "random", "all"))
    wide = table.pivot_table(index="seed", columns="policy", values="hard_accuracy_balanced")
    value, low, high = median_interval((wide["bslb"] - wide["random"]).to_numpy())
    measured = f"balanced hard accuracy {value:+.3f} against random labels [{low:+.3f}, {high:+.3f}]"
    ceiling, floor = float(wide["all"].median()), max(float(wide["random"].median()), 0.5)
    if ceiling <= floor:
        return Verdict(NOT_JUDGED, measured, f"uninformative: all labels reach {ceiling:.3f} where {floor:.3f} is free")
    return grade(value, reproduced=low > 0 and value >= 0.02, close=low > 0, measured=measured)


def _share_of_peers(table: pd.DataFrame) -> Verdict:
    """Judge the regret as a share of random pulls' and of LinUCB's, averaged over budgets and seeds within a user."""
    need(table, policy=("bslb", "random", "linucb"))
    wide = table.pivot_table(index=["user", "T"], columns="policy", values="regret")
    random, linucb = (
        median_interval((wide["bslb"] / wide[peer]).groupby("user").mean().to_numpy()) for peer in ("random", "linucb")
    )
    measured = f"{random[0]:.2f} of random's [{random[1]:.2f}, {random[2]:.2f}], "
    measured += f"{linucb[0]:.2f} of LinUCB's [{linucb[1]:.2f}, {linucb[2]:.2f}]"
    whole = random[2] < 1 and linucb[2] < 1
    return grade(random[0], reproduced=whole, close=random[0] < 1 and linucb[0] < 1, measured=measured)
