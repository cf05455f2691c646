"""A claim judged in the quick run and again on a record of more seeds is one claim, wherever claims are counted."""

import importlib
import re

import pandas as pd
import pytest

from lib import book_not_reproduced, book_scoreboard, book_status
from lib.jobs import papers
from lib.report.claims import NOT_REPRODUCED, STATUSES


def row(name, status, scale="quick", **changed):
    facts = {"paper": "bslb", "id": name, "statement": name.upper(), "source": "abstract", "published": "2 times"}
    facts |= {"rule": "at least 2", "changed": "", "measured": f"{name} at {scale}", "status": status, "detail": ""}
    return facts | {"scale": scale, "date": "2030-01-02"} | changed


@pytest.fixture
def rows():
    """Six claims, two of them judged again with more seeds: one got worse, one better."""
    return book_scoreboard.under_one_id(
        pd.DataFrame(
            [
                row("a", "reproduced"),
                row("b", "not reproduced"),
                row("c", "close"),
                row("d", "not run here"),
                row("a-seeds", "not reproduced", "real", statement="The same with more seeds", changed="later"),
                row("b-seeds", "reproduced", "real"),
                row("c-seeds", "not run here"),
                row("e", "not judged", source="companion"),
                row("more-seeds", "close", source="companion"),
            ]
        )
    )


def test_what_was_judged_again_is_a_row_of_the_claim_that_it_repeats(rows):
    assert rows[["id", "scale", "status", "statement"]].to_numpy().tolist() == [
        ["a", "quick", "reproduced", "A"],
        ["b", "quick", "not reproduced", "B"],
        ["c", "quick", "close", "C"],
        ["d", "quick", "not run here", "D"],
        ["a", "real", "not reproduced", "A"],
        ["b", "real", "reproduced", "B"],
        ["e", "quick", "not judged", "E"],
        ["more-seeds", "quick", "close", "MORE-SEEDS"],
    ]
    assert rows["measured"].tolist()[4] == "with more seeds: a-seeds at real"


def test_at_one_scale_the_verdict_on_more_seeds_stands_for_the_claim():
    both = [row("a", "reproduced", "real"), row("a-seeds", "close", "real")]
    assert book_scoreboard.under_one_id(pd.DataFrame(both))["status"].tolist() == ["close"]


def test_more_seeds_count_whether_they_find_better_or_worse(rows):
    none = dict.fromkeys(STATUSES, 0)
    found = none | {"reproduced": 1, "close": 1, "not reproduced": 1, "not run here": 1}
    assert book_scoreboard.verdict_counts(rows, "bslb", "paper") == found
    assert book_scoreboard.verdict_counts(rows, "bslb", "companion") == none | {"close": 1, "not judged": 1}


def test_both_verdicts_stand_in_the_row_of_the_claim(rows):
    lines = [line for line in book_scoreboard.scoreboard_text(rows).splitlines() if line.startswith("| A ")]
    assert len(lines) == 1
    assert re.findall(r"\.verdict-([a-z-]+)", lines[0]) == ["reproduced", "not-reproduced"]
    assert "with more seeds" in lines[0] and "changed later" in lines[0]


def test_all_pages_count_alike(rows):
    bars = book_scoreboard.verdict_bars(rows).values()
    table = [line for line in book_scoreboard.scoreboard_text(rows).splitlines() if ".column-" in line]
    listed = book_not_reproduced.not_reproduced_text(rows)
    _, known = book_status.has("bslb", rows)["claims judged"].split(" of ")
    assert sum(sum(bar.values()) for bar in bars) == len(table) == int(known) == 6
    assert listed.startswith("Of 6 claims, 4 stand on this page (")
    assert sum(bar[NOT_REPRODUCED] for bar in bars) == 1
    told = "Of 6 claims 1 are reproduced: 1 of 4 (the paper says), 0 of 2 (the companion adds)."
    assert told in book_scoreboard.scoreboard_figure_text(rows)
    assert "largest scale that was run: 1; contradicted at a smaller scale only: 1" in listed


@pytest.mark.parametrize("paper", papers())
def test_a_claim_judged_again_keeps_rule_source_and_published_figure(paper):
    claims = {claim.id: claim for claim in importlib.import_module(f"lib.{paper}.claims").CLAIMS}
    for name, claim in claims.items():
        first = claims.get(name.removesuffix(book_scoreboard.AGAIN))
        if first not in (None, claim):
            assert (claim.rule, claim.source, claim.published) == (first.rule, first.source, first.published), name


def test_a_statement_in_three_settings_is_three_claims():
    names = [
        "It helps (digits)",
        "It helps (MNIST, five clients)",
        "It helps (CIFAR-10)",
        "It (a rule) is exact",
        "It fails",
    ]
    rows = pd.DataFrame({"paper": ["a"] * 4 + ["b"], "id": [*"vwxyz"], "statement": names})
    again = pd.concat([rows, rows.assign(statement="In other words")], ignore_index=True)
    for table in (rows, again):  # a claim judged at two scales is one
        text = book_scoreboard.statements_text(table)
        assert "The 5 claims make 3 distinct statements" in text
        assert text.endswith("Statements and claims where these differ: a 2 of 4.")
    assert book_scoreboard.statements_text(rows[3:]).endswith("is a claim in each of them.")
