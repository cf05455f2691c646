"""UCI's Online Shoppers Purchasing Intention: one session a user, totals of its pages, no sequence."""

import hashlib
import io
import logging
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib.data import store
from lib.data.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FILE = "online-shoppers/online_shoppers_intention.csv"
ARCHIVE = "https://archive.ics.uci.edu/static/public/468/online+shoppers+purchasing+intention+dataset.zip"
ROWS = 12_330
COUNTS = ("Administrative", "Informational", "ProductRelated", "OperatingSystems", "Browser", "Region", "TrafficType")
NUMBERS = ("Administrative_Duration", "Informational_Duration", "ProductRelated_Duration", "BounceRates", "ExitRates",
           "PageValues", "SpecialDay")  # fmt: skip
COLUMNS = ("Administrative", "Administrative_Duration", "Informational", "Informational_Duration", "ProductRelated",
           "ProductRelated_Duration", "BounceRates", "ExitRates", "PageValues", "SpecialDay", "Month",
           "OperatingSystems", "Browser", "Region", "TrafficType", "VisitorType", "Weekend", "Revenue")  # fmt: skip
STATIC = ("OperatingSystems", "Browser", "Region")
LEAKING = ("PageValues",)


@dataclass(frozen=True)
class OnlineShoppers:
    """Sessions, one row each.

    Attributes:
        behaviour: what the session did; without ``PageValues``, which the shop computes from what was bought.
        static: operating system, browser and region (numbers without names), what media know.
        outcome: 1 if the session ended in a purchase.
    """

    behaviour: "pd.DataFrame"
    static: "pd.DataFrame"
    outcome: "pd.Series"


def online_shoppers(*, leaking: bool = False) -> OnlineShoppers:
    """Return the sessions; `leaking` keeps ``PageValues``, which gives the outcome away (pitfall 7).

    A page's value is the mean value of the transactions that followed it, so a session that bought shows it.
    """
    table = parse_sessions(store.read("online-shoppers", FILE), rows=ROWS)
    dropped = [*STATIC, "Revenue", *(() if leaking else LEAKING)]
    return OnlineShoppers(table.drop(columns=dropped), table[list(STATIC)], table["Revenue"].astype(int))


def parse_sessions(content: bytes, *, rows: int | None = None) -> "pd.DataFrame":
    """Return the official table; raises DataError for other columns or row numbers, or a value out of its range."""
    import pandas as pd

    try:
        table = pd.read_csv(io.BytesIO(content), keep_default_na=False, dtype=str)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"the file of Online Shoppers is no CSV ({error})") from error
    if tuple(table.columns) != COLUMNS or (rows is not None and len(table) != rows):
        raise DataError(
            f"Online Shoppers: found {len(table):,} rows of {list(table.columns)}, expected "
            f"{'any number' if rows is None else f'{rows:,}'} of {list(COLUMNS)}"
        )
    for name in (*COUNTS, *NUMBERS):
        values = pd.to_numeric(table[name], errors="coerce")
        if not (values >= 0).all() or (name in COUNTS and (values % 1 != 0).any()):
            raise DataError(f"Online Shoppers: {name} holds a value that is no {_kind(name)} of at least 0")
        table[name] = values.astype(int if name in COUNTS else float)
    for name in ("Weekend", "Revenue"):
        if not table[name].isin(["TRUE", "FALSE"]).all():
            raise DataError(f"Online Shoppers: {name} holds a value that is neither TRUE nor FALSE")
        table[name] = table[name] == "TRUE"
    return table


def register() -> int:
    """Check the file in the data folder, record its checksum and return how many sessions bought."""
    content = store.read_user_file(store.data_folder() / FILE)
    table = parse_sessions(content, rows=ROWS)
    store.record_derived(store.data_folder(), FILE, hashlib.sha256(content).hexdigest())
    return int(table["Revenue"].sum())


def download() -> int:
    """Download the official archive unless the file is there, then do what `register` does."""
    import pooch

    target = store.data_folder() / FILE
    if not target.is_file():
        pooch.get_logger().setLevel(logging.WARNING)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # The archive's checksum is not known to us: its content is checked instead.
            archive = pooch.retrieve(ARCHIVE, known_hash=None, fname=".download.zip", path=target.parent)
        except (OSError, ValueError) as error:
            raise DataError(f"{ARCHIVE} could not be fetched ({error}): download it by hand") from error
        install(archive)
    return register()


def install(archive: str) -> None:
    """Put the table of the official archive into the data folder if it is what it should be."""
    target = store.data_folder() / FILE
    try:
        with zipfile.ZipFile(archive) as opened:
            content = opened.read(target.name)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
        raise DataError(f"{archive} is not the expected archive ({error}): nothing was installed") from error
    parse_sessions(content, rows=ROWS)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(content)
    part.replace(target)


def _kind(name: str) -> str:
    return "whole number" if name in COUNTS else "number"
