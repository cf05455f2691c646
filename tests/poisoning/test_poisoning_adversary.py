"""The axes, their contradictions, costs, the table of published attacks and the law of a cohort."""

import importlib

import numpy as np
import pytest

from lib.poisoning import attacks
from lib.poisoning.adversary import AXES, MEANING, Adversary, Costs, cost
from lib.poisoning.cohorts import at_least, malicious_probability
from lib.poisoning.taxonomy import ATTACKS, taxonomy
from lib.report import published, value_text

HYBRID = Adversary(clients="hybrid", data="synthetic", compromised=5, fakes=200)


def test_cost_counts_clients_and_the_generator():
    assert cost(HYBRID, Costs(compromised=50, fake=2, generator=7)) == 5 * 50 + 200 * 2 + 7
    assert (
        cost(Adversary(clients="compromised", data="own", compromised=20), Costs(compromised=50, generator=7)) == 1000
    )
    assert cost(Adversary(clients="fake", data="none", fakes=200), Costs(fake=0.5)) == 100
    assert HYBRID.malicious == 205
    with pytest.raises(ValueError, match="negative"):
        Costs(fake=-1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "chaos"}, "choose one of untargeted"),
        ({"clients": "fake", "data": "noise", "compromised": 1, "fakes": 1}, "have only the former"),
        ({"clients": "compromised", "compromised": 0, "fakes": 0}, "have only the former"),
        ({"clients": "fake", "data": "synthetic", "compromised": 0, "fakes": 3}, "have no data"),
        ({"data": "none", "capability": "data"}, "cannot poison data"),
        ({"compromised": -1}, "must not be negative"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Adversary(**({"clients": "hybrid", "data": "synthetic", "compromised": 5, "fakes": 20} | changes))


def test_every_published_attack_has_its_place_and_its_function():
    table = taxonomy()
    assert set(AXES) == set(MEANING) and set(AXES) <= set(table)
    assert table["attack"].is_unique and len(table) == len(ATTACKS)
    assert set(table["clients"]) == set(AXES["clients"])  # the fork of the literature, and what lies between
    for names in table["function"]:
        for name in names.split(", "):
            if name.startswith("lib."):
                importlib.import_module(name)
            else:
                assert hasattr(attacks, name), name


def test_the_table_of_published_values_reads():
    content = published("poisoning")
    assert content["arxiv"] == "2403.06319"
    assert value_text("poisoning", "tables") == "not known to us"


@pytest.mark.parametrize(
    ("clients", "malicious", "cohort", "least", "expected"),
    [
        (1000, 10, 25, 1, 0.225),
        (1000, 50, 25, 1, 0.727),
        (1000, 100, 25, 1, 0.931),
        (1000, 200, 25, 1, 0.9965),
        (1000, 200, 25, 7, 0.22),
        (3400, 3, 60, 1, 0.052),
        (3400, 34, 60, 1, 0.456),
    ],
)
def test_the_law_of_a_cohort(clients, malicious, cohort, least, expected):
    assert at_least(clients, malicious, cohort, least) == pytest.approx(expected, abs=5e-3 if least > 1 else 6e-4)


def test_cohorts_drawn_follow_the_law():
    rng = np.random.default_rng(0)
    drawn = [int((rng.permutation(40)[:10] < 8).sum()) for _ in range(4000)]
    found = np.bincount(drawn, minlength=11) / 4000
    np.testing.assert_allclose(found, malicious_probability(40, 8, 10), atol=0.025)
    assert sum(malicious_probability(40, 8, 10)) == pytest.approx(1)
    for wrong in ((10, 11, 5), (10, 2, 0), (10, 2, 11)):
        with pytest.raises(ValueError, match="impossible"):
            malicious_probability(*wrong)
