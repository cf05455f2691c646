"""Leakage rules: against a plain loop over visits, and by changing what must not matter."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.visit_files import csv_bytes, hit, visit
from lib.data.gstore import gstore
from lib.segmentation.shop_users import DAY, TEST, TRAIN, shop_users, training_rows

START, DAYS = 1_480_000_000, 100
CUT = START + 50 * DAY
PATHS = ("/home", "/bags", "/signin", "/basket", "/cart", "/drinkware")


def read(made):
    return gstore(path=io.BytesIO(csv_bytes(made)))


def made(seed=0, users=60, **changes):
    """Visits of `users`, some of whom buy before or after the cut, and one last visit that closes the horizon."""
    rng, found = np.random.default_rng(seed), []
    for user in range(users):
        for number in range(rng.integers(1, 5)):
            start = int(START + rng.integers(DAYS * DAY))
            pages = [str(rng.choice(PATHS)) for _ in range(rng.integers(1, 5))]
            hits = [hit(page, place + 1) for place, page in enumerate(pages)]
            bought = int(rng.random() < 0.3)
            if bought:
                hits.append(hit("/ordercompleted.html", len(hits) + 1, action="6"))
            where = {"device": str(rng.choice(["desktop", "mobile"])), "system": str(rng.choice(["Windows", "iOS"]))}
            found.append(visit(f"{user + 7:019d}", hits, start=start, number=number + 1, transactions=bought,
                               revenue=bought * 10**6, **where))  # fmt: skip
    found.append(visit("9" * 19, [hit("/home")], start=START + DAYS * DAY))
    found.append(visit("9" * 18, [hit("/home")], start=START - 1))
    return found


def options(**changes):
    return {
        "cut": CUT,
        "horizon_days": 40,
        "min_pages": 2,
        "vocabulary": 4,
        "cells": 3,
        "shares": (0.6, 0.1, 0.3),
    } | changes


def test_the_same_users_as_a_plain_loop():
    rows = made()
    found = shop_users(read(rows), **options(sessions=2, length=3))
    ids = read(rows).visitors
    seen = {}
    for record in sorted(rows, key=lambda one: int(one["visitStartTime"])):
        start, user = int(record["visitStartTime"]), record["fullVisitorId"]
        behaviour, buys = seen.setdefault(user, ([], []))
        pages = [one["page"]["pagePath"] for one in record["hits"] if one["eCommerceAction"]["action_type"] != "6"]
        if start < CUT:
            behaviour.append((pages, record["device"]))
        elif start < CUT + 40 * DAY:
            buys.append(int(record["totals"].get("transactions", 0)))
    expected = {user: value for user, value in seen.items() if sum(len(pages) for pages, _ in value[0]) >= 2}
    assert {ids[one].decode() for one in found.visitor} == set(expected) and len(found.visitor) > 20
    words = ("", *found.vocabulary, "?")
    for place, visitor in enumerate(found.visitor):
        behaviour, buys = expected[ids[visitor].decode()]
        shown = [[words[page] for page in line if page] for line in found.pages[place]]
        wanted = [[page if page in found.vocabulary else "?" for page in pages[-3:]] for pages, _ in behaviour[-2:]]
        assert [line for line in shown if line] == [line for line in wanted if line]
        assert found.outcome[place] == any(buys)
        device = behaviour[-1][1]
        name = f"{device['deviceCategory']} / {device['operatingSystem']} / Europe"
        assert found.cells[found.cell[place]] == (name if name in found.cells else "other")
    assert 0 < found.outcome.mean() < 1 and found.n_pages == 5 and found.n_cells == 3
    known = [expected[ids[visitor].decode()][0] for visitor in found.visitor[found.part == TRAIN]]
    train = [page for behaviour in known for pages, _ in behaviour for page in pages]
    counts = {page: train.count(page) for page in PATHS}
    assert found.vocabulary == tuple(sorted(counts, key=lambda page: (-counts[page], page))[:4])


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_what_happens_after_the_cut_changes_outcomes_only(seed):
    visits = read(made(seed))
    after = visits.start >= CUT
    rng, late = np.random.default_rng(seed), np.repeat(after, np.diff(visits.offset))
    first = shop_users(visits, **options())
    changed = replace(
        visits,
        page=np.where(late, rng.integers(len(visits.pages), size=len(visits.page)), visits.page),
        device=np.where(after, rng.integers(len(visits.devices), size=len(visits)), visits.device),
        transactions=np.where(after, 1 - np.minimum(visits.transactions, 1), visits.transactions),
        revenue=np.where(after, 0, visits.revenue),
    )  # fmt: skip
    second = shop_users(changed, **options())
    for name in ("pages", "cell", "part", "visitor"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert first.vocabulary == second.vocabulary and first.cells == second.cells
    # And what happens before it never changes an outcome.
    quiet = replace(
        visits, transactions=np.where(after, visits.transactions, 0), revenue=np.where(after, visits.revenue, 0)
    )
    assert np.array_equal(shop_users(quiet, **options()).outcome, first.outcome)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_held_out_visitors_teach_nothing(seed):
    visits = read(made(seed))
    first = shop_users(visits, **options())
    held = np.isin(visits.visitor, first.visitor[first.part != TRAIN])
    rng = np.random.default_rng(seed)
    pages = np.where(
        np.repeat(held, np.diff(visits.offset)), rng.integers(len(visits.pages), size=len(visits.page)), visits.page
    )
    changed = replace(visits, page=pages, device=np.where(held, 0, visits.device))
    second = shop_users(changed, **options(min_pages=1))
    again = shop_users(visits, **options(min_pages=1))
    assert second.vocabulary == again.vocabulary and second.cells == again.cells
    train = again.visitor[again.part == TRAIN]
    rows = [np.isin(one.visitor, train) for one in (again, second)]
    assert np.array_equal(again.cell[rows[0]], second.cell[rows[1]])


def test_a_visitor_is_in_one_part_whatever_else_is_in_the_file():
    rows = made(3, users=200)
    first, second = shop_users(read(rows), **options()), shop_users(read(rows[::2] + rows[-2:]), **options())
    ids = [read(rows).visitors[first.visitor], read(rows[::2] + rows[-2:]).visitors[second.visitor]]
    parts = dict(zip(ids[0].tolist(), first.part.tolist(), strict=True))
    assert len(parts) == len(first.part)
    common = [
        (parts[one], part) for one, part in zip(ids[1].tolist(), second.part.tolist(), strict=True) if one in parts
    ]
    assert len(common) > 50 and all(a == b for a, b in common)
    assert np.bincount(first.part, minlength=3) / len(first.part) == pytest.approx([0.6, 0.1, 0.3], abs=0.08)
    assert not np.array_equal(shop_users(read(rows), **options(salt="again")).part, first.part)


def test_purchases_leave_no_page_and_sessions_over_the_cut_no_trace():
    hits = [hit("/home"), hit("/ordercompleted.html", 2), hit("/thanks", 3, action="6"), hit("/bags", 4)]
    late = {"start": CUT + 5, "number": 2}
    rows = [
        visit("1", hits, start=CUT - DAY, transactions=1),
        visit("2", [hit("/home"), hit("/bags", 2)], start=CUT - DAY),
        visit("2", [hit("/cart")], start=CUT - 60),
        visit("2", [hit("/basket")], transactions=1, **late),
        visit("3", [hit("/home"), hit("/home", 2)], start=CUT - 60),
        visit("3", [hit("/home")], **late),
    ]
    for record in (rows[3], rows[5]):  # one session in two rows: the second begins after the cut
        record["visitId"] = str(CUT - 60)
    rows += [
        visit("4", [hit("/home")], start=CUT + 41 * DAY),
        visit("5", [hit("/bags"), hit("/home", 2)], start=CUT - DAY),
        visit("5", [hit("/cart")], start=CUT - DAY + 900),
    ]
    rows[-1]["visitId"] = rows[-2]["visitId"]
    found = shop_users(read(rows), **options(vocabulary=9, shares=(1.0, 0.0, 0.0)))
    assert set(found.vocabulary) == {"/home", "/bags", "/cart"}
    shown = [
        [[("", *found.vocabulary)[page] for page in line if page] for line in user if line.any()]
        for user in found.pages
    ]
    assert shown == [[["/home", "/bags"]], [["/home", "/bags"]], [["/bags", "/home", "/cart"]]]  # visitors 1, 2 and 5
    assert found.outcome.tolist() == [0, 1, 0]


def test_thinning_keeps_buyers_weights_and_the_test_users():
    users = shop_users(read(made(4, users=300)), **options())
    rows, weight = training_rows(users, negatives=1.0, rng=np.random.default_rng(0))
    train = users.part == TRAIN
    assert (
        train[rows].all()
        and users.outcome[rows].sum() == users.outcome[train].sum() == (users.outcome[rows] == 0).sum()
    )
    assert weight.sum() == pytest.approx(train.sum()) and (weight[users.outcome[rows] == 1] == 1).all()
    rows, weight = training_rows(users, negatives=1e6, rng=np.random.default_rng(0))
    assert np.array_equal(rows, np.flatnonzero(train)) and (weight == 1).all() and (users.part == TEST).any()
    drawn = [training_rows(users, negatives=1.0, rng=np.random.default_rng(seed))[0] for seed in range(200)]
    often = np.bincount(np.concatenate(drawn), minlength=len(train))[train & (users.outcome == 0)] / 200
    assert often.min() > 0.4 * often.mean() and often.max() < 1.6 * often.mean()  # everybody as likely as another
    with pytest.raises(ValueError, match="more than 0"):
        training_rows(users, negatives=0, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cut": START - DAY}, "outside the visits"),
        ({"horizon_days": 60}, r"50\.0 days after the cut"),
        ({"sessions": 0}, "at least 1"),
        ({"vocabulary": 40_000}, "at most"),
        ({"shares": (0.5, 0.1, 0.1)}, "sum to 1"),
        ({"shares": (0.0, 0.5, 0.5)}, "no user is left for training"),
        ({"min_pages": 500}, "no user is left for training"),
    ],
)
def test_wishes_that_would_leak_or_leave_nothing_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        shop_users(read(made()), **options(**changes))
