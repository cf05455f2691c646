"""The data folder's rules: what is missing, truncated or altered is refused, and the error names the way out."""

import hashlib
import os
import subprocess
import sys

import pytest

import lib.data as data
from lib.data import registry, store

CONTENT = b"sentence\tlabel\n" + b"fine\t1\n" * 40
NAME, RELATIVE = "toy", "toy/part.tsv"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A registered one-file data set, an empty data folder and an empty mirror."""
    file = registry.DataFile(RELATIVE, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), member="part.tsv")
    entry = registry.DataSet(NAME, "Toy", "CC0", "https://example.org", files=(file,))
    monkeypatch.setattr(registry, "REGISTRY", {NAME: entry})
    monkeypatch.setattr(data, "REGISTRY", {NAME: entry})
    for variable in ("DATA", "DATA_MIRROR"):
        (tmp_path / variable / "toy").mkdir(parents=True)
        monkeypatch.setenv(f"SCARCE_{variable}", str(tmp_path / variable))
    monkeypatch.setattr(store, "_VERIFIED", {})
    monkeypatch.setattr(store, "_USED", {})
    return tmp_path


def test_missing_file_names_every_way_out(toy):
    with pytest.raises(data.DataError, match="scarce data fetch toy") as caught:
        store.read(NAME, RELATIVE)
    assert "SCARCE_DATA_MIRROR" in str(caught.value) and "data_scripts/toy.py" in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert data.status().state.tolist() == ["missing"]


def test_a_file_that_must_be_supplied_by_hand_is_not_sent_to_a_download(toy, monkeypatch):
    file = registry.DataFile(RELATIVE, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    entry = registry.DataSet(NAME, "Toy", "CC0", "https://example.org", files=(file,), by_hand="ask the authors")
    monkeypatch.setattr(data, "REGISTRY", {NAME: entry})
    monkeypatch.setattr(registry, "REGISTRY", {NAME: entry})
    with pytest.raises(data.DataError, match=r"put it there, or set SCARCE_DATA_MIRROR .* ask the authors") as caught:
        store.read(NAME, RELATIVE)
    assert "fetch" not in str(caught.value)


def test_mirror_serves_what_the_data_folder_lacks_and_data_folder_comes_first(toy):
    (toy / "DATA_MIRROR" / RELATIVE).write_bytes(CONTENT)
    assert store.read(NAME, RELATIVE) == CONTENT
    assert data.status().source.tolist() == [str(toy / "DATA_MIRROR")]
    (toy / "DATA" / RELATIVE).write_bytes(CONTENT[:-1])
    with pytest.raises(data.DataError, match="checksum mismatch"):
        store.read(NAME, RELATIVE)


def test_without_mirror_variable_only_the_data_folder_counts(toy, monkeypatch):
    (toy / "DATA_MIRROR" / RELATIVE).write_bytes(CONTENT)
    monkeypatch.delenv("SCARCE_DATA_MIRROR")
    with pytest.raises(data.DataError, match="is not in"):
        store.read(NAME, RELATIVE)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-7], lambda b: b"", lambda b: b + b"x", lambda b: b[:50] + b"?" + b[51:]]
)
def test_damaged_file_is_refused_and_never_counted_as_used(toy, damage):
    (toy / "DATA" / RELATIVE).write_bytes(damage(CONTENT))
    with pytest.raises(data.DataError, match="delete it and run 'scarce data fetch toy'"):
        store.read(NAME, RELATIVE)
    assert data.used() == {}
    assert data.status().state.tolist() == ["corrupt"]


def test_damage_after_a_verified_read_is_seen(toy):
    path = toy / "DATA" / RELATIVE
    path.write_bytes(CONTENT)
    store.read(NAME, RELATIVE)
    path.write_bytes(b"?" + CONTENT[1:])
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(data.DataError, match="checksum mismatch"):
        store.read(NAME, RELATIVE)


def test_second_read_is_not_hashed_again_and_used_reports_the_checksum(toy, monkeypatch):
    (toy / "DATA" / RELATIVE).write_bytes(CONTENT)
    store.read(NAME, RELATIVE)
    assert data.used() == {RELATIVE: hashlib.sha256(CONTENT).hexdigest()}
    monkeypatch.setattr(store.hashlib, "sha256", lambda content: pytest.fail("hashed a second time"))
    assert store.read(NAME, RELATIVE) == CONTENT


def test_derived_checksum_is_accepted_only_for_derived_files_of_the_same_folder(toy, monkeypatch):
    other = b"converted here\n"
    (toy / "DATA" / RELATIVE).write_bytes(other)
    store.record_derived(toy / "DATA", RELATIVE, hashlib.sha256(other).hexdigest())
    with pytest.raises(data.DataError, match="checksum mismatch"):
        store.read(NAME, RELATIVE)
    old = registry.REGISTRY[NAME]
    derived = registry.DataFile(RELATIVE, old.files[0].bytes, old.files[0].sha256, derived=True)
    entry = registry.DataSet(NAME, "Toy", "CC0", "https://example.org", files=(derived,))
    monkeypatch.setattr(registry, "REGISTRY", {NAME: entry})
    monkeypatch.setattr(data, "REGISTRY", {NAME: entry})
    assert store.read(NAME, RELATIVE) == other
    assert data.status().state.tolist() == ["derived"]
    (toy / "DATA" / RELATIVE).rename(toy / "DATA_MIRROR" / RELATIVE)
    with pytest.raises(data.DataError, match="checksum mismatch"):
        store.read(NAME, RELATIVE)


def test_broken_manifest_is_reported(toy):
    (toy / "DATA" / store.DERIVED).write_text("{")
    with pytest.raises(data.DataError, match="not valid JSON"):
        store.derived_checksums(toy / "DATA")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(data.DataError, match="movielens-small"):
        data.load("movielens")


def test_default_data_folder_does_not_depend_on_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SCARCE_DATA", raising=False)
    before = data.data_folder()
    monkeypatch.chdir(tmp_path)
    assert data.data_folder() == before and before.is_absolute()


def test_import_needs_none_of_the_heavy_packages():
    code = "import sys, lib.data; print(sorted({'pooch', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=store.ROOT)
    assert done.stdout.strip() == "[]"


def test_every_registered_file_has_a_full_checksum_and_a_way_to_get_it():
    for entry in registry.REGISTRY.values():
        for file in entry.files:
            # Without a known checksum a file counts only if the manifest says that we made it from a verified source.
            assert (len(bytes.fromhex(file.sha256)) == 32 and file.bytes > 0) or (file.derived and not file.sha256)
            obtained = file.url or file.instead or (entry.archive and (file.member or file.derived))
            assert obtained or file.path in entry.by_hand
        assert not entry.files or (store.ROOT / store.script_of(entry.name)).is_file()
