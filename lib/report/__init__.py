"""Claims, verdicts, provenance and the look of the pages."""

from lib.report.claims import COMPANION, STATUSES, Claim, Missing, Verdict, at, claims_text, grade, judge, need
from lib.report.intervals import fitted_slope, last_round, median_interval, summarize
from lib.report.page import (
    files,
    keep,
    one_thread,
    paper_card,
    published_table,
    recorded,
    rules,
    scale_note,
    show,
    table,
    track,
    verdicts,
)
from lib.report.published import published, value_text
from lib.report.style import describe, new_figure, series

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
