"""Every rule on tables made by hand: it says yes, it says no, and it refuses NaN."""

import numpy as np
import pandas as pd
import pytest
from rule_cases import check_all_verdicts, check_rule, check_unmeasured, flattened

from lib.fedper import CLAIMS, rules, rules_concept, rules_images
from lib.report import COMPANION, Missing, judge
from lib.report.published import published


def rows(accuracies, *, by="classes_per_client", **columns):
    """Return a table of final accuracies: {(group, method): accuracies by seed}."""
    made = []
    for (group, name), values in accuracies.items():
        for seed, value in enumerate(values):
            made.append({by: group, "method": name, "seed": seed, "round": 9, "accuracy": value, **columns})
    return pd.DataFrame(made)


def test_claims_are_well_formed():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.rule and claim.needs and claim.statement[0].isupper()
        assert claim.source == COMPANION or claim.source.startswith(("abstract", "secondary (")), claim.id
        assert (claim.published == "not stated") == (claim.source == COMPANION)
    judged = judge(CLAIMS, {})
    assert set(judged["status"]) == {"not run here"}


def test_nothing_of_the_papers_body_is_presented_as_read():
    values = published("fedper")["values"]
    for key, value in values.items():
        assert (value["known"] == "paper") == (value["where"] == "abstract"), key
        assert value["known"] != "code"


def pair(first, second, gains, **options):
    """Return a table of two methods: {group: gains of `first` over `second` by seed}."""
    cells = {}
    for group, gain in gains.items():
        gain = np.atleast_1d(gain)
        cells |= {(group, first): 0.5 + gain, (group, second): np.full(len(gain), 0.5)}
    return rows(cells, **options)


def levels(*, by="classes_per_client", **methods):
    """Return a table of one seed: {method, with _ for a space: {group: accuracy}}."""
    cells = {(group, name.replace("_", " ")): [v] for name, found in methods.items() for group, v in found.items()}
    return rows(cells, by=by)


def fedper2(table, k):
    return lambda *gains: {table: pair("FedPer 2", "FedAvg", {k: gains})}


def ceiling(shared, *personal, plain=0.9):
    cells = {(1.0, "FedAvg"): [0.3 + shared] * len(personal), (1.0, "FedPer 1"): [0.3 + over for over in personal]}
    cells_5 = {(5, name): values for (_, name), values in cells.items()}
    art, names = rows(cells, by="a"), rows(cells_5 | {(0, "FedAvg"): [plain], (0, "FedPer 1"): [0.9]}, by="renamed")
    return {"aesthetics": art.assign(single_ceiling=0.3), "renamed": names.assign(single_ceiling=0.3)}


def order(name):
    def tables(ours, theirs):
        k = (2, 4, 10)
        return {name: levels(FedPer_2=dict(zip(k, ours, strict=True)), FedAvg=dict(zip(k, theirs, strict=True)))}

    return tables


def any_units(*gains):
    cells = [(k, units) for k in (2, 4) for units in (1, 2, 3)]
    made = {(k, f"FedPer {units}"): [0.5 + g] for (k, units), g in zip(cells, gains, strict=True)}
    return {"classes": rows(made | {(k, "FedAvg"): [0.5] for k in (2, 4)})}


def units_matter_little(average, span):
    return {"classes": levels(FedAvg={4: average}, FedPer_1={4: 0.8}, FedPer_2={4: 0.8 + span}, FedPer_3={4: 0.8})}


def third_apart(table):
    """Return `table` as the two tables on CIFAR-10, of which one has three personal units alone, with tuning rows."""
    third = table["method"] == "FedPer 3"
    return {"cifar10": with_tuning(table[~third]), "cifar10_units": with_tuning(table[third])}


def cifar10_units(*gains):
    made = {(4, f"FedPer {units}"): [0.5 + gain] for units, gain in zip((1, 2, 3), gains, strict=True)}
    return third_apart(rows(made | {(4, "FedAvg"): [0.5]}))


def cifar10_skew(*gains):
    skew = pair("FedPer 2", "FedAvg", dict(zip((0.1, 0.5, 5.0), gains, strict=True)), by="alpha")
    alone = skew[skew["method"] == "FedPer 2"].assign(method="local only", accuracy=0.1)
    return {"cifar10_skew": with_tuning(pd.concat([skew, alone]))}


def batch_norm(group, averaged, kept):
    """Each argument: the gains of FedPer 2 over FedAvg at k = 4 and 10."""
    group = pair("FedPer 2", "FedAvg", dict(zip((4, 10), group, strict=True)))
    parts = []
    for way, gains in (("averaged", averaged), ("kept", kept)):
        names = f"FedPer 2, statistics {way}", f"FedAvg, statistics {way}"
        parts.append(pair(*names, dict(zip((4, 10), gains, strict=True))))
    parts.append(rows({(k, "FedBN"): [0.6] for k in (4, 10)}))
    return {"cifar10": with_tuning(group), "cifar10_norm": with_tuning(pd.concat(parts))}


def less_spread(*change):
    table = pair("FedPer 2", "FedAvg", {2: change, 4: change})
    return {"classes": table.rename(columns={"accuracy": "spread"}).assign(accuracy=0.5)}


def crossover(gain_k, loss_k, gain_a, loss_a):
    skew = pair("FedPer 1", "FedAvg", {0.1: gain_a, 9.0: loss_a}, by="alpha")
    return {"classes": pair("FedPer 1", "FedAvg", {2: gain_k, 10: loss_k}), "skew": skew}


def with_tuning(judged):
    """Return `judged` rows at one rate beside rows for tuning at a lower and a higher one, which say the contrary."""
    judged = judged.assign(use="judging", lr=0.01)
    wrong = judged.assign(use="tuning", seed=1000, accuracy=1 - judged["accuracy"])
    return pd.concat([judged, wrong.assign(lr=0.001), wrong.assign(lr=0.1)], ignore_index=True)


def base_ablation(*drop, alone=0.45):
    both = pair("FedPer 1", "linear", {4: drop})
    linear = both[both["method"] == "linear"].assign(method="FedPer 1")
    deep = both[both["method"] != "linear"]
    deep = pd.concat([deep, deep.assign(method="local only", accuracy=alone), deep.assign(classes_per_client=8)])
    return {"cifar10": with_tuning(deep), "cifar10_base": with_tuning(linear)}


def test_batch_norm_is_not_judged_where_group_normalization_shows_no_crossing():
    for group in ((0.2, 0.1), (0.005, -0.1)):
        verdict = rules_images.batch_norm(batch_norm(group, (0.2, -0.1), (0.2, -0.1)))
        assert verdict.status == "not judged" and "group normalization" in verdict.detail


def cifar10_finetuned(four, eight, second=0.3):
    cells = {(k, "FedAvg + FT"): [0.5 + gain] for k, gain in ((4, four), (8, eight))}
    cells |= {(k, "FedPer 1"): [0.5] for k in (4, 8)} | {(k, "FedPer 2"): [second] for k in (4, 8)}
    return {"cifar10": with_tuning(rows(cells | {(k, "FedPer 1 + FT"): [0.5] for k in (4, 8)}))}


def many_classes(few, all_, alone=0.1):
    table = pair("FedPer 1", "FedAvg", {10: few, 100: all_})
    ours = table[table["method"] == "FedPer 1"]
    extra = [ours.assign(method="FedPer 1 + FT"), ours.assign(method="local only", accuracy=alone)]
    return {"many_classes": with_tuning(pd.concat([table, *extra]))}


def best_units(*best, units=(0, 1, 2), second=0.5):
    """One k an entry of `best`, the number of units that is best there; the other numbers have accuracy `second`."""
    cells = [(k, count) for k in range(len(best)) for count in units]
    names = {0: "FedAvg", 2: "local only"}
    table = rows({(k, names.get(c, f"FedPer {c}")): [0.9 if best[k] == c else second] for k, c in cells})
    return {"classes": table.assign(personal_units=[count for _, count in cells])}


def learnt(tables):
    """Return `tables` with digits on which FedAvg has learnt, for the rules that ask for it."""
    return tables | {"classes": rows({(10, "FedAvg"): [0.9]})}


def fedrep(*gains):
    both = pair("FedRep", "FedPer 1", {4: gains})
    tables = {"classes": both[both["method"] != "FedRep"], "others": both[both["method"] == "FedRep"]}
    return tables | {"rates": tuned_fedrep(0.02, 0.02)}


def tuned_fedrep(few, many):
    rates = pair("FedRep", "FedPer 1", {4: few, 10: many}).assign(lr=0.1)
    return pd.concat([rates.assign(use="judging"), rates.assign(use="tuning", seed=1000)], ignore_index=True)


def flickr(level, gains):
    rows = [("FedPer 1", seed, 9, level) for seed in range(len(gains))]
    rows += [("FedAvg", seed, 9, level - gain) for seed, gain in enumerate(gains)]
    return pd.DataFrame(rows, columns=["method", "seed", "round", "accuracy"])


def with_local(table, level=0.1):
    return pd.concat([table, table[table["method"] == "FedPer 1"].assign(method="local only", accuracy=level)])


def finetuning_cifar100(few, many, alone=0.1):
    return {"cifar100": with_local(pair("FedPer 1 + FT", "FedPer 1", {10: few, 50: many}), alone)}


def femnist(*gains, level=0.4):
    both = pair("FedAvg", "FedPer 1", {10: gains})
    both = both.assign(accuracy=both["accuracy"] + level)
    alone = both[both["method"] == "FedPer 1"].assign(method="local only", accuracy=0.1)
    return {"femnist": pd.concat([both, alone])}


def stationarity(joint, turns, ratio):
    rounds = np.array([10.0, 100.0, 1000.0])
    values = {"FedPer": ratio * (rounds / 1000) ** joint, "FedRep": (rounds / 1000) ** turns}
    parts = [pd.DataFrame({"method": m, "rounds": rounds, "squared_gradient": v}) for m, v in values.items()]
    return {"stationarity": pd.concat(parts)}


def tuned(few, all_):
    """Two rates, of which the partitions for tuning choose the lower one, under which the gains are as given."""
    parts = []
    for lr, tuning in ((0.1, 0.9), (0.2, 0.8)):
        gains = {4: few, 10: all_} if lr == 0.1 else {4: -all_, 10: -few}
        judging = pair("FedPer 1", "FedAvg", gains).assign(use="judging", lr=lr)
        parts += [judging, judging.assign(use="tuning", seed=1000, accuracy=tuning)]
    return {"rates": pd.concat(parts, ignore_index=True)}


def networks(**gains):
    parts = [pair("FedPer 2", "FedAvg", {4: few, 10: all_}).assign(network=n) for n, (few, all_) in gains.items()]
    return {"cifar10_networks": pd.concat(parts)}


def timing(loss, gain):
    changes = {1: (0.3, -0.3), 2: (loss, gain), 9: (0.3, -0.3)}  # the second evaluated round is the one that counts
    cells = [
        {"round": r, "method": method, "classes_per_client": k, "accuracy": 0.75 + change, "local_accuracy": 0.75}
        for r, both in changes.items()
        for (method, k), change in zip((("FedPer 1", 4), ("FedAvg", 10)), both, strict=True)
    ]
    return {"classes": pd.DataFrame(cells)}


def newcomers(*gains):
    both = pair("FedPer base, new head", "from scratch", {10: gains}, by="examples")
    other = both[both["method"] == "from scratch"].assign(method="FedAvg, fine-tuned")
    return {
        "newcomers": pd.concat([both, other, both.assign(examples=5, accuracy=0.5)]).rename(columns={"method": "way"})
    }


def aesthetics(average, personal):
    return {"aesthetics": levels(by="a", FedAvg={1.0: average, 0.0: 0.9}, FedPer_1={1.0: personal, 0.0: 0.1})}


def savings(*saved):
    table = pd.DataFrame({"network": [f"net {i}" for i in range(len(saved))], "personal_units": 2, "saved": saved})
    return {"transfer": pd.concat([table, table.assign(personal_units=1, saved=0.9)])}


YES, NEARLY, NO = "reproduced", "close", "not reproduced"
BEATS = {4: 0.1, 10: 0.1}

# By claim: the function that makes its tables, and arguments for each verdict.
CASES = {
    "heterogeneity": (
        fedper2("classes", 2),
        {YES: [(0.2, 0.11)], NEARLY: [(0.07, 0.06), (0.01, 0.2, 0.2)], NO: [(0.04,)]},
    ),
    "single-model-ceiling": (
        ceiling,
        {YES: [(0.01, 0.1, 0.01)], NEARLY: [(0.01, 0.1, -0.01, 0.1)], NO: [(0.03, 0.1), (-0.1, -0.01, -0.01, 0.1)]},
    ),
    "aesthetics": (aesthetics, {YES: [(0.22, 0.42)], NEARLY: [(0.22, 0.33), (0.3, 0.6)], NO: [(0.22, 0.25)]}),
    **{
        claim: (
            order(name),
            {
                YES: [((0.9, 0.8, 0.7), (0.5, 0.6, 0.7)), ((0.8, 0.805, 0.7), (0.6, 0.595, 0.7))],
                NEARLY: [((0.9, 0.95, 0.7), (0.5, 0.6, 0.7)), ((0.9, 0.8, 0.7), (0.6, 0.5, 0.7))],
                NO: [((0.7, 0.8, 0.9), (0.5, 0.6, 0.7)), ((0.9, 0.8, 0.7), (0.7, 0.6, 0.5))],
            },
        )
        for claim, name in (("order-in-k", "classes"), ("cifar10-order", "cifar10"))
    },
    "cifar10-gain": (fedper2("cifar10", 4), {YES: [(0.2, 0.11)], NEARLY: [(0.2, 0.07)], NO: [(0.2, 0.2, 0.04)]}),
    "near-identical": (
        lambda digits, cifar: fedper2("classes", 10)(digits) | fedper2("cifar10", 10)(cifar),
        {
            YES: [(0.025, -0.01), (-0.025, 0.02)],
            NEARLY: [(0.045, 0.0), (0.0, -0.045)],
            NO: [(0.08, 0.0), (-0.01, -0.08)],
        },
    ),
    "any-units": (
        any_units,
        {YES: [(0.03,) * 6], NEARLY: [(0.03,) * 4 + (-0.1, 0.0)], NO: [(0.03,) * 3 + (0.01,) * 3]},
    ),
    "units-matter-little": (
        units_matter_little,
        {YES: [(0.5, 0.1), (0.5, -0.1)], NEARLY: [(0.5, 0.2)], NO: [(0.5, 0.4), (0.9, 0.05)]},
    ),
    "cifar10-any-units": (
        cifar10_units,
        {YES: [(0.03,) * 3], NEARLY: [(0.03, -0.1, 0.03)], NO: [(0.03, 0.01, 0.01)]},
    ),
    "cifar10-units-matter-little": (
        lambda average, span: third_apart(units_matter_little(average, span)["classes"]),
        {YES: [(0.5, 0.1), (0.5, -0.1)], NEARLY: [(0.5, 0.2)], NO: [(0.5, 0.4), (0.9, 0.05)]},
    ),
    "cifar10-skew": (
        cifar10_skew,
        {
            YES: [(0.2, 0.1, -0.02)],
            NEARLY: [(0.2, 0.1, 0.05), (0.2, 0.3, -0.005)],
            NO: [(0.2, -0.1, 0.15), (-0.05, 0.0, -0.06), (0.0, 0.0, -0.01)],
        },
    ),
    "batch-norm": (
        batch_norm,
        {
            YES: [((0.2, -0.1), (0.1, -0.1), (0.3, -0.2))],
            NEARLY: [((0.2, -0.1), (0.1, 0.1), (0.3, -0.2)), ((0.2, -0.1), (0.1, -0.1), (-0.3, -0.2))],
            NO: [((0.2, -0.1), (-0.1, -0.1), (0.3, 0.2)), ((0.2, -0.1), (0.005, -0.1), (0.3, -0.005))],
        },
    ),
    "less-spread": (less_spread, {YES: [(-0.05, -0.01)], NEARLY: [(-0.05, -0.01, 0.01)], NO: [(0.01, 0.02)]}),
    "beats-local": (
        lambda *gains: {"classes": pair("FedPer 2", "local only", dict(zip((4, 8, 10), gains, strict=True)))},
        {
            YES: [(0.05, 0.03, 0.03)],
            NEARLY: [(-0.02, 0.05, 0.05), (0.05, 0.01, 0.05)],
            NO: [(-0.01, -0.01, 0.05), (0.0, 0.0, 0.0)],
        },
    ),
    "cifar10-beats-local": (
        lambda *gains: {"cifar10": pair("FedPer 2", "local only", dict(zip((4, 8, 10), gains, strict=True)))},
        {YES: [(0.05, 0.03, 0.03)], NEARLY: [(-0.02, 0.05, 0.05)], NO: [(-0.01, -0.01, 0.05)]},
    ),
    "base-ablation": (base_ablation, {YES: [(0.2, 0.11)], NEARLY: [(0.2, 0.05)], NO: [(0.2, 0.01)]}),
    "finetuning-aesthetics": (
        lambda change: {"aesthetics": pair("FedPer 1 + FT", "FedPer 1", {1.0: change, 0.0: 0.3}, by="a")},
        {YES: [(0.01,), (-0.01,)], NEARLY: [(0.025,), (-0.025,)], NO: [(0.05,), (-0.05,)]},
    ),
    "finetuning-cifar100": (
        finetuning_cifar100,
        {YES: [(0.01, 0.01), (0.02, -0.005)], NEARLY: [(0.01, -0.02), (-0.02, 0.01)], NO: [(0.004, 0.0)]},
    ),
    "modest-savings": (savings, {YES: [(0.05, 0.08)], NEARLY: [(0.05, 0.12)], NO: [(0.05, 0.3)]}),
    "cifar100-gain": (
        lambda *gains: {"cifar100": with_local(pair("FedPer 1", "FedAvg", {10: gains}))},
        {YES: [(0.2, 0.11)], NEARLY: [(0.2, 0.03)], NO: [(0.2, 0.01)]},
    ),
    "fedrep": (fedrep, {YES: [(0.01, 0.02)], NEARLY: [(-0.01, 0.02, 0.03)], NO: [(-0.01, -0.005), (-0.1, -0.01, 0.1)]}),
    "crossover": (
        crossover,
        {
            YES: [(0.2, -0.02, 0.2, -0.02)],
            NEARLY: [(0.2, -0.02, 0.2, -0.005), (0.2, -0.005, 0.2, -0.02), (0.2, -0.02, -0.1, -0.02)],
            NO: [(0.2, 0.02, 0.2, -0.02), (-0.1, -0.02, 0.2, -0.02)],
        },
    ),
    "cifar10-crossover": (
        lambda *gains: {"cifar10": pair("FedPer 2", "FedAvg", dict(zip((4, 8, 10), gains, strict=True)))},
        {
            YES: [(0.2, 0.1, -0.02)],
            NEARLY: [(0.2, 0.1, 0.05), (0.2, 0.1, -0.005)],
            NO: [(0.2, 0.1, 0.15), (-0.1, 0, 0), (-0.05, 0, -0.06)],
        },
    ),
    "flickr": (
        lambda level, *gains: {"flickr": flickr(level, gains)},
        {YES: [(0.4, 0.1, 0.08)], NEARLY: [(0.4, 0.04, 0.1, 0.2), (0.25, 0.1, 0.1)], NO: [(0.4, 0.01), (0.4, -0.1)]},
    ),
    "femnist": (femnist, {YES: [(0.01, 0.02)], NEARLY: [(-0.01, 0.02, 0.03)], NO: [(-0.005,), (-0.1, -0.005, 0.1)]}),
    "common-taste": (
        lambda *gains: {"aesthetics": pair("FedAvg", "FedPer 1", {0.0: gains, 1.0: -0.3}, by="a")},
        {YES: [(0.02, 0.03)], NEARLY: [(0.005, 0.02), (-0.01, 0.01, 0.02)], NO: [(-0.01, 0.0)]},
    ),
    "stationarity": (
        stationarity,
        {
            YES: [(-0.5, -0.5, 1.1), (-0.45, -0.8, 0.9)],
            NEARLY: [(-0.3, -0.5, 1.0), (-0.5, -0.3, 1.0), (-0.5, -0.5, 1.5)],
            NO: [(-0.1, -0.5, 1.0), (-0.5, -0.1, 1.0)],
        },
    ),
    "finetuned-fedavg": (
        lambda two, four: {"classes": pair("FedAvg + FT", "FedPer 1", {2: two, 4: four})},
        {YES: [(-0.01, 0.1)], NEARLY: [(-0.03, 0.1), (0.1, -0.03)], NO: [(-0.1, 0.1), (0.1, -0.1)]},
    ),
    "cifar10-finetuned": (
        cifar10_finetuned,
        {
            YES: [(-0.01, 0.1)],
            NEARLY: [(-0.03, 0.1), (0.1, -0.03), (0.1, 0.1, 0.63)],
            NO: [(-0.1, 0.1), (0.1, -0.1), (0.1, 0.1, 0.7)],
        },
    ),
    "best-units": (best_units, {YES: [(2, 1, 0), (1, 1, 0)], NEARLY: [(2, 0)], NO: [(0, 1, 2), (1, 1), (1, 2, 0)]}),
    "many-classes": (
        many_classes,
        {
            YES: [((0.2, 0.11), (-0.05, -0.02))],
            NEARLY: [((0.2, 0.05), (-0.05, -0.02)), ((0.2, 0.2), (-0.05, -0.005))],
            NO: [((-0.1, -0.2), (-0.1, -0.1)), ((0.2, 0.2), (0.1, 0.1))],
        },
    ),
    "tuned": (
        tuned,
        {YES: [(0.05, -0.05)], NEARLY: [(0.05, -0.005), (0.005, -0.05)], NO: [(0.05, 0.01), (-0.01, -0.05)]},
    ),
    "networks": (
        lambda *gains: networks(**{f"net{i}": gain for i, gain in enumerate(gains)}),
        {
            YES: [((0.1, 0.0), (0.2, -0.1))],
            NEARLY: [((0.1, 0.0),), ((0.1, 0.0), (0.04, 0.01)), ((0.1, 0.03), (0.1, 0.0))],
            NO: [((0.1, 0.0), (0.04, 0.03)), ((0.1, 0.0), (-0.1, -0.2))],
        },
    ),
    "timing": (
        timing,
        {YES: [(-0.05, 0.05)], NEARLY: [(-0.01, 0.05), (-0.05, 0.01)], NO: [(0.01, 0.05), (-0.05, -0.01)]},
    ),
    "newcomers": (
        lambda *gains: learnt(newcomers(*gains)),
        {YES: [(0.1, 0.2)], NEARLY: [(0.03, 0.1), (-0.1, 0.1, 0.1)], NO: [(-0.05, 0.01)]},
    ),
    "head-step-memory": (
        lambda share: {"steps": pd.DataFrame({"personal_units": [0, 1], "extra_mib": [8.0, 8.0 * share]})},
        {YES: [(0.3,)], NEARLY: [(0.6,)], NO: [(0.9,)]},
    ),
}
ELSEWHERE = {"block-descent", "shared-representation"}  # each has a test of its own
BY_ID = {claim.id: claim for claim in CLAIMS}
MEASURED = ["accuracy", "spread", "squared_gradient", "saved", "extra_mib"]


def test_every_rule_is_judged_in_every_way():
    assert set(CASES) | ELSEWHERE == set(BY_ID) and not set(CASES) & ELSEWHERE
    check_all_verdicts(CASES)


@pytest.mark.parametrize(("claim", "status", "arguments"), flattened(CASES))
def test_rule(claim, status, arguments):
    check_rule(CASES, BY_ID, claim, status, arguments)


@pytest.mark.parametrize("claim", CASES)
def test_nothing_follows_from_what_was_not_measured(claim):
    check_unmeasured(CASES, BY_ID, claim, MEASURED)


def test_nothing_follows_from_a_deep_base_that_is_not_worth_sharing():
    verdict = rules_concept.base_ablation(base_ablation(0.2, 0.2, 0.2, alone=0.75))
    assert verdict.status == "not judged" and "training alone" in verdict.detail


def test_an_arm_tuned_to_an_end_of_the_rates_is_named():
    found = base_ablation(0.2, 0.2)
    assert rules_concept.base_ablation(found).detail == ""
    table = found["cifar10_base"]
    at_end = table.assign(lr=table["lr"].mask(table["use"] == "judging", 0.001))
    detail = rules_concept.base_ablation(found | {"cifar10_base": at_end}).detail
    assert detail.endswith(": linear base, FedPer 1")
    rates = {"use": ["tuning", "tuning", "tuning"], "lr": [0.1, 0.2, 0.4]}
    chosen = pd.DataFrame({"method": ["FedAvg", "FedPer 1"], "lr": [0.4, 0.2]})
    assert rules.at_ends(pd.DataFrame(rates), chosen, ["method"]).endswith("beyond: FedAvg")


def test_a_rule_without_the_method_says_what_it_lacks():
    with pytest.raises(Missing, match="FedPer 2 beside FedAvg"):
        rules.heterogeneity({"classes": rows({(2, "FedAvg"): [0.5]})})


def test_nothing_is_judged_on_digits_where_nothing_was_learnt():
    few = {(2, "FedPer 2"): [0.9], (2, "FedAvg"): [0.2]}
    for level, status in ((0.17, "not judged"), (0.9, "reproduced")):
        table = {"classes": rows(few | {(10, "FedAvg"): [level]})}
        assert judge((BY_ID["heterogeneity"],), table)["status"].item() == status
    assert rules.heterogeneity({"classes": rows(few | {(10, "FedAvg"): [0.17]})}).status == "reproduced"
    weak = ceiling(0.01, 0.1, plain=0.17)
    assert judge((BY_ID["single-model-ceiling"],), weak)["status"].item() == "not judged"
    assert BY_ID["heterogeneity"].changed == rules.NOT_LEARNT and BY_ID["flickr"].changed == ""


def test_block_descent():
    block = pd.DataFrame(
        {
            "lr": [0.1] * 3 + [1.0] * 3,
            "round": [0, 1, 2] * 2,
            "objective": [3, 2, 1, 3, 4, 1],
            "difference": [0, 1e-13, 2e-13, 0, 1, 1],
            "bound": 0.5,
        }
    )
    assert rules_concept.block_descent({"block": block}).status == "reproduced"
    assert rules_concept.block_descent({"block": block.replace(2e-13, 1e-7)}).status == "close"
    assert rules_concept.block_descent({"block": block[block["lr"] == 1]}).status == "not reproduced"
    rising = block.assign(bound=2.0, difference=0.0)
    assert rules_concept.block_descent({"block": rising}).status == "not reproduced"
    assert rules_concept.block_descent({"block": block.assign(difference=1e-2)}).status == "not reproduced"


def representation(rep, per, avg, error, alone):
    names = {"FedRep": (rep, 0.1), "FedPer": (per, error), "FedAvg": (avg, 2.0), "local only": (float("nan"), alone)}
    rows = [(10, name, seed, 60, *values) for name, values in names.items() for seed in (0, 1)]
    return pd.DataFrame(rows, columns=["examples", "method", "seed", "round", "distance", "error"])


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ((0.3, 0.4, 1.0, 0.2, 0.5), "reproduced"),
        ((0.55, 0.6, 1.0, 0.2, 0.5), "close"),  # the order holds, the ends do not
        ((0.3, 0.4, 1.0, 0.6, 0.5), "close"),  # training alone is better
        ((0.5, 0.4, 1.0, 0.2, 0.5), "not reproduced"),
        ((0.3, float("nan"), 1.0, 0.2, 0.5), "not reproduced"),
    ],
)
def test_shared_representation(values, status):
    assert rules_concept.shared_representation({"representation": representation(*values)}).status == status


def test_ties_between_numbers_of_units_are_not_decided_by_the_last_digit():
    """All within a tie: sharing all is best at every k, so that the best number does not fall."""
    assert rules.best_units(best_units(2, 1, 0, second=0.896)).status == NO
    clear, tied = best_units(2, 1, 0)["classes"], best_units(2, 1, 0, second=0.896)["classes"]
    inner_tied = pd.concat([clear[clear["classes_per_client"] != 1], tied[tied["classes_per_client"] == 1]])
    assert rules.best_units({"classes": inner_tied}).status == NEARLY  # two, zero and zero units
    with pytest.raises(Missing, match="local only"):
        rules.best_units(best_units(1, 0, units=(0, 1, 3)))


def test_nothing_follows_from_networks_that_have_not_learnt():
    weak = networks(one=(0.1, 0.0))["cifar10_networks"]
    verdict = rules_images.networks({"cifar10_networks": weak.assign(accuracy=weak["accuracy"] - 0.35)})
    assert verdict.status == "not judged" and "too few rounds" in verdict.detail
    strong = fedper2("cifar10", 4)(0.2, 0.2)["cifar10"]
    assert rules_images.cifar10_gain({"cifar10": strong}).status == "reproduced"
    assert rules_images.cifar10_gain({"cifar10": strong.assign(accuracy=strong["accuracy"] - 0.25)}).status == "close"
    strong = with_local(pair("FedPer 1", "FedAvg", {10: (0.2, 0.2)}))
    assert rules_images.cifar100_gain({"cifar100": strong.assign(accuracy=strong["accuracy"] - 0.45)}).status == "close"


def test_training_alone_is_named_beside_a_gain_over_fedavg():
    table = pair("FedPer 2", "FedAvg", {2: (0.2, 0.3), 4: (0.2, 0.3)})
    ours = table[table["method"] == "FedPer 2"]
    both = pd.concat([table, ours.assign(method="local only", accuracy=ours["accuracy"] + 0.05)])
    for rule, name, k in ((rules.heterogeneity, "classes", 2), (rules_images.cifar10_gain, "cifar10", 4)):
        assert f"FedPer 2 minus training alone -0.050 (k={k})" in rule({name: both}).detail
        assert f"training alone was not run (k={k})" in rule({name: table}).detail
    assert "FedPer 1 minus training alone" in rules_images.many_classes(many_classes(0.2, -0.1)).detail


def test_fine_tuning_tuned_to_an_end_is_named():
    table = cifar10_finetuned(0.1, 0.1)["cifar10"]
    rates = table["use"].map({"judging": 0.003, "tuning": 0.003})
    tuned = table["method"].str.endswith("FT")
    table = table.assign(finetune_lr=rates.where(tuned))
    tried = table[tuned & (table["use"] == "tuning")]
    table = pd.concat([table, tried.assign(finetune_lr=0.001), tried.assign(finetune_lr=0.03)])
    assert rules_images.cifar10_finetuned({"cifar10": table}).detail.endswith("nothing after FedPer 2")
    at_end = table["finetune_lr"].mask((table["use"] == "judging") & (table["method"] == "FedAvg + FT"), 0.001)
    detail = rules_images.cifar10_finetuned({"cifar10": table.assign(finetune_lr=at_end)}).detail
    assert detail.endswith("beyond: FedAvg + FT with k = 4; FedAvg + FT with k = 8")


def test_nothing_follows_where_fedper_does_not_beat_training_alone_or_fedavg_has_not_learnt():
    verdict = rules_concept.finetuning_cifar100(finetuning_cifar100(0.02, 0.02, alone=0.9))
    assert verdict.status == "not judged" and "training alone" in verdict.detail
    assert rules_concept.femnist(femnist(0.1, 0.1, level=0.0)).status == "not judged"


@pytest.mark.parametrize(("few", "many", "status"), [(0.1, 0.1, YES), (0.1, -0.1, NEARLY), (-0.1, -0.1, NO)])
def test_tuned_runs_limit_what_is_said_of_fedrep(few, many, status):
    verdict = rules.fedrep(fedrep(0.1, 0.2) | {"rates": tuned_fedrep(few, many)})
    assert verdict.status == status and f"{few:+.3f} (k=4)" in verdict.measured


def test_a_seed_that_lacks_a_method_is_not_dropped():
    table = pair("FedPer 2", "FedAvg", {2: (0.2, 0.2)})
    table = table[~((table["seed"] == table["seed"].max()) & (table["method"] == "FedAvg"))]
    assert rules.heterogeneity({"classes": table}).status == NO
