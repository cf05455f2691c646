"""Each loader on real files (where a mirror is set) and on small hand-written ones."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

import lib.data as data
from lib.data import loaders, registry


def needs(name):
    """Skip the test, with the reason, where a file of data set `name` is not at hand."""
    table = data.status()
    absent = table[(table.name == name) & ~table.state.isin(["ok", "derived"])]
    if len(absent):
        pytest.skip(
            f"needs {', '.join(absent.file)}: set SCARCE_DATA_MIRROR (now {os.environ.get('SCARCE_DATA_MIRROR')})"
        )


def test_digits_are_bundled():
    digits = data.load("digits")
    assert digits.features.shape == (1797, 64) and digits.features.min() == 0 and digits.features.max() == 1
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_voc2012_has_the_published_counts():
    needs("voc2012")
    voc = data.load("voc2012")
    assert voc.ids.shape == voc.difficulty.shape == (11_540,) and len(voc.boxes) == 27_450
    # Images an object of the class occurs in, official VOC 2012 trainval table: person 4,087, dog 1,286, sofa 507.
    images = {name: len(np.unique(voc.boxes[voc.boxes[:, 5] == index, 0])) for index, name in enumerate(voc.classes)}
    assert (images["person"], images["dog"], images["sofa"]) == (4_087, 1_286, 507)
    assert list(voc.ids) == sorted(voc.ids) and (np.diff(voc.boxes[:, 0]) >= 0).all()
    assert "voc2012/VSD_dataset.csv" in data.used()


def test_movielens_small_has_the_published_counts():
    needs("movielens-small")
    movielens = data.load("movielens-small")
    assert len(movielens.ratings) == 100_836 and len(movielens.movies) == 9_742
    assert movielens.ratings.user_id.nunique() == 610
    assert set(movielens.ratings.rating.unique()) == set(np.arange(1, 11) / 2)
    assert not movielens.ratings.duplicated(["user_id", "movie_id"]).any()


def test_sst2_has_the_published_counts():
    needs("sst2")
    sst2 = data.load("sst2")
    assert np.bincount(sst2.train.label).tolist() == [29_780, 37_569] and np.bincount(sst2.dev.label).tolist() == [
        428,
        444,
    ]
    assert sst2.dev.sentence[0].startswith("it 's a charming")


@pytest.mark.parametrize(
    ("name", "relative"),
    [("voc2012", "voc2012/boxes_trainval.txt"), ("movielens-small", "ml-latest-small/ratings.csv"),
     ("sst2", "glue_data/SST-2/dev.tsv")],
)  # fmt: skip
def test_real_file_with_one_byte_flipped_is_refused(name, relative, tmp_path, monkeypatch):
    needs(name)
    content = bytearray((Path(os.environ["SCARCE_DATA_MIRROR"]) / relative).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / relative).parent.mkdir(parents=True)
    (tmp_path / relative).write_bytes(content)
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match=f"scarce data fetch {name}"):
        data.load(name)


@pytest.mark.parametrize("text", ["a,3.5\nb,2\n", "name,score\na.jpg,3.5\nb.jpg,2\n", '"a",3.5\r\n"b",2\r\n'])
def test_scores_with_and_without_header_and_suffix(text):
    assert loaders.parse_scores(text.encode()) == {"a": 3.5, "b": 2.0}


@pytest.mark.parametrize(
    "text", ["", "name,score\n", "a,1\nb,x\n", "a,1\na,2\n", "a,nan\n", "a,1\nb,inf\n", "a,1\nb\n"]
)
def test_malformed_scores_are_refused(text):
    with pytest.raises(data.DataError):
        loaders.parse_scores(text.encode())


def test_scores_must_cover_the_images(tmp_path, monkeypatch):
    boxes = b"b 1,1,2,2,0\na 3,3,4,4,1\n"
    file = registry.DataFile("voc2012/boxes_trainval.txt", len(boxes), hashlib.sha256(boxes).hexdigest(), derived=True)
    entry = registry.DataSet("voc2012", "VOC", "", "", (file,))
    monkeypatch.setattr(registry, "REGISTRY", {"voc2012": entry})
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    (tmp_path / "voc2012").mkdir()
    (tmp_path / file.path).write_bytes(boxes)
    (tmp_path / "scores.csv").write_text("b,1\nc,2\n")
    with pytest.raises(data.DataError, match="1 images have no difficulty score"):
        data.load("voc2012", scores=tmp_path / "scores.csv")
    (tmp_path / "scores.csv").write_text("b,1\na,2\n")
    voc = data.load("voc2012", scores=tmp_path / "scores.csv")
    assert voc.ids.tolist() == ["a", "b"] and voc.difficulty.tolist() == [2, 1]
    assert voc.boxes.tolist() == [[0, 3, 3, 4, 4, 1], [1, 1, 1, 2, 2, 0]]
    with pytest.raises(data.DataError, match="does not exist"):
        data.load("voc2012", scores=tmp_path / "absent.csv")


def test_embeddings_are_aligned_to_the_ids(tmp_path):
    np.savez(
        tmp_path / "f.npz", ids=np.array(["b.jpg", "a", "c"]), features=np.arange(6, dtype=np.float16).reshape(3, 2)
    )
    assert data.embeddings(tmp_path / "f.npz", np.array(["a", "b"])).tolist() == [[2, 3], [0, 1]]


@pytest.mark.parametrize(
    "arrays",
    [
        {"ids": np.array(["a"]), "features": np.ones((1, 2))},
        {"ids": np.array(["a", "a", "b"]), "features": np.ones((3, 2))},
        {"ids": np.array(["a", "b"]), "features": np.array([[1.0, np.nan], [0, 0]])},
        {"ids": np.array(["a", "b"]), "features": np.ones(2)},
        {"ids": np.array(["a", "b"]), "features": np.ones((3, 2))},
        {"ids": np.array(["a", "b"], dtype=object), "features": np.ones((2, 2))},
        {"names": np.array(["a", "b"]), "features": np.ones((2, 2))},
    ],
    ids=["uncovered", "repeated", "nan", "flat", "lengths", "pickled", "unnamed"],
)
def test_unfit_embeddings_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(data.DataError):
        data.embeddings(tmp_path / "f.npz", np.array(["a", "b"]))


def test_truncated_embeddings_are_refused(tmp_path):
    np.savez(tmp_path / "f.npz", ids=np.array(["a"]), features=np.ones((1, 2)))
    (tmp_path / "f.npz").write_bytes((tmp_path / "f.npz").read_bytes()[:100])
    with pytest.raises(data.DataError, match="no npz"):
        data.embeddings(tmp_path / "f.npz", np.array(["a"]))


def test_require_names_the_first_absent_data_set(monkeypatch, tmp_path):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    monkeypatch.delenv("SCARCE_DATA_MIRROR", raising=False)
    data.require("digits")
    with pytest.raises(data.DataError, match="scarce data fetch sst2"):
        data.require("digits", "sst2")
    with pytest.raises(data.DataError, match="unknown data set"):
        data.require("sst3")
