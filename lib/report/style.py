"""One look for every figure: size, colours, and the caption that states the finding."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette: distinguishable with the common colour-vision deficiencies.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6B6B6B", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GUIDE = {"color": "#6B6B6B", "linestyle": "--", "linewidth": 1.0, "zorder": 1}


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 3.2, sharey: bool = False
) -> tuple[Figure, np.ndarray]:
    """Return an empty figure and its axes, an object array of shape ``(rows, columns)``.

    `width` and `height` are inches. The figure belongs to no global state, so nothing has to be closed.
    """
    fig = Figure(figsize=(width, height), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, sharey=sharey)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(True, color="#E3E3E3", linewidth=0.6)
        axis.set_axisbelow(True)
    return fig, axes


def series(
    axis: Axes,
    x: Sequence[float],
    mid: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    label: str,
    index: int,
) -> None:
    """Draw one measured curve with its interval band; `index` picks colour and marker."""
    colour = COLOURS[index % len(COLOURS)]
    axis.plot(x, mid, color=colour, marker=MARKERS[index % len(MARKERS)], markersize=4, linewidth=1.5, label=label)
    axis.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def describe(fig: Figure, *, caption: str, alt: str) -> Figure:
    """Attach to `fig` the caption (the finding, numbers computed) and the text read to who cannot see it."""
    if not caption.strip() or not alt.strip():
        raise ValueError("a figure needs a caption and an alternative text; both were expected to be non-empty")
    fig.scarce_caption, fig.scarce_alt = " ".join(caption.split()), " ".join(alt.split())
    return fig
