"""The rules that judge the companion's propositions."""

import pandas as pd

from lib.flow.rules import Tables
from lib.report import Verdict, fitted_slope, grade, need
from lib.report.claims import NOT_JUDGED

ROUNDING = 1e-9  # of sums in double precision, relative


def mixing(tables: Tables) -> Verdict:
    """The best weight and its risk in simulations against their closed forms."""
    table = tables["mixing"]
    weight = (table["alpha"] - table["predicted"]).abs().max(skipna=False)
    risk = (table["simulated_risk"] / table["risk"] - 1).abs().max(skipna=False)
    measured = f"weight within {weight:.3f}, risk within {risk:.1%}"
    good, near = weight <= 0.03 and risk <= 0.03, weight <= 0.06 and risk <= 0.06
    return grade(weight + risk, reproduced=good, close=near, measured=measured)


def instance_value(tables: Tables) -> Verdict:
    """What routing by instance saves in simulations against the closed form, where that is not zero."""
    table = tables["instances"]
    inner = table[table["predicted"] > 0]
    far = (inner["value"] / inner["predicted"] - 1).abs().max(skipna=False)
    ends = table[table["predicted"] == 0]["value"].abs().max(skipna=False)
    measured = f"within {far:.1%} of the closed form, {ends:.1e} where it is zero"
    return grade(far + ends, reproduced=far <= 0.03 and ends < 1e-9, close=far <= 0.06, measured=measured)


def global_rates(tables: Tables) -> Verdict:
    """How fast the global gradient falls at each level of heterogeneity, and the order of its floors."""
    table = tables["global_rates"]
    rates, floors = table[table["kind"] == "rate"], table[table["kind"] == "floor"]
    slopes = {}
    for level, rows in rates.groupby("level"):
        middle = rows.groupby("rounds")["squared_gradient"].median()
        slopes[level] = fitted_slope(middle.index, middle)
    wide = floors.pivot_table(index="seed", columns="level", values="squared_gradient").sort_index(axis=1)
    steps = wide.diff(axis=1).iloc[:, 1:]
    slowest = max(slopes.values())
    measured = "slopes " + ", ".join(f"{value:.2f} ({level:g})" for level, value in slopes.items())
    measured += "; floors " + ", ".join(f"{value:.3f} ({level:g})" for level, value in wide.median().items())
    every, middle = bool((steps > 0).all(axis=None)), bool((steps.median() > 0).all())
    return grade(
        slowest + floors["squared_gradient"].sum(skipna=False),
        reproduced=slowest <= -0.4 and every,
        close=middle,
        measured=measured,
    )


def personal_gradients(tables: Tables) -> Verdict:
    """The squared gradient at the routed model against the global one (unlike clients) and the local one (alike)."""
    table = tables["personal_gradients"]
    need(table, setting=("unlike", "alike"))
    runs = table.groupby(["setting", "seed"])[["global", "local", "routed"]].mean()
    unlike = (runs["routed"] / runs["global"]).xs("unlike")
    alike = (runs["routed"] / runs["local"]).xs("alike")
    both = {"routed / global, unlike clients": unlike, "routed / local, alike clients": alike}
    measured = "; ".join(f"{name}: {one.median():.2f} of {_sorted(one)}" for name, one in both.items())
    every = max(one.max(skipna=False) for one in both.values())
    middle = max(one.median() for one in both.values())
    detail = _one_branch(table[table["setting"].isin(["unlike", "alike"])])
    return grade(every, reproduced=every < 1, close=middle < 0.99, measured=measured, detail=detail)


def _sorted(values: pd.Series) -> str:
    return ", ".join(f"{value:.2f}" for value in sorted(values))


def _one_branch(table: pd.DataFrame) -> str:
    """Return for each setting in how many clients all instances take one branch."""
    alone = table["share"].isin([0.0, 1.0]).groupby(table["setting"], sort=False).mean()
    return "all instances of a client take one branch in " + ", ".join(
        f"{share:.0%} of the clients ({setting})" for setting, share in alone.items()
    )


def gradient_bound(column: str):
    """Return the rule that the squared gradient at the routed model is at most `column`, where routes go both ways."""

    def rule(tables: Tables) -> Verdict:
        table = tables["personal_gradients"]
        table = table[table["share"].between(0, 1, inclusive="neither")]
        if table.empty:
            return Verdict(NOT_JUDGED, "no client", "all instances of every client take one branch")
        ratio = table["routed"] / table[column]
        runs = table.groupby(["setting", "seed"])[["routed", column]].mean()
        most, mean = ratio.max(skipna=False), (runs["routed"] / runs[column]).max(skipna=False)
        measured = f"largest ratio {mean:.3f} of means over clients, {most:.3f} of a client; above 1 in "
        measured += f"{(ratio > 1 + ROUNDING).mean():.0%} of {len(table)} clients with instances on both branches"
        detail = _one_branch(tables["personal_gradients"])
        good, near = most <= 1 + ROUNDING, mean <= 1 + ROUNDING
        return grade(most + mean, reproduced=good, close=near, measured=measured, detail=detail)

    return rule


def policy_memory(tables: Tables) -> Verdict:
    """Peak memory of a policy step against a step of FedAvg on the same network."""
    need(tables["phases"], step="policy")
    share = tables["phases"].set_index("step")["extra / FedAvg"]["policy"]
    return grade(share, reproduced=share > 2, close=share > 1.5, measured=f"{share:.2f} times a step of FedAvg")
