"""What the rules of every paper's claims must satisfy, given cases: {claim id: (make tables, {verdict: arguments})}."""

import numpy as np

from lib.report.claims import CLOSE, NOT_REPRODUCED, NOT_RUN, REPRODUCED, judge


def flattened(cases):
    """Return one (claim, verdict, arguments) a case, to parametrize `check_rule`."""
    return [
        (claim, status, one)
        for claim, (_, verdicts) in cases.items()
        for status, some in verdicts.items()
        for one in some
    ]


def check_all_verdicts(cases):
    for claim, (_, verdicts) in cases.items():
        assert list(verdicts) == [REPRODUCED, CLOSE, NOT_REPRODUCED] and all(verdicts.values()), claim


def check_rule(cases, by_id, claim, status, arguments):
    verdict = by_id[claim].holds(cases[claim][0](*arguments))
    assert verdict.status == status and "nan" not in verdict.measured, verdict


def check_unmeasured(cases, by_id, claim, measured):
    """Absent or empty tables are not run, NaN in the `measured` columns is never reproduced or close."""
    make, verdicts = cases[claim]
    tables = make(*verdicts[REPRODUCED][0])
    assert set(tables) == set(by_id[claim].needs)

    def status(tables):
        return judge([by_id[claim]], tables)["status"][0]

    for name, table in tables.items():
        assert status({other: tables[other] for other in tables if other != name}) == NOT_RUN
        assert status(tables | {name: table.iloc[:0]}) == NOT_RUN
        unmeasured = table.assign(**{column: np.nan for column in measured if column in table})
        assert status(tables | {name: unmeasured}) in (NOT_REPRODUCED, NOT_RUN)
