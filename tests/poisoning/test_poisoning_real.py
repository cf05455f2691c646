"""The runs on real data: which jobs there are, what one returns, and the command that shares them out."""

import json

import numpy as np
import pytest
import torch

from lib.data import needed
from lib.poisoning import real as command
from lib.poisoning.experiments import real
from lib.poisoning.federations import by_user, image_population, population, small_convolutional
from lib.poisoning.plan import Plan
from lib.report import page

TINY = Plan(rounds=2, evaluate_every=2, steps=2, virtual=3, images_each=4, generator_steps=2)
ANY = {(data, rule): 0.05 for data in real.KNOWN for rule in (*real.RULES, "mean")}


def present(data):
    if needed.absent(data):
        pytest.skip(f"needs {data}: set SCARCE_DATA_MIRROR")


def test_no_job_is_done_twice_and_the_spectrum_comes_first():
    jobs = real.attack_jobs(real.KNOWN, taken=(1, 5, 10), seeds=3)
    assert len(set(jobs)) == len(jobs)
    tables = list(dict.fromkeys(job.table for job in jobs))
    assert tables == ["real", "real_attacks", "real_alike", "real_directions", "real_rules", "real_shares"]
    assert {job.seed for job in jobs} == {0, 1, 2}
    few = real.attack_jobs(real.KNOWN, taken=(1, 5, 10), seeds=3, whole=())
    assert few == [job for job in jobs if job.table == "real"]
    some = real.attack_jobs(real.KNOWN, taken=(1, 5, 10), seeds=3, whole=["mnist"])
    assert some == [job for job in jobs if job.table == "real" or job.data == "mnist"]
    for data in real.KNOWN:
        names = {job.adversary for job in few if job.data == data}
        assert {"hybrid 5", "DCGAN 5", "bootstrap 5", *real.SPECTRUM} <= names
        assert ("hybrid 10" in names) == (data in real.SIZED)


def test_every_rule_is_tuned_on_another_population():
    jobs = real.tuning_jobs(("mnist",), rules=("median", "mean"), rates=(0.1, 0.01))
    assert [(job.rules, job.rate) for job in jobs] == [
        (("median",), 0.1), (("median",), 0.01), (("mean",), 0.1), (("mean",), 0.01)]  # fmt: skip
    assert {job.adversary for job in jobs} == {"none"} and min(job.seed for job in jobs) >= 1000


@pytest.mark.parametrize("data", real.KNOWN)
def test_a_job_returns_its_table(data):
    present(data)
    job = real.Job(table="real_shares", data=data, adversary="bootstrap 2", rules=("median", "mean"), share=0.08)
    (table,) = real.do(job, TINY, ANY).values()
    assert list(table["rule"]) == ["median", "mean"] and set(table["share"]) == {0.08} and set(table["rate"]) == {0.05}
    assert table["accuracy"].between(0, 1).all() and set(table["data"]) == {data}


def test_images_come_with_the_spectrum_alone():
    present("femnist-digits")
    job = real.Job(table="real", data="femnist-digits", adversary="DCGAN 1", rules=("median",))
    found = real.do(job, TINY, ANY)
    images = found["real_images"]
    assert set(found) == {"real", "real_images"} and set(images["source"]) == {"dcgan"} and len(images) == 12
    other = real.Job(table="real_alike", data="femnist-digits", adversary="DCGAN 1", rules=("median",), beta=np.inf)
    found = real.do(other, TINY, ANY)
    assert set(found) == {"real_alike"} and set(found["real_alike"]["beta"]) == {np.inf}


def test_users_stay_together_where_clients_are_alike():
    user = np.repeat([3, 5, 9], [16, 24, 17])
    parts = by_user(user, 8, np.random.default_rng(0))
    assert len(parts) == 24 and sorted(np.concatenate(parts)) == list(range(57))
    assert all(len(set(user[part])) == 1 for part in parts)
    present("femnist-digits")
    alike, differ = (image_population("femnist-digits", beta=beta) for beta in (np.inf, 0.1))
    assert alike.genuine == 96 and differ.genuine == 100 and len(alike.within_reach) == 20
    classes = [np.mean([len(c.train_y.unique()) for c in p.honest.clients]) for p in (alike, differ)]
    assert classes[0] > 8 > 2 * classes[1] - 2
    assert float(alike.honest.clients[0].train_x.median()) == -1  # ink is bright, as on MNIST


def test_populations_are_kept_and_colour_images_have_a_convolutional_network():
    assert population("digits", beta=0.1, seed=5) is population("digits", beta=0.1, seed=5)
    assert small_convolutional()(torch.randn(2, 3 * 32 * 32)).shape == (2, 10)


def test_only_known_data_sets_are_run():
    assert real.real_tables(["digits"]) == {}
    with pytest.raises(ValueError, match="choose from digits, mnist"):
        real.real_tables(["digits", "imagenet"])


def test_the_command_leaves_a_recorded_run_and_tells_what_failed(tmp_path, monkeypatch):
    present("femnist-digits")
    shared = {"data": "femnist-digits", "rules": ("median",)}
    tuning = [real.Job(table="real_rates", adversary="none", rate=rate, **shared) for rate in (0.1, 0.01)]
    names = ("none", "bootstrap 2", "martians 3")
    monkeypatch.setattr(real, "tuning_jobs", lambda *args, **options: tuning)
    monkeypatch.setattr(
        real, "attack_jobs", lambda *args, **options: [real.Job(table="real", adversary=n, **shared) for n in names]
    )
    out = tmp_path / "poisoning" / "real"
    words = ["--out", str(out), "--workers", "1", "--rounds", "2", "--every", "1", "--data", "femnist-digits"]
    assert command.main(words) == 1
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    tables = page.recorded("poisoning", "real")
    assert set(tables) == {"real", "real_rates"} and set(tables["real"]["adversary"]) == {"none", "bootstrap 2"}
    assert len(tables["real"]) == 4 and tables["real"].attrs["recorded"].startswith("real, ")
    result = json.loads((out / "result.json").read_text())
    assert result["status"] == "partial" and result["jobs"] == {"asked": 5, "done": 4}
    assert "martians" in result["failures"][0] and any("femnist" in name for name in result["data"])
    assert not list(out.glob("tables/.*"))
    rates = tables["real_rates"]
    names = ("none", "bootstrap 2", "noise")
    assert command.main(words) == 0  # goes on with the one job that is left
    again = json.loads((out / "result.json").read_text())
    assert again["jobs"] == {"asked": 5, "done": 5} and again["status"] == "ok" and len(again["earlier"]) == 1
    tables = page.recorded("poisoning", "real")
    assert list(tables["real"]["adversary"].unique()) == ["none", "bootstrap 2", "noise"]
    assert tables["real_rates"].equals(rates)
    with pytest.raises(ValueError, match="its rounds is 2, not 3"):
        command.main([*words, "--rounds", "3"])


def test_the_command_ends_at_its_limit(tmp_path):
    assert command.main(["--out", str(tmp_path), "--workers", "1", "--limit", "0"]) == 3
    assert json.loads((tmp_path / "result.json").read_text())["jobs"]["done"] == 0
