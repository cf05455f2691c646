"""The comparison on real visits. Media remain simulated: no public data set tells who is matched or sees a message."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lib import data
from lib.data.online_shoppers import OnlineShoppers
from lib.report.tasks import Task, run_tasks
from lib.segmentation.baselines import baseline
from lib.segmentation.experiments.benches import DISCOVERY, Bench, Progress, name_of
from lib.segmentation.experiments.comparison import learned, split_afterwards, tables
from lib.segmentation.experiments.longer import longer_tasks
from lib.segmentation.media import draw_media
from lib.segmentation.outcomes import TERMS, Segments, Terms
from lib.segmentation.settings import DEFAULT, Settings
from lib.segmentation.shop_users import DAY, TEST, VALIDATION, ShopUsers, shop_users, training_rows
from lib.segmentation.users import Users, split

HANDHELD = ("mobile", "tablet")


def gstore(
    path: str,
    *,
    seeds: int = 5,
    seed: int = 0,
    lams: Sequence[float] = (0.0, 0.3, 1.0, 3.0),
    negatives: float = 10.0,
    horizon_days: int = 90,
    terms: Terms = TERMS,
    settings: Settings = DEFAULT,
    options: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the "methods" table of `comparison` on the visits of the Google Merchandise Store in the file at `path`.

    The cut lies `horizon_days` before the last visit. Seeds draw the media, the buyers' counterparts in training, and
    the weights; users and split are the same. The first medium favours desktops, the second one handhelds.

    Args:
        path: file in one of the two published forms, which you supply.
        seeds: number of draws.
        seed: the first of them.
        lams: weights of delivery, 0 among them.
        negatives: training users that do not buy, for each that does; predicted rates are set back by their weight.
        horizon_days: days after the cut in which a purchase counts.
        terms: budget and charging basis.
        settings: choices of our method.
        options: further options of `shop_users`.
        progress: wraps the steps of the loop.
    """
    visits = data.load("gstore", path=path)
    cut = int(visits.start.max()) // DAY * DAY - (horizon_days - 1) * DAY
    shop = shop_users(visits, cut=cut, horizon_days=horizon_days, **(options or {}))
    side = np.array([int(name.split(" / ")[0] in HANDHELD) for name in shop.cells])
    made, weight = [], 1.0
    for one in range(seed, seed + seeds):
        rows, weights = training_rows(shop, negatives=negatives, rng=np.random.default_rng([one, 2]))
        media, weight = draw_media(np.random.default_rng([one, 1]), side), float(weights.max())
        parts = [chosen(shop, part) for part in (rows, *(np.flatnonzero(shop.part == p) for p in (VALIDATION, TEST)))]
        made.append(Bench(one, *parts, media))
    return compared(made, lams=lams, terms=terms, settings=settings, weight=weight, progress=progress)


def chosen(shop: ShopUsers, rows: np.ndarray) -> Users:
    """Return the users of a shop at `rows`."""
    return Users(shop.pages[rows].astype(np.int64), shop.cell[rows], shop.outcome[rows], shop.n_pages, shop.n_cells)


def set_back(found: Segments, weight: float) -> Segments:
    """Return segments whose predicted odds are divided by the weight of a training user that does not convert."""
    odds = found.rates / np.maximum(1 - found.rates, 1e-12) / weight
    return replace(found, rates=odds / (1 + odds))


def compared(
    made: Sequence[Bench],
    *,
    lams: Sequence[float],
    terms: Terms,
    settings: Settings,
    weight: float = 1.0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the "methods" table of all methods that need no hidden variables."""
    found = {}
    for name in ("random", "static cells", "k-means on pages", "RFM"):
        for s, bench in enumerate(made):
            one = baseline(name, bench.train, bench.test, segments=settings.segments, seed=bench.seed)
            found[name, s] = set_back(one, weight)
    for (s, lam), one in learned(made, lams, terms, settings, progress).items():
        found[name_of(lam), s] = set_back(one, weight)
    for s, bench in enumerate(made):
        found["post-hoc split", s] = split_afterwards(bench, found[DISCOVERY, s], terms)
    return tables(made, found, terms)["methods"]


CAPS = {"Administrative": 4, "Informational": 3, "ProductRelated": 12}  # page tokens a session, at most
PRODUCTS_A_TOKEN = 5


def shopper_users(table: OnlineShoppers) -> Users:
    """Return the sessions of Online Shoppers as users with one session each.

    The table has counts of pages and no sequence: a session becomes a token a page of each kind (one for five product
    pages), capped, then tokens for the exit rate's quintile, the kind of visitor and the weekend. Static cells are
    operating system (the three most frequent, others) by region (the three most frequent, others). The outcome is that
    of the same session, so this is no forecast.
    """
    behaviour, static = table.behaviour, table.static
    columns, first = [], 1
    for name, cap in CAPS.items():
        count = behaviour[name].to_numpy()
        count = np.minimum(-(-count // PRODUCTS_A_TOKEN) if name == "ProductRelated" else count, cap)
        columns.append(np.where(np.arange(cap) < count[:, None], first, 0))
        first += 1
    facts = (
        pd.qcut(behaviour["ExitRates"].rank(method="first"), 5, labels=False),
        pd.factorize(behaviour["VisitorType"], sort=True)[0],
        behaviour["Weekend"].astype(int),
    )
    for fact in facts:
        code = np.asarray(fact, dtype=np.int64)
        columns.append(first + code[:, None])
        first += int(code.max()) + 1
    pages = np.concatenate(columns, axis=1)
    order = np.argsort(pages == 0, axis=1, kind="stable")  # padding to the end
    pages = np.take_along_axis(pages, order, axis=1)[:, None, :]
    cell = _most_frequent(static["OperatingSystems"]) * 4 + _most_frequent(static["Region"])
    return Users(pages, cell, table.outcome.to_numpy(), first - 1, 16)


def online_shoppers(
    *,
    seeds: int = 5,
    seed: int = 0,
    lams: Sequence[float] = (0.0, 0.3, 1.0, 3.0),
    terms: Terms = TERMS,
    settings: Settings = DEFAULT,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the "methods" table on the sessions of Online Shoppers; seeds draw split, media and weights.

    Media favour operating systems: the first one the most frequent two, the second one the others.
    """
    users, made = shopper_users(data.load("online-shoppers")), []
    side = np.arange(16) // 8
    for one in range(seed, seed + seeds):
        train, others = split(users, test_fraction=0.5, seed=one)
        validation, test = split(others, test_fraction=0.7, seed=one)
        made.append(Bench(one, train, validation, test, draw_media(np.random.default_rng([one, 1]), side)))
    return compared(made, lams=lams, terms=terms, settings=settings, progress=progress)


def real_tasks(names: Sequence[str], path: str, **options: object) -> list[Task]:
    """Return the table of each data set in `names` ("online-shoppers"), and of the store's visits if there is a `path`.

    Raises ValueError for an unknown name.
    """
    unknown = set(names) - {"online-shoppers"}
    if unknown:
        raise ValueError(f"unknown data set {min(unknown)!r}: choose online-shoppers, or pass the path of gstore")
    tasks = [Task("shoppers", online_shoppers, options)] if names else []
    return tasks + ([Task("gstore", gstore, {"path": path} | options)] if path else [])


def real_tables(
    names: Sequence[str], path: str, *, progress: Progress | None = None, **options: object
) -> dict[str, pd.DataFrame]:
    """Return the tables of `real_tasks`, which takes the `options`."""
    return run_tasks(real_tasks(names, path, **options), progress=progress)


def tasks_of(parameters: Mapping[str, Any]) -> list[Task]:
    """Return the pieces of the longer tables and of real data that the notebook's parameters ask for."""
    longer = longer_tasks(parameters["longer"], seeds=parameters["seeds"], seed=parameters["first_seed"])
    options = {"seeds": parameters["seeds"], "lams": parameters["lams"]}
    return longer + real_tasks(parameters["data_sets"], parameters["gstore"], **options)


def _most_frequent(values: pd.Series, count: int = 3) -> np.ndarray:
    """Return 0 to `count` - 1 for the most frequent values, `count` for all others."""
    names = values.value_counts().index[:count]
    return np.select([values == name for name in names], range(len(names)), default=count)
