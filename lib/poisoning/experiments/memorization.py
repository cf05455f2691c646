"""What a generator makes of the images of few clients: new ones, or the old ones again."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.poisoning.attackers import TrainingAttacker
from lib.poisoning.baselines import GENERATORS, make_attacker
from lib.poisoning.experiments.track import Progress, track
from lib.poisoning.federations import Population, population
from lib.poisoning.generators import nearest_distances
from lib.poisoning.hybrid import pooled
from lib.poisoning.plan import Plan


def synthetic_images(
    *,
    adversaries: Sequence[str] = ("hybrid 1", "hybrid 5", "DCGAN 5"),
    beta: float = 0.1,
    plan: Plan | None = None,
    seeds: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the digits that `adversaries` of the spectrum synthesize, and how near they lie to those learnt from.

    Returns:
        The columns of `image_rows`, and seed.
    """
    plan, parts = plan or Plan(), []
    done: set[tuple[int, int]] = set()
    jobs = [(s, name) for s in range(seed, seed + seeds) for name in adversaries]
    for s, name in track(jobs, "generators", progress):
        clients, (kind, count) = population("digits", beta=beta, seed=s), name.split(" ")
        attacker = make_attacker(name, clients, plan, seed=s)
        rows = image_rows(attacker, clients, int(count), GENERATORS[kind], others=(s, int(count)) not in done)
        done.add((s, int(count)))
        parts.append(rows.assign(seed=s))
    return pd.concat(parts, ignore_index=True)


def image_rows(
    attacker: TrainingAttacker,
    clients: Population,
    compromised: int,
    source: str,
    *,
    shown: int = 10,
    others: bool = True,
) -> pd.DataFrame:
    """Return how near the images of an `attacker` that synthesizes lie to those that its generator learnt from.

    Returns:
        One row an image of the generator and, with `others`, one of as many held-out ones and of the first `shown` real
        ones: compromised, real_images (that it learnt from), source (as told, "held out" or "real"), label, distance
        (Euclidean, to the nearest real image; NaN for the real ones), and pixels (bytes in hexadecimal of the first
        `shown` of a source, else empty).
    """
    x, y = (part.cpu() for part in pooled(clients.within_reach[:compromised], clients.side))
    made, labels = (part.cpu() for part in pooled(attacker.shards, clients.side))
    found = {source: (made, labels)}
    if others:
        tests = clients.honest.clients[0]
        held = tests.test_x[: len(made)].reshape(-1, *made.shape[1:])
        spread = torch.linspace(0, len(x) - 1, min(shown, len(x))).long()  # over all clients, which stand in turn
        found |= {"held out": (held, tests.test_y), "real": (x[spread], y[spread])}
    parts = []
    for name, (images, classes) in found.items():
        grey = ((images[:shown] + 1) * 127.5).round().byte().numpy()
        row = {"compromised": compromised, "real_images": len(x), "source": name}
        rows = pd.DataFrame(row | {"label": classes[: len(images)].numpy()})
        pixels = [one.tobytes().hex() for one in grey]
        away = nearest_distances(images, x).numpy() if name != "real" else np.nan
        parts.append(rows.assign(distance=away, pixels=pixels + [""] * (len(images) - len(pixels))))
    return pd.concat(parts, ignore_index=True)


def nearness(table: pd.DataFrame) -> pd.DataFrame:
    """Return the median distance to the nearest real image: one row a compromised, seed and source that has one."""
    rows = table.dropna(subset=["distance"])
    keys = [name for name in ("data", "compromised", "real_images", "seed", "source") if name in rows]
    return rows.groupby(keys, sort=False)["distance"].median().reset_index()


def image_of(pixels: str) -> np.ndarray:
    """Return the grey levels ``(side, side)``, or colours ``(side, side, 3)``, of a column pixels of `image_rows`."""
    flat = np.frombuffer(bytes.fromhex(pixels), dtype=np.uint8)
    channels = 3 if int(np.sqrt(len(flat))) ** 2 != len(flat) else 1
    side = int(np.sqrt(len(flat) // channels))
    planes = flat.reshape(channels, side, side)
    return planes[0] if channels == 1 else planes.transpose(1, 2, 0)
