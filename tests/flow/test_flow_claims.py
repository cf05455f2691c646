"""Every rule on tables made by hand: it says yes, it says no, and it refuses NaN."""

import numpy as np
import pandas as pd
import pytest
from rule_cases import check_all_verdicts, check_rule, check_unmeasured, flattened

from lib.flow import CLAIMS, rules
from lib.flow.baselines.methods import UNTUNED
from lib.report import COMPANION, Missing
from lib.report.published import published

YES, NEARLY, NO = "reproduced", "close", "not reproduced"


def clients(cells, *, value="personal", by="rho", **columns):
    """A table of one client a run: {(group, method): values by seed}."""
    made = []
    for (group, method), numbers in cells.items():
        for seed, number in enumerate(numbers):
            row = {by: group, "method": method, "seed": seed, "client": 0, "test": 10, "personal": 0.5, "harmed": 0.5}
            made.append(row | {"global": 0.5, value: number} | columns)
    return pd.DataFrame(made)


def against(method, other, gains, *, value="personal", groups=(0.25,), by="rho", **columns):
    cells = {}
    for group, numbers in zip(groups, gains, strict=True):
        cells |= {(group, method): [0.5 + g for g in numbers], (group, other): [0.5] * len(numbers)}
    return clients(cells, value=value, by=by, **columns)


def harmed(ours, theirs):
    return {
        "clients": clients({(0.25, "Flow"): ours, (0.25, "FedAvg + FT"): theirs}, value="harmed", delta=1.0),
    }


def every_rho(gains, more, untuned=(0.0, 0.0, 0.0)):
    """Gains over tuned fine-tuning in two seeds, harm beside it, and how far the untuned form is above it."""
    groups = (0.25, 0.5, 0.75)
    table = against("Flow", "FedAvg + FT", [[g, g + 0.01] for g in gains], groups=groups, delta=1.0)
    table.loc[table["method"] == "Flow", "harmed"] = 0.5 + np.repeat(more, 2)
    other = {(r, UNTUNED): [0.5 + u] * 2 for r, u in zip(groups, untuned, strict=True)}
    return {"clients": pd.concat([table, clients(other, delta=1.0)])}


def auc(first, second):
    cells = {(0.25, "Flow"): first, (0.5, "Flow"): second}
    return {"routes": clients(cells, value="auc", delta=1.0)}


def ensemble(one, other):
    groups = (0.25, 0.5, 0.75)
    parts = [
        against("Flow", "ensemble", [[one]] * 3, groups=groups, delta=1.0),
        clients({(r, "ensemble, own weight"): [0.5 + one - other] for r in groups}, delta=1.0),
    ]
    return {"clients": pd.concat(parts)}


def best_method(first, second, third=(0.01, 0.02, 0.03)):
    cells = {(r, "Flow"): [0.5 + g for g in gains] for r, gains in ((0.25, first), (0.5, second))}
    for name, level in (("APFL", 0.5), ("Ditto", 0.3)):
        cells |= {(r, name): [level] * len(first) for r in (0.25, 0.5)}
    last = against("Flow", "ensemble", [third], groups=(0.75,), delta=1.0)
    return {"methods": clients(cells, delta=1.0).drop(columns=["client", "test"]), "clients": last}


def tuned(task, kind, **chosen):
    """What was tried for Flow and FedAvg + FT, the best setting of each given by name, by default an inner one."""
    best = {"Flow": "rate=0.3, push=0", "FedAvg_+_FT": "rate=0.3, times=1"} | chosen
    rows = [
        {"task": task, "kind": kind, "method": name.replace("_", " "), "seed": 1000, "setting": f"rate={r:g}, {rest}"}
        for name, rests in (("Flow", ("push=0", "push=0.1")), ("FedAvg_+_FT", ("times=1", "times=2")))
        for r in (0.1, 0.3, 1.0)
        for rest in rests
    ]
    table = pd.DataFrame(rows)
    right = [row.setting == best[row.method.replace(" ", "_")] for row in table.itertuples()]
    return table.assign(personal=np.where(right, 0.9, 0.5))


def settings(name, group, task=None):
    def tables(gains, more, lead=0.0):
        table = against("Flow", "FedAvg + FT", [gains], groups=(group,), by="setting")
        table.loc[table["method"] == "Flow", ["harmed", "global"]] = 0.5 + more, 0.5 + lead
        table = pd.concat([table, clients({(group, "FedAvg"): [0.4] * len(gains)}, by="setting")])
        return {name: table} | ({f"{name}_tuning": tuned(task, group)} if task else {})

    verdicts = {
        YES: [((0.02,), 0.0), ((0.01, 0.02), -0.1), ((0.02, 0.02), 0.0, 0.01)],
        NEARLY: [((0.0,), 0.0), ((0.02,), 0.04), ((0.02, 0.03, 0.004), 0.0), ((0.02, 0.02), 0.0, 0.02)],
        NO: [((-0.01,), 0.0), ((-0.00455,), 0.0), ((0.02,), 0.1), ((0.02, -0.01, -0.01), 0.0)],
    }
    return tables, verdicts


def ensemble_unplanted(*gaps):
    """Flow's lead over the two ensembles in the settings of the four tables."""
    tables = {}
    for name, (one, other) in zip(("digits", "femnist", "cifar10", "shakespeare"), gaps, strict=True):
        table = against("Flow", "ensemble", [[one]], groups=("a",), by="setting")
        tables[name] = pd.concat([table, clients({("a", "ensemble, own weight"): [0.5 + one - other]}, by="setting")])
    return tables


def heterogeneity(low, high, level=0.5, alone=(0.0, 0.0)):
    groups = ("alpha=0.1", "alpha=0.6")
    parts = [
        against(name, "FedAvg", [[a], [b]], groups=groups, by="setting")
        for name, (a, b) in (("Flow", (low, high)), ("local only", alone))
    ]
    table = pd.concat(parts).drop_duplicates(["setting", "method"])
    tries = pd.concat([tuned(f"CIFAR-10, {group}", group) for group in groups])
    return {"cifar10": table.assign(personal=table["personal"] + level - 0.5), "cifar10_tuning": tries}


def small_clients(*gains):
    parts = []
    for size, column in ((16, 0), (240, 1)):
        rows = against("Flow", "FedAvg + FT", [[pair[column] for pair in gains]], examples=size, round=25)
        parts += [rows, rows.assign(round=1, personal=0.5)]
    return {"rounds": pd.concat(parts)}


def ablation(names, rows):
    """Tables with one row a seed of each variant: columns by name, one tuple of numbers a seed."""
    made = [
        {"variant": name, "seed": seed} | dict(zip(names, numbers, strict=True))
        for name, some in rows.items()
        for seed, numbers in enumerate(some)
    ]
    return {"ablation": pd.DataFrame(made)}


def split_cost(*gains, half="half"):
    """Halves with the regularizer `half` are `gains` above all data; without it both sides are worse."""
    rows = {name: [(0.4,)] * len(gains) for name in ("none", "push to local", "half", "half, no regularizer")}
    rows |= {"half, push to local": [(0.4,)] * len(gains), "as here": [(0.5,)] * len(gains)}
    return ablation(["personal"], rows | {half: [(0.5 + gain,) for gain in gains]})


def data_reuse(*pairs):
    rows = {"as here": [(0.5, 0.1)] * len(pairs), "none": [(0.5 - gain, 0.1 + more) for more, gain in pairs]}
    return ablation(["personal", "local_0"], rows)


def distance(*gaps):
    rows = [
        {"delta": d, "method": "Flow", "seed": 0, "local_1": 0.5 + g, "local_0": 0.5}
        for d, g in zip((0.25, 0.5, 1.0), gaps, strict=True)
    ]
    return {"delta_routes": pd.DataFrame(rows)}


def newcomers(ours, theirs):
    parts = []
    for name, change in (("Flow", ours), ("FedAvg", theirs)):
        for group, level in (("seen", 0.5), ("new", 0.5 + change)):
            parts.append(clients({(0.25, name): [level]}, group=group))
    return {"newcomers": pd.concat(parts)}


def variant(name, value, *, minus=1):
    """Tables with "as here" at one half, and the variant `minus` its arguments away from it."""

    def tables(*gains):
        rows = []
        for seed, gain in enumerate(gains):
            rows.append({"variant": "as here", "seed": seed, value: 0.5})
            rows.append({"variant": name, "seed": seed, value: 0.5 - minus * gain})
        return {"ablation": pd.DataFrame(rows)}

    return tables


def mixing(weight, risk):
    row = {"alpha": 0.5 + weight, "predicted": 0.5, "simulated_risk": 1 + risk, "risk": 1.0}
    return {"mixing": pd.DataFrame([row, row | {"alpha": 0.5}])}


def instance_value(far, end):
    rows = [{"rho": 0.0, "value": end, "predicted": 0.0}, {"rho": 0.5, "value": 1 + far, "predicted": 1.0}]
    return {"instances": pd.DataFrame(rows)}


def global_rates(slope, *floors):
    rows = [
        {"kind": "rate", "level": level, "seed": 0, "rounds": r, "squared_gradient": float(r) ** slope}
        for level in (0.0, 1.0)
        for r in (10, 100)
    ]
    rows += [
        {"kind": "floor", "level": level, "seed": s, "rounds": 9, "squared_gradient": 0.1 + level * f}
        for s, f in enumerate(floors)
        for level in (0.0, 1.0)
    ]
    return {"global_rates": pd.DataFrame(rows)}


def personal_gradients(*ratios):
    rows = []
    for seed, (unlike, alike) in enumerate(ratios):
        for setting, values in (
            ("unlike", {"share": 0.2, "global": 1.0, "local": 9.0, "routed": unlike}),
            ("alike", {"share": 0.0, "global": 9.0, "local": 1.0, "routed": alike}),
        ):
            rows.append({"setting": setting, "seed": seed, "client": 0} | values)
    return {"personal_gradients": pd.DataFrame(rows)}


def gradient_bound(*clients_of_seeds):
    """The bound is 1: the squared gradients of the clients of each seed, and a client all of one branch."""
    rows = [
        {"setting": "unlike", "seed": seed, "client": c, "share": 0.5, "routed": value, "mix": 1.0, "parts": 1.0}
        for seed, some in enumerate(clients_of_seeds)
        for c, value in enumerate(some)
    ]
    table = pd.DataFrame([*rows, rows[0] | {"client": 99, "share": 1.0, "routed": 5.0}])
    return {"personal_gradients": table}


BOUNDS = {YES: [((0.9, 1.0), (0.5, 0.6))], NEARLY: [((0.8, 1.1), (0.5, 0.6))], NO: [((0.9, 1.2), (0.5, 0.6))]}
UNKNOWN = "whether anything was routed by instance is not known: neither routes nor Flow by client were kept"

# By claim: the function that makes its tables, and arguments for each verdict.
CASES = {
    "accuracy": (
        lambda *gains: {"clients": against("Flow", "FedAvg + FT", [gains], delta=1.0)},
        {YES: [(0.031, 0.08)], NEARLY: [(0.02, 0.08), (0.001, 0.05)], NO: [(-0.01, 0.02, 0.05), (-0.01, 0.2)]},
    ),
    "accuracy-untuned": (
        lambda *gains: {"clients": against("Flow", "FedAvg + FT, untuned", [gains], delta=1.0)},
        {YES: [(0.031, 0.08)], NEARLY: [(0.02, 0.08), (0.001, 0.05)], NO: [(-0.01, 0.02, 0.05), (-0.01, 0.2)]},
    ),
    "harmed": (
        harmed,
        {YES: [((0.1, 0.2), (0.4, 0.4))], NEARLY: [((0.1, 0.3), (0.4, 0.4))], NO: [((0.4, 0.5), (0.4, 0.4))]},
    ),
    "global-accuracy": (
        lambda *change: {
            "clients": against(
                "Flow", "FedAvg", [[c] for c in change], value="global", groups=(0.25, 0.5, 0.75), delta=1.0
            )
        },
        {YES: [(0.01, 0.02, 0.03)], NEARLY: [(0.01, 0.001, 0.03)], NO: [(0.01, 0.02, -0.001)]},
    ),
    "every-rho": (
        every_rho,
        {
            YES: [((0.01, 0.02, 0.03), (0, -0.1, -0.2))],
            NEARLY: [
                ((0.01, 0.02, 0.03), (0, 0.1, 0)),
                ((0.01, -0.001, 0.03), (0, 0, 0)),
                ((0.01, 0.02, 0.03), (0, 0, 0), (0, 0, 0.033)),
            ],
            NO: [((-0.01, 0.03, 0.03), (0, 0, 0)), ((0.01, 0.02, 0.03), (0, 0, 0), (0, 0, 0.04))],
        },
    ),
    "auc": (
        auc,
        {YES: [((0.96, 0.99), (0.97, 1.0))], NEARLY: [((0.9, 0.94), (0.97, 1.0))], NO: [((0.8, 0.85), (0.99, 0.99))]},
    ),
    "ensemble": (ensemble, {YES: [(0.05, 0.01), (0.01, 0.05)], NEARLY: [(0.03, 0.05)], NO: [(0.05, 0.06)]}),
    "ensemble-unplanted": (
        ensemble_unplanted,
        {
            YES: [((0.05, 0.01), (0.01, 0.05), (0, 0), (-0.1, 0))],
            NEARLY: [((0, 0), (0, 0), (0, 0), (0.03, 0.05))],
            NO: [((0.05, 0.06), (0, 0), (0, 0), (0, 0))],
        },
    ),
    "by-client": (
        lambda *gains: {"granularity": against("Flow", "Flow by client", [gains], delta=1.0)},
        {YES: [(0.03, 0.05)], NEARLY: [(0.01, 0.05)], NO: [(-0.01, 0.02, 0.03)]},
    ),
    "best-method": (
        best_method,
        {
            YES: [((0.01, 0.02), (0.01, 0.02))],
            NEARLY: [((-0.01, 0.02, 0.03), (0.01, 0.02, 0.03)), ((0.1, 0.1), (0.1, 0.1), (-0.01, 0.01, 0.02))],
            NO: [
                ((-0.01, -0.02, 0.03), (0.1, 0.1, 0.1)),
                ((0.1, 0.1), (0.1, 0.1), (-0.01, -0.01, 0.02)),
                ((0.1, 0.1), (-0.01, 0.0)),
            ],
        },
    ),
    "digits": settings("digits", "Dirichlet 0.6"),
    "styles": settings("digits", "style 1"),
    "femnist": settings("femnist", "by user", "FEMNIST digits"),
    "cifar10": settings("cifar10", "alpha=0.1", "CIFAR-10, alpha=0.1"),
    "shakespeare": settings("shakespeare", "by speaker", "Shakespeare"),
    "cifar10-heterogeneity": (
        heterogeneity,
        {YES: [(0.1, 0.05)], NEARLY: [(0.06, 0.05), (-0.01, -0.1)], NO: [(0.01, 0.05)]},
    ),
    "distance": (
        distance,
        {YES: [(0.1, 0.2, 0.3)], NEARLY: [(0.1, 0.05, 0.3), (0.01, 0.05, 0.1)], NO: [(0.3, 0.2, 0.1)]},
    ),
    "small-clients": (
        small_clients,
        {
            YES: [((0.05, 0.01), (0.02, 0.01))],
            NEARLY: [((0.05, 0.01), (0.04, 0.01), (0.0, 0.01))],
            NO: [((0.01, 0.02), (0.0, 0.01))],
        },
    ),
    "newcomers": (newcomers, {YES: [(-0.01, 0.0), (-0.05, -0.04)], NEARLY: [(-0.03, 0.0)], NO: [(-0.06, 0.0)]}),
    "soft-test": (
        variant("soft test", "personal"),
        {YES: [(0.005, -0.005), (0.009,)], NEARLY: [(0.02,), (-0.02,)], NO: [(0.05,), (-0.05,)]},
    ),
    "data-reuse": (
        data_reuse,
        {
            YES: [((0.3, 0.02), (0.25, 0.01))],
            NEARLY: [((0.3, 0.02), (0.15, 0.02)), ((0.3, 0.02), (0.3, 0.02), (0.3, -0.01))],
            NO: [((0.05, 0.02), (0.05, 0.02)), ((0.3, -0.01), (0.3, -0.02))],
        },
    ),
    "split-cost": (
        split_cost,
        {YES: [(-0.02, -0.05)], NEARLY: [(-0.005, -0.02)], NO: [(0.01, 0.0)]},
    ),
    "global-rates": (
        global_rates,
        {YES: [(-0.5, 0.1, 0.2), (-1.5, 0.1)], NEARLY: [(-0.3, 0.1), (-0.5, -0.05, 0.1, 0.1)], NO: [(-0.5, -0.05)]},
    ),
    "personal-gradients": (
        personal_gradients,
        {
            YES: [((0.9, 0.8), (0.99, 0.5))],
            NEARLY: [((0.9, 0.8), (0.9, 0.8), (1.1, 1.2))],
            NO: [((1.2, 0.5),), ((0.5, 1.2),), ((1.0, 0.8), (1.0, 0.8), (0.7, 0.8))],
        },
    ),
    "gradient-mix": (gradient_bound, BOUNDS),
    "gradient-parts": (gradient_bound, BOUNDS),
    "policy-memory": (
        lambda share: {"phases": pd.DataFrame({"step": ["FedAvg", "policy"], "extra / FedAvg": [1.0, share]})},
        {YES: [(2.1,)], NEARLY: [(1.7,)], NO: [(1.2,)]},
    ),
    "mixing": (mixing, {YES: [(0.01, 0.01)], NEARLY: [(0.05, 0.01), (0.01, 0.05)], NO: [(0.1, 0.0), (0.0, 0.1)]}),
    "instance-value": (
        instance_value,
        {YES: [(0.01, 0.0)], NEARLY: [(0.05, 0.0), (0.01, 0.1)], NO: [(0.1, 0.0)]},
    ),
}
BY_ID = {claim.id: claim for claim in CLAIMS}
MEASURED = [
    "personal", "global", "harmed", "auc", "local_1", "local_0", "squared_gradient", "routed", "extra / FedAvg",
    "alpha", "value",
]  # fmt: skip


def test_claims_are_well_formed():
    assert len(BY_ID) == len(CLAIMS)
    values = published("flow")["values"]
    for claim in CLAIMS:
        assert claim.rule and claim.needs and claim.statement[0].isupper()
        assert claim.source == COMPANION or claim.source.startswith("abstract")
    assert all(value["known"] in ("paper", "code", "unknown") for value in values.values())


def test_every_rule_is_judged_in_every_way():
    assert set(CASES) == set(BY_ID)
    check_all_verdicts(CASES)


@pytest.mark.parametrize(("claim", "status", "arguments"), flattened(CASES))
def test_rule(claim, status, arguments):
    check_rule(CASES, BY_ID, claim, status, arguments)


@pytest.mark.parametrize("claim", CASES)
def test_nothing_follows_from_what_was_not_measured(claim):
    check_unmeasured(CASES, BY_ID, claim, MEASURED)


def test_a_rule_without_the_method_says_what_it_lacks():
    with pytest.raises(Missing, match="FedAvg"):
        rules.accuracy("FedAvg + FT")({"clients": clients({(0.25, "Flow"): [0.5]}, delta=1.0)})


def test_the_median_that_misses_three_points_is_told():
    found = BY_ID["accuracy"].holds({"clients": against("Flow", "FedAvg + FT", [[0.01, 0.028, 0.04]], delta=1.0)})
    assert found.detail == "the median misses three points by 0.20 of a point" and rules.missed(0.03) == ""


def test_no_bound_is_judged_where_routes_never_part():
    tables = {name: table.assign(share=1.0) for name, table in gradient_bound((0.9,), (0.8,)).items()}
    assert BY_ID["gradient-mix"].holds(tables).status == "not judged"


def test_what_a_comparison_rests_on_must_be_there():
    """Nobody harmed by fine-tuning, or a FedAvg that has learnt nothing: not judged."""
    assert BY_ID["harmed"].holds(harmed((0.0, 0.0), (0.0, 0.0))).status == "not judged"
    assert BY_ID["cifar10-heterogeneity"].holds(heterogeneity(0.3, 0.1, level=0.15)).status == "not judged"
    assert BY_ID["cifar10-heterogeneity"].holds(heterogeneity(0.3, 0.1, level=0.25)).status == YES


def test_the_split_is_judged_with_the_regularizer_that_suits_it():
    assert BY_ID["split-cost"].holds(split_cost(-0.05, -0.05)).status == YES
    assert BY_ID["split-cost"].holds(split_cost(0.01, 0.01, half="half, push to local")).status == NO


def test_where_fedavg_is_better_than_both_the_verdict_says_so():
    tables = settings("femnist", "by user")[0]((0.02,), 0.0)
    assert BY_ID["femnist"].holds(tables).detail == UNKNOWN
    plain = tables["femnist"]["method"] == "FedAvg"
    better = tables["femnist"].assign(personal=tables["femnist"]["personal"].where(~plain, 0.9))
    assert "by user" in BY_ID["femnist"].holds({"femnist": better}).detail


@pytest.mark.parametrize(("lead", "said"), [(0.0, False), (0.014, False), (0.016, True), (0.04, True)])
def test_a_lead_that_the_global_branch_had_is_told_from_one_that_routing_made(lead, said):
    detail = BY_ID["femnist"].holds(settings("femnist", "by user")[0]((0.03, 0.03), 0.0, lead)).detail
    assert ("global branch" in detail and "by user" in detail) == said


def test_a_verdict_on_real_data_names_stronger_plain_methods_and_a_global_model_that_learnt_nothing():
    cells = {("alpha=0.1", "Flow"): [0.6], ("alpha=0.1", "FedAvg + FT"): [0.5], ("alpha=0.1", "FedAvg"): [0.1]}
    cells |= {("alpha=0.1", "local only"): [0.7]}
    detail = BY_ID["cifar10"].holds({"cifar10": clients(cells, by="setting")}).detail
    assert detail == (
        f"Training alone is more accurate than Flow: alpha=0.1; FedAvg has hardly learnt anything: alpha=0.1; {UNKNOWN}"
    )
    cells[("alpha=0.1", "FedAvg")], cells[("alpha=0.1", "local only")] = [0.3], [0.2]
    assert BY_ID["cifar10"].holds({"cifar10": clients(cells, by="setting")}).detail == UNKNOWN


def test_a_verdict_on_real_data_has_its_seeds_and_partitions_and_the_arms_at_an_end():
    tables = settings("shakespeare", "by speaker", "Shakespeare")[0]((0.02, 0.03), 0.0)
    found = BY_ID["shakespeare"].holds(tables)
    assert found.measured.endswith("; 2 seeds, settings chosen on 1 partition") and found.detail == UNKNOWN
    ends = tuned("Shakespeare", "by speaker", **{"FedAvg_+_FT": "rate=0.1, times=2", "Flow": "rate=0.3, push=0.1"})
    assert BY_ID["shakespeare"].holds(tables | {"shakespeare_tuning": ends}).detail == (
        f"{UNKNOWN}; at an end of the values tried, so perhaps better beyond: "
        "FedAvg + FT, Shakespeare (rate=0.1, times=2); Flow, Shakespeare (push=0.1)"
    )
    with pytest.raises(Missing, match="tuning of Flow"):
        BY_ID["shakespeare"].holds(tables | {"shakespeare_tuning": ends.assign(personal=np.nan)})


def test_where_routing_by_instance_is_routing_by_client_the_verdict_says_so():
    table = settings("femnist", "by user")[0]((0.02, 0.03), 0.0)["femnist"]
    flow = table[table["method"] == "Flow"].assign(method="Flow by client")
    same, other = (pd.concat([table, flow.assign(personal=flow["personal"] + more)]) for more in (0.0, 0.01))
    words = "nothing was routed by instance: by user"
    assert BY_ID["femnist"].holds({"femnist": same}).status == "not judged"
    assert BY_ID["femnist"].holds({"femnist": other}).status == YES
    unmeasured = same.assign(personal=np.nan)
    assert BY_ID["femnist"].holds({"femnist": unmeasured}).status == NO
    assert words in BY_ID["femnist"].holds({"femnist": same}).detail
    assert words not in BY_ID["femnist"].holds({"femnist": other}).detail


def test_routes_that_were_kept_tell_whether_anything_was_routed_by_instance():
    table = settings("femnist", "by user")[0]((0.02, 0.03), 0.0)["femnist"]
    same = pd.concat([table, table[table["method"] == "Flow"].assign(method="Flow by client")])
    routes = pd.DataFrame({"setting": "by user", "seed": [0, 1], "client": 0, "apart": [0.0, 0.1]})

    def judged(apart):
        return BY_ID["femnist"].holds({"femnist": same, "femnist_routes": routes.assign(apart=apart)})

    assert judged([0.0, 0.1]).status == YES and judged([0.0, 0.0]).status == "not judged"
    assert "route of their client, by seed: 0.0%, 10.0% (by user)" in judged([0.0, 0.1]).detail
    elsewhere = {"femnist": same, "femnist_routes": routes.assign(setting="other")}
    assert BY_ID["femnist"].holds(elsewhere).status == YES, "a setting without rows is not known to be without routes"


def test_settings_are_judged_where_one_of_them_had_instances_routed():
    first, second = (settings("digits", f"Dirichlet {a}")[0]((0.0, 0.0), 0.0)["digits"] for a in (0.1, 0.6))
    both = pd.concat([first, second])
    flow = both[both["method"] == "Flow"].assign(method="Flow by client")
    other = flow.assign(personal=flow["personal"] + 0.01 * (flow["setting"] == "Dirichlet 0.6"))
    assert BY_ID["digits"].holds({"digits": pd.concat([both, flow])}).status == "not judged"
    found = BY_ID["digits"].holds({"digits": pd.concat([both, other])})
    assert found.status == NEARLY and found.detail.endswith("by instance: Dirichlet 0.1")


def test_where_fine_tuning_loses_to_fedavg_the_verdict_has_the_lead_over_fedavg():
    cells = {("by user", "Flow"): [0.61, 0.61], ("by user", "FedAvg + FT"): [0.58, 0.58]}
    table = clients(cells | {("by user", "FedAvg"): [0.6, 0.6]}, by="setting")
    assert BY_ID["femnist"].holds({"femnist": table}).detail == (
        "Fine-tuned FedAvg is less accurate than FedAvg: by user "
        "(medians 0.580 and 0.600, Flow 0.610; Flow minus FedAvg, paired, +0.010); " + UNKNOWN
    )


def test_a_gain_that_training_alone_has_as_well_is_not_one_of_routing():
    claim = BY_ID["cifar10-heterogeneity"]
    assert claim.holds(heterogeneity(0.3, 0.1, alone=(0.3, 0.11))).status == YES
    found = claim.holds(heterogeneity(0.3, 0.1, alone=(0.3, 0.05)))
    assert found.status == NEARLY and "training alone: +0.300 (alpha=0.1), +0.050 (alpha=0.6)" in found.detail
