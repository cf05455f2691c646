"""Attack and rule inside a federated run: what arrives at the server, who is replaced, and what comes out."""

import functools
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from lib.data import needed
from lib.federated.algorithms.fedavg import FedAvg
from lib.federated.history import History
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.run import run
from lib.federated.types import Update
from lib.poisoning import attacks
from lib.poisoning.attackers import TAILORED, Attacker, BaseModelAttacker, TrainingAttacker, resized
from lib.poisoning.attackers_published import AscentAttacker, FangAttacker, PoisonedFLAttacker
from lib.poisoning.baselines import AGNOSTIC, make_attacker
from lib.poisoning.cohorts import at_least, malicious_probability
from lib.poisoning.experiments.real import real_tables
from lib.poisoning.experiments.spectrum import accuracy_by_round, by_direction, impact, learning_rates, spectrum, tuned
from lib.poisoning.federations import NET, digits_population, image_population
from lib.poisoning.hybrid import hybrid_attacker, pooled
from lib.poisoning.plan import Plan
from lib.poisoning.robust_averaging import RobustAveraging, flat, unflat
from lib.poisoning.theory import RULES

LOCAL = LocalSGD(lr=0.1, batch_size=8, epochs=None, steps=3)
MODEL = Model(NET)
needs_diffusers = pytest.mark.skipif(find_spec("diffusers") is None, reason="the extra `diffusion` is not installed")


@functools.cache
def population(beta=0.1):
    return digits_population(beta=beta)


def robust(**options):
    return RobustAveraging(**({"model": MODEL, "local": LOCAL, "cohort_size": 10} | options))


def weights_after(algorithm, rounds=3, seed=0) -> torch.Tensor:
    history: History = run(
        algorithm, population().honest, rounds=rounds, cohort_size=10, seed=seed, evaluate_every=0, on_failure="raise"
    )
    return flat(history.state.tensors)


def test_without_attackers_the_mean_is_federated_averaging_with_equal_weights():
    plain = FedAvg(model=MODEL, local=LOCAL, weight_by="uniform")
    torch.testing.assert_close(weights_after(robust()), weights_after(plain), rtol=0, atol=2e-6)


def test_the_server_sees_the_attack_in_the_place_of_honest_clients(monkeypatch):
    seen = []

    def spy(rows, f):
        seen.append((rows.clone(), f))
        return RULES["trimmed mean"](rows, f)

    monkeypatch.setitem(RULES, "median", spy)
    weights_after(robust(defence="median", attacker=Attacker(malicious=3)), rounds=2)
    for rows, f in seen:
        assert rows.shape == (10, 64 * 64 + 64 + 64 * 10 + 10) and f == 3
        benign, sent = rows[:7], rows[7:]
        torch.testing.assert_close(sent, attacks.tailored(benign, 3, rule="median"))
        assert len(benign.unique(dim=0)) == 7


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_runs_under_its_own_attack_and_the_same_again(rule):
    make = functools.partial(robust, defence=rule, attacker=Attacker(malicious=1), attack_seed=1)
    first = weights_after(make(), rounds=2)
    assert torch.equal(first, weights_after(make(), rounds=2))
    assert not torch.equal(first, weights_after(robust(defence=rule), rounds=2))
    assert set(TAILORED) == set(RULES)


def test_the_server_can_be_told_a_wrong_number(monkeypatch):
    told = []
    monkeypatch.setitem(RULES, "median", lambda rows, f: told.append(f) or rows.mean(dim=0))
    for tolerated in ("oracle", 2, 99, "1", "expected"):
        weights_after(robust(defence="median", attacker=Attacker(malicious=3), tolerated=tolerated), rounds=1)
    assert told == [3, 2, 4, 1, 3]  # the median of ten stands four
    for bad in (-1, "all", 1.5):
        with pytest.raises(ValueError, match="give 'oracle'"):
            robust(tolerated=bad)
    with pytest.raises(ValueError, match="choose one of mean"):
        robust(defence="average")


def test_the_expected_number_is_that_of_the_population_and_nobody_is_expected_without_attack(monkeypatch):
    told, sent = [], []
    monkeypatch.setitem(RULES, "median", lambda rows, f: told.append(f) or rows.mean(dim=0))
    attacker = Attacker(malicious=18, population=100)
    for seed in range(4, 10):
        algorithm = robust(defence="median", attacker=attacker, tolerated="expected", attack_seed=seed)
        weights_after(algorithm, rounds=1)
        sent.append(attacker.present(10, np.random.default_rng([seed, 0, 1])))
    assert told == [2] * 6 and len(set(sent)) > 1
    weights_after(robust(defence="median", tolerated="expected"), rounds=1)
    assert told[-1] == 0


def test_who_shares_a_bucket_changes_from_round_to_round(monkeypatch):
    places = []

    def spy(rows, f):
        places.append((rows.norm(dim=1) > 1e3).nonzero().flatten().tolist())
        return rows.median(dim=0).values

    monkeypatch.setitem(RULES, "bucketing + trimmed mean", spy)
    attacker = BaseModelAttacker(malicious=3, base={name: value + 1 for name, value in MODEL.init(1).items()})
    weights_after(robust(defence="bucketing + trimmed mean", attacker=attacker), rounds=3)
    assert all(len(one) == 3 for one in places) and len({tuple(one) for one in places}) == 3


def test_cohorts_of_another_size_or_without_honest_clients_are_refused():
    algorithm = robust(attacker=Attacker(malicious=10))
    state = algorithm.init(0)
    with pytest.raises(ValueError, match="no honest client"):
        algorithm.configure(state, 1, range(10), np.random.default_rng(0))
    with pytest.raises(ValueError, match="cohort_size=10"):
        algorithm.configure(state, 1, range(9), np.random.default_rng(0))


def test_attackers_of_a_population_come_as_the_law_says():
    attacker = Attacker(malicious=20, population=100)
    drawn = [attacker.present(25, np.random.default_rng([0, seed])) for seed in range(2000)]
    assert np.mean(drawn) == pytest.approx(5, abs=0.15) and max(drawn) <= 12
    assert np.mean(np.array(drawn) == 5) == pytest.approx(malicious_probability(100, 20, 25)[5], abs=0.03)
    assert np.mean(np.array(drawn) > 6) == pytest.approx(at_least(100, 20, 25, 7), abs=0.03)
    assert Attacker(malicious=4).present(25, np.random.default_rng(0)) == 4


def test_weights_flatten_and_come_back():
    tensors = MODEL.init(3)
    back = unflat(flat(tensors), tensors)
    assert all(torch.equal(back[name], value) for name, value in tensors.items())


def test_an_attacker_that_trains_sends_what_its_shards_teach():
    shards = population().within_reach[:4]
    attacker = TrainingAttacker(malicious=2, model=MODEL, local=LOCAL, shards=shards)
    weights, benign = MODEL.init(0), torch.randn(8, 4810)
    found = attacker.reference(weights, benign, np.random.default_rng(0))
    plain = FedAvg(model=MODEL, local=LOCAL)
    instruction = plain.configure(plain.init(0), 1, [0], np.random.default_rng(0))[0]
    seeds = np.random.default_rng(0).integers(2**62, size=4)
    for row, data, seed in zip(found, shards, seeds, strict=True):
        update, _ = plain.train(instruction, data, {}, np.random.default_rng(int(seed)))
        torch.testing.assert_close(row, flat(update.tensors, like=weights) - flat(weights), rtol=0, atol=2e-6)
    with pytest.raises(ValueError, match="at least one shard"):
        TrainingAttacker(malicious=2, model=MODEL)


def test_a_simulated_cohort_has_the_size_of_the_real_one():
    rows = torch.arange(5.0)[:, None]
    assert torch.equal(resized(rows, 5, np.random.default_rng(0)), rows)
    assert len(resized(rows, 3, np.random.default_rng(0)).unique()) == 3
    many = resized(rows, 12, np.random.default_rng(0))
    assert len(many) == 12 and set(many.flatten().tolist()) <= set(range(5))


@pytest.mark.parametrize("name", AGNOSTIC)
def test_attacks_that_do_not_know_the_rule_send_the_same_to_all(name):
    attacker, benign = make_attacker(name, population(), Plan()), torch.randn(20, 50)
    sent = [attacker.send({}, benign, 5, rule, np.random.default_rng(0)) for rule in ("median", "Multi-Krum")]
    assert torch.equal(*sent) and torch.equal(sent[0], AGNOSTIC[name](benign, 5))


def test_label_flippers_train_honestly_on_wrong_labels():
    attacker, weights = make_attacker("label flip", population(), Plan()), MODEL.init(0)
    for own, real in zip(attacker.shards, population().within_reach, strict=True):
        assert torch.equal(own.train_y, 9 - real.train_y) and torch.equal(own.train_x, real.train_x)
    sent = attacker.send(weights, torch.randn(20, 4810), 5, "median", np.random.default_rng(0))
    all_of_them = attacker.reference(weights, torch.randn(20, 4810), np.random.default_rng(0))
    assert sent.shape == (5, 4810)
    assert all(any(torch.equal(row, other) for other in all_of_them) for row in sent)
    curve = accuracy_by_round(population(), "mean", attacker, Plan(rounds=2), seed=0)
    assert curve["accuracy"].between(0, 1).all()


def test_mpaf_pulls_to_its_base_model():
    base = MODEL.init(9)
    attacker = BaseModelAttacker(malicious=2, base=base, scale=7.0)
    sent = attacker.send(MODEL.init(0), torch.randn(8, 4810), 2, "median", np.random.default_rng(0))
    torch.testing.assert_close(sent[1], 7 * (flat(base) - flat(MODEL.init(0))))
    far = weights_after(robust(attacker=BaseModelAttacker(malicious=2, base=base, scale=5.0)), rounds=1)
    assert (far - flat(base)).norm() < 0.5 * (flat(MODEL.init(0)) - flat(base)).norm()  # share times scale is one


def test_updates_that_are_not_finite_never_reach_the_rule():
    algorithm = robust(defence="median", attacker=BaseModelAttacker(malicious=2, base=MODEL.init(9), scale=1e38))
    state = algorithm.init(0)
    updates = {c: Update(MODEL.init(c + 1), {"examples": 1}) for c in range(8)}
    assert torch.isfinite(flat(algorithm.aggregate(state, updates).tensors)).all()


def test_the_population_deals_out_every_training_image_once():
    found = digits_population(beta=1.0, seed=3)
    clients = [*found.honest.clients, *found.within_reach]
    assert len(found.honest) == 80 and len(found.within_reach) == 20 and found.genuine == 100
    tests = clients[0].test_x
    assert len(tests) == pytest.approx(0.25 * 1797, abs=5) and sum(len(c.test_x) for c in clients[1:]) == 0
    assert sum(c.examples for c in clients) + len(tests) == 1797
    assert float(tests.min()) == -1 and float(tests.max()) == 1
    counts = np.bincount(clients[0].test_y, minlength=10)
    assert counts.min() >= 40  # stratified
    with pytest.raises(ValueError, match="at least one honest"):
        digits_population(clients=5, reach=5)


def test_mnist_is_dealt_out_alike():
    if needed.absent("mnist"):
        pytest.skip("needs mnist: set SCARCE_DATA_MIRROR")
    found = image_population("mnist", tests=100)
    clients = [*found.honest.clients, *found.within_reach]
    assert sum(client.examples for client in clients) == 60_000 and len(clients[0].test_x) == 100
    assert found.side == 28 and found.net()(clients[3].train_x[:2]).shape == (2, 10)
    assert float(clients[0].train_x.min()) == -1 and float(clients[0].train_x.max()) == 1
    attacker = make_attacker("bootstrap 2", found, Plan(virtual=2, images_each=3))
    assert attacker.shards[0].train_x.shape == (3, 784)
    algorithm = robust(model=Model(found.net), defence="median", attacker=attacker)
    assert run(algorithm, found.honest, rounds=1, cohort_size=10, evaluate_every=0, on_failure="raise").state.round == 1


def test_small_beta_means_few_classes_a_client():
    classes = [
        np.mean([len(c.train_y.unique()) for c in digits_population(beta=beta).honest.clients]) for beta in (0.1, 10.0)
    ]
    assert classes[0] < 0.6 * classes[1]


@needs_diffusers
def test_the_hybrid_trains_virtual_clients_on_synthetic_shards():
    taken = population().within_reach[:2]
    make = functools.partial(
        hybrid_attacker, taken, model=MODEL, local=LOCAL, malicious=2, side=8, classes=10, virtual=3, images_each=4
    )
    first = make(rng=np.random.default_rng(0), steps=2, timesteps=4)
    assert [s.examples for s in first.shards] == [4, 4, 4] and first.malicious == 2
    again = make(rng=np.random.default_rng(0), steps=2, timesteps=4)
    assert torch.equal(first.shards[1].train_x, again.shards[1].train_x)
    real = make(generator="bootstrap", rng=np.random.default_rng(0))
    pool = pooled(taken, 8)[0].flatten(1)
    assert all(any(torch.equal(x, row) for row in pool) for x in real.shards[0].train_x)
    with pytest.raises(ValueError, match="at least one client"):
        hybrid_attacker([], model=MODEL, local=LOCAL, malicious=2, side=8, classes=10, rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", ["compromised 5", "bootstrap 2", "noise", "compromised 20 %", "omniscient", "MPAF"])
def test_adversaries_by_name(name):
    attacker = make_attacker(name, population(), Plan())
    assert attacker.malicious == 5
    assert (attacker.population == 100) == (name == "compromised 5")


def test_adversaries_that_do_not_exist_are_refused():
    assert make_attacker("none", population(), Plan()) is None
    assert make_attacker("omniscient", population(), Plan(share=0.0)) is None
    with pytest.raises(ValueError, match="no adversary"):
        make_attacker("martians 3", population(), Plan())
    with pytest.raises(ValueError, match="within reach"):
        make_attacker("bootstrap 21", population(), Plan())


def test_the_spectrum_is_a_tidy_table_and_its_impact_a_difference():
    plan = Plan(rounds=3, cohort=10, steps=2)
    table = spectrum(rules=("mean", "median"), adversaries=("none", "MPAF"), plan=plan, seeds=2)
    assert list(table.columns) == ["rule", "adversary", "kind", "beta", "share", "seed", "rate", "round", "accuracy"]
    assert len(table) == 2 * 2 * 2 * 3 and table["accuracy"].between(0, 1).all()
    found = impact(table).set_index(["rule", "adversary", "seed"])
    curve = table[(table["rule"] == "median") & (table["adversary"] == "MPAF") & (table["seed"] == 1)]["accuracy"]
    clean = table[(table["rule"] == "median") & (table["adversary"] == "none") & (table["seed"] == 1)]["accuracy"]
    row = found.loc[("median", "MPAF", 1)]
    assert row["best"] == curve.max() and row["final"] == curve.iloc[-1]
    assert row["best_impact"] == pytest.approx(clean.max() - curve.max())
    assert (found.xs("none", level="adversary")[["best_impact", "final_impact"]] == 0).all().all()


def test_the_digits_are_no_real_table():
    assert real_tables(["digits"]) == {}


def test_the_mean_ends_at_chance_and_robust_rules_do_not():
    plan, attacker = Plan(rounds=12), make_attacker("MPAF", population(), Plan())
    final = {
        rule: accuracy_by_round(population(), rule, attacker, plan, seed=0)["accuracy"].iloc[-1]
        for rule in ("mean", "trimmed mean", "Multi-Krum")
    }
    assert final["mean"] < 0.2 < 0.4 < final["trimmed mean"] < final["Multi-Krum"]


def test_learning_rates_are_tuned_by_rule_without_attack():
    plan = Plan(rounds=2, cohort=10, steps=2)
    table = learning_rates(rules=("mean", "median"), rates=(0.1, 1e-6), plan=plan)
    assert set(table["adversary"]) == {"none"} and table["seed"].min() >= 1000
    assert tuned(table) == {("digits", "mean"): 0.1, ("digits", "median"): 0.1}
    made = spectrum(rules=("median",), adversaries=("none",), plan=plan, seeds=1, rates={("digits", "median"): 0.02})
    assert set(made["rate"]) == {0.02}


def test_an_attackers_clients_train_at_the_rate_of_the_honest_ones(monkeypatch):
    rates = []
    real = TrainingAttacker.trained
    monkeypatch.setattr(TrainingAttacker, "trained", lambda self, *a: rates.append(self.local.lr) or real(self, *a))
    attacker = make_attacker("bootstrap 2", population(), Plan(virtual=2, images_each=3))
    accuracy_by_round(population(), "median", attacker, Plan(rounds=1, lr=0.007), seed=0)
    assert rates == [0.007]


def test_other_directions_stand_beside_the_known_one():
    plan = Plan(rounds=1, cohort=10, steps=1)
    known = spectrum(rules=("median",), adversaries=("none", "omniscient"), plan=plan, seeds=2)
    table = by_direction(known, plan=plan)
    assert list(dict.fromkeys(zip(table["adversary"], table["kind"], strict=True))) == [
        ("none", "unit"), ("omniscient", "unit"), ("omniscient", "std"), ("omniscient", "sign")]  # fmt: skip
    assert impact(table)["best_impact"].notna().all()


def play(attacker, weights, benign, rule="median", memory=None, seed=0):
    return attacker.play(weights, benign, attacker.malicious, rule, np.random.default_rng(seed), memory or {})


def test_history_sends_the_last_step_backwards():
    attacker = make_attacker("history", population(), Plan(mpaf_scale=3.0))
    first, memory = play(attacker, {"w": torch.zeros(4)}, torch.randn(8, 4))
    assert torch.equal(first, torch.zeros(5, 4))
    second, _ = play(attacker, {"w": torch.tensor([1.0, -2.0, 0.0, 4.0])}, torch.randn(8, 4), memory=memory)
    assert torch.equal(second[0], torch.tensor([-3.0, 6.0, 0.0, -12.0]))


def test_poisonedfl_keeps_its_signs_and_shrinks_when_the_model_does_not_follow():
    attacker = PoisonedFLAttacker(malicious=2, window=3)
    rng, memory, sent, factors = np.random.default_rng(0), {}, [], []
    for _ in range(8):
        weights = {"w": torch.from_numpy(rng.standard_normal(400))}  # a walk that does not heed the attack
        found, memory = play(attacker, weights, torch.randn(8, 400), memory=memory)
        sent.append(found[0])
        factors.append(float(memory["factor"]))
    signs = [one.sign() for one in sent[1:]]
    assert all(torch.equal(one, signs[0]) for one in signs)
    assert factors[:3] == [8.0, 8.0, 8.0] and factors[3:6] == pytest.approx([5.6] * 3)
    obedient = {"w": torch.zeros(400, dtype=torch.float64)}
    memory, found = {}, None
    for _ in range(7):
        found, memory = play(attacker, obedient, torch.randn(8, 400), memory=memory)
        obedient = {"w": obedient["w"] + signs[0]}
    assert float(memory["factor"]) == 8.0


def test_memory_travels_with_the_servers_state_through_a_run():
    attacker = make_attacker("PoisonedFL", population(), Plan())
    found = run(robust(defence="median", attacker=attacker), population().honest, rounds=3, cohort_size=10)
    assert set(found.state.optimizer) == {f"attack.{n}" for n in ("weights", "start", "sent", "factor", "round")}
    assert float(found.state.optimizer["attack.round"]) == 3


def test_fang_takes_the_attack_that_was_made_for_the_rule():
    benign, attacker = torch.randn(20, 30, dtype=torch.float64), FangAttacker(malicious=5)
    for rule in ("Krum", "Multi-Krum, iterative", "NNM + Krum", "Bulyan"):
        assert torch.equal(play(attacker, {}, benign, rule)[0], attacks.fang_krum(benign, 5))
    for rule in ("median", "trimmed mean", "norm bound"):
        expected = attacks.fang_trimmed(benign, 5, rng=np.random.default_rng(0))
        assert torch.equal(play(attacker, {}, benign, rule)[0], expected)


def test_gradient_ascent_climbs_and_is_as_long_as_an_honest_update():
    attacker, weights = make_attacker("PGA", population(), Plan()), MODEL.init(0)
    assert isinstance(attacker, AscentAttacker)
    (row, *_), _ = play(attacker, weights, torch.zeros(20, 4810))
    honest = attacker.reference(weights, None, np.random.default_rng(1)).norm(dim=1)
    assert honest.min() < row.norm() < honest.max()
    x, y = attacker.shards[0].train_x, attacker.shards[0].train_y
    before, after = (MODEL.loss(MODEL(w, x), y).mean() for w in (weights, unflat(flat(weights) + row, weights)))
    assert after > before


def test_sign_flippers_send_their_own_updates_reversed():
    attacker, weights = make_attacker("sign flip", population(), Plan()), MODEL.init(0)
    sent, _ = play(attacker, weights, torch.zeros(20, 4810))
    own = attacker.reference(weights, None, np.random.default_rng(0))
    assert all(any(torch.equal(-row, other) for other in own) for row in sent)


def test_dynamic_flippers_follow_the_model():
    attacker, weights = make_attacker("dynamic label flip", population(), Plan()), MODEL.init(0)
    seen = []
    object.__setattr__(attacker, "trained", lambda weights, shards, rng: seen.extend(shards) or torch.zeros(20, 4810))
    attacker.reference(weights, None, np.random.default_rng(0))
    for own, real in zip(seen, attacker.shards, strict=True):
        assert torch.equal(own.train_y, MODEL(weights, real.train_x).argmin(dim=1))


def test_mpaf_takes_its_scale_from_its_name():
    assert make_attacker("MPAF 1", population(), Plan()).scale == 1.0
    assert make_attacker("MPAF", population(), Plan(mpaf_scale=7.0)).scale == 7.0


def test_an_attacker_is_made_once_however_it_is_asked_for():
    first = make_attacker("bootstrap 2", population(), Plan(virtual=2, images_each=3), seed=4)
    assert make_attacker("bootstrap 2", population(), Plan(virtual=2, images_each=3), seed=4, device="cpu") is first
    assert make_attacker("bootstrap 2", population(), Plan(virtual=2, images_each=3), seed=5) is not first
