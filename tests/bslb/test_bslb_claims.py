"""Each rule is asked on tables made so that the claim holds, and on tables made so that it does not."""

import numpy as np
import pandas as pd
import pytest

from lib.bslb import CLAIMS, rules, rules_annotation
from lib.report.claims import CLOSE, NOT_JUDGED, NOT_REPRODUCED, REPRODUCED

HORIZONS = (100, 200, 400)


def horizon_table(exponent, random_exponent=1.0, greedy=0.5, second=None):
    """Power laws in T: BSLB at c=1 with `exponent`, at c=2 with `second` (default the same)."""
    rows = []
    for T in HORIZONS:
        for replicate in range(5):
            base = {"k": 5, "horizon": T, "pool": 0, "replicate": replicate, "explored_pulls": T // 4}
            rows.append(base | {"method": "BSLB (v1, c=1)", "regret": 2 * T**exponent})
            rows.append(base | {"method": "BSLB (v1, c=2)", "regret": 2 * T ** (second or exponent)})
            rows.append(base | {"method": "random", "regret": 3 * T**random_exponent})
            rows.append(base | {"method": "greedy Lasso", "regret": greedy * 2 * T**exponent})
    return {"horizon": pd.DataFrame(rows)}


@pytest.mark.parametrize(
    ("exponents", "random_exponent", "status"),
    [
        ((2 / 3, 2 / 3), 1.0, REPRODUCED),
        ((0.4, 0.4), 1.0, REPRODUCED),
        ((0.4, 0.77), 1.0, CLOSE),
        ((0.95, 0.4), 1.0, NOT_REPRODUCED),
        ((0.6, 0.6), 0.88, NOT_REPRODUCED),
    ],
)
def test_regret_rate_asks_both_constants_and_a_fair_scale(exponents, random_exponent, status):
    table = horizon_table(exponents[0], random_exponent, second=exponents[1])
    assert rules.regret_rate(table).status == status


@pytest.mark.parametrize(("greedy", "status"), [(0.5, REPRODUCED), (1.2, NOT_REPRODUCED)])
def test_greedy_is_better(greedy, status):
    assert rules.greedy_is_better(horizon_table(0.6, greedy=greedy)).status == status


@pytest.mark.parametrize(
    ("regrets", "status"),
    [((90, 50, 60, 90), REPRODUCED), ((90, 60, 50, 90), CLOSE), ((50, 80, 90, 40), NOT_REPRODUCED)],
)
def test_exploration_length(regrets, status):
    table = pd.DataFrame({"exploration": [20, 100, 200, 280], "regret": regrets, "beta": 0.0})
    table = table.assign(predicted_v1=100, predicted_v2=200)
    if status == CLOSE:
        table["predicted_v2"] = 280
    assert rules.exploration_length({"exploration": table}).status == status


@pytest.mark.parametrize(("slopes", "status"), [((1 / 3, 2 / 3), REPRODUCED), ((0.9, 0.9), NOT_REPRODUCED)])
def test_exponent_in_k(slopes, status):
    rows = [
        {"version": version, "k": k, "horizon": T, "regret": k**slope, "predicted_k_exponent": predicted}
        for version, slope, predicted in zip(("v1", "v2"), slopes, (1 / 3, 2 / 3), strict=True)
        for k in (2, 5, 10)
        for T in HORIZONS
    ]
    assert rules.exponent_in_k({"versions": pd.DataFrame(rows)}).status == status


@pytest.mark.parametrize(
    ("regrets", "status"),
    [((10, 20, 35), REPRODUCED), ((10, 20, 95), CLOSE), ((10, 20, 150), NOT_REPRODUCED), ((1, 5, 8), NOT_REPRODUCED)],
)
def test_soft_sparsity(regrets, status):
    own = pd.DataFrame({"method": "BSLB", "beta": [0.0, 1.0, 3.0], "regret": regrets})
    other = own.assign(method="random", regret=100)
    assert rules.soft_sparsity({"tail": pd.concat([own, other])}).status == status


def corral_table(shared, private):
    rows = [{"method": "random", "regret": 300.0}]
    rows += [
        {"method": "BSLB base", "base_k": k, "regret": value} for k, value in ((1, 100.0), (4, 150.0), (16, 200.0))
    ]
    for share, value in (("all", shared), ("private", private)):
        rows.append({"method": "C-BSLB", "share": share, "eta": 0.5, "regret": value})
        rows.append({"method": "C-BSLB", "share": share, "eta": 0.1, "regret": 299.0})
    return {"corral": pd.DataFrame(rows).assign(true_k=3, replicate=0)}


@pytest.mark.parametrize(("regret", "status"), [(105, REPRODUCED), (120, CLOSE), (150, NOT_REPRODUCED)])
def test_corral_shared(regret, status):
    assert rules.corral_shared(corral_table(regret, 1)).status == status


@pytest.mark.parametrize(("regret", "status"), [(200, REPRODUCED), (260, CLOSE), (295, NOT_REPRODUCED)])
def test_corral_private(regret, status):
    assert rules.corral_private(corral_table(1, regret)).status == status


@pytest.mark.parametrize(("ratio", "status"), [(50, REPRODUCED), (5, CLOSE), (1.1, NOT_REPRODUCED)])
def test_subset_conditioning(ratio, status):
    base = {"d": 10, "arms": 500, "u": 20, "lambda_uniform": 1.0}
    rows = [base | {"kind": "clustered", "lambda_poisson": ratio}, base | {"kind": "isotropic", "lambda_poisson": 1.1}]
    # Below u = 2d nothing is promised.
    rows.append(base | {"u": 10, "kind": "clustered", "lambda_poisson": 0.5})
    # Nor where the subset is most of the pool.
    rows.append(base | {"u": 400, "kind": "clustered", "lambda_poisson": 1.0})
    assert rules.subset_conditioning({"design": pd.DataFrame(rows)}).status == status


@pytest.mark.parametrize(
    ("phi", "status"), [((0.1, 0.2, 0.3), REPRODUCED), ((0.1, 0.3, 0.2), CLOSE), ((0.0, 0.1, 0.2), NOT_REPRODUCED)]
)
def test_sparse_eigenvalue(phi, status):
    table = pd.DataFrame({"explored": [12, 24, 36], "phi_min": phi, "lambda_min": 0.0}).assign(
        explore="subset", d=64, k=3
    )
    assert rules.sparse_eigenvalue({"sparse": table}).status == status


def lasso_table(slope, beta=0.0, ratio_slope=0.0):
    n = np.array([100, 250, 400, 640, 1000])
    columns = {
        "observations": n,
        "l1_error": n**slope,
        "l2_error": n**slope,
        "v2_ratio": n.astype(float) ** ratio_slope,
    }
    return {"lasso": pd.DataFrame(columns).assign(beta=beta, c=1.5)}


@pytest.mark.parametrize(("slope", "status"), [(-0.5, REPRODUCED), (-0.4, CLOSE), (-0.1, NOT_REPRODUCED)])
def test_lasso_slope(slope, status):
    assert rules.lasso_slope(lasso_table(slope)).status == status


@pytest.mark.parametrize(("slope", "status"), [(0.0, REPRODUCED), (0.15, CLOSE), (0.5, NOT_REPRODUCED)])
def test_no_additive_tail(slope, status):
    assert rules.no_additive_tail(lasso_table(-0.5, beta=0.2, ratio_slope=slope)).status == status


@pytest.mark.parametrize(
    ("exponents", "status"), [((1.0, 0.5), REPRODUCED), ((1.15, 0.5), CLOSE), ((0.5, 0.5), NOT_REPRODUCED)]
)
def test_lasso_exponents(exponents, status):
    k = np.array([2.0, 4.0, 8.0])
    table = pd.DataFrame({"k": k, "c": 1.5, "l1_error": k ** exponents[0], "l2_error": k ** exponents[1]})
    assert rules.lasso_exponents({"lasso_k": table}).status == status


@pytest.mark.parametrize(("ratio", "status"), [(0.7, REPRODUCED), (0.95, CLOSE), (1.3, NOT_REPRODUCED)])
def test_subset_pays_is_judged_at_one_fraction_over_pools(ratio, status):
    rows = [
        {"rare": rare, "pool": pool, "replicate": s, "method": method, "regret": factor if method == "subset" else 1.0}
        # The other fraction would say the opposite.
        for rare, factor in ((0.05, 2 - ratio), (0.3, ratio))
        for pool in range(5)
        for s in range(2)
        for method in ("subset", "uniform", "random")
    ]
    assert rules.subset_pays({"subset_gain": pd.DataFrame(rows)}).status == status


def annotation_table(values, tasks=("digit 8 or not",), **columns):
    rows = [
        {"task": task, "T": T, "seed": seed, "policy": policy, "easy_accuracy": 1.0} | found
        for task in tasks
        for T in (60, 100)
        for seed in range(5)
        for policy, found in values.items()
    ]
    return pd.DataFrame(rows).assign(**columns)


@pytest.mark.parametrize(
    ("gains", "status"), [((0.08, 0.05), REPRODUCED), ((0.08, 0.01), CLOSE), ((0.08, -0.01), NOT_REPRODUCED)]
)
def test_digits_efficacy_asks_every_class(gains, status):
    parts = []
    for number, gain in enumerate(gains):
        values = {
            "bslb": {"hard_accuracy": 0.7 + gain, "regret": 70.0},
            "random": {"hard_accuracy": 0.7, "regret": 100.0},
        }
        parts.append(annotation_table(values, tasks=(f"digit {number} or not",)))
    assert rules_annotation.digits_efficacy({"digits": pd.concat(parts)}).status == status


@pytest.mark.parametrize(("bslb", "status"), [(0.95, REPRODUCED), (0.8, NOT_REPRODUCED)])
def test_beats_all_labels(bslb, status):
    table = annotation_table({"bslb": {"hard_accuracy": bslb}, "all": {"hard_accuracy": 0.9}})
    assert rules_annotation.beats_all_labels({"digits": table}).status == status


@pytest.mark.parametrize(("share", "status"), [(0.3, REPRODUCED), (0.15, CLOSE), (0.1, NOT_REPRODUCED)])
def test_rare_class_found(share, status):
    table = annotation_table({"bslb": {"positive_fraction": share}, "random": {"positive_fraction": 0.1}})
    assert rules_annotation.rare_class_found({"digits": table}).status == status


@pytest.mark.parametrize(("oracle", "status"), [(0.4, REPRODUCED), (0.58, CLOSE), (0.7, NOT_REPRODUCED)])
def test_hard_points_hurt(oracle, status):
    table = annotation_table(
        {"difficulty_oracle": {"hard_accuracy": oracle}, "random": {"hard_accuracy": 0.6}}, tasks=("10 digits",)
    )
    assert rules_annotation.hard_points_hurt({"counterexamples": table}).status == status


@pytest.mark.parametrize(("margin", "status"), [(0.9, REPRODUCED), (0.7, NOT_REPRODUCED)])
def test_margin_is_better(margin, status):
    table = annotation_table({"margin": {"hard_accuracy": margin}, "bslb": {"hard_accuracy": 0.8}})
    assert rules_annotation.margin_is_better({"digits": table}).status == status


@pytest.mark.parametrize(("regret", "status"), [(70, REPRODUCED), (90, CLOSE), (110, NOT_REPRODUCED)])
def test_voc_difficulty(regret, status):
    rows = [
        {"policy": policy, "T": T, "regret": regret, "random_regret": 100.0, "kendall_tau": 0.4}
        for policy in ("bslb", "full_data_linear")
        for T in (100, 200)
    ]
    assert rules_annotation.voc_difficulty({"voc": pd.DataFrame(rows)}).status == status


@pytest.mark.parametrize(("gain", "status"), [(0.05, REPRODUCED), (0.01, CLOSE), (-0.05, NOT_REPRODUCED)])
@pytest.mark.parametrize(("rule", "name"), [("voc_accuracy", "voc_accuracy"), ("sst2_accuracy", "sst2")])
def test_balanced_accuracy(rule, name, gain, status):
    values = {"bslb": 0.6 + gain, "random": 0.6, "all": 0.8}
    values = {policy: {"hard_accuracy_balanced": value} for policy, value in values.items()}
    assert getattr(rules_annotation, rule)({name: annotation_table(values)}).status == status


@pytest.mark.parametrize("rule", ["voc_accuracy", "sst2_accuracy"])
def test_a_gain_says_nothing_where_all_labels_do_not_help(rule):
    values = {"bslb": 0.5, "random": 0.46, "all": 0.43}
    table = annotation_table({policy: {"hard_accuracy_balanced": value} for policy, value in values.items()})
    verdict = getattr(rules_annotation, rule)({"voc_accuracy": table, "sst2": table})
    assert verdict.status == NOT_JUDGED
    assert "uninformative" in verdict.detail


@pytest.mark.parametrize(("uniform", "status"), [(0.7, REPRODUCED), (0.82, NOT_REPRODUCED)])
def test_subset_annotation(uniform, status):
    table = annotation_table({"bslb": {"hard_accuracy": 0.8}, "uniform_etc": {"hard_accuracy": uniform}})
    assert rules_annotation.subset_annotation({"digits": table}).status == status


def peers(shares):
    return pd.DataFrame(
        [
            {"user": user, "T": 50, "seed": 0, "policy": policy, "regret": value}
            for user, share in enumerate(shares)
            for policy, value in (("bslb", 60 * share), ("random", 100), ("linucb", 60))
        ]
    )


@pytest.mark.parametrize(
    ("shares", "status"),
    [([0.7] * 6, REPRODUCED), ([0.9] * 4 + [1.1, 1.1], CLOSE), ([1.3] * 6, NOT_REPRODUCED)],
)
def test_recommendation_must_beat_both_peers(shares, status):
    assert rules_annotation.recommendation({"movielens": peers(shares)}).status == status


def test_ids_are_unique_and_every_claim_states_rule_and_source():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.rule and claim.needs and claim.statement
        # What the companion adds must never look like the paper's.
        assert (claim.source == "companion") == (claim.published == "not stated")
