"""Deep clustering without an outcome: a sequence autoencoder, and embedded clustering on its code.

Sources: DEC (Xie et al., ICML 2016, equations 1-3) and IDEC (Guo et al., IJCAI 2017, equation 3). The decoder predicts
which pages a user saw and how often, from the code of a recurrence over all pages.
"""

import copy
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import kl_div

from lib.segmentation.baselines.clustering import kmeans_labels
from lib.segmentation.discovery import Batches, pick
from lib.segmentation.encoder import FlatRecurrent, Widths
from lib.segmentation.layers import Perceptron
from lib.segmentation.users import Users, page_counts

STEPS_CODE, STEPS_CLUSTER, BATCH, RATE, KEEP = 400, 350, 256, 5e-3, 0.1  # as many steps as ours before and in its loop
CHUNK = 512


@lru_cache(16)
def autoencoder(train: Users, seed: int) -> tuple[FlatRecurrent, Perceptron]:
    """Return encoder and decoder that reconstruct the pages of `train`; all three methods start from the same."""
    widths, generators = Widths(), [torch.Generator().manual_seed(seed)]
    encoder = FlatRecurrent(train.n_pages, widths, generators)
    decoder = Perceptron(encoder.outputs, widths.hidden, train.n_pages, generators)
    pages, target = inputs(train)
    batches = Batches([seed], len(train), BATCH)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=RATE)
    for _ in range(STEPS_CODE):
        rows, _ = batches.next()
        optimizer.zero_grad()
        reconstruction(encoder, decoder, pick(pages, rows), pick(target, rows)).backward()
        optimizer.step()
    return encoder, decoder


def inputs(users: Users) -> tuple[Tensor, Tensor]:
    """Return pages and the log counts that the decoder predicts, each with a leading axis of one."""
    pages, target = (torch.from_numpy(values)[None] for values in (users.pages, np.log1p(page_counts(users))))
    return pages, target.float()


def deep_labels(train: Users, test: Users, segments: int, seed: int, *, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of both groups by "k-means", "DEC" or "IDEC" on the code of one autoencoder."""
    encoder, decoder = copy.deepcopy(autoencoder(train, seed))
    codes = [code(encoder, users) for users in (train, test)]
    labels = kmeans_labels(*codes, segments, seed)
    if method == "k-means":
        return labels
    centres = np.stack([codes[0][labels[0] == k].mean(axis=0) for k in range(segments)])
    centres = torch.nn.Parameter(torch.from_numpy(centres))
    pages, target = inputs(train)
    batches = Batches([seed + 1], len(train), BATCH)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), centres], lr=RATE / 5)
    weight, kept = (KEEP, 1.0) if method == "IDEC" else (1.0, 0.0)
    for number in range(STEPS_CLUSTER):
        if number % 20 == 0:
            goal = sharpened(soft_assignment(torch.from_numpy(code(encoder, train)), centres.detach()))
        rows, _ = batches.next()
        q = soft_assignment(encoder(pick(pages, rows))[0], centres)
        loss = weight * kl_div(q.log(), goal[rows[0]], reduction="batchmean")
        if kept:
            loss = loss + kept * reconstruction(encoder, decoder, pick(pages, rows), pick(target, rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return tuple(
        soft_assignment(torch.from_numpy(code(encoder, users)), centres.detach()).argmax(dim=1).numpy()
        for users in (train, test)
    )


def reconstruction(encoder: FlatRecurrent, decoder: Perceptron, pages: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of the decoded log counts of pages, summed over pages."""
    return ((decoder(encoder(pages)) - target) ** 2).sum(dim=-1).mean()


@torch.no_grad()
def code(encoder: FlatRecurrent, users: Users) -> np.ndarray:
    """Return the code of every user, ``(users, width)``."""
    pages = torch.from_numpy(users.pages)[None]
    return torch.cat([encoder(pages[:, i : i + CHUNK])[0] for i in range(0, len(users), CHUNK)]).numpy()


def soft_assignment(z: Tensor, centres: Tensor) -> Tensor:
    """Return q of DEC's equation 1, Student's t with one degree of freedom, ``(n, segments)``."""
    near = 1 / (1 + torch.cdist(z, centres) ** 2)
    return near / near.sum(dim=1, keepdim=True)


def sharpened(q: Tensor) -> Tensor:
    """Return p of DEC's equation 3: q squared over the segment's size, normalized."""
    share = q**2 / q.sum(dim=0)
    return share / share.sum(dim=1, keepdim=True)
