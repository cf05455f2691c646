"""The rules that judge the companion's propositions."""

from lib.flow.rules import Tables
from lib.report import Verdict, fitted_slope, grade, need


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
    need(table, setting=("unlike", "alike"), model=("global", "local", "routed"))
    wide = table.pivot(index=["setting", "seed"], columns="model", values="squared_gradient")
    unlike = (wide["routed"] / wide["global"]).xs("unlike")
    alike = (wide["routed"] / wide["local"]).xs("alike")
    measured = f"routed / global {unlike.median():.2f} (unlike clients), routed / local {alike.median():.2f} (alike)"
    every = bool((unlike <= 1).all() and (alike <= 1).all())
    middle = unlike.median() <= 1 and alike.median() <= 1
    return grade(unlike.median() + alike.median(), reproduced=every, close=bool(middle), measured=measured)


def policy_memory(tables: Tables) -> Verdict:
    """Peak memory of a policy step against a step of FedAvg on the same network."""
    need(tables["phases"], step="policy")
    share = tables["phases"].set_index("step")["extra / FedAvg"]["policy"]
    return grade(share, reproduced=share > 2, close=share > 1.5, measured=f"{share:.2f} times a step of FedAvg")
