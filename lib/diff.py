"""What differs between two runs of a paper: parameters, verdicts, tables."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.jobs import read_result
from lib.report.paths import RESULTS, runs_dir

SAME = 1e-9  # relative difference below which two numbers are the same


@dataclass(frozen=True)
class Difference:
    """What differs between runs A and B, each a table; an empty one means that nothing does."""

    a: Path
    b: Path
    facts: pd.DataFrame  # name, A, B: parameters, versions, machine, commit
    claims: pd.DataFrame  # id, A, B, measured A, measured B: all claims
    tables: pd.DataFrame  # one row a table and column that differs

    @property
    def identical(self) -> bool:
        """Whether parameters, verdicts and tables are the same (versions and machine may differ)."""
        own = self.facts["name"].str.startswith("parameter ")
        return not own.any() and self.tables.empty and bool((self.claims["A"] == self.claims["B"]).all())


def find_run(name: str) -> Path:
    """Return the folder of a run named by a path, by ``paper/preset`` (the newest) or ``paper/preset/hash``.

    A hash may be shortened; ``results/...`` finds a recorded run. Raises ValueError with the way out.
    """
    given = Path(name)
    if read_result(given):
        return given
    parts = given.parts
    if parts[:1] == ("results",) and read_result(RESULTS.joinpath(*parts[1:])):
        return RESULTS.joinpath(*parts[1:])
    if len(parts) in (2, 3):
        pattern = f"{parts[0]}/{parts[1]}/{parts[2] if len(parts) == 3 else ''}[!.]*/result.json"
        found = [path.parent for path in runs_dir().glob(pattern) if path.parent.suffix != ".failed"]
        if len(found) > 1 and len(parts) == 3:
            raise ValueError(f"{name!r} fits {len(found)} runs: give more of the hash")
        if found:
            return max(found, key=lambda folder: read_result(folder).get("started", ""))
    raise ValueError(f"no finished run {name!r}: give a folder, PAPER/PRESET, PAPER/PRESET/HASH or results/PAPER/NAME")


def compare(a: Path, b: Path) -> Difference:
    """Return what differs between the runs in folders `a` and `b`.

    Raises ValueError for runs of two papers.
    """
    first, second = read_result(a), read_result(b)
    if first["paper"] != second["paper"]:
        raise ValueError(f"these are runs of {first['paper']} and of {second['paper']}: compare runs of one paper")
    return Difference(a, b, facts(first, second), claims(a, b), tables(a, b))


def facts(first: dict[str, Any], second: dict[str, Any]) -> pd.DataFrame:
    """Return what the two records say differently of parameters, versions, machine and code: name, A, B."""
    flat = [_flat(result) for result in (first, second)]
    names = list(dict.fromkeys([*flat[0], *flat[1]]))
    rows = [(name, *(one.get(name, "absent") for one in flat)) for name in names]
    return pd.DataFrame([row for row in rows if row[1] != row[2]], columns=["name", "A", "B"])


def claims(a: Path, b: Path) -> pd.DataFrame:
    """Return one row a claim that either run judged: id, A, B (verdicts), measured A, measured B."""
    found = [_judged(folder) for folder in (a, b)]
    ids = list(dict.fromkeys([*found[0], *found[1]]))
    nothing = {"status": "absent", "measured": ""}
    pairs = [(name, *(one.get(name, nothing) for one in found)) for name in ids]
    rows = [(name, x["status"], y["status"], x["measured"], y["measured"]) for name, x, y in pairs]
    return pd.DataFrame(rows, columns=["id", "A", "B", "measured A", "measured B"])


def tables(a: Path, b: Path) -> pd.DataFrame:
    """Return one row a table and column that differs: table, column, rows A, rows B, changed, largest, median A, B.

    Rows are matched by their labels where these name each row once, else by position (`_matched`).
    `changed` counts matched rows whose value differs, `largest` is the largest absolute difference.
    """
    files = [{path.stem: path for path in (folder / "tables").glob("*.csv")} for folder in (a, b)]
    rows = []
    for name in sorted(set(files[0]) | set(files[1])):
        if name in files[0] and name in files[1]:
            rows += _table_rows(name, *(pd.read_csv(one[name]) for one in files))
        else:
            rows.append({"table": name, "column": f"(only in {'A' if name in files[0] else 'B'})"})
    columns = ["table", "column", "rows A", "rows B", "changed", "largest", "median A", "median B"]
    return pd.DataFrame(rows).reindex(columns=columns)


def _table_rows(name: str, a: pd.DataFrame, b: pd.DataFrame) -> list[dict[str, Any]]:
    sizes = {"table": name, "rows A": len(a), "rows B": len(b)}
    single = [(c, side) for one, other, side in ((a, b, "A"), (b, a, "B")) for c in one if c not in other]
    rows = [{**sizes, "column": f"{column} (only in {side})"} for column, side in single]
    shared = [column for column in a.columns if column in b.columns]
    kinds = {column: set(a[column].dtype.kind + b[column].dtype.kind) for column in shared}
    numbers = [column for column, kind in kinds.items() if kind <= set("iuf")]
    fractions = [column for column in numbers if "f" in kinds[column]]
    matched, numbers = _matched(a[shared], b[shared], numbers, fractions)
    if matched is None or len(matched) < max(len(a), len(b)):
        rows.append({**sizes, "column": "(rows)"})
    if matched is None:
        return rows
    for column in numbers:
        left, right = (matched[f"{column}{side}"].to_numpy(dtype=float) for side in (" A", " B"))
        same = np.isclose(left, right, rtol=SAME, atol=0, equal_nan=True)
        if not same.all():
            gaps = np.abs(left - right)[~same]
            largest = float(np.nanmax(gaps)) if np.isfinite(gaps).any() else float("nan")
            medians = {"median A": float(np.nanmedian(left)), "median B": float(np.nanmedian(right))}
            rows.append({**sizes, "column": column, "changed": int((~same).sum()), "largest": largest, **medians})
    return rows


def _matched(
    a: pd.DataFrame, b: pd.DataFrame, numbers: list[str], fractions: list[str]
) -> tuple[pd.DataFrame | None, list[str]]:
    """Return the rows that both tables have, columns marked " A" and " B", and the columns to compare.

    Whole numbers may be labels (seed, round) or measurements. Where taking them for labels matches every row, they are
    labels; else rows are matched by position if words agree and numbers are compared, all of them. None: no match.
    """
    labels = [column for column in a if column not in fractions]
    words = [column for column in a if column not in numbers]
    named = bool(labels) and not a.duplicated(labels).any() and not b.duplicated(labels).any()
    joined = a.merge(b, on=labels, suffixes=(" A", " B")) if named else None
    if joined is not None and len(joined) == max(len(a), len(b)):
        return joined, fractions
    if len(a) == len(b) and (a[words].astype(str).to_numpy() == b[words].astype(str).to_numpy()).all():
        return pd.concat([a.add_suffix(" A"), b.add_suffix(" B")], axis=1), numbers
    return joined, fractions


def _flat(result: dict[str, Any]) -> dict[str, str]:
    """Return the facts of a record by a readable name, as text."""
    parts = {"parameter": "parameters", "version": "versions", "data": "data", "machine": "machine", "git": "git"}
    named = {"preset": str(result.get("preset"))}
    for word, key in parts.items():
        named |= {f"{word} {name}": json.dumps(value) for name, value in result.get(key, {}).items()}
    return named


def _judged(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the judged claims of a run by id; those of a recorded run, which keeps tables alone, are judged anew."""
    if (folder / "claims.json").is_file():
        return {row["id"]: row for row in json.loads((folder / "claims.json").read_text(encoding="utf-8"))}
    import importlib

    from lib.report.claims import judge

    paper = read_result(folder)["paper"]
    kept = {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}
    judged = judge(importlib.import_module(f"lib.{paper}.claims").CLAIMS, kept)
    return {row["id"]: row for row in judged.to_dict("records")}
