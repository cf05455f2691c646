"""One look for a policy in all figures of regret: colour, marker and line, and the legend that panels share."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.bslb.experiments.methods import ADAPTIVE

# Okabe and Ito's colours first; no two names share both colour and marker. Policies that refit are dashed.
LOOKS: dict[str, tuple[str, str]] = {
    "random": ("#6B6B6B", "X"),
    "BSLB (v1, c=1)": ("#0072B2", "o"),
    "BSLB (v1, c=2)": ("#56B4E9", "o"),
    "BSLB (v2, c=1)": ("#002B49", "o"),
    "ridge ETC": ("#D55E00", "s"),
    "uniform ETC": ("#009E73", "^"),
    "PopArt ETC": ("#CC79A7", "D"),
    "ESTC": ("#E69F00", "v"),
    "ESTC (tuned length)": ("#8C6100", "P"),
    "LinUCB": ("#000000", "s"),
    "LinUCB (alpha=0)": ("#000000", "v"),
    "LinUCB (alpha=1)": ("#999933", "D"),
    "LinTS": ("#882255", "^"),
    "greedy Lasso": ("#7A3DB8", "*"),
    "thresholded Lasso": ("#44AA99", "P"),
    "oracle": ("#6B6B6B", "o"),
}
# Names of the same policies in experiments that compare one thing only.
ALIASES = {"BSLB": "BSLB (v1, c=1)", "subset": "BSLB (v1, c=1)", "uniform": "uniform ETC"}


def look(method: str) -> dict[str, str]:
    """Return colour, marker and line style of the policy `method`, a name of `methods.METHODS` or of `ALIASES`."""
    name = ALIASES.get(method, method)
    if name not in LOOKS:
        raise ValueError(f"no look for {method!r}; choose from {', '.join((*LOOKS, *ALIASES))}")
    colour, marker = LOOKS[name]
    return {"color": colour, "marker": marker, "linestyle": "--" if name in ADAPTIVE else "-"}


def curve(axis: Axes, x: pd.Series, rows: pd.DataFrame, method: str, *, markers: bool = True) -> None:
    """Draw ``median``, ``low`` and ``high`` of `rows` against `x` in the look of `method`."""
    style = look(method) | ({} if markers else {"marker": ""})
    axis.plot(x, rows["median"], markersize=4, linewidth=1.5, label=method, **style)
    axis.fill_between(x, rows["low"], rows["high"], color=style["color"], alpha=0.15, linewidth=0)


def shared_legend(fig: Figure) -> None:
    """Put one legend with every label of every panel below the figure."""
    found = {}
    for axis in fig.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    fig.legend(list(found.values()), list(found), loc="outside lower center", ncols=4, fontsize=7)


def design_note(table: pd.DataFrame) -> str:
    """Return a sentence on the iterations that the design was given, empty if `table` does not say."""
    if "design_iterations" not in table:
        return ""
    count = int(table["design_iterations"].iloc[0])
    return f" The designs got {count} iteration{'s' * (count != 1)} of their solver."
