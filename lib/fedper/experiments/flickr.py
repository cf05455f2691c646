"""The paper's second task on the real data: the scores that raters of FLICKR-AES give to photos.

The photos cannot be downloaded by a script (`lib.data.flickr_aes`), so the pages show the surrogate of
`lib.fedper.aesthetics`; whoever has the files runs this.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from lib import data
from lib.data.flickr_aes import FlickrAes
from lib.federated.types import ClientData, Federation
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import Plan, Progress, arm, often, track
from lib.nets import small_cnn

SCORES = 5


def raters_federation(
    found: FlickrAes, *, raters: int = 30, photos: tuple[int, int] = (61, 289), size: int = 32, seed: int = 0
) -> Federation:
    """Return one client a rater, drawn from those who rated between `photos` photos; four fifths are for training.

    60 to 290 photos and 30 raters are the secondary description of the paper's choice. Photos are cut square, scaled to
    `size` pixels and to [-1, 1]. Raises ValueError where too few raters qualify.
    """
    counts = found.ratings["worker"].value_counts()
    names = sorted(counts.index[counts.between(*photos)])
    if len(names) < raters:
        raise ValueError(f"{len(names)} raters with {photos[0]} to {photos[1]} photos: ask for at most that many")
    rng = np.random.default_rng([seed, 4])
    clients = []
    for name in rng.choice(names, size=raters, replace=False):
        rows = found.ratings[found.ratings["worker"] == name]
        rows = rows.iloc[rng.permutation(len(rows))]
        x = torch.from_numpy(found.photos(rows["image"], size=size).astype(np.float32) / 127.5 - 1)
        y = torch.from_numpy(rows["score"].to_numpy() - 1)
        cut = round(0.8 * len(rows))
        clients.append(ClientData(x[:cut], y[:cut], x[cut:], y[cut:]))
    return Federation("FLICKR-AES", tuple(clients), SCORES)


def accuracy_on_flickr(
    *,
    plan: Plan,
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "local only"),
    raters: int = 30,
    photos: tuple[int, int] = (61, 289),
    size: int = 32,
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return accuracy over rounds on five-level scores, one client a rater.

    The batches hold four photos and the learning rate is 0.01, as in the replication; the rest is as in `plan`.

    Returns:
        One row an evaluated round: method, seed, and the columns of `arms.by_round`. Chance is one in five.
    """
    found = data.load("flickr-aes")
    plan = replace(plan, batch_size=4, lr=0.01)
    build = functools.partial(small_cnn, (16, 32, 64), classes=SCORES, pixels=size)
    parts = []
    for s in track(range(seed, seed + seeds), "FLICKR-AES", progress):
        clients = raters_federation(found, raters=raters, photos=photos, size=size, seed=s)
        for name in methods:
            algorithm = method(name, build, plan.local, seed=s)
            parts.append(arm(name, algorithm, clients, plan, seed=s, evaluate_every=often(plan.rounds))[0])
    return pd.concat(parts, ignore_index=True)
