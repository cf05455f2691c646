"""Users, their split, and the generator: what it promises of its hidden variables, pages and cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.segmentation.generator import CONTINUE, CONVERSION, FUNNEL, LENGTH, SESSIONS, SIDES, TOPIC_PAGES, generate
from lib.segmentation.users import Users, page_counts, split


@pytest.fixture(scope="module")
def many():
    return generate(n=40_000, seed=3)


def test_outcomes_follow_their_level_and_nothing_else(many):
    for level, rate in enumerate(CONVERSION):
        rows = many.truth["level"] == level
        error = 4 * np.sqrt(rate * (1 - rate) / rows.sum())
        assert abs(many.outcome[rows].mean() - rate) < error
        for side in (0, 1):
            assert abs(many.outcome[rows & (many.truth["side"] == side)].mean() - rate) < 1.5 * error
    for name, high in (("level", 4), ("side", 2), ("topic", 6)):
        assert np.abs(np.bincount(many.truth[name]) / len(many) - 1 / high).max() < 0.01


def test_cells_follow_the_side(many):
    own = many.cell // 4 == many.truth["side"]
    assert abs(own.mean() - (0.9 + 0.1 / 2)) < 0.005
    free = generate(n=40_000, rho=0.0, seed=3)
    assert abs((free.cell // 4 == free.truth["side"]).mean() - 0.5) < 0.01
    bound = generate(n=1000, rho=1.0, seed=3)
    assert (bound.cell // 4 == bound.truth["side"]).all()


def test_pages_tell_side_topic_and_level_in_their_places(many):
    seen = many.pages > 0
    assert (np.diff(seen.astype(int), axis=2) <= 0).all()  # padding at the end of a session
    assert (np.diff(seen[:, :, 0].astype(int), axis=1) <= 0).all()  # sessions first
    landing = many.pages[:, :, 0][seen[:, :, 0]]
    assert set(np.unique(landing)) == {1, 2}
    sides = np.broadcast_to(many.truth["side"][:, None], (len(many), SESSIONS))[seen[:, :, 0]]
    assert abs((landing - 1 == sides).mean() - 0.85) < 0.005
    first = many.pages[:, :, 1][seen[:, :, 1]]
    topics = np.broadcast_to(many.truth["topic"][:, None], (len(many), SESSIONS))[seen[:, :, 1]]
    assert abs(((first - 1 - SIDES) // TOPIC_PAGES == topics).mean() - (0.9 + 0.1 / 6)) < 0.005
    counts = page_counts(many)[:, -FUNNEL:]
    # A session's first funnel page is cut off only if the other pages fill it: landing and 1 + Poisson(1) >= 5 more.
    fits = np.exp(-1) * sum(1 / f for f in (1, 1, 2, 6))
    for level, go_on in enumerate(CONTINUE):
        rows = many.truth["level"] == level
        a_session = counts[rows, 0].sum() / seen[rows, :, 0].sum()
        assert abs(a_session - go_on * fits) < 0.012
    assert many.pages.shape == (40_000, SESSIONS, LENGTH) and many.pages.max() <= many.n_pages == 24


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.floats(0.05, 0.95), st.integers(0, 5))
def test_a_split_is_a_partition(n, fraction, seed):
    users = generate(n=n, seed=1)
    users = Users(users.pages, np.arange(n), users.outcome, users.n_pages, n)
    if not 0 < round(fraction * n) < n:
        with pytest.raises(ValueError, match="both parts"):
            split(users, test_fraction=fraction, seed=seed)
        return
    train, test = split(users, test_fraction=fraction, seed=seed)
    assert sorted([*train.cell, *test.cell]) == list(range(n))
    assert (train.pages == users.pages[train.cell]).all()


def test_page_counts_by_hand():
    users = Users(np.array([[[1, 2, 2], [3, 0, 0]], [[0, 0, 0], [0, 0, 0]]]), np.zeros(2, int), np.zeros(2, int), 3, 1)
    assert page_counts(users).tolist() == [[1, 2, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"rho": 1.5}, "shares"), ({"n_cells": 7}, "pairs"), ({"n": 0}, "users"), ({"reveal": -0.1}, "shares")],
)
def test_the_generator_refuses(options, words):
    with pytest.raises(ValueError, match=words):
        generate(**({"n": 10} | options))


def test_users_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="one row"):
        Users(np.zeros((2, 1, 1), int), np.zeros(3, int), np.zeros(2, int), 1, 1)
    with pytest.raises(ValueError, match="page numbers"):
        Users(np.full((1, 1, 1), 5), np.zeros(1, int), np.zeros(1, int), 4, 1)


def test_a_seed_gives_one_set_of_users():
    a, b, c = generate(n=50, seed=7), generate(n=50, seed=7), generate(n=50, seed=8)
    assert (a.pages == b.pages).all() and (a.cell == b.cell).all() and not (a.pages == c.pages).all()
