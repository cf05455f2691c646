"""What a generator makes of the images of few clients: new ones, or the old ones again."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.poisoning.attackers import TrainingAttacker
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.federations import CLASSES, SIDE, Population, digits_population
from lib.poisoning.generators import nearest_distances, synthesize
from lib.poisoning.hybrid import pooled

PIXELS = [f"p{i}" for i in range(SIDE * SIDE)]


def synthetic_images(
    *,
    compromised: Sequence[int] = (1, 5, 10),
    generators: Sequence[str] = ("ddpm", "dcgan"),
    beta: float = 0.1,
    images: int = 200,
    seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return synthetic and real images, and how near each lies to the images of the clients that were taken over.

    Returns:
        One row an image: compromised, real_images (that the generator learnt from), source (a generator, "real": those
        images themselves, or "held out": test images), seed, label, distance (Euclidean, to the nearest real image; NaN
        for the real ones), and the pixels p0 .. p63.
    """
    parts = []
    jobs = [(s, count) for s in range(seed, seed + seeds) for count in compromised]
    for s, count in track(jobs, "generators", progress):
        population = digits_population(beta=beta, seed=s)
        x, y = pooled(population.within_reach[:count], SIDE)
        held = population.honest.clients[0]
        found = {"real": (x, y), "held out": (held.test_x[:images], held.test_y[:images])}
        for kind in generators:
            rng = np.random.default_rng([s, count])
            found[kind] = synthesize(kind, x, y, images, classes=CLASSES, rng=rng)
        for source, (made, labels) in found.items():
            away = nearest_distances(made, x).numpy() if source != "real" else np.nan
            row = {"compromised": count, "real_images": len(x), "source": source, "seed": s}
            rows = pd.DataFrame(made.flatten(1).numpy(), columns=PIXELS)
            parts.append(pd.DataFrame(row | {"label": labels.numpy(), "distance": away}).join(rows))
    return pd.concat(parts, ignore_index=True)


def image_rows(
    attacker: TrainingAttacker, clients: Population, compromised: int, kind: str, *, shown: int = 10
) -> pd.DataFrame:
    """Return how near the images of an `attacker` that synthesizes lie to those that its generator learnt from.

    Returns:
        One row an image of the generator `kind`, of as many held-out ones, and of the first `shown` real ones:
        compromised, real_images, source (`kind`, "held out" or "real"), label, distance (Euclidean, to the nearest real
        image; NaN for the real ones), and pixels (bytes in hexadecimal of the first `shown` of a source, else empty).
    """
    x, y = (part.cpu() for part in pooled(clients.within_reach[:compromised], clients.side))
    made, labels = pooled(attacker.shards, clients.side)
    tests = clients.honest.clients[0]
    held = tests.test_x[: len(made)].reshape(-1, *made.shape[1:])
    spread = torch.linspace(0, len(x) - 1, min(shown, len(x))).long()  # over all clients, which stand in turn
    found = {kind: (made.cpu(), labels.cpu()), "held out": (held, tests.test_y), "real": (x[spread], y[spread])}
    parts = []
    for source, (images, classes) in found.items():
        grey = ((images[:shown] + 1) * 127.5).round().byte().numpy()
        row = {"compromised": compromised, "real_images": len(x), "source": source}
        rows = pd.DataFrame(row | {"label": classes[: len(images)].numpy()})
        away = nearest_distances(images, x).numpy() if source != "real" else np.nan
        pixels = [one.tobytes().hex() for one in grey]
        parts.append(rows.assign(distance=away, pixels=pixels + [""] * (len(images) - len(pixels))))
    return pd.concat(parts, ignore_index=True)


def nearness(table: pd.DataFrame) -> pd.DataFrame:
    """Return the median distance to the nearest real image: one row a compromised, seed and source that has one."""
    rows = table.dropna(subset=["distance"])
    return rows.groupby(["compromised", "real_images", "seed", "source"], sort=False)["distance"].median().reset_index()


def image_of(row: pd.Series) -> np.ndarray:
    """Return the pixels of one row of `synthetic_images` as an image ``(8, 8)``."""
    return row[PIXELS].to_numpy(dtype=np.float32).reshape(SIDE, SIDE)
