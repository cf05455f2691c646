"""What experiments and figures promise: tidy tables, refusals, captions without holes; real data in its formats."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lib import segmentation
from lib.data.online_shoppers import COLUMNS, LEAKING, STATIC, OnlineShoppers
from lib.report import judge
from lib.segmentation import Settings, experiments, figures
from lib.segmentation.experiments import longer, real
from lib.segmentation.experiments.benches import benches, name_of
from lib.segmentation.experiments.comparison import learned, validated
from lib.segmentation.outcomes import Segments, Terms, deliver
from lib.segmentation.rules import DISCOVERY
from lib.segmentation.shop_users import shop_users

TINY = Settings(
    segments=4,
    embedding=4,
    recurrent=4,
    hidden=6,
    steps_init=20,
    steps_selector=10,
    steps_joint=10,
    batch=64,
    lp_every=5,
)
USERS = {"train": 150, "test": 200}
METHODS = ("random", "static cells", "RFM", "post-hoc split", "AC-TPC")


@pytest.fixture(scope="module")
def tiny():
    return experiments.comparison(lams=(0.0, 2.0), methods=METHODS, seeds=2, users=USERS, settings=TINY)


def captioned(fig):
    assert len(fig.scarce_caption) > 40 and "nan" not in fig.scarce_caption and fig.scarce_alt
    return fig


def labelled(fig):
    for axis in captioned(fig).axes:
        assert axis.get_xlabel() or axis.get_ylabel() or axis.get_label() == "<colorbar>"
    return fig


def test_the_comparison_is_tidy_and_adds_up(tiny):
    methods, parts, cells, curves = (tiny[name] for name in ("methods", "segments", "cells", "curves"))
    names = {*METHODS, DISCOVERY, "delivery-aware, 2", "oracle: level", "oracle: level x side"}
    assert set(methods["method"]) == names and not methods.duplicated(["method", "seed"]).any()
    assert np.allclose(parts.groupby(["method", "seed"])["size"].sum(), 1)
    assert np.allclose(cells.groupby(["method", "seed", "segment"])["share"].sum(), 1)
    reached = cells.groupby(["method", "seed"])["exposed"].sum() * 1000 / 200
    at_budget = curves[curves["fraction"] == 0.15].set_index(["method", "seed"])["exposed"]
    wanted = methods.set_index(["method", "seed"])["exposed"]
    assert np.allclose(reached.reindex(wanted.index), wanted) and np.allclose(at_budget.reindex(wanted.index), wanted)
    assert np.allclose(methods.loc[methods["method"] == DISCOVERY, "needed"], 1)
    assert (methods["spent"] <= 1 + 1e-9).all() and methods["auc"].between(0, 1).all()
    rising = curves.sort_values("fraction").groupby(["method", "seed"])
    assert (rising["exposed"].diff().dropna() >= -1e-9).all() and (rising["price"].diff().dropna() <= 1e-9).all()


def test_the_weight_is_chosen_on_validation_users_alone(tiny):
    """What is chosen by follows from the validation users' segments and plans, and from no test user."""
    made, terms = benches(range(20, 22), **USERS), Terms()
    found = learned(made, (0.0, 2.0), terms, TINY, None)
    rows = tiny["methods"].set_index(["method", "seed"])
    for (s, lam), one in found.items():
        users, bench = made[s].validation, made[s]
        held = Segments(one.validation, one.rates)
        mine = rows.loc[(name_of(lam), bench.seed)]
        assert mine["validation_auc"] == pytest.approx(roc_auc_score(users.outcome, one.rates[one.validation]))
        gain = deliver(users, held, bench.media, terms)[0].gain * 1000 / len(users)
        assert mine["validation_exposed"] == pytest.approx(gain) and len(one.validation) == len(users) == 1000
        blind = replace(bench, test=replace(users, outcome=1 - users.outcome))
        assert validated(blind, one, terms)["validation_auc"] == mine["validation_auc"]
    assert rows.loc["random", "validation_auc"].isna().all()


def test_the_figures_of_the_comparison(tiny):
    labelled(figures.trade_off(tiny["methods"]))
    labelled(figures.budgets(tiny["curves"], tiny["methods"]))
    labelled(figures.segments(tiny["segments"], tiny["methods"]))
    captioned(figures.audiences(tiny["cells"], tiny["methods"]))
    labelled(figures.fairness(tiny["cells"], tiny["methods"]))
    for kind in ("segments", "budget", "contents"):
        table = experiments.summary(tiny["methods"], kind)
        assert len(table) == tiny["methods"]["method"].nunique()
        assert not [name for name in table if "_" in name] and table.shape[1] <= 7, "readable and fit for a page"
    table = experiments.summary(tiny["methods"], "segments")
    assert table["AUC"].str.fullmatch(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]").all()


def test_medians_come_with_their_intervals():
    table = pd.DataFrame({"plan": ["a"] * 5 + ["b"], "gain": [5.0, 1.0, 2.0, 4.0, 3.0, 0.5], "spent": 1.0})
    found = experiments.medians(table, "plan", ["gain", "spent"], digits=1)
    assert found["gain"].tolist() == ["3.0 [1.0, 5.0]", "0.5 [0.5, 0.5]"] and found["plan"].tolist() == ["a", "b"]


def test_the_media_are_the_readers_choice():
    """Options reach the draw: other Beta parameters, prices and contrast; users stay the same."""
    usual, other = (
        benches([0], train=50, test=50, validation=20, n_cells=400, rates=rates)[0]
        for rates in (None, {"match": [30, 10], "expose": [10, 30], "contrast": 0.0, "cheap": 0.2})
    )
    assert (usual.test.pages == other.test.pages).all()
    assert other.media.match.mean(axis=0) == pytest.approx([0.75] * 3, abs=0.01)  # neutral: 30 / (30 + 10) everywhere
    assert other.media.expose.mean() == pytest.approx(0.25, abs=0.01)
    assert other.media.price.tolist() == [1, 1, 0.2] and usual.media.price.tolist() == [1, 1, 0.6]
    first = usual.media.match[:200, 0].mean() / usual.media.match[200:, 0].mean()
    assert first == pytest.approx(1.6 / 0.5, rel=0.1)


def test_lookalikes_by_hand(tiny):
    cells = pd.DataFrame(
        {"method": "m", "seed": 0, "segment": [0, 0, 1, 1], "cell": [0, 1, 0, 1], "users": [8.0, 2.0, 0.0, 10.0]}
    )
    found = experiments.lookalikes(cells).iloc[0]
    # Segment 0 takes the 8 users of cell 0, then 2 of 12 of cell 1, of whom 2 / 12 are its own; segment 1 ten of 12.
    members = 8 + 2 * 2 / 12 + 10 * 10 / 12
    assert found["precision"] == pytest.approx(members / 20) and found["recall"] == pytest.approx(members / 20)
    assert experiments.lookalikes(tiny["cells"])["precision"].between(0, 1).all()


def test_a_bench_is_a_draw_of_its_seed():
    first, second = benches([3, 4], train=20, test=10)
    again = benches([3], train=20, test=10)[0]
    assert (first.train.pages == again.train.pages).all() and (first.media.match == again.media.match).all()
    assert not (first.media.match == second.media.match).all()
    assert len(first.train) == 20 and len(first.test) == 10


def test_statements_have_tables_and_figures():
    labelled(figures.leaks(experiments.leaks()))
    captioned(figures.diagram())
    program = experiments.budget_check(seeds=2)
    labelled(figures.program(program))
    labelled(figures.refinement(experiments.refinement_check(seeds=2)))
    information = experiments.information_check(draws=3)
    assert information.loc[information["rho"] == 0, "gain"].abs().max() < 1e-12
    labelled(figures.information(information))
    labelled(figures.regrouping(experiments.regrouping_check()))
    labelled(figures.ascent(experiments.ascent_check(steps=(10, 30), replicates=3)))
    charging = experiments.charging_check()
    labelled(figures.charging(charging))
    plans = experiments.plans_check(seeds=2)
    assert (plans["gain"] <= 1 + 1e-9).all() and (plans["spent"] <= 1 + 1e-9).all()
    judged = judge(segmentation.CLAIMS, {"budgets": program, "charging": charging}).set_index("id")
    assert (judged.loc[["program", "charging", "charge-ranks"], "status"] == "reproduced").all()


def test_leaks_only_lose():
    table = experiments.leaks()
    wide = table.pivot_table(index=["segment", "medium"], columns="stage", values="users")
    assert (wide["targeted"] >= wide["matched"]).all() and (wide["matched"] >= wide["exposed"]).all()
    assert (wide["exposed"] >= wide["converters"]).all()


def test_the_effect_that_the_page_is_about():
    """Media with a clear preference, on a seed judged nowhere: exposures rise with the weight, AUC stays near."""
    found = experiments.comparison(lams=(0.0, 3.0), methods=(), seeds=1, seed=4)["methods"].set_index("method")
    ours, before = found.loc["delivery-aware, 3"], found.loc[DISCOVERY]
    assert ours["exposed"] > 1.1 * before["exposed"] and ours["ari_side"] > before["ari_side"]
    assert ours["auc"] > before["auc"] - 0.05 and before["auc"] > 0.6 and min(ours["used"], before["used"]) >= 5


def test_longer_tables_and_their_figures(monkeypatch):
    monkeypatch.setattr(longer, "DEFAULT", TINY)
    monkeypatch.setattr(
        longer, "variants", lambda: {"as here": TINY, "map does not teach": replace(TINY, static_weight=0.0)}
    )
    monkeypatch.setattr(longer, "benches", lambda seeds, **options: benches(seeds, **USERS, **options))
    monkeypatch.setattr(longer, "comparison", lambda **o: experiments.comparison(users=USERS, settings=TINY, **o))
    monkeypatch.setattr(longer, "DEEP", ("k-means on pages",))
    found = experiments.longer_tables(["ablation", "dependence", "charges", "deep"], seeds=2)
    labelled(figures.gains(found["ablation"], "variant"))
    labelled(figures.gains(found["dependence"], "rho"))
    labelled(figures.gains(found["charges"], "charge"))
    assert len(experiments.by_variant(found["ablation"])) == 4
    media = longer.over_media(draws=3)
    assert media["seed"].nunique() == 3
    labelled(figures.media_band(media))
    seeds = longer.over_seeds(seeds=2)
    starts = seeds[seeds["method"].str.startswith("discovery only")]
    assert set(starts["method"]) == {DISCOVERY, "discovery only, start 2", "discovery only, start 3"}
    assert (starts["lam"] == 0).sum() == 2 and {"oracle: level", "oracle: level x side"} < set(seeds["method"])
    labelled(figures.steadiness(seeds))
    tables = {name: found[name] for name in ("ablation", "dependence")} | {"media": media, "seeds": seeds}
    judged = judge(segmentation.CLAIMS, tables).set_index("id")
    ran = ["dependence", "media", "teaching", "more-seeds", "tries", "where-possible"]
    assert (judged.loc[ran, "status"] != "not run here").all()
    pieces = longer.longer_tasks(["seeds"])
    assert [(one.options["seed"], one.options["seeds"]) for one in pieces] == [(20, 5), (25, 5), (30, 5), (35, 5)]
    with pytest.raises(ValueError, match="ablation"):
        experiments.longer_tables(["ablations"])
    with pytest.raises(ValueError, match="as here"):
        longer.ablation(names=["as there"])


def test_variants_are_valid_and_differ():
    known = longer.variants()
    assert len({str(one) for one in known.values()}) == len(known)


def test_the_comparison_refuses():
    with pytest.raises(ValueError, match="discovery only"):
        experiments.comparison(lams=(1.0,))
    with pytest.raises(ValueError, match="RFM"):
        experiments.comparison(methods=("rfm",))


def store_lines(visitors=260):
    """Visits in the warehouse's form: one visit before a cut for all, a purchase after it for every fourth visitor."""
    rng, lines, day = np.random.default_rng(0), [], 86_400
    for visitor in range(visitors):
        handheld, buyer = bool(rng.random() < 0.5), visitor % 4 == 0
        paths = ["/home", *rng.choice(["/a", "/b", "/c"], 3), *(["/basket.html"] if buyer else [])]
        visits = [(int(rng.integers(40)) * day, paths, 0)]
        visits.append(((60 + int(rng.integers(20))) * day, ["/home"], int(buyer)))
        if visitor == 0:
            visits += [(0, ["/home"], 0), (100 * day, ["/home"], 0)]
        for number, (start, pages, bought) in enumerate(visits, start=1):
            lines.append(
                json.dumps(
                    {
                        "fullVisitorId": f"{visitor:019d}",
                        "visitId": str(1_500_000_000 + start + number),
                        "visitNumber": str(number),
                        "visitStartTime": str(1_500_000_000 // day * day + start),
                        "device": {
                            "deviceCategory": "mobile" if handheld else "desktop",
                            "operatingSystem": "Android" if handheld else "Linux",
                            "browser": "Chrome",
                        },
                        "geoNetwork": {"continent": "Europe", "subContinent": "Northern Europe", "country": "Sweden"},
                        "totals": {"transactions": str(bought)} if bought else {},
                        "hits": [{"type": "PAGE", "page": {"pagePath": path}, "eCommerceAction": {"action_type": "0"}}
                                 for path in pages],
                    }
                )
            )  # fmt: skip
    return "\n".join(lines) + "\n"


def test_visits_of_the_store_are_segmented(tmp_path):
    path = tmp_path / "visits.json"
    path.write_text(store_lines())
    table = experiments.real_tables([], str(path), seeds=2, lams=(0.0, 1.0), settings=TINY)["gstore"]
    assert set(table["method"]) >= {DISCOVERY, "delivery-aware, 1", "static cells", "post-hoc split"}
    assert table["seed"].nunique() == 2 and table["auc"].between(0, 1).all() and "ari_side" not in table
    judged = judge(segmentation.CLAIMS, {"gstore": table}).set_index("id")
    assert judged.loc["exposures-real", "status"] != "not run here"


def test_nobody_of_the_store_is_in_two_parts(tmp_path, monkeypatch):
    """Users to learn from, to choose by and to judge on are those of their parts, only the first are thinned out."""
    path, seen, shops = tmp_path / "visits.json", [], []
    path.write_text(store_lines())
    monkeypatch.setattr(real, "compared", lambda made, **_: seen.extend(made))
    monkeypatch.setattr(real, "shop_users", lambda *a, **o: shops.append(shop_users(*a, **o)) or shops[0])
    real.gstore(str(path), seeds=2, negatives=1.0)
    (shop,) = shops
    assert len(seen) == 2
    for bench in seen:
        for part, users in enumerate((bench.train, bench.validation, bench.test)):
            mine = shop.part == part
            whole = {row.tobytes() for row in real.chosen(shop, np.flatnonzero(mine)).pages}
            assert {row.tobytes() for row in users.pages} <= whole
            assert users.outcome.sum() == shop.outcome[mine].sum()  # every buyer of the part, and no other
            assert len(users) == (2 * users.outcome.sum() if part == 0 else mine.sum())


def test_rates_are_set_back_by_the_weight_of_those_left_out():
    from lib.segmentation.outcomes import Segments

    found = real.set_back(Segments(np.zeros(1, int), np.array([0.5, 0.2])), 4.0)
    assert found.rates.tolist() == pytest.approx([1 / 5, 1 / 17])


def shoppers(n=240):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({name: rng.integers(0, 30, n) for name in COLUMNS})
    table["ExitRates"] = rng.random(n) / 5
    table["VisitorType"] = rng.choice(["New_Visitor", "Returning_Visitor"], n)
    table["Weekend"], outcome = rng.random(n) < 0.3, pd.Series(rng.integers(0, 2, n))
    behaviour = table.drop(columns=[*STATIC, "Revenue", *LEAKING])
    return OnlineShoppers(behaviour, table[list(STATIC)], outcome)


def test_sessions_of_online_shoppers_become_users(monkeypatch):
    table = shoppers()
    users = real.shopper_users(table)
    counts = np.array([(users.pages == kind).sum(axis=(1, 2)) for kind in (1, 2, 3)]).T
    assert (counts[:, 0] == np.minimum(table.behaviour["Administrative"], 4)).all()
    assert (counts[:, 1] == np.minimum(table.behaviour["Informational"], 3)).all()
    assert (counts[:, 2] == np.minimum(np.ceil(table.behaviour["ProductRelated"] / 5), 12)).all()
    assert (
        ((users.pages > 3).sum(axis=(1, 2)) == 3).all() and users.cell.max() < 16 and users.pages.max() == users.n_pages
    )
    assert (np.diff((users.pages > 0).astype(int), axis=2) <= 0).all()
    changed = OnlineShoppers(table.behaviour, table.static, 1 - table.outcome)
    assert (real.shopper_users(changed).pages == users.pages).all()  # the outcome is no behaviour
    monkeypatch.setattr(real.data, "load", lambda name: table)
    found = experiments.real_tables(["online-shoppers"], "", seeds=1, lams=(0.0, 1.0), settings=TINY)["shoppers"]
    assert found["auc"].between(0, 1).all()
    with pytest.raises(ValueError, match="online-shoppers"):
        experiments.real_tables(["gstore"], "")


def test_costs_are_measured():
    table = experiments.costs(settings=TINY, steps=8, repeats=3)
    assert (table["seconds"] > 0).all() and len(table) == 3
