"""Downloads against a local web server: what arrives is verified, and an interruption leaves nothing behind."""

import dataclasses
import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile

import pytest

import lib.data as data
from lib.data import registry, store

CONTENT = bytes(range(256)) * 400


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve a folder; a path ending in ``cut`` announces more bytes than it sends."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        if not self.path.endswith("cut.zip"):
            return super().do_GET()
        body = archive_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True
        return None


def archive_bytes(content=CONTENT):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("inside/part.bin", content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(served):
    folder = served
    (folder / "good.zip").write_bytes(archive_bytes())
    (folder / "other.zip").write_bytes(archive_bytes(CONTENT[::-1]))
    (folder / "half.zip").write_bytes(archive_bytes()[:5000])
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture
def toy(tmp_path, monkeypatch, server):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SCARCE_DATA_MIRROR", raising=False)

    def register(filename, by_hand=""):
        file = registry.DataFile(
            "toy/part.bin",
            len(CONTENT),
            hashlib.sha256(CONTENT).hexdigest(),
            member="" if by_hand else "inside/part.bin",
        )
        entry = registry.DataSet(
            "toy", "Toy", "CC0", "https://example.org", (file,), archive=f"{server}/{filename}", by_hand=by_hand
        )
        monkeypatch.setattr(registry, "REGISTRY", {"toy": entry})
        return tmp_path / "data"

    return register


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def test_fetch_installs_the_verified_member_and_nothing_else(toy):
    folder = toy("good.zip")
    assert data.fetch("toy") == [folder / "toy/part.bin"]
    assert files_in(folder) == ["toy", "toy/part.bin"]
    assert store.read("toy", "toy/part.bin") == CONTENT


def test_fetch_replaces_a_corrupt_file_and_keeps_a_good_one(toy):
    folder = toy("good.zip")
    (folder / "toy").mkdir(parents=True)
    (folder / "toy/part.bin").write_bytes(b"bad")
    data.fetch("toy")
    assert (folder / "toy/part.bin").read_bytes() == CONTENT
    toy("absent.zip")
    assert data.fetch("toy") == [folder / "toy/part.bin"]


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("absent.zip", "could not be fetched"),
        ("cut.zip", "could not be fetched|not the expected archive"),
        ("half.zip", "not the expected archive"),
        ("other.zip", "checksum mismatch"),
    ],
)  # fmt: skip
def test_failed_fetch_leaves_nothing_behind(toy, filename, reason):
    folder = toy(filename)
    with pytest.raises(data.DataError, match=reason):
        data.fetch("toy")
    assert files_in(folder) == []


def test_interrupted_fetch_leaves_nothing_behind(toy, monkeypatch):
    import pooch

    def interrupted(url, known_hash, fname, path, progressbar):
        (path / fname).write_bytes(archive_bytes()[:3000])
        raise KeyboardInterrupt

    folder = toy("good.zip")
    monkeypatch.setattr(pooch, "retrieve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.fetch("toy")
    assert files_in(folder) == []


def test_file_that_has_to_be_supplied_by_hand_says_so(toy):
    toy("good.zip", by_hand="toy/part.bin is under a licence of its own")
    with pytest.raises(data.DataError, match="licence of its own"):
        data.fetch("toy")


def test_load_never_downloads(toy, monkeypatch):
    import pooch

    toy("good.zip")
    monkeypatch.setattr(pooch, "retrieve", lambda *a, **k: pytest.fail("downloaded without being asked"))
    with pytest.raises(data.DataError, match="scarce data fetch toy"):
        store.read("toy", "toy/part.bin")


@pytest.mark.parametrize("tampered", [False, True])
def test_archive_that_has_to_be_converted(tmp_path, monkeypatch, server, served, tampered):
    xml = b"<annotation><object><name>dog</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin>"
    xml += b"<xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>"
    with tarfile.open(served / "voc.tar", "w") as tar:
        for name, content in (("Annotations/a.xml", xml), ("ImageSets/Main/trainval.txt", b"a\n")):
            member = tarfile.TarInfo(f"VOCdevkit/VOC2012/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    digest = "0" * 32 if tampered else hashlib.md5((served / "voc.tar").read_bytes()).hexdigest()
    boxes = next(file for file in registry.VOC2012.files if file.derived)
    entry = dataclasses.replace(
        registry.VOC2012, archive=f"{server}/voc.tar", archive_hash=f"md5:{digest}", files=(boxes,)
    )
    monkeypatch.setattr(registry, "REGISTRY", {"voc2012": entry})
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SCARCE_DATA_MIRROR", raising=False)
    if tampered:
        with pytest.raises(data.DataError, match="could not be fetched"):
            data.fetch("voc2012")
        assert [name for name in files_in(tmp_path / "data") if name != "voc2012"] == []
    else:
        data.fetch("voc2012")
        assert store.read("voc2012", boxes.path) == b"a 1,2,3,4,11\n"
        # The archive stays, because it also holds the images.
        assert files_in(tmp_path / "data") == ["derived.json", "voc2012", boxes.path, "voc2012/voc.tar"]
