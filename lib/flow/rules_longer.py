"""The rules that judge the claims about longer runs, real data, newcomers and ablations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.flow.experiments.tuning import at_ends, chosen
from lib.flow.rules import Tables, by_seed, closest, paired, values
from lib.report import Missing, Verdict, grade
from lib.report.claims import NOT_JUDGED

LEARNT = 0.2  # accuracy of a model of ten classes that has learnt something: twice that of a guess
ENSEMBLES = ("ensemble", "ensemble, own weight")
UNPLANTED = ("digits", "femnist", "cifar10", "shakespeare")  # tables of data in which nobody planted types
REGULARIZED = {  # variants of the ablation that differ in the regularizer alone
    "all": ("as here", "none", "push to local"),
    "half": ("half", "half, no regularizer", "half, push to local"),
}


def best_method(tables: Tables) -> Verdict:
    """Flow against every other method, paired by seed: all of them at rho 0.25 and 0.5, those at hand at 0.75."""
    low, middle, notes = [], [], []
    for name, rho in (("methods", 0.25), ("methods", 0.5), ("clients", 0.75)):
        rows = tables[name]
        rows = rows[(rows["rho"] == rho) & (rows["delta"] == 1.0)]
        gains = {one: paired(rows, "Flow", one) for one in dict.fromkeys(rows["method"]) if one != "Flow"}
        if not gains:
            raise Missing(f"Flow beside others at rho={rho:g}")
        rival = closest(gains)
        notes.append(f"Flow minus {rival}, {by_seed(gains[rival])} (rho={rho:g}, {len(gains)} methods)")
        low += [gain.min() for gain in gains.values()]
        middle += [np.median(gain) for gain in gains.values()]
    return grade(sum(low), reproduced=min(low) > 0, close=min(middle) > 0, measured="; ".join(notes))


def settings_gain(name: str, prefix: str):
    """Return the rule that Flow beats fine-tuning in every setting of table `name` that begins with `prefix`.

    It does not judge where no setting had anything routed by instance: no instance took a route of its own, or, where
    routes were not kept, Flow was Flow by client in every client.
    """

    def rule(tables: Tables) -> Verdict:
        table = tables[name]
        settings = [s for s in dict.fromkeys(table["setting"]) if s.startswith(prefix)]
        if not settings:
            raise Missing(f"a setting {prefix}")
        gain = {s: paired(table, "Flow", "FedAvg + FT", setting=s) for s in settings}
        lead = {s: paired(table, "Flow", "FedAvg + FT", "global", setting=s) for s in settings}
        harm = {s: float(np.median(paired(table, "Flow", "FedAvg + FT", "harmed", setting=s))) for s in settings}
        tuned = _tuned(tables, name)
        measured = "; ".join(f"{s}: accuracy, {by_seed(gain[s])}, harmed {harm[s]:+.2f}" for s in settings)
        measured += _scale(table, tuned)
        alike, evidence = _without_instances(table, tables.get(f"{name}_routes"), settings)
        remarks = _remarks(table, settings) + _of_the_global_branch(gain, lead) + [evidence]
        detail = "; ".join(filter(None, remarks + _at_ends(tuned, settings)))
        least, middle = (min(float(f(one)) for one in gain.values()) for f in (np.min, np.median))
        own, most = min(float(np.median(gain[s] - lead[s])) for s in settings), max(harm.values())
        good, near = least > 0.005 and own > 0 and most <= 0, middle >= 0 and most <= 0.05
        value = least + own + most
        if alike == settings and not np.isnan(value):
            return Verdict(NOT_JUDGED, measured, detail)
        return grade(value, reproduced=good, close=near, measured=measured, detail=detail)

    return rule


def _tuned(tables: Tables, name: str) -> pd.DataFrame | None:
    """Return what was tried for Flow and for fine-tuning on the data of table `name`; None where it is not at hand."""
    if f"{name}_tuning" not in tables:
        return None
    rows = tables[f"{name}_tuning"]
    rows = rows[rows["method"].isin(["Flow", "FedAvg + FT"])]
    if rows["personal"].notna().sum() == 0:
        raise Missing(f"tuning of Flow and FedAvg + FT on {name}")
    return rows


def _scale(table: pd.DataFrame, tuned: pd.DataFrame | None) -> str:
    """Return ``"; 5 seeds, settings chosen on 1 partition"``."""

    def counted(rows: pd.DataFrame, word: str) -> str:
        count = rows["seed"].nunique()
        return f"{count} {word}{'s' * (count != 1)}"

    seeds = f"; {counted(table, 'seed')}"
    return seeds if tuned is None else f"{seeds}, settings chosen on {counted(tuned, 'partition')}"


def _at_ends(tuned: pd.DataFrame | None, settings: Sequence[str]) -> list[str]:
    """Return which of the compared arms have a value at an end of those tried: they might do better beyond."""
    if tuned is None:
        return []
    tuned = tuned[tuned["kind"].isin(settings)]
    arms = [(row, at_ends(tuned, row.task, row.method, row.setting)) for row in chosen(tuned).itertuples()]
    found = [f"{row.method}, {row.task} ({', '.join(ends)})" for row, ends in arms if ends]
    return [f"at an end of the values tried, so perhaps better beyond: {'; '.join(found)}"] if found else []


def _without_instances(
    table: pd.DataFrame, routes: pd.DataFrame | None, settings: Sequence[str]
) -> tuple[list[str], str]:
    """Return the settings in which nothing was routed by instance, and the remark that says how that is known."""
    if routes is not None:
        apart = {s: routes[routes["setting"] == s].groupby("seed")["apart"].mean() for s in settings}
        apart = {setting: shares for setting, shares in apart.items() if len(shares)}
        told = "; ".join(f"{', '.join(f'{one:.1%}' for one in shares)} ({s})" for s, shares in apart.items())
        words = "instances that leave the most frequent route of their client, by seed"
        return [s for s, shares in apart.items() if shares.median() == 0], f"{words}: {told}"
    index = [column for column in ("seed", "client") if column in table]
    same, known = [], []
    for s in settings:
        rows = table[table["setting"] == s].set_index(index).sort_index()
        sides = [rows[rows["method"] == name].select_dtypes("number") for name in ("Flow", "Flow by client")]
        known += [s] if len(sides[1]) else []
        same += [s] if len(sides[1]) and sides[0].equals(sides[1]) else []
    if not known:
        return [], "whether anything was routed by instance is not known: neither routes nor Flow by client were kept"
    words = "Flow and Flow by client agree in every client, so that nothing was routed by instance"
    return same, f"{words}: {', '.join(same)}" if same else ""


def _remarks(table: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """Return where a method without routing or a federation is ahead of Flow, or FedAvg of fine-tuning or at chance."""
    ahead = {"FedAvg without personalization": "FedAvg", "Training alone": "local only"}
    where = {
        f"{words} is more accurate than Flow": [
            s for s in settings if np.median(paired(table, "Flow", name, setting=s)) < 0
        ]
        for words, name in ahead.items()
        if (table["method"] == name).any()
    }
    where["Fine-tuned FedAvg is less accurate than FedAvg"] = [
        found for s in settings if (found := _harmful_finetuning(table, s))
    ]
    where["FedAvg has hardly learnt anything"] = [
        s for s in settings if values(table, "FedAvg", "personal", setting=s).median() < LEARNT
    ]
    return [f"{words}: {', '.join(found)}" for words, found in where.items() if found]


def _harmful_finetuning(table: pd.DataFrame, setting: str) -> str:
    """Return the setting with the medians where that of fine-tuned FedAvg is below FedAvg's own, else nothing."""
    names = ("FedAvg + FT", "FedAvg", "Flow")
    tuned, plain, ours = (values(table, name, "personal", setting=setting).median() for name in names)
    lead = np.median(paired(table, "Flow", "FedAvg", setting=setting))
    medians = f"medians {tuned:.3f} and {plain:.3f}, Flow {ours:.3f}; Flow minus FedAvg, paired, {lead:+.3f}"
    return f"{setting} ({medians})" if tuned < plain else ""


def _of_the_global_branch(gain: Mapping[str, np.ndarray], lead: Mapping[str, np.ndarray]) -> list[str]:
    """Return where Flow is ahead mostly because its global branch is ahead of FedAvg's model, by setting."""
    half = [s for s in gain if np.median(gain[s]) > 0 and np.median(gain[s] - lead[s]) < np.median(gain[s]) / 2]
    words = "Without the lead of the global branch, whose steps are those of FedAvg, less than half of the gain is left"
    return [f"{words}: {', '.join(half)}"] if half else []


def ensemble_unplanted(tables: Tables) -> Verdict:
    """How far the better of the two plain ensembles stays behind Flow in every setting of digits and real data."""
    gap = {}
    for name in UNPLANTED:
        for s in dict.fromkeys(tables[name]["setting"]):
            sides = [np.median(paired(tables[name], "Flow", one, setting=s)) for one in ENSEMBLES]
            gap[f"{name}, {s}"] = float(min(sides))
    if not gap:
        raise Missing("a setting")
    measured = "Flow minus the better ensemble: " + ", ".join(f"{value:+.3f} ({s})" for s, value in gap.items())
    worst = max(gap.values())
    return grade(sum(gap.values()), reproduced=worst <= 0.02, close=worst <= 0.04, measured=measured)


def heterogeneity(tables: Tables) -> Verdict:
    """The gain over FedAvg on CIFAR-10 with Dirichlet shares 0.1 and 0.6, beside that of training alone."""
    table, shares = tables["cifar10"], (0.1, 0.6)
    gain, alone = (
        {a: float(np.median(paired(table, name, "FedAvg", setting=f"alpha={a:g}"))) for a in shares}
        for name in ("Flow", "local only")
    )
    level = {a: float(values(table, "FedAvg", "personal", setting=f"alpha={a:g}").median()) for a in shares}
    measured = "; ".join(f"alpha={a:g}: {gain[a]:+.3f} over FedAvg's {level[a]:.3f}" for a in shares)
    measured += _scale(table, _tuned(tables, "cifar10"))
    detail = "training alone: " + ", ".join(f"{alone[a]:+.3f} (alpha={a:g})" for a in shares)
    if min(level.values()) < LEARNT:
        reason = "FedAvg has hardly learnt anything, so the gain over it says nothing"
        return Verdict(NOT_JUDGED, measured, f"{reason}; {detail}")
    more, of_alone = (one[0.1] - one[0.6] for one in (gain, alone))
    good = more > 0.02 and gain[0.1] > 0 and more > of_alone
    return grade(more + of_alone, reproduced=good, close=more > 0, measured=measured, detail=detail)


def deltas(tables: Tables) -> Verdict:
    """The difference of route shares between the types, against the distance of the clients' own rules."""
    table = tables["delta_routes"]
    rows = table.assign(gap=table["local_1"] - table["local_0"])
    gap = rows[rows["method"] == "Flow"].groupby("delta")["gap"].median().sort_index()
    if len(gap) < 2:
        raise Missing("Flow at two values of delta")
    measured = ", ".join(f"{value:.2f} (delta={d:g})" for d, value in gap.items())
    rising = bool((gap.diff().dropna() > 0).all())
    last = float(gap.iloc[-1])
    return grade(gap.sum(skipna=False), reproduced=rising and last > 0.2, close=last > gap.iloc[0], measured=measured)


def small_clients(tables: Tables) -> Verdict:
    """By how much more Flow gains over fine-tuning at the smallest client than at the largest, after the last round."""
    table = tables["rounds"]
    last = table[table["round"] == table["round"].max()]
    ends = last["examples"].min(), last["examples"].max()
    gain = [paired(last, "Flow", "FedAvg + FT", examples=size) for size in ends]
    more = gain[0] - gain[1]
    measured = ", ".join(f"{size} examples {np.median(one):+.3f}" for size, one in zip(ends, gain, strict=True))
    measured += f"; difference, {by_seed(more)}"
    return grade(more.min(), reproduced=more.min() > 0, close=np.median(more) > 0, measured=measured)


def newcomers(tables: Tables) -> Verdict:
    """New clients less seen ones with Flow, against the same of FedAvg's model, which personalizes nobody."""
    table, change = tables["newcomers"], {}
    for name in ("Flow", "FedAvg"):
        seen, new = (values(table, name, "personal", group=group) for group in ("seen", "new"))
        change[name] = float((new - seen).median())
    more = change["Flow"] - change["FedAvg"]
    measured = f"new less seen: Flow {change['Flow']:+.3f}, FedAvg {change['FedAvg']:+.3f}"
    return grade(more, reproduced=more >= -0.02, close=more >= -0.04, measured=measured)


def split_cost(tables: Tables) -> Verdict:
    """What it costs to train the phases on different halves of a client's data, each side with its best regularizer."""
    best = {}
    for side, names in REGULARIZED.items():
        found = {name: _variant(tables, name, "personal") for name in names}
        best[side] = max(found, key=lambda name: found[name].median())
    gain = _variant(tables, best["half"], "personal") - _variant(tables, best["all"], "personal")
    measured = f"{best['half']} less {best['all']}, {by_seed(gain.dropna().to_numpy())}"
    low, high = gain.min(skipna=False), gain.max(skipna=False)
    return grade(low, reproduced=high < -0.01, close=gain.median() < 0, measured=measured)


def data_reuse(tables: Tables) -> Verdict:
    """Local routes of instances of the global type, and accuracy, without the push to the global route and with it."""
    more = _variant(tables, "none", "local_0") - _variant(tables, "as here", "local_0")
    gain = _variant(tables, "as here", "personal") - _variant(tables, "none", "personal")
    measured = f"without the push, local routes {more.median():+.2f}, accuracy {-gain.median():+.3f}"
    low, least = more.min(skipna=False), gain.min(skipna=False)
    close = more.median() > 0.1 and gain.median() > 0
    return grade(low + least, reproduced=low > 0.2 and least > 0, close=close, measured=measured)


def soft_test(tables: Tables) -> Verdict:
    """Rounded routes in the test against the soft ones of training."""
    gap = _variant(tables, "as here", "personal") - _variant(tables, "soft test", "personal")
    measured = f"hard less soft, {by_seed(gain_values(gap))}"
    middle = gap.median()
    return grade(middle, reproduced=abs(middle) <= 0.01, close=abs(middle) <= 0.03, measured=measured)


def gain_values(series) -> np.ndarray:
    """Return the numbers of a series without NaN."""
    return series.dropna().to_numpy()


def _variant(tables: Tables, variant: str, value: str):
    table = tables["ablation"]
    rows = table[table["variant"] == variant]
    if rows.empty:
        raise Missing(f"the variant {variant}")
    return rows.drop_duplicates(["seed"]).set_index("seed")[value]
