"""The rules that judge the companion's propositions."""

from lib.flow.rules import Tables
from lib.report import Verdict, grade


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
