"""One loader a data set: verified bytes in, plain arrays and tables out."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.data import by_client, loaders_images, loaders_texts, speakers, store
from lib.data.errors import DataError
from lib.data.flickr_aes import flickr_aes
from lib.data.gstore import gstore
from lib.data.online_shoppers import online_shoppers
from lib.data.voc_boxes import CLASSES, parse_boxes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Digits:
    """`features` (1797, 64) grey levels in [0, 1], row-major 8 x 8; `labels` (1797,) digits 0-9."""

    features: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Voc2012:
    """Images of VOC 2012 trainval, sorted by id.

    `ids` (n,) str; `difficulty` (n,) human visual-search difficulty score (unitless, higher is harder); `boxes` (b, 6)
    int: row in `ids`, x1, y1, x2, y2 in pixels, class index; `classes` the 20 names. Objects marked difficult are left
    out, so an image may hold no box.
    """

    ids: np.ndarray
    difficulty: np.ndarray
    boxes: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class MovieLens:
    """`ratings`: user_id, movie_id, rating (0.5-5 stars), timestamp (s); `movies`: movie_id, title, genres."""

    ratings: pd.DataFrame
    movies: pd.DataFrame


@dataclass(frozen=True)
class Sst2:
    """`train` (67,349 rows) and `dev` (872 rows): sentence (str), label (0 negative, 1 positive)."""

    train: pd.DataFrame
    dev: pd.DataFrame


def digits() -> Digits:
    """Return scikit-learn's bundled digits; nothing is read from the data folder."""
    from sklearn.datasets import load_digits

    features, labels = load_digits(return_X_y=True)
    return Digits(features / 16.0, labels.astype(np.int64))


def parse_scores(content: bytes) -> dict[str, float]:
    """Return {image id: score} of a difficulty file: two columns, with or without a header line and ``.jpg`` in ids.

    Raises DataError on a malformed line, a repeated id or a score that is not finite.
    """
    scores: dict[str, float] = {}
    for number, line in enumerate(content.decode("utf-8-sig").splitlines()):
        name, _, value = line.partition(",")
        name = name.strip().strip('"').removesuffix(".jpg")
        try:
            score = float(value)
        except ValueError as error:
            if number == 0:
                continue
            raise DataError(f"difficulty scores, line {number + 1}: expected 'id,score', found {line!r}") from error
        if name in scores or not np.isfinite(score):
            raise DataError(f"difficulty scores, line {number + 1}: repeated id or score not finite: {line!r}")
        scores[name] = score
    if not scores:
        raise DataError("the difficulty file holds no scores: expected lines of the form 'id,score'")
    return scores


def voc2012(*, scores: str | Path | None = None) -> Voc2012:
    """Return boxes and difficulty of VOC 2012 trainval.

    `scores` is the path of a difficulty file that the user supplies, instead of the registered one. Raises DataError
    if its ids do not cover the images.
    """
    ids, boxes = parse_boxes(store.read("voc2012", "voc2012/boxes_trainval.txt").decode("ascii"))
    content = store.read("voc2012", "voc2012/VSD_dataset.csv") if scores is None else store.read_user_file(scores)
    table = parse_scores(content)
    absent = [name for name in ids if name not in table]
    if absent:
        raise DataError(f"{len(absent)} images have no difficulty score, {absent[0]} first: check the score file")
    order = np.argsort(ids)
    place = np.empty_like(order)
    place[order] = np.arange(len(ids))
    boxes = boxes.copy()
    boxes[:, 0] = place[boxes[:, 0]]
    boxes = boxes[np.argsort(boxes[:, 0], kind="stable")]
    names = np.array(ids)[order]
    return Voc2012(names, np.array([table[name] for name in names]), boxes, tuple(CLASSES))


def _table(content: bytes, columns: dict[str, str], *, sep: str, rows: int | None, quoting: int = 0) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_csv(io.BytesIO(content), sep=sep, quoting=quoting, keep_default_na=False)
    if list(table.columns) != list(columns) or (rows is not None and len(table) != rows):
        raise DataError(f"expected columns {list(columns)} and {rows} rows, found {list(table.columns)}, {len(table)}")
    return table.rename(columns=columns)


def movielens_small() -> MovieLens:
    """Return the ratings and movies of MovieLens latest-small."""
    rating_columns = {"userId": "user_id", "movieId": "movie_id", "rating": "rating", "timestamp": "timestamp"}
    movie_columns = {"movieId": "movie_id", "title": "title", "genres": "genres"}
    ratings = store.read("movielens-small", "ml-latest-small/ratings.csv")
    movies = store.read("movielens-small", "ml-latest-small/movies.csv")
    return MovieLens(
        _table(ratings, rating_columns, sep=",", rows=100_836), _table(movies, movie_columns, sep=",", rows=9_742)
    )


def sst2() -> Sst2:
    """Return the training and development sentences of SST-2 (the test file carries no labels and is not used)."""
    columns = {"sentence": "sentence", "label": "label"}
    parts = []
    for part, rows in (("train", 67_349), ("dev", 872)):
        content = store.read("sst2", f"glue_data/SST-2/{part}.tsv")
        # csv.QUOTE_NONE: quotation marks in the sentences are plain text.
        parts.append(_table(content, columns, sep="\t", rows=rows, quoting=3))
    return Sst2(*parts)


def embeddings(path: str | Path, ids: np.ndarray) -> np.ndarray:
    """Return the rows of a user-supplied feature file for `ids`, shape ``(len(ids), d)``, float64.

    The file is an npz with `ids` (n,) str, with or without ``.jpg``, and `features` (n, d); pickled content is refused.
    Raises DataError if ids repeat or do not cover the request, or if a feature is NaN or infinite.
    """
    try:
        with np.load(io.BytesIO(store.read_user_file(path)), allow_pickle=False) as archive:
            names, features = archive["ids"], np.asarray(archive["features"], dtype=np.float64)
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no npz with plain arrays 'ids' and 'features': {error}") from error
    if features.ndim != 2 or names.shape != (len(features),):
        raise DataError(f"{path}: expected ids (n,) and features (n, d), found {names.shape} and {features.shape}")
    rows = {str(name).removesuffix(".jpg"): row for row, name in enumerate(names)}
    absent = [name for name in ids if str(name) not in rows]
    if absent or len(rows) != len(names):
        raise DataError(f"{path}: {len(absent)} ids asked for are absent, {len(names) - len(rows)} repeat")
    chosen = features[[rows[str(name)] for name in ids]]
    if not np.isfinite(chosen).all():
        raise DataError(f"{path}: features hold NaN or infinite values; compute them again")
    return chosen


LOADERS = {
    "digits": digits,
    "voc2012": voc2012,
    "movielens-small": movielens_small,
    "sst2": sst2,
    "ag-news": loaders_texts.ag_news,
    "multirc": loaders_texts.multirc,
    "cifar10": loaders_images.cifar10,
    "cifar100": loaders_images.cifar100,
    "mnist": loaders_images.mnist,
    "femnist-digits": loaders_images.femnist_digits,
    "flickr-aes": flickr_aes,
    "tinyshakespeare": speakers.tiny_shakespeare,
    "emnist": by_client.emnist,
    "stackoverflow": by_client.stack_overflow,
    "shakespeare": by_client.shakespeare,
    "reddit": by_client.reddit,
    "gstore": gstore,
    "online-shoppers": online_shoppers,
}
