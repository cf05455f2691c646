"""The rules that judge the claims about concept shift, propositions and costs."""

import numpy as np

from lib.fedper.experiments.ablation import bases_on_cifar10
from lib.fedper.experiments.rates import judging
from lib.fedper.rules import Tables, at_ends, learnt, paired
from lib.report import Missing, Verdict, at, fitted_slope, grade, last_round, need
from lib.report.claims import NOT_JUDGED

CHANCE = 0.2


def aesthetics(tables: Tables) -> Verdict:
    """FedAvg near chance and FedPer well above it where users share no taste."""
    rows = last_round(tables["aesthetics"])
    rows = rows[rows["a"] == 1].groupby("method")["accuracy"].median()
    shared, own = at(rows, "FedAvg"), at(rows, "FedPer 1")
    ratio = own / shared
    measured = f"FedAvg {shared:.3f}, FedPer 1 {own:.3f}, ratio {ratio:.2f}"
    near = abs(shared - CHANCE) <= 0.07
    return grade(ratio, reproduced=near and ratio >= 1.8, close=ratio >= 1.4, measured=measured)


def flickr(tables: Tables) -> Verdict:
    """FedPer against FedAvg and chance on the scores of FLICKR-AES, paired by seed."""
    gain = paired(tables["flickr"], "FedPer 1", "FedAvg")
    level = last_round(tables["flickr"]).groupby("method")["accuracy"].median().loc["FedPer 1"]
    measured = f"FedPer 1 {level:.3f}, median gain over FedAvg {np.median(gain):+.3f}"
    good = gain.min() > 0.05 and level > CHANCE + 0.1
    return grade(np.median(gain), reproduced=good, close=np.median(gain) > 0.02, measured=measured)


def single_model_ceiling(tables: Tables) -> Verdict:
    """FedAvg below the ceiling of any single model, FedPer above it: aesthetics with a = 1 and renamed labels."""
    art = last_round(tables["aesthetics"])
    art, names = art[art["a"] == 1], last_round(tables["renamed"])
    names = names[names["renamed"] == names["renamed"].max()]
    over = {method: [] for method in ("FedAvg", "FedPer 1")}
    for rows in (art, names):
        need(rows, method=tuple(over))
        for method, values in over.items():
            part = rows[rows["method"] == method]
            values += list(part["accuracy"] - part["single_ceiling"])
    most, least = np.max(over["FedAvg"]), np.min(over["FedPer 1"])  # NaN if any is
    where = "over" if most > 0 else "below"
    bound = "at most" if most > 0 else "at least"
    measured = f"FedAvg {bound} {abs(most):.3f} {where} the ceiling, FedPer 1 at least {least:+.3f}"
    # Test sets are finite: a tolerance of two hundredths for the one that must stay below.
    below, above = most <= 0.02, least > 0
    close = below and np.median(over["FedPer 1"]) > 0
    verdict = grade(least, reproduced=below and above, close=close, measured=measured)
    plain = last_round(tables["renamed"]).query("method == 'FedAvg' and renamed == 0")["accuracy"]
    return learnt(verdict, plain)


def common_taste(tables: Tables) -> Verdict:
    """FedAvg against FedPer where all users have one taste."""
    shares = tables["aesthetics"]["a"]
    gain = paired(tables["aesthetics"], "FedAvg", "FedPer 1", a=shares.min())
    measured = f"FedAvg minus FedPer 1 at a={shares.min():g}: {np.median(gain):+.3f}"
    return grade(np.median(gain), reproduced=gain.min() > 0.01, close=np.median(gain) > 0, measured=measured)


def finetuning(tables: Tables) -> Verdict:
    """What fine-tuning the head changes on the aesthetics surrogate."""
    change = np.median(paired(tables["aesthetics"], "FedPer 1 + FT", "FedPer 1", a=1.0))
    measured = f"{change:+.3f} with fine-tuning at a=1"
    return grade(change, reproduced=abs(change) <= 0.015, close=abs(change) <= 0.03, measured=measured)


def finetuning_cifar100(tables: Tables) -> Verdict:
    """What fine-tuning the head changes on CIFAR-100, over all numbers of classes a client."""
    ks = sorted(tables["cifar100"]["classes_per_client"].unique())
    change = {k: np.median(paired(tables["cifar100"], "FedPer 1 + FT", "FedPer 1", classes_per_client=k)) for k in ks}
    measured = ", ".join(f"{value:+.3f} (k={k})" for k, value in change.items())
    middle = float(np.median(list(change.values())))
    worth = [np.median(paired(tables["cifar100"], "FedPer 1", "local only", classes_per_client=k)) for k in ks]
    if max(worth) <= 0:
        return Verdict(NOT_JUDGED, measured, "FedPer 1 does not beat training alone")
    return grade(middle, reproduced=middle > 0.005, close=max(change.values()) > 0.005, measured=measured)


def base_ablation(tables: Tables) -> Verdict:
    """What a deep base gains over a linear one on CIFAR-10, each at its own learning rate, paired by seed.

    Nothing follows from a deep base that is not worth sharing: it must beat the same network alone on each client.
    """
    rows = bases_on_cifar10(tables["cifar10"], tables["cifar10_base"])
    wide = rows.pivot_table(index="seed", columns=["base", "method"], values="accuracy", dropna=False).T
    deep, linear, alone = (
        at(wide, key, "base and method")
        for key in (("deep", "FedPer 1"), ("linear", "FedPer 1"), ("deep", "local only"))
    )
    drop, worth = (deep - linear).min(skipna=False), (deep - alone).median(skipna=False)
    measured = f"deep {deep.median():.3f}, linear {linear.median():.3f}, deep without sharing {alone.median():.3f}"
    if worth <= 0:
        return Verdict(NOT_JUDGED, measured, "the deep base does not beat training alone")
    return grade(
        drop + worth,
        reproduced=drop >= 0.1,
        close=drop >= 0.03,
        measured=measured,
        detail=at_ends(tables["cifar10_base"], rows.assign(base=rows["base"] + " base,"), ["base", "method"]),
    )


def savings(tables: Tables) -> Verdict:
    """The share of bytes that two personal units save, by exact count."""
    rows = tables["transfer"]
    saved = rows[rows["personal_units"] == 2].set_index("network")["saved"]
    measured = ", ".join(f"{name} {share:.0%}" for name, share in saved.items()) + " with two personal units"
    if saved.empty:
        raise Missing("two personal units")
    worst = float(saved.max())
    detail = "the last blocks are the widest: they hold much of these networks"
    return grade(worst, reproduced=worst <= 0.1, close=worst <= 0.15, measured=measured, detail=detail)


def block_descent(tables: Tables) -> Verdict:
    """Whether the objective falls, and FedPer's distance from block descent, at the learning rates below the bound."""
    table = tables["block"]
    short = table[table["lr"] <= table["bound"]]
    falls = all((rows["objective"].diff().dropna() < 0).all() for _, rows in short.groupby("lr"))
    worst = float(short["difference"].max()) if len(short) else float("nan")
    names = ", ".join(f"{rate:g} (bound {bound:.2g})" for rate, bound in short.groupby("lr")["bound"].first().items())
    measured = f"{'falls' if falls else 'rises somewhere'} at learning rates {names}; largest difference {worst:.1e}"
    return grade(worst, reproduced=falls and worst <= 1e-9, close=falls and worst <= 1e-6, measured=measured)


def stationarity(tables: Tables) -> Verdict:
    """The log-log slope of the mean squared gradient against rounds, jointly and in turn, and their last values."""
    middle = tables["stationarity"].groupby(["method", "rounds"])["squared_gradient"].median()
    slopes, last = {}, {}
    need(tables["stationarity"], method=("FedPer", "FedRep"))
    for name in ("FedPer", "FedRep"):
        slopes[name] = fitted_slope(middle[name].index.to_numpy(), middle[name].to_numpy())
        last[name] = middle[name].iloc[-1]
    apart = abs(last["FedPer"] / last["FedRep"] - 1)
    measured = ", ".join(f"slope {value:+.2f} ({name})" for name, value in slopes.items())
    measured += f"; last values {apart:.0%} apart"
    worst = max(slopes.values())
    return grade(worst, reproduced=worst <= -0.4 and apart <= 0.15, close=worst <= -0.25, measured=measured)


def shared_representation(tables: Tables) -> Verdict:
    """The distance of each base to the true directions, and local training's error, with fewer examples than inputs."""
    table = last_round(tables["representation"])
    rows = table[table["examples"] == table["examples"].min()].groupby("method")[["distance", "error"]].median()
    rep, per, avg = (at(rows, name)["distance"] for name in ("FedRep", "FedPer", "FedAvg"))
    alone, ours = (at(rows, name)["error"] for name in ("local only", "FedPer"))
    measured = f"distance FedRep {rep:.2f}, FedPer {per:.2f}, FedAvg {avg:.2f}"
    measured += f"; error FedPer {ours:.2f}, alone {alone:.2f}"
    ranked = rep < per < avg
    good = ranked and rep < 0.5 and avg > 0.9 and ours < alone
    return grade(per, reproduced=good, close=ranked, measured=measured)


def _signs(values: np.ndarray) -> str:
    return ", ".join(f"{value:+.2f}" for value in np.sort(values))


def newcomers(tables: Tables) -> Verdict:
    """A new head on FedPer's frozen base against training from scratch with ten examples, paired by seed."""
    table = tables["newcomers"]
    need(table, examples=10, way=("FedPer base, new head", "from scratch", "FedAvg, fine-tuned"))
    rows = table[table["examples"] == 10]
    wide = rows.pivot_table(index="seed", columns="way", values="accuracy", dropna=False)
    gain = (wide["FedPer base, new head"] - wide["from scratch"]).to_numpy()
    other = wide["FedAvg, fine-tuned"].median()
    measured = f"gain with 10 examples by seed {_signs(gain)}; FedAvg, fine-tuned {other:.2f}"
    return grade(np.median(gain), reproduced=gain.min() > 0.05, close=np.median(gain) > 0, measured=measured)


def head_step_memory(tables: Tables) -> Verdict:
    """The memory of a fine-tuning step of the classifier against that of a joint step."""
    extra = tables["steps"].set_index("personal_units")["extra_mib"]
    joint, head = at(extra, 0), at(extra, 1)
    share = float(head / joint)
    measured = f"{joint:.1f} MiB jointly, {head:.1f} MiB for the classifier alone ({share:.0%})"
    return grade(share, reproduced=share <= 0.5, close=share <= 0.75, measured=measured)


def femnist(tables: Tables) -> Verdict:
    """FedAvg against FedPer on digits by user, where every user writes all ten digits."""
    gain = paired(tables["femnist"], "FedAvg", "FedPer 1")
    alone = np.median(paired(tables["femnist"], "FedPer 1", "local only"))
    measured = f"FedAvg minus FedPer 1 {np.median(gain):+.3f}; FedPer 1 minus local {alone:+.3f}"
    level = last_round(judging(tables["femnist"])).groupby("method")["accuracy"].median().loc["FedAvg"]
    measured += f"; FedAvg {level:.2f}"
    if level <= 0.85:
        return Verdict(NOT_JUDGED, measured, "FedAvg has not learnt an easy task")
    return grade(np.median(gain), reproduced=gain.min() > 0, close=np.median(gain) > 0, measured=measured)
