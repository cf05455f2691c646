"""What the experiments and figures promise: tidy tables, pairing, refusals, and the expected effects with margins."""

import numpy as np
import pandas as pd
import pytest

from lib.federated import LocalSGD, run
from lib.flow import CLAIMS, experiments, figures
from lib.flow.baselines.methods import METHODS, SETTINGS, Bench, method
from lib.flow.experiments.ablation import variants
from lib.flow.experiments.arms import perceptron_bench
from lib.flow.experiments.tuning import CANDIDATES, TASKS, chosen, setting_text, tuned_table, tuning
from lib.flow.federations import dirichlet_digits
from lib.report import judge

TINY = {"seeds": 2, "rounds": 1, "seed": 50}


@pytest.fixture(scope="module")
def tiny():
    return experiments.preference(rhos=(0.25, 0.5), **TINY)


def captioned(fig):
    assert len(fig.scarce_caption) > 40 and "nan" not in fig.scarce_caption and fig.scarce_alt
    for axis in fig.axes:
        assert axis.get_xlabel() or axis.get_xticklabels()
    return fig


def test_preference_is_tidy_paired_and_reproducible(tiny):
    again = experiments.preference(rhos=(0.25, 0.5), **TINY)
    for name, table in tiny.items():
        pd.testing.assert_frame_equal(table, again[name])
    clients = tiny["clients"]
    assert not clients.duplicated(["rho", "delta", "method", "seed", "client"]).any()
    as_fedavg = [m for m in clients["method"].unique() if m not in ("Flow", "FedAvg")]  # FedAvg has its own rate
    wide = clients[clients["method"].isin(as_fedavg)].pivot_table(
        index=["rho", "seed", "client"], columns="method", values="global"
    )
    assert (wide.to_numpy() == wide.to_numpy()[:, :1]).all()  # one training, several ways to personalize
    fedavg = clients[clients["method"] == "FedAvg"]
    assert (fedavg["personal"] == fedavg["global"]).all() and fedavg["tied"].all() and not fedavg["harmed"].any()
    shares = tiny["routes"][["local_1", "local_0", "auc"]]
    assert ((shares >= 0) & (shares <= 1)).all(axis=None)


def test_the_figures_of_preference(tiny):
    for fig in (
        figures.harm(tiny["clients"], rho=0.25),
        figures.gains(tiny["clients"]),
        figures.routes(tiny["routes"]),
        figures.unit_shares(tiny["routes"]),
        figures.spread(tiny["clients"], rho=0.25),
    ):
        captioned(fig)
    with pytest.raises(ValueError, match="rho"):
        figures.harm(tiny["clients"], rho=0.33)


def test_the_table_of_right_and_wrong_sums_to_one(tiny):
    table = experiments.correctness(tiny["clients"], rho=0.25).set_index("method")
    shares = table[["both right", "only global right", "only personal right", "both wrong"]]
    assert np.allclose(shares.sum(axis=1), 1) and table.loc["FedAvg", "clients tied"] == 1


def test_granularity_reuses_what_is_known(tiny):
    table = experiments.granularity(tiny, **TINY)
    known = tiny["clients"].query("rho == 0.25").groupby(["method", "seed"])["personal"].mean()
    for (name, seed), value in known.items():
        row = table[(table["method"] == name) & (table["seed"] == seed)]
        assert row["personal"].tolist() == [pytest.approx(value)]
    assert {"Flow by client", "soft test", "true types", "local branch"} <= set(table["method"])
    captioned(figures.granularity(table))


def test_flow_gains_finds_the_types_and_harms_few():
    """The effect that the page is about, on one federation that is judged nowhere, with wide margins."""
    found = experiments.preference(rhos=(0.25,), methods=("FedAvg", "FedAvg + FT", "Flow"), seeds=1, seed=77)
    means = found["clients"].groupby("method")[["personal", "harmed"]].mean()
    assert means.loc["Flow", "personal"] > means.loc["FedAvg + FT", "personal"]
    assert means.loc["Flow", "personal"] > means.loc["FedAvg", "personal"] + 0.005
    assert means.loc["Flow", "harmed"] < means.loc["FedAvg + FT", "harmed"]
    assert found["routes"]["auc"].mean() > 0.9
    assert found["routes"]["local_1"].mean() > found["routes"]["local_0"].mean() + 0.2


@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_on_digits(name):
    bench = perceptron_bench((64, 16, 10), epochs=1)
    history = run(method(name, bench), dirichlet_digits(alpha=0.6, clients=4, seed=1), rounds=2, on_failure="raise")
    assert history.table["personal_accuracy"].between(0, 1).all() and (history.table["status"] == "trained").all()
    slow = Bench(routing=bench.routing, local=bench.local, options={name: {"rate": 0.5}})
    rates = [value.lr for value in vars(method(name, slow)).values() if isinstance(value, LocalSGD)]
    assert (0.01 in rates) == (name not in ("kNN-Per", "PartialFed")) and len(rates) >= 1
    with pytest.raises(ValueError, match="unknown method"):
        method(f"{name}?", bench)


def test_settings_are_candidates_with_the_same_budget():
    assert set(SETTINGS) == set(TASKS) and all(
        set(some) == set(METHODS) == set(CANDIDATES) for some in SETTINGS.values()
    )
    assert all(settings in CANDIDATES[name] for some in SETTINGS.values() for name, settings in some.items())
    assert {len(some) for some in CANDIDATES.values()} == {6}
    assert all(len({setting_text(one) for one in some}) == 6 for some in CANDIDATES.values())


def test_the_settings_used_are_those_that_tuning_chose():
    best = chosen(tuned_table()).set_index(["task", "method"])["setting"]
    for task, some in SETTINGS.items():
        for name, settings in some.items():
            assert best[task, name] == setting_text(settings), (task, name)


def test_the_stored_outcome_of_tuning_can_be_made_again():
    again = tuning(tasks=TASKS[1:], methods=("kNN-Per",))
    stored = tuned_table().query("task == 'digits' and method == 'kNN-Per'").reset_index(drop=True)
    assert again["setting"].tolist() == stored["setting"].tolist()
    assert np.allclose(again["personal"], stored["personal"], atol=0.01)


def test_tuning_takes_the_best_mean():
    rows = [
        ("t", "m", "a", 0.5),
        ("t", "m", "b", 0.6),
        ("t", "m", "a", 0.8),
        ("t", "m", "b", 0.6),
        ("t", "n", "a", 0.1),
    ]
    table = pd.DataFrame(rows, columns=["task", "method", "setting", "personal"])
    assert chosen(table)["setting"].tolist() == ["a", "a"] and chosen(table)["personal"].tolist() == [0.65, 0.1]
    made = tuning(tasks=TASKS[1:], methods=("FedAvg",), seeds=1, rounds=1)
    assert len(made) == 12 and set(made["kind"]) == {"alpha=0.6", "style=1"} and set(made["seed"]) == {1000}


def test_variants_and_their_figure():
    assert [len(group) for group in variants().values()] == [2, 4, 2, 3, 3, 1, 6]
    table = experiments.ablation(groups=("test", "order"), seeds=1, rounds=1)
    assert table["variant"].tolist() == ["as here", "soft test", "policy first"]
    captioned(figures.ablation(table))
    with pytest.raises(ValueError, match="unknown group"):
        experiments.ablation(groups=("tests",))


def test_newcomers_use_the_model_that_others_trained():
    table = experiments.newcomers(methods=("FedAvg", "Flow"), veterans=4, joining=2, **TINY)
    assert table.groupby(["group", "method", "seed"]).size().unique().tolist() in ([2, 4], [4, 2])
    captioned(figures.newcomers(table))


def test_digits_deltas_and_methods_have_figures():
    table = experiments.digit_shifts(alphas=(0.6,), styles=(1.0,), methods=("FedAvg", "local only", "Flow"), **TINY)
    assert set(table["setting"]) == {"Dirichlet 0.6", "style 1"} and len(table) == 12
    captioned(figures.methods(table, by="setting", data="Digits"))
    found = experiments.longer_tables(["deltas"], **TINY)
    assert set(found) == {"deltas", "delta_routes"} and len(found["deltas"]) == 18
    captioned(figures.deltas(found["deltas"], found["delta_routes"]))
    with pytest.raises(ValueError, match="no table"):
        experiments.longer_tables(["delta"])


def test_theory_tables_have_figures():
    captioned(figures.mixing(experiments.mixing_check(draws=200)))
    captioned(figures.instance_value(experiments.instance_value_check(draws=200)))
    rates = experiments.global_rates(horizons=(4, 16), floor_rounds=8, clients=12, seeds=1)
    assert len(rates) == 9 and (rates["squared_gradient"] > 0).all()
    captioned(figures.global_rates(rates))
    captioned(figures.personal_gradients(experiments.personal_gradients(clients=4, rounds=1, seeds=1)))


def test_costs_are_counted():
    networks = experiments.network_costs().set_index("network")
    assert networks["sent / FedAvg"].round(2).tolist() == [1.28, 1.22, 1.82, 1.37]
    assert networks["sent as released / FedAvg"].round(2).tolist() == [2.28, 1.98, 2.82, 2.37]
    rounds = experiments.round_costs().set_index("method")
    w, psi = 20 * 64 + 64 + 64 * 5 + 5, 20 * 32 + 32 + 2 * (32 * 2 + 2)
    assert rounds.loc["Flow", "KiB sent"] == pytest.approx((4 * (w + psi) + 8) / 1024)
    assert rounds.loc["Flow as released", "KiB sent"] == pytest.approx((4 * (2 * w + psi) + 8) / 1024)
    phases = experiments.phase_costs().set_index("step")
    assert phases.loc["local", "operations / FedAvg"] == phases.loc["global", "operations / FedAvg"] == 1
    assert phases.loc["policy", "held_mib"] > 2 * phases.loc["FedAvg", "held_mib"]


def test_real_data_refuses_unknown_names_and_runs_where_the_data_are():
    from lib import data

    with pytest.raises(ValueError, match="unknown data set"):
        experiments.real_tables(["mnist"])
    assert experiments.real_tables(["digits"]) == {}
    try:
        data.require("femnist-digits", "tinyshakespeare")
    except data.DataError:
        pytest.skip("the data sets are not in the data folder")
    from lib.flow.experiments.real import femnist, shakespeare

    few = {"methods": ("FedAvg", "Flow"), "seeds": 1, "rounds": 1}
    assert len(femnist(**few)) == 24
    text = shakespeare(speakers=3, windows=20, hidden=8, cohort_size=2, **few)
    assert len(text) == 6 and text["global"].between(0, 1).all()
    captioned(figures.methods(text, by="setting", data="Shakespeare"))


def test_claims_can_be_judged_on_a_tiny_run(tiny):
    judged = judge(CLAIMS, {"clients": tiny["clients"], "routes": tiny["routes"]}).set_index("id")
    assert judged.loc["every-rho", "status"] == "not run here"
    assert judged.loc["accuracy", "status"] in ("reproduced", "close", "not reproduced")
