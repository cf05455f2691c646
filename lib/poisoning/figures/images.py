"""Figures of synthetic images: side by side with the real ones, and how near they lie to them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.poisoning.experiments.memorization import image_of, nearness
from lib.poisoning.figures.parts import grid, listed
from lib.report.style import COLOURS, MARKERS, describe, new_figure

SOURCES = ("real", "ddpm", "dcgan", "held out")
NAMES = {"real": "real", "ddpm": "DDPM", "dcgan": "DCGAN", "held out": "held out"}


def samples(table: pd.DataFrame, *, each: int = 10) -> Figure:
    """Draw images of the clients taken over beside synthetic ones, one row a source and number of clients."""
    first = table[(table["seed"] == table["seed"].min()) & table["pixels"].fillna("").ne("")]
    found = dict(list(first.groupby(["compromised", "source"])))
    keys = sorted((key for key in found if key[1] in SOURCES[:-1]), key=lambda key: (key[0], SOURCES.index(key[1])))
    fig, axes = new_figure(len(keys), each, width=7.2, height=0.66 * len(keys))
    for row, (count, source) in enumerate(keys):
        part = found[count, source]["pixels"]
        spread = np.unique(np.linspace(0, len(part) - 1, each).astype(int))
        for column, axis in enumerate(axes[row]):
            axis.set_axis_off()
            if column < len(spread):
                axis.imshow(image_of(part.iloc[spread[column]]), cmap="gray_r", vmin=0, vmax=255)
        axes[row, 0].set_title(f"{NAMES[source]}, c = {count}", fontsize=7, loc="left")
    images = table.groupby("compromised")["real_images"].first()
    text = ", ".join(f"{count} ({images[count]} images)" for count in dict.fromkeys(count for count, _ in keys))
    caption = f"Images of the clients that were taken over, and what generators make of them. Clients: {text}."
    return describe(fig, caption=caption, alt="Rows of small images, real and synthetic.")


def distances(table: pd.DataFrame) -> Figure:
    """Draw the distance to the nearest image of the clients taken over, by source and number of clients."""
    counts = sorted(table["compromised"].unique())
    sources = [source for source in SOURCES[1:] if source in set(table["source"])]
    fig, axes = new_figure(1, len(counts), width=2.6 * len(counts) + 0.6, height=2.8, sharey=True)
    for axis, count in zip(axes[0], counts, strict=True):
        part = table[table["compromised"] == count]
        for index, source in enumerate(sources):
            values = part[part["source"] == source]["distance"].sort_values().to_numpy()
            share = (pd.Series(range(1, len(values) + 1)) / len(values)).to_numpy()
            marks = {"marker": MARKERS[index], "markevery": max(len(values) // 6, 1), "markersize": 4}
            axis.plot(values, share, color=COLOURS[index], label=NAMES[source], **marks)
        axis.set(title=f"{count} client{'s' * int(count > 1)} taken over", xlabel="distance to nearest")
    axes[0, 0].set_ylabel("share of images at most so far")
    axes[0, -1].legend(fontsize=8)
    middle = grid(nearness(table), "compromised", "source", "distance")[sources]
    text = "; ".join(f"{count}: {listed(row.dropna())}" for count, row in middle.rename(columns=NAMES).iterrows())
    made = [source for source in sources if source != "held out"]
    said = "; ".join(f"{NAMES[name]} {listed((middle[name] / middle['held out']).dropna())}" for name in made)
    caption = f"""Distance to the nearest image that the generator learnt from; samples nearer than held-out images are
        learnt by heart. Medians by number of clients: {text}. A generator's median over that of held-out images, by
        number of clients: {said}."""
    return describe(fig, caption=caption, alt=f"Distributions of distances by source. Medians: {text}.")
