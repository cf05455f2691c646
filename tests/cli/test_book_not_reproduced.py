import pandas as pd
import pytest

from lib import book_not_reproduced as page


def rows(*verdicts, **changed):
    """Rows of one claim of bslb from pairs (scale, status)."""
    common = {"paper": "bslb", "id": "a", "statement": "It holds.", "source": "abstract", "published": "2 times"}
    common |= {"rule": "at least 2", "changed": "", "measured": "1.5", "detail": "few seeds", "date": "2030-01-02"}
    return pd.DataFrame([common | changed | {"scale": scale, "status": status} for scale, status in verdicts])


@pytest.mark.parametrize(
    ("verdicts", "found"),
    [
        ([("quick", "reproduced")], None),
        ([("quick", "close"), ("real", "reproduced")], None),
        ([("quick", "not reproduced")], "not reproduced"),
        ([("quick", "reproduced"), ("real", "not reproduced")], "not reproduced"),
        ([("real", "reproduced"), ("quick", "not reproduced")], "smaller"),
        ([("quick", "not run here")], "not run here"),
        ([("quick", "not judged"), ("real", "reproduced")], None),
        ([("quick", "reproduced"), ("paper", "not judged")], None),
        ([("quick", "not judged"), ("real", "not judged")], "not judged"),
    ],
)
def test_a_claim_stands_where_its_largest_judged_scale_puts_it(verdicts, found):
    assert page.group(rows(*verdicts)) == found


def test_a_newer_run_of_a_scale_replaces_the_older_one():
    old = rows(("real", "not reproduced")).assign(date="2030-01-01")
    assert page.group(pd.concat([rows(("real", "reproduced")), old])) is None


def test_an_entry_tells_verdicts_rule_remark_and_what_was_changed():
    claim = rows(("quick", "close"), ("real", "not reproduced"), changed="stricter")
    lines = [line.strip() for line in page.claim_text(claim).splitlines() if line.strip()]
    assert lines == [
        "**It holds**",
        ": *The paper says: abstract.* Published: 2 times.",
        "[not reproduced]{.verdict-not-reproduced} at real, 2030-01-02: 1.5. Why: few seeds.",
        "[close]{.verdict-close} at quick, 2030-01-02: 1.5. Why: few seeds.",
        "The rule: at least 2.",
        "Changed after a result was seen: stricter.",
    ]


def test_every_claim_that_fell_short_is_on_the_page_and_no_other():
    alpha = rows(("quick", "reproduced"), id="a", statement="Alpha")
    beta = rows(("quick", "not judged"), id="b", statement="Beta")
    gamma = rows(("quick", "not run here"), id="c", statement="Gamma", source="companion", measured="")
    table = pd.concat([alpha, beta, gamma])
    text = page.not_reproduced_text(table)
    assert text.startswith("Of 3 claims, 2 stand on this page")
    assert "Alpha" not in text and "**Beta**" in text and "**Gamma**\n: *The companion adds this.*" in text
    assert "Contradicted at" not in text.split("\n", 1)[1], "a group without a claim has no heading"
    assert "nothing was measured" in text
