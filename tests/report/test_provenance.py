from lib.report.provenance import git_state


def test_a_copy_without_history_says_what_it_was_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SCARCE_COMMIT", raising=False)
    assert git_state(tmp_path) == {"commit": "", "dirty": False}
    monkeypatch.setenv("SCARCE_COMMIT", "0123456789ab")
    assert git_state(tmp_path) == git_state() == {"commit": "0123456789ab", "dirty": None}


def test_a_path_without_git_is_a_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SCARCE_COMMIT", "abc")
    assert git_state(tmp_path)["commit"] == "abc"
