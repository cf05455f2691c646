"""Federated data sets: files written here in the exact official formats, and what is refused."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from lib import data
from lib.data import by_client
from lib.data.speakers import parse_speeches

h5py = pytest.importorskip("h5py")


def write_tff(path, users):
    """A file as TensorFlow Federated writes it: a group a client with one array a feature."""
    with h5py.File(path, "w") as file:
        for user, columns in users.items():
            for name, values in columns.items():
                file.create_dataset(f"examples/{user}/{name}", data=values)
    return path


def writer(n, seed):
    rng = np.random.default_rng(seed)
    return {"pixels": rng.random((n, 28, 28)).astype(np.float32), "label": rng.integers(62, size=n).astype(np.int32)}


def leaf(tmp_path, name, made, *, zipped=False, **spoilt):
    table = {
        "users": list(made),
        "num_samples": [len(x) for x, _ in made.values()],
        "user_data": {user: {"x": x, "y": y} for user, (x, y) in made.items()},
    } | spoilt
    content = json.dumps(table).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


def test_emnist(tmp_path):
    made = {"f0000_14": writer(3, 0), "f0001_41": writer(2, 1)}
    held = {"f0000_14": writer(1, 2), "f0001_41": writer(2, 3)}
    paths = {part: write_tff(tmp_path / f"{part}.h5", users) for part, users in (("train", made), ("test", held))}
    found = data.load("emnist", **paths)
    assert found.users == ("f0000_14", "f0001_41") and found.x.shape == (8, 1, 28, 28)
    assert found.user.tolist() == [0, 0, 0, 1, 1, 0, 1, 1] and found.test.tolist() == [False] * 5 + [True] * 3
    assert np.array_equal(found.x[3:5, 0], made["f0001_41"]["pixels"]) and found.x.dtype == np.float32
    assert found.y.tolist() == [*made["f0000_14"]["label"], *made["f0001_41"]["label"], *held["f0000_14"]["label"],
                                *held["f0001_41"]["label"]]  # fmt: skip
    one = data.load("emnist", **paths, users=["f0001_41"])
    assert one.users == ("f0001_41",) and len(one.x) == 4


def sentences(*texts):
    n = len(texts)
    return {
        "tokens": np.array([text.encode() for text in texts], dtype=object),
        "title": np.array([b"how to"] * n, dtype=object),
        "tags": np.array([b"python|pandas"] * n, dtype=object),
        "creation_date": np.array([b"2010-01-01 00:00:00 UTC"] * n, dtype=object),
        "type": np.array([b"question"] * n, dtype=object),
        "score": np.arange(n, dtype=np.int64),
    }


def test_stack_overflow(tmp_path):
    train = write_tff(tmp_path / "train.h5", {"00000001": sentences("a b c", "d é"), "00000002": sentences("e")})
    test = write_tff(tmp_path / "test.h5", {"00000001": sentences("f")})
    found = data.load("stackoverflow", train=train, test=test)
    assert found.tokens.tolist() == ["a b c", "d é", "e", "f"]
    assert found.user.tolist() == ["00000001", "00000001", "00000002", "00000001"]
    assert found.test.tolist() == [False, False, False, True] and found.score.tolist() == ["0", "1", "0", "0"]
    assert set(found.tags) == {"python|pandas"} and set(found.type) == {"question"}
    with pytest.raises(data.DataError, match="00000002"):  # not in the test file
        data.load("stackoverflow", train=train, test=test, users=["00000002"])


def test_shakespeare_in_both_forms(tmp_path):
    x, y = ["a" * 80, "b" * 80], ["c", "\n"]
    train, test = leaf(tmp_path, "train.json", {"ROMEO": (x, y)}), leaf(tmp_path, "t.json", {"ROMEO": (x[:1], y[:1])})
    found = data.load("shakespeare", train=train, test=test)
    assert found.to_numpy().tolist() == [
        ["ROMEO", False, "a" * 80, "c"],
        ["ROMEO", False, "b" * 80, "\n"],
        ["ROMEO", True, "a" * 80, "c"],
    ]
    speech = {"snippets": np.array([b"Ay me.", b"Peace!"], dtype=object)}
    paths = {part: write_tff(tmp_path / f"{part}.h5", {"JULIET": speech}) for part in ("train", "test")}
    found = data.load("shakespeare", **paths)
    assert found.context.tolist() == ["Ay me.", "Peace!"] * 2 and set(found.target) == {""}
    bad = leaf(tmp_path, "bad.json", {"ROMEO": (x, ["c", "two"])})
    with pytest.raises(data.DataError, match="next character"):
        data.load("shakespeare", train=bad, test=test)


def test_reddit(tmp_path):
    comment = [["<BOS>", "i", "am"], ["here", "<EOS>", "<PAD>"]]
    target = {"target_tokens": [["i", "am", "here"], ["<EOS>", "<PAD>", "<PAD>"]], "count_tokens": 4}
    train = leaf(tmp_path, "train.json.gz", {"7056": ([comment], [target])}, zipped=True)
    test = leaf(tmp_path, "test.json", {"7056": ([comment[:1]], [{"target_tokens": target["target_tokens"][:1]}])})
    found = data.load("reddit", train=train, test=test)
    assert found.tokens.tolist() == [*comment, comment[0]] and found.targets[0] == ["i", "am", "here"]
    assert found.test.tolist() == [False, False, True] and isinstance(found, pd.DataFrame)
    for wrong in ([{"target_tokens": [["i"]]}], [{}], [{"target_tokens": [["i", "am"], ["a", "b", "c"]]}]):
        with pytest.raises(data.DataError, match="target_tokens"):
            data.load("reddit", train=leaf(tmp_path, "bad.json", {"7056": ([comment], wrong)}), test=test)


@pytest.mark.parametrize("name", ["emnist", "stackoverflow", "shakespeare", "reddit"])
def test_without_files_the_error_says_where_they_are(name):
    for action in (lambda: data.load(name), lambda: data.fetch(name)):
        with pytest.raises(data.DataError, match="train=PATH"):
            action()


def test_what_is_no_such_file_is_refused(tmp_path):
    absent, text = tmp_path / "absent.h5", tmp_path / "text.h5"
    text.write_text("not HDF5")
    lacking = write_tff(tmp_path / "lacking.h5", {"w": {"pixels": np.zeros((1, 28, 28), np.float32)}})
    uneven = write_tff(tmp_path / "uneven.h5", {"w": writer(2, 0) | {"label": np.zeros(3, np.int32)}})
    for path, message in ((absent, "does not exist"), (text, "examples/"), (lacking, "label"), (uneven, "length")):
        with pytest.raises(data.DataError, match=message):
            by_client.read_tff(path, ("pixels", "label"))
    wide = write_tff(tmp_path / "wide.h5", {"w": writer(2, 0) | {"pixels": np.zeros((2, 8, 8), np.float32)}})
    with pytest.raises(data.DataError, match="28 x 28"):
        data.load("emnist", train=wide, test=wide)
    for spoilt in ({"num_samples": [2]}, {"users": ["z"]}, {"user_data": []}):
        with pytest.raises(data.DataError, match="LEAF"):
            by_client.read_leaf(leaf(tmp_path, "spoilt.json", {"a": ([1], [2])}, **spoilt))
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(leaf(tmp_path, "whole.json.gz", {"a": ([1], [2])}, zipped=True).read_bytes()[:20])
    with pytest.raises(data.DataError, match="LEAF"):
        by_client.read_leaf(cut)


def test_speeches_by_speaker():
    text = "First Citizen:\nBefore we\nproceed.\n\nAll:\nSpeak.\n\nFirst Citizen:\nYou are.\n"
    assert parse_speeches(text) == {"First Citizen": "Before we\nproceed.\nYou are.", "All": "Speak."}
    with pytest.raises(data.DataError, match="paragraph 2"):
        parse_speeches("All:\nSpeak.\n\nnobody speaks")


def test_tiny_shakespeare_has_its_speakers():
    try:
        found = data.load("tinyshakespeare")
    except data.DataError:
        pytest.skip("tinyshakespeare is not in the data folder")
    texts = found.by_speaker()
    assert len(found.text) == 1_115_394 and len(set(found.text)) == 65 and len(texts) == 309
    assert texts["First Citizen"].startswith("Before we proceed any further, hear me speak.")
