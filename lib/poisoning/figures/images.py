"""Figures of synthetic images: side by side with the real ones, and how near they lie to them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.poisoning.experiments.memorization import image_of, nearness
from lib.poisoning.figures.parts import grid, listed
from lib.report.style import COLOURS, MARKERS, describe, new_figure

SOURCES = ("real", "ddpm", "dcgan", "held out")
NAMES = {"real": "real", "ddpm": "DDPM", "dcgan": "DCGAN", "held out": "held out"}


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with a column data: without one the images are the digits of the page and go by no name."""
    return table if "data" in table else table.assign(data="")


def samples(table: pd.DataFrame, *, each: int = 10) -> Figure:
    """Draw images of the clients taken over beside synthetic ones, one row a source, number of clients and data set."""
    table = _named(table)
    first = table[(table["seed"] == table["seed"].min()) & table["pixels"].fillna("").ne("")]
    found = dict(list(first.groupby(["data", "compromised", "source"], sort=False)))
    sets = list(dict.fromkeys(table["data"]))
    keys = [key for key in found if key[2] in SOURCES[:-1]]
    keys.sort(key=lambda key: (sets.index(key[0]), key[1], SOURCES.index(key[2])))
    fig, axes = new_figure(len(keys), each, width=7.2, height=0.66 * len(keys))
    for row, (data, count, source) in enumerate(keys):
        part = found[data, count, source]["pixels"]
        spread = np.unique(np.linspace(0, len(part) - 1, each).astype(int))
        for column, axis in enumerate(axes[row]):
            axis.set_axis_off()
            if column < len(spread):
                axis.imshow(image_of(part.iloc[spread[column]]), cmap="gray_r", vmin=0, vmax=255)
        title = f"{data} {NAMES[source]}, c = {count}".strip()
        axes[row, 0].set_title(title, fontsize=7, loc="left")
    images = table.groupby(["data", "compromised"])["real_images"].first()
    shown = dict.fromkeys(key[:2] for key in keys)
    text = ", ".join(f"{data} {count} ({images[data, count]} images)".strip() for data, count in shown)
    caption = f"Images of the c clients that were taken over, and what generators make of them. Clients: {text}."
    return describe(fig, caption=caption, alt="Rows of small images, real and synthetic.")


def distances(table: pd.DataFrame) -> Figure:
    """Draw the distance to the nearest image of the clients taken over, by source, number of clients and data set."""
    table = _named(table)
    sources = [source for source in SOURCES[1:] if source in set(table["source"])]
    panels = dict(list(table.groupby(["data", "compromised"], sort=False)))
    sets = list(dict.fromkeys(table["data"]))
    keys = sorted(panels, key=lambda key: (sets.index(key[0]), key[1]))
    fig, axes = new_figure(1, len(keys), width=min(2.6 * len(keys) + 0.6, 9.4), height=2.8, sharey=True)
    for axis, (data, count) in zip(axes[0], keys, strict=True):
        part = panels[data, count]
        for index, source in enumerate(sources):
            values = part[part["source"] == source]["distance"].sort_values().to_numpy()
            share = (pd.Series(range(1, len(values) + 1)) / len(values)).to_numpy()
            marks = {"marker": MARKERS[index], "markevery": max(len(values) // 6, 1), "markersize": 4}
            axis.plot(values, share, color=COLOURS[index], label=NAMES[source], **marks)
        title = f"{count} client{'s' * int(count > 1)} taken over" if not data else f"{data}, c = {count}"
        axis.set_title(title, fontsize=9)
        axis.set(xlabel="distance to nearest")
    axes[0, 0].set_ylabel("share of images at most so far")
    axes[0, -1].legend(fontsize=7, loc="lower right")
    near = nearness(table)
    near = near.assign(set=(near["data"] + " " + near["compromised"].astype(str)).str.strip())
    middle = grid(near, "set", "source", "distance")[sources].loc[[f"{d} {c}".strip() for d, c in keys]]
    text = "; ".join(f"{name}: {listed(row.dropna())}" for name, row in middle.rename(columns=NAMES).iterrows())
    made = [source for source in sources if source != "held out"]
    said = "; ".join(f"{NAMES[name]} {listed((middle[name] / middle['held out']).dropna())}" for name in made)
    caption = f"""Euclidean distance, pixels from -1 to 1, to the nearest image that the generator learnt from; samples
        nearer than held-out images are learnt by heart. Medians by number of clients: {text}. A generator's median
        over that of held-out images: {said}."""
    return describe(fig, caption=caption, alt=f"Distributions of distances by source. Medians: {text}.")
