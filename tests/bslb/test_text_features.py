import os

import numpy as np
import pandas as pd
import pytest

import lib.data as data
from lib.bslb.experiments.annotation_real import annotation_sst2
from lib.bslb.figures.annotation import difficulty_regret
from lib.bslb.text_features import sentiment_task, text_features
from lib.data.loaders import Sst2

WORDS = ["good", "fine", "great", "bad", "poor", "awful", "the", "film", "plot", "a", "cast", "is"]


def sentences(n, seed):
    """Random sentences whose label is the majority of good words; a sixth of the labels is wrong."""
    rng = np.random.default_rng(seed)
    words = rng.integers(len(WORDS), size=(n, 8))
    clean = ((words < 3).sum(axis=1) >= ((words >= 3) & (words < 6)).sum(axis=1)).astype(int)
    wrong = rng.random(n) < 1 / 6
    table = pd.DataFrame({"sentence": [" ".join(WORDS[w] for w in row) for row in words], "label": clean ^ wrong})
    return table, wrong


def needs(name):
    table = data.status()
    absent = table[(table.name == name) & ~table.state.isin(["ok", "derived"])]
    if len(absent):
        mirror = os.environ.get("SCARCE_DATA_MIRROR")
        pytest.skip(f"needs {', '.join(absent.file)}: set SCARCE_DATA_MIRROR to a folder with it (now {mirror})")


def test_features_are_standardised_on_the_pool_and_do_not_see_the_other_text():
    pool, other = sentences(300, 0)[0].sentence.tolist(), sentences(50, 1)[0].sentence.tolist()
    inside, outside = text_features(pool, other, d=10)
    assert inside.shape == (300, 10) and outside.shape == (50, 10)
    np.testing.assert_allclose(inside.std(axis=0), 1, rtol=1e-5)
    again, _ = text_features(pool, other[:5], d=10)
    np.testing.assert_array_equal(inside, again)
    np.testing.assert_allclose(text_features(pool, pool[:5], d=10)[1], inside[:5], atol=1e-3)
    with pytest.raises(ValueError, match="lower d"):
        text_features(pool, other, d=300)


def test_hard_sentences_are_those_with_as_many_good_as_bad_words_whatever_their_label():
    train, dev = sentences(3000, 2)[0], sentences(300, 3)[0]
    task = sentiment_task(Sst2(train, dev), sentences=500, d=20, seed=0)
    assert task.arms.shape == (500, 20) and task.difficulty.std() == pytest.approx(1)
    lead = np.array([abs(sum((w in WORDS[:3]) - (w in WORDS[3:6]) for w in s.split())) for s in dev.sentence])
    assert lead[task.hard].mean() < 1 < 2 < lead[task.easy].mean()
    flipped = sentiment_task(Sst2(train, dev.assign(label=1 - dev.label)), sentences=500, d=20, seed=0)
    np.testing.assert_array_equal(flipped.hard, task.hard)
    order = np.random.default_rng([0, 305]).permutation(3000)[1500:2000]
    np.testing.assert_array_equal(task.labels, train.label.to_numpy()[order])
    with pytest.raises(ValueError, match="1500 unjudged"):
        sentiment_task(Sst2(train, dev), sentences=1501, d=20)


def test_sst2_small_run():
    needs("sst2")
    table = annotation_sst2(budgets=(50,), seeds=1, sentences=800, d=32, policies=("random", "bslb", "all"))
    assert table.policy.tolist() == ["random", "bslb", "all"]
    everything = table[table.policy == "all"].iloc[0]
    assert everything.easy_accuracy > 0.75 > everything.hard_accuracy
    assert "SST-2" in difficulty_regret(table).scarce_caption
