"""A picture of a partition: how many examples of each class each client holds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.style import describe, new_figure


def partition_table(parts: Sequence[np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """Return one row per client and class with columns ``client``, ``class`` and ``examples`` (zero included)."""
    classes, labels = np.unique(np.asarray(labels), return_inverse=True)
    rows = [
        {"client": client, "class": name, "examples": int(count)}
        for client, part in enumerate(parts)
        for name, count in zip(classes, np.bincount(labels[part], minlength=len(classes)), strict=True)
    ]
    return pd.DataFrame(rows)


def partition_figure(table: pd.DataFrame) -> Figure:
    """Draw a `partition_table`: a disc per client and class, its area proportional to the examples."""
    counts = table.pivot_table("examples", "class", "client", aggfunc="sum", sort=False).to_numpy()
    classes, clients = counts.shape
    fig, axes = new_figure(width=7.2, height=min(1.2 + 0.22 * classes, 6.0))
    axis, (row, column) = axes[0, 0], np.nonzero(counts)
    largest = counts.max()
    axis.scatter(column, row, s=180 * counts[row, column] / largest, color="#0072B2", linewidths=0)
    axis.set(xlabel="client", ylabel="class", xlim=(-0.8, clients - 0.2), ylim=(classes - 0.4, -0.6))
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_yticks(range(classes), [str(name) for name in dict.fromkeys(table["class"])])
    held, sizes = (counts > 0).sum(axis=0), counts.sum(axis=0)
    holders = (counts > 0).sum(axis=1)
    caption = f"""{clients} clients and {classes} classes; the area of a disc is the number of examples, {largest} at
        most. A client holds {_span(held)} classes and {_span(sizes)} examples; a class has {_span(holders)} holders."""
    alt = f"""Grid of discs, clients across and classes down: {int((counts > 0).sum())} of {counts.size} places are
        filled."""
    return describe(fig, caption=caption, alt=alt)


def _span(values: np.ndarray) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"
