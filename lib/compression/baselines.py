"""Baselines without a policy: greedy and one-shot removal, all students of a small teacher, a fixed student."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.compression import layers, networks
from lib.compression.data import Images
from lib.compression.networks import Network, build
from lib.compression.reward import ddc
from lib.compression.search import Evaluate, Evaluator, Found, Reward, rewards_of
from lib.compression.training import Recipe, fit

# Convolution widths of the fixed students, "M" for max-pooling: the paper's, and its miniature for digits.
FIXED = (64, "M", 128, "M", 256, 256, "M", 512, "M", 512, "M")
FIXED_DIGITS = (4, "M", 8, 8, "M", 16, 16)


def greedy_removal(
    teacher: layers.Architecture,
    evaluate: Evaluate,
    *,
    reward: Reward = ddc,
    steps: int | None = None,
    seed: int = 0,
) -> Found:
    """Remove one leaf at a time, each time the one without which the reward is highest; all removals are trained.

    Starts from the teacher, goes on for `steps` removals (all free leaves if None), also where the reward falls, and
    returns the best student on the way. `seed` breaks ties.
    """
    rng, free, keep = np.random.default_rng(seed), layers.free(teacher), np.ones(len(layers.free(teacher)), bool)
    ask, rows, drawn = Evaluator(teacher, evaluate, smaller=False), [], []
    for step in range(int(free.sum()) if steps is None else steps):
        candidates = np.flatnonzero(free & keep)
        actions = np.tile(keep, (len(candidates), 1))
        actions[np.arange(len(candidates)), candidates] = False
        values = _record(ask, actions, reward, step, rows, drawn)
        keep = actions[rng.choice(np.flatnonzero(values == values.max()))]
    return _best(rows, drawn)


def one_shot_removal(teacher: layers.Architecture, evaluate: Evaluate, *, reward: Reward = ddc) -> Found:
    """Train the students that lack one leaf each, rank leaves by their rewards, and remove them in that order.

    Twice as many trainings as there are free leaves; every student on the way is trained, the best returned.
    """
    free = np.flatnonzero(layers.free(teacher))
    ask, rows, drawn = Evaluator(teacher, evaluate, smaller=False), [], []
    single = np.ones((len(free), len(layers.free(teacher))), bool)
    single[np.arange(len(free)), free] = False
    values = _record(ask, single, reward, 0, rows, drawn)
    order = free[np.argsort(-values, kind="stable")]
    removed = np.ones_like(single)
    for place in range(len(order)):
        removed[place, order[: place + 1]] = False
    _record(ask, removed, reward, 1, rows, drawn)
    return _best(rows, drawn)


def all_students(teacher: layers.Architecture, *, most: int = 4096) -> np.ndarray:
    """Return the decisions of every student ``(2^free, places)``; refuses more than `most`."""
    free = layers.free(teacher)
    if 2 ** int(free.sum()) > most:
        raise ValueError(f"{2 ** int(free.sum()):,} students: take a teacher with fewer free leaves, or raise most=")
    rows = np.ones((2 ** int(free.sum()), len(free)), dtype=bool)
    rows[:, free] = list(itertools.product([False, True], repeat=int(free.sum())))
    return rows


def fixed_students(
    layout: tuple[int | str, ...],
    images: Images,
    recipe: Recipe,
    *,
    seeds: list[int],
    make: Callable[..., layers.Architecture] = networks.mini_vgg,
) -> list[Network]:
    """Return students of a fixed architecture (the paper's KD baseline), trained by `recipe`, one for each seed."""
    nets = [build(make(layout, classes=images.classes), seed=seed).to(images.train_y.device) for seed in seeds]
    for net, seed in zip(nets, seeds, strict=True):
        fit(net, images, recipe, seed=seed)
    return nets


def _record(
    ask: Evaluator, actions: np.ndarray, reward: Reward, step: int, rows: list[dict], drawn: list[np.ndarray]
) -> np.ndarray:
    answers = ask(actions)
    values = rewards_of(answers, reward)
    rows += [
        {"iteration": step, "sample": i, "reward": v} | a for i, (a, v) in enumerate(zip(answers, values, strict=True))
    ]
    drawn.append(actions)
    return values


def _best(rows: list[dict], drawn: list[np.ndarray]) -> Found:
    history = pd.DataFrame(rows)
    return Found(history, np.concatenate(drawn)[int(history["reward"].to_numpy().argmax())], None)
