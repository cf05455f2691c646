"""What a paper published: identity and numbers, read from the one data file ``lib/<paper>/published.yaml``."""

import functools
from typing import Any

from lib.report.paths import ROOT

KNOWN = {
    "paper": "read in the paper",
    "code": "read in the authors' code",
    "secondary": "from a secondary source",
    "unknown": "not known to us",
}


def published(paper: str) -> dict[str, Any]:
    """Return identity (`title`, `authors`, ...) and `values` of `paper`; each value has text, where and known.

    Raises ValueError for an unknown paper or a value that does not say how it is known.
    """
    path = ROOT / "lib" / paper / "published.yaml"
    if not path.is_file():
        raise ValueError(f"no published values for {paper!r}: expected {path.relative_to(ROOT)}")
    content = _parsed(path.read_text(encoding="utf-8"))
    for key, value in content["values"].items():
        if value.get("known") not in KNOWN:
            raise ValueError(f"{path.name}: {key} must say how it is known ({', '.join(KNOWN)})")
    return content


@functools.lru_cache  # a paper's claims ask for one value each
def _parsed(text: str) -> dict[str, Any]:
    import yaml  # a machine that only computes does without

    return yaml.safe_load(text)


def value_text(paper: str, key: str) -> str:
    """Return the published value `key` of `paper` as text, or "not known to us" where the entry is empty."""
    return published(paper)["values"][key].get("text") or KNOWN["unknown"]
