"""A claim of a paper, the rule that judges it, and the verdict computed from the tables of a run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

REPRODUCED, CLOSE, NOT_REPRODUCED = "reproduced", "close", "not reproduced"
NOT_JUDGED = "not judged"  # it ran, but what a comparison rests on was not met: nothing follows
NOT_RUN = "not run here"
COMPANION = "companion"  # source of what the paper does not say
STATUSES = (REPRODUCED, CLOSE, NOT_REPRODUCED, NOT_JUDGED, NOT_RUN)


class Missing(LookupError):
    """A table lacks a method or setting that a rule asks for; `judge` then says "not run here"."""


@dataclass(frozen=True)
class Verdict:
    """What was measured for a claim and what follows: `status` is one of `STATUSES`."""

    status: str
    measured: str
    detail: str = ""

    def __post_init__(self):
        if self.status not in STATUSES:
            raise ValueError(f"unknown verdict {self.status!r}: use one of {', '.join(STATUSES)}")


@dataclass(frozen=True)
class Claim:
    """One statement of a paper (or a companion proposition) with the rule that judges it.

    `source` says where the statement stands (abstract, section, "companion"), `published` the published figure as
    text ("direction only" where there is none), `needs` the names of the tables that `holds` reads, `uses` those that
    it reads where they are at hand, and `rule` the tolerance in words. A rule is written before its result is seen;
    `changed` says what was changed after, and why. `timed` marks a verdict that rests on times measured in the run
    itself: another machine may find another.
    """

    id: str
    statement: str
    source: str
    published: str
    rule: str
    needs: tuple[str, ...]
    holds: Callable[[Mapping[str, pd.DataFrame]], Verdict]
    changed: str = ""
    timed: bool = False
    uses: tuple[str, ...] = ()


def grade(value: float, *, reproduced: bool, close: bool, measured: str, detail: str = "") -> Verdict:
    """Return the verdict of a measured `value`: NaN counts as not reproduced, whatever the two conditions say."""
    if value != value:
        return Verdict(NOT_REPRODUCED, measured, "the measurement is not a number")
    return Verdict(REPRODUCED if reproduced else CLOSE if close else NOT_REPRODUCED, measured, detail)


def need(table: pd.DataFrame, **wanted: object) -> None:
    """Raise `Missing` unless every value wanted of a column, one or a tuple of them, occurs in `table`."""
    for column, values in wanted.items():
        for value in values if isinstance(values, tuple) else (values,):
            if not (table[column] == value).any():
                raise Missing(f"{column} = {value}")


def at(values: pd.Series | pd.DataFrame, key: object, what: str = "") -> Any:
    """Return the row of `values` at `key`; raises `Missing`, naming `what`, if there is none."""
    if key not in values.index:
        raise Missing(f"{what or values.index.name or 'setting'} {key}")
    return values.loc[key]


def judge(claims: Iterable[Claim], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Judge every claim on the tables at hand.

    Returns one row a claim with columns id, statement, source, published, rule, status, measured, detail, changed,
    timed and scale. A claim whose tables are absent or empty, or whose rule raises `Missing`, is "not run here".
    `scale` names the recorded run that the tables come from (`DataFrame.attrs["recorded"]`), and is empty where they
    were computed in this run.
    """
    rows = []
    for claim in claims:
        used = {name: tables[name] for name in (*claim.needs, *claim.uses) if len(tables.get(name, ()))}
        missing = [name for name in claim.needs if name not in used]
        verdict = (
            _verdict(claim, used) if not missing else Verdict(NOT_RUN, "", f"needs the table {', '.join(missing)}")
        )
        recorded = sorted({table.attrs["recorded"] for table in used.values() if "recorded" in table.attrs})
        rows.append(
            {
                "id": claim.id,
                "statement": claim.statement,
                "source": claim.source,
                "published": claim.published,
                "rule": claim.rule,
                "status": verdict.status,
                "measured": verdict.measured,
                "detail": verdict.detail,
                "changed": claim.changed,
                "timed": claim.timed,
                "scale": "; ".join(recorded),
            }
        )
    table = pd.DataFrame(rows)
    if table["id"].duplicated().any():
        raise ValueError(f"two claims share an id: {table.loc[table['id'].duplicated(), 'id'].tolist()}")
    return table


def _verdict(claim: Claim, tables: Mapping[str, pd.DataFrame]) -> Verdict:
    """Return the verdict, "not run here" where a table lacks the rows (a method, a setting) that the rule asks for."""
    try:
        return claim.holds(tables)
    except Missing as lacking:
        return Verdict(NOT_RUN, "", f"this run lacks the setting {lacking} that the rule asks for")


def claims_text(judged: pd.DataFrame) -> str:
    """Return identifier and verdict of each claim as fixed-width text.

    Measured values are left out: their last digits differ between processors, the verdicts do not, but for those that
    rest on measured times.
    """
    shown = judged["status"].where(~judged["timed"], "see the table: rests on times")
    return "\n".join(f"{name:<28} {status}" for name, status in zip(judged["id"], shown, strict=True))
