"""The rules that judge the claims about longer runs, real data, newcomers and ablations."""

import numpy as np

from lib.flow.rules import Tables, by_seed, paired, values
from lib.report import Missing, Verdict, grade


def best_method(tables: Tables) -> Verdict:
    """The best of the other methods against Flow, at rho 0.25 and 0.5."""
    table, gap, names = tables["methods"], {}, {}
    for rho in (0.25, 0.5):
        middle = table[table["rho"] == rho].groupby("method")["personal"].median().dropna()
        if "Flow" not in middle or len(middle) < 2:
            raise Missing(f"Flow beside others at rho={rho:g}")
        others = middle.drop("Flow")
        names[rho], gap[rho] = others.idxmax(), middle["Flow"] - others.max()
    measured = ", ".join(f"Flow minus {names[rho]} {gap[rho]:+.3f} (rho={rho:g})" for rho in gap)
    worst = min(gap.values())
    return grade(worst, reproduced=worst > 0, close=worst > -0.01, measured=measured)


def settings_gain(name: str, prefix: str):
    """Return the rule that Flow beats fine-tuning in every setting of table `name` that begins with `prefix`."""

    def rule(tables: Tables) -> Verdict:
        table = tables[name]
        settings = [s for s in dict.fromkeys(table["setting"]) if s.startswith(prefix)]
        if not settings:
            raise Missing(f"a setting {prefix}")
        gain = {s: float(np.median(paired(table, "Flow", "FedAvg + FT", setting=s))) for s in settings}
        harm = {s: float(np.median(paired(table, "Flow", "FedAvg + FT", "harmed", setting=s))) for s in settings}
        measured = "; ".join(f"{s}: accuracy {gain[s]:+.3f}, harmed {harm[s]:+.2f}" for s in settings)
        worst, most = min(gain.values()), max(harm.values())
        return grade(
            worst + most, reproduced=worst > 0.005 and most <= 0, close=worst > -0.005, measured=f"{measured} (medians)"
        )

    return rule


def heterogeneity(tables: Tables) -> Verdict:
    """The gain over FedAvg on CIFAR-10 with Dirichlet shares 0.1 and 0.6."""
    table = tables["cifar10"]
    gain = {a: float(np.median(paired(table, "Flow", "FedAvg", setting=f"alpha={a:g}"))) for a in (0.1, 0.6)}
    measured = ", ".join(f"{value:+.3f} (alpha={a:g})" for a, value in gain.items()) + ", Flow minus FedAvg"
    more = gain[0.1] - gain[0.6]
    return grade(more, reproduced=more > 0.02 and gain[0.1] > 0, close=more > 0, measured=measured)


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
    """What it costs to train the phases on different halves of a client's data, as released."""
    gain = _variant(tables, "half split", "personal") - _variant(tables, "as here", "personal")
    measured = f"half split less all data, by seed: {by_seed(gain.dropna().to_numpy())}"
    low, high = gain.min(skipna=False), gain.max(skipna=False)
    return grade(low, reproduced=high < -0.01, close=gain.median() < 0, measured=measured)


def data_reuse(tables: Tables) -> Verdict:
    """Local routes of instances of the global type without the push to the global route, and with it."""
    more = _variant(tables, "none", "local_0") - _variant(tables, "as here", "local_0")
    measured = f"share of local routes higher by {more.median():.2f} without the push"
    low = more.min(skipna=False)
    return grade(low, reproduced=low > 0.2, close=more.median() > 0.1, measured=measured)


def soft_test(tables: Tables) -> Verdict:
    """Rounded routes in the test against the soft ones of training."""
    gap = _variant(tables, "as here", "personal") - _variant(tables, "soft test", "personal")
    measured = f"hard less soft, by seed: {by_seed(gain_values(gap))}"
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
