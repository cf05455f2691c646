"""Image loaders on real files (where a mirror is set) and on small hand-written ones; installs from a tar archive."""

import gzip
import hashlib
import io
import json
import os
import tarfile

import numpy as np
import pytest

import lib.data as data
from lib.data import archives, flickr_aes, loaders_images, needed, registry, store


def needs(name):
    """Skip the test, with the reason, where a file of data set `name` is not at hand."""
    absent = needed.absent(name)
    if absent:
        pytest.skip(f"needs {', '.join(absent)}: set SCARCE_DATA_MIRROR (now {os.environ.get('SCARCE_DATA_MIRROR')})")


def test_cifar10_has_the_published_counts():
    needs("cifar10")
    cifar = data.load("cifar10")
    assert cifar.train_x.shape[1:] == (3, 32, 32) and cifar.train_x.dtype == np.uint8
    assert len(cifar.train_y) % 10_000 == 0 and cifar.complete == (len(cifar.train_y) == 50_000)
    # Histogram of official batch 1, and 1,000 test images a class.
    first = np.bincount(cifar.train_y[:10_000])
    assert first.tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
    assert np.bincount(cifar.test_y).tolist() == [1000] * 10
    # Record 0 of batch 1 is a frog; its first red pixel is 59, green 62, blue 63.
    assert loaders_images.CIFAR10_CLASSES[cifar.train_y[0]] == "frog" and cifar.train_x[0, :, 0, 0].tolist() == [
        59,
        62,
        63,
    ]


def test_cifar100_has_equal_classes():
    needs("cifar100")
    cifar = data.load("cifar100")
    train, test = (500, 100) if cifar.complete else (20, 5)
    assert np.bincount(cifar.train_y).tolist() == [train] * 100 and np.bincount(cifar.test_y).tolist() == [test] * 100
    assert cifar.train_x.shape == (100 * train, 3, 32, 32) and cifar.classes == 100


def test_mnist_has_the_published_counts():
    needs("mnist")
    mnist = data.load("mnist")
    assert mnist.train_x.shape == (60_000, 1, 28, 28) and mnist.test_x.shape == (10_000, 1, 28, 28)
    assert np.bincount(mnist.train_y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.train_y[:5].tolist() == [5, 0, 4, 1, 9] and mnist.complete
    # The mean and standard deviation that everybody normalizes with.
    assert mnist.train_x.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert mnist.train_x.std() / 255 == pytest.approx(0.3081, abs=1e-4)


def test_femnist_sample_belongs_to_twelve_users():
    needs("femnist-digits")
    femnist = data.load("femnist-digits")
    assert len(femnist.users) == 12 and femnist.x.shape == (5997, 1, 28, 28) and femnist.test.sum() == 592
    assert femnist.x.min() >= 0 and femnist.x.max() == 1 and set(np.unique(femnist.y)) == set(range(10))
    assert np.bincount(femnist.user[~femnist.test])[:3].tolist() == [439, 454, 490]


@pytest.mark.parametrize("labels", [1, 2])
def test_records_are_label_then_planes(labels):
    pixels = np.arange(2 * 3072, dtype=np.uint32).reshape(2, 3072) % 251
    records = np.concatenate([np.array([[9] * (labels - 1) + [3], [9] * (labels - 1) + [1]]), pixels], axis=1)
    x, y = loaders_images.parse_records(records.astype(np.uint8).tobytes(), labels=labels, classes=4, name="file")
    assert y.tolist() == [3, 1] and x.shape == (2, 3, 32, 32)
    assert (x[1, 2, 5, 7]) == (3072 + 2 * 1024 + 5 * 32 + 7) % 251


@pytest.mark.parametrize("content", [b"", b"\x00" * 3072, b"\x07" + b"\x00" * 3072])
def test_damaged_records_are_refused(content):
    with pytest.raises(data.DataError, match="fetch it again"):
        loaders_images.parse_records(content, labels=1, classes=4, name="file")


def idx(array, kind=8):
    head = bytes([0, 0, kind, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def test_idx_keeps_shape_and_order():
    array = np.arange(24).reshape(2, 3, 4)
    assert (loaders_images.parse_idx(idx(array), name="file") == array).all()


@pytest.mark.parametrize(
    "content",
    [b"no gzip", idx(np.arange(6).reshape(2, 3))[:-9], gzip.compress(b"\x00\x00\x08"), idx(np.arange(4), kind=13),
     gzip.compress(gzip.decompress(idx(np.arange(6)))[:-1])],
    ids=["plain", "cut", "headless", "floats", "short"],
)  # fmt: skip
def test_damaged_idx_is_refused(content):
    with pytest.raises(data.DataError, match="file"):
        loaders_images.parse_idx(content, name="file")


def leaf(**changes):
    rows = {"a": {"x": [[0.25] * 784] * 2, "y": [3, 12]}, "b": {"x": [[1.0] * 784], "y": [9]}}
    return json.dumps({"users": ["a", "b"], "num_samples": [2, 1], "user_data": rows} | changes).encode()


def test_leaf_files_of_the_user_are_read_and_letters_left_out(tmp_path):
    (tmp_path / "train.json").write_bytes(leaf())
    (tmp_path / "test.json.gz").write_bytes(gzip.compress(leaf()))
    found = data.load("femnist-digits", train=tmp_path / "train.json", test=tmp_path / "test.json.gz")
    assert found.y.tolist() == [3, 9, 3, 9] and found.user.tolist() == [0, 1, 0, 1]
    assert found.test.tolist() == [False, False, True, True] and found.x[0, 0, 3, 4] == 0.25
    with pytest.raises(data.DataError, match="both"):
        data.load("femnist-digits", train=tmp_path / "train.json")
    (tmp_path / "other.json").write_bytes(leaf(users=["a", "c"]))
    with pytest.raises(data.DataError, match="LEAF"):
        data.load("femnist-digits", train=tmp_path / "train.json", test=tmp_path / "other.json")


@pytest.mark.parametrize("content", [b"[]", b"{", leaf(num_samples=[2]), leaf(num_samples=[1, 1]), leaf(users=["z"])])
def test_malformed_leaf_files_are_refused(content):
    with pytest.raises(data.DataError, match="LEAF"):
        loaders_images.parse_leaf(content, name="file")


RATINGS = b"worker, imagePair, score\nA1, farm1_a.jpg, 4\nA1, b.jpg, 1\nB2, b.jpg, 5\n"


def test_flickr_ratings_and_photos(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    monkeypatch.setattr(store, "_VERIFIED", {})
    path = tmp_path / flickr_aes.LABELS
    path.parent.mkdir()
    path.write_bytes(RATINGS)
    with pytest.raises(data.DataError, match="checksum mismatch"):
        data.load("flickr-aes")
    assert flickr_aes.register() == 3 and needed.absent("flickr-aes") == []
    flickr = data.load("flickr-aes")
    assert flickr.ratings.worker.tolist() == ["A1", "A1", "B2"] and flickr.ratings.score.tolist() == [4, 1, 5]
    assert flickr.ratings.image.tolist() == ["farm1_a.jpg", "b.jpg", "b.jpg"]
    flickr.folder.mkdir()
    # Twice as wide as high, red in the middle half: the centre square is red throughout.
    photo = np.zeros((40, 80, 3), np.uint8)
    photo[:, 20:60, 0] = 200
    Image.fromarray(photo).save(flickr.folder / "b.png")
    assert flickr.photos(["b.png"], size=20).shape == (1, 3, 20, 20)
    assert flickr.photos(["b.png"], size=40)[0, 0].min() == 200 and flickr.photos(["b.png"], size=40)[0, 1].max() == 0
    (flickr.folder / "cut.png").write_bytes((flickr.folder / "b.png").read_bytes()[:40])
    for name in ("absent.png", "cut.png"):
        with pytest.raises(data.DataError, match=name):
            flickr.photos([name])


@pytest.mark.parametrize(
    "content", [b"", b"a,b,c\n1,2,3\n", b"worker, imagePair, score\n", b"worker, imagePair, score\nA,b,6\n"]
)
def test_malformed_ratings_are_refused(content):
    with pytest.raises(data.DataError, match="FLICKR-AES"):
        flickr_aes.parse_ratings(content)


def test_missing_flickr_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match="shared drive"):
        data.load("flickr-aes")
    with pytest.raises(data.DataError, match="shared drive"):
        data.fetch("flickr-aes")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A data set of two members in a tar archive, the second with a stand-in and one optional."""
    contents = {"in/a.bin": b"a" * 10, "in/b.bin": b"b" * 20}
    with tarfile.open(tmp_path / "toy.tar.gz", "w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    digest = hashlib.md5((tmp_path / "toy.tar.gz").read_bytes()).hexdigest()
    files = (
        registry.DataFile("toy/a.bin", 10, "0" * 64, member="in/a.bin", derived=True),
        registry.DataFile("toy/b.bin", 20, "", member="in/b.bin", derived=True, instead="few/b.bin"),
        registry.DataFile("few/b.bin", 2, hashlib.sha256(b"bb").hexdigest(), instead="toy/b.bin"),
        registry.DataFile("toy/c.bin", 5, "", derived=True, optional=True),
    )
    entry = registry.DataSet(
        "toy", "Toy", "", "https://example.org", files, archive="http://127.0.0.1:9/toy.tar.gz",
        archive_hash=f"md5:{digest}",
    )  # fmt: skip
    monkeypatch.setattr(registry, "REGISTRY", {"toy": entry})
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SCARCE_DATA_MIRROR", raising=False)
    monkeypatch.setattr(store, "_VERIFIED", {})
    return tmp_path


def test_members_of_the_verified_archive_are_installed_and_accepted(toy):
    assert needed.absent("toy") == ["toy/a.bin", "toy/b.bin", "few/b.bin"]
    installed = archives.install_tar("toy", toy / "toy.tar.gz")
    assert installed == [toy / "data/toy/a.bin", toy / "data/toy/b.bin"] and needed.absent("toy") == []
    assert store.read("toy", "toy/b.bin") == b"b" * 20
    (toy / "data/toy/b.bin").write_bytes(b"b" * 19 + b"c")
    with pytest.raises(data.DataError, match="checksum mismatch"):
        store.read("toy", "toy/b.bin")


def test_a_subset_serves_in_place_of_the_whole(toy):
    archives.install_tar("toy", toy / "toy.tar.gz")
    (toy / "data/toy/b.bin").unlink()
    (toy / "data/few").mkdir()
    (toy / "data/few/b.bin").write_bytes(b"bb")
    assert needed.absent("toy") == []


def test_another_archive_is_refused(toy):
    content = (toy / "toy.tar.gz").read_bytes()
    (toy / "toy.tar.gz").write_bytes(content[:-1])
    with pytest.raises(data.DataError, match="official archive"):
        archives.install_tar("toy", toy / "toy.tar.gz")
    assert not (toy / "data").exists()
    with pytest.raises(data.DataError, match="could not be fetched"):
        data.fetch("toy")


def test_require_names_every_data_set_that_is_not_there(toy):
    data.require()
    with pytest.raises(data.DataError, match=r"toy/a\.bin .*scarce data fetch toy"):
        data.require("toy")
    archives.install_tar("toy", toy / "toy.tar.gz")
    data.require("toy")
    with pytest.raises(data.DataError, match="unknown data set"):
        data.require("tony")
