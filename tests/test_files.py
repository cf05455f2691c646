"""Files are there whole or not at all."""

import json
from pathlib import Path

import pytest

from lib import files


def test_content_arrives_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "deep" / "result.json"
    assert files.write_json(path, {"é": Path("a/b")}) == path
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": "a/b"}
    assert files.write_text(path, "naïve\n").read_bytes() == "naïve\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]


def test_a_failed_writing_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = files.write_text(tmp_path / "table.csv", "old")

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_text(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["table.csv"]
