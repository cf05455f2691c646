"""Loaders of text data sets beyond SST-2."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lib.data import store
from lib.data.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AgNews:
    """`train` and `test` (7,600 rows): text (title, then description), label (0-3, place in `classes`)."""

    train: pd.DataFrame
    test: pd.DataFrame
    classes: tuple[str, ...] = ("World", "Sports", "Business", "Sci/Tech")


@dataclass(frozen=True)
class MultiRc:
    """`train` (27,243 rows) and `dev` (4,848 rows): passage, question, answer (str), label (1 the answer is right)."""

    train: pd.DataFrame
    dev: pd.DataFrame


def ag_news(*, train: str | Path | None = None, test: str | Path | None = None) -> AgNews:
    """Return AG News; the registered training file holds 5,000 of the official one's 120,000 rows.

    `train` and `test` are paths of the official files, which the user supplies, instead of the registered ones.
    """
    paths = {"train": train, "test": test}
    contents = {
        part: store.read("ag-news", f"ag_news_csv/{part}.csv") if path is None else store.read_user_file(path)
        for part, path in paths.items()
    }
    return AgNews(**{part: parse_ag_news(content, f"{part}.csv") for part, content in contents.items()})


def parse_ag_news(content: bytes, name: str = "AG News") -> pd.DataFrame:
    """Return text and label of rows ``"class 1-4","title","description"``; raises DataError on any other row.

    A backslash stands for a line break of the source and becomes a space.
    """
    import pandas as pd

    rows = []
    for number, row in enumerate(csv.reader(io.StringIO(content.decode("utf-8"), newline="")), start=1):
        if len(row) != 3 or row[0] not in ("1", "2", "3", "4"):
            raise DataError(f"{name}, row {number}: expected class 1-4, title and description, found {row!r:.80}")
        rows.append((" ".join(f"{row[1]} {row[2]}".replace("\\", " ").split()), int(row[0]) - 1))
    return pd.DataFrame(rows, columns=["text", "label"])


def multirc() -> MultiRc:
    """Return MultiRC, one row an answer (the test file carries no labels and is not used)."""
    counts = {"train": 27_243, "val": 4_848}
    tables = []
    for part, rows in counts.items():
        table = parse_multirc(store.read("multirc", f"superglue/MultiRC/{part}.jsonl"))
        if len(table) != rows:
            raise DataError(f"MultiRC {part}: expected {rows} answers, found {len(table)}")
        tables.append(table)
    return MultiRc(*tables)


def parse_multirc(content: bytes) -> pd.DataFrame:
    """Return passage, question, answer and label of SuperGLUE's MultiRC lines; raises DataError on a malformed one."""
    import pandas as pd

    rows = []
    for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
        try:
            passage = json.loads(line)["passage"]
            rows += [
                (passage["text"], question["question"], answer["text"], int(answer["label"]))
                for question in passage["questions"]
                for answer in question["answers"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"MultiRC, line {number}: no passage with questions and labelled answers") from error
    return pd.DataFrame(rows, columns=["passage", "question", "answer", "label"])
