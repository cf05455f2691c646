import sys

import pytest
from toy_notebook import make_toy

from lib import cli


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder with one small paper, and an empty runs folder; returns the temporary folder."""
    make_toy(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def scarce(capsys, monkeypatch):
    """Call the command in this process; returns exit status, standard output and standard error."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["scarce", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
            sys.exit(0)
        output = capsys.readouterr()
        return ended.value.code or 0, output.out, output.err

    return call
