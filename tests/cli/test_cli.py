import sys

import pytest

from lib import cli


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "toi"), "unknown paper 'toi': did you mean 'toy'?"),
        (("run", "toy", "-s", "fast"), "unknown preset 'fast': known: quick, real, paper"),
        (("run", "toy", "-p", "seed=3"), "unknown parameter of toy 'seed': did you mean 'seeds'?"),
        (("run", "toy", "-p", "seeds"), "expected NAME=VALUE"),
        (("run", "toy", "-p", "seeds=[3"), "the value is not YAML, expected 5"),
        (("sweep", "absent.yaml"), "absent.yaml: no such file; a sweep is a YAML file with the keys"),
        (("data", "fetch", "nope"), "unknown data set 'nope'"),
    ],
)
def test_errors_are_one_line_with_the_way_out(toy, scarce, words, message):
    code, _, err = scarce(*words)
    assert code == 1
    assert err.startswith("error: ")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_debug_shows_the_traceback(toy, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scarce", "--debug", "run", "toi"])
    monkeypatch.setenv("SCARCE_DEBUG", "1")
    with pytest.raises(ValueError, match="toi"):
        cli.main()


def test_run_then_up_to_date_then_list_and_claims(toy, scarce):
    code, out, err = scarce("run", "toy")
    assert code == 0, err
    assert "toy (quick):" in out
    code, out, _ = scarce("run", "toy")
    assert "up to date" in out
    code, out, _ = scarce("list")
    assert code == 0
    assert "toy" in out and "done" in out and "to do" in out
    code, out, _ = scarce("claims")
    assert "reproduced" in out


def test_list_tells_when_a_preset_was_recorded(toy, scarce, monkeypatch):
    monkeypatch.setattr("lib.report.paths.RESULTS", toy / "results")
    monkeypatch.setenv("COLUMNS", "160")
    _, out, _ = scarce("list")
    assert "recorded" not in out
    for name, day in (("real", "2030-01-02"), ("real-old", "2029-01-02")):
        (toy / "results" / "toy" / name).mkdir(parents=True)
        kept = f'{{"preset": "real", "started": "{day}T03:04:05"}}'
        (toy / "results" / "toy" / name / "result.json").write_text(kept)
    _, out, _ = scarce("list")
    # The newest record counts; a narrow terminal may break the line.
    assert "recorded" in out and "2030-01-02" in out and "2029-01-02" not in out


def test_help_explains_itself(scarce):
    for words in ((), ("run",), ("data",), ("book",)):
        code, out, _ = scarce(*words, "--help")
        assert code == 0
        assert "Usage" in out


def test_data_list_names_every_set(scarce):
    code, out, _ = scarce("data", "list")
    assert code == 0
    assert "voc2012" in out


def test_serve_before_book_says_what_to_do(scarce, monkeypatch, tmp_path):
    monkeypatch.setattr("lib.book.HTML", tmp_path)
    code, _, err = scarce("serve")
    assert code == 1
    assert "scarce book" in err
