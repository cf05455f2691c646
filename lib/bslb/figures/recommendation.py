"""Figure of the recommendation experiments."""

import pandas as pd
from matplotlib.figure import Figure

from lib.bslb.figures.policies import NAMES, curves, outside_legend
from lib.report.style import GUIDE, describe, new_figure


def recommendation_regret(table: pd.DataFrame) -> Figure:
    """Draw regret against the number of recommendations by policy; `table` from one recommendation experiment."""
    if table.empty:
        raise ValueError("the table is empty: run the experiment with at least one policy, budget and seed")
    data = table[table.policy != "oracle"]
    # One value a user: replicates of one user share the ratings and are not independent.
    users = data.groupby(["task", "policy", "T", "user"], sort=False)[["regret", "random_regret"]].mean().reset_index()
    fig, axes = new_figure(1, 1, width=6.6, height=3.4)
    axis = axes[0, 0]
    curves(axis, users, "regret")
    expected = users.groupby("T").random_regret.median()
    axis.plot(expected.index, expected.to_numpy(), **GUIDE, label="random, expected")
    real = "M" in table
    axis.set_ylabel("regret against the $T$ best items" + (" (stars)" if real else ""))
    axis.set_xlabel("recommendations $T$")
    axis.set_title(str(users.task.iloc[0]), fontsize=9)
    outside_legend(fig, axis)
    T = int(users["T"].max())
    regret = users[users["T"] == T].groupby("policy", sort=False).regret.median()
    share = (regret / expected[T]).sort_values()
    ranked = ", ".join(f"{NAMES[policy]} {100 * value:.0f} %" for policy, value in share.items())
    count = users.user.nunique()
    caption = (
        f"After {T} recommendations without repetition BSLB's median regret over {count} users is "
        f"{regret['bslb']:.3g}{' stars' if real else ''}, {100 * share['bslb']:.0f} % of random's. All policies, in "
        f"per cent of random's expected regret: {ranked}. Points are medians over users, bars 90 % intervals."
    )
    alt = f"Regret against the number of recommendations, one curve a policy. At T = {T}, per cent of random: {ranked}."
    return describe(fig, caption=caption, alt=alt)
