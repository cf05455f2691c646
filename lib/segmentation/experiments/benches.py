"""Seeds of the generator with their media, and the segments that each method finds for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.segmentation.generator import generate
from lib.segmentation.joint import Fitted
from lib.segmentation.media import Media, draw_media
from lib.segmentation.networks import represent, stacked
from lib.segmentation.outcomes import Segments
from lib.segmentation.users import Users, split

Progress = Callable[[Iterable, str], Iterable]
DISCOVERY = "discovery only"  # our networks without the delivery term, then one allocation (two-stage)


@dataclass(frozen=True, eq=False)
class Bench:
    """One draw of users and media, with the seed of both; the delivery weight is chosen on the validation users."""

    seed: int
    train: Users
    validation: Users
    test: Users
    media: Media


def benches(
    seeds: Sequence[int],
    *,
    train: int = 2000,
    validation: int = 1000,
    test: int = 2000,
    n_media: int = 3,
    rates: Mapping[str, object] | None = None,
    **options: object,
) -> list[Bench]:
    """Return a bench a seed; `rates` go to `lib.segmentation.media.draw_media`, `options` to `generator.generate`."""
    made = []
    for seed in seeds:
        users = generate(n=train + test, seed=seed, **options)
        ours, theirs = split(users, test_fraction=test / (train + test), seed=seed)
        side = np.arange(users.n_cells) // (users.n_cells // 2)
        media = draw_media(np.random.default_rng([seed, 1]), side, media=n_media, **(rates or {}))
        further = generate(n=validation, seed=[seed, 2], **options)
        made.append(Bench(seed, train=ours, validation=further, test=theirs, media=media))
    return made


def name_of(lam: float) -> str:
    """Return the name of our method with delivery weight `lam`."""
    return DISCOVERY if lam == 0 else f"delivery-aware, {lam:g}"


def segments_of(fitted: Fitted, users: Sequence[Users]) -> dict[tuple[int, float], Segments]:
    """Return the segments of `users`, one group a seed, by position of the seed and weight.

    A user's segment is its likeliest.
    """
    pages, _, _ = stacked(users)
    pages = pages.repeat_interleave(len(fitted.lams), dim=0)
    with torch.no_grad():
        labels = fitted.networks.log_assignment(represent(fitted.networks, pages)).argmax(dim=-1).numpy()
        rates = torch.sigmoid(fitted.networks.segment_logits()).numpy()
    return {(s, lam): Segments(labels[m], rates[m].astype(float)) for m, s, lam in fitted.models()}
