"""Claims, verdicts, provenance and the look of the pages.

What draws or shows needs matplotlib and is loaded at first use: a machine that only computes does without.
"""

import importlib
from typing import Any

from lib.report.claims import COMPANION, STATUSES, Claim, Missing, Verdict, at, claims_text, grade, judge, need
from lib.report.intervals import fitted_slope, last_round, median_interval, summarize
from lib.report.published import published, value_text

__all__ = [
    "COMPANION",
    "STATUSES",
    "Claim",
    "Missing",
    "Verdict",
    "at",
    "claims_text",
    "describe",
    "files",
    "fitted_slope",
    "grade",
    "judge",
    "keep",
    "last_round",
    "median_interval",
    "need",
    "new_figure",
    "one_thread",
    "paper_card",
    "published",
    "published_table",
    "recorded",
    "rules",
    "scale_note",
    "series",
    "show",
    "summarize",
    "table",
    "track",
    "value_text",
    "verdicts",
]


_DRAWS = ("describe", "new_figure", "series")  # in `lib.report.style`; all other names that are not here in `page`


def __getattr__(name: str) -> Any:
    """Load what draws or shows at first use."""
    if name not in __all__:
        raise AttributeError(f"module lib.report has no attribute {name!r}")
    return getattr(importlib.import_module(f"lib.report.{'style' if name in _DRAWS else 'page'}"), name)
