"""Many memory cases: order, rows of failures, limits of time, a table that is always complete; cached states."""

import time
from dataclasses import replace

import pandas as pd
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from lib.spry import memory, memory_cases  # noqa: E402
from lib.spry.experiments.memory import BERT  # noqa: E402
from lib.spry.memory_model import METHODS, PAPER_SHAPES  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and peft warn about themselves
TINY = replace(BERT, layers=1, hidden=32, inner=64, heads=2)
PLAN = {"batch": 1, "rank": 1, "device": "cpu", "dtype": torch.float32, "repeats": 0, "limit": 60, "budget": 600}


def test_smallest_network_first_and_kept_weights_for_backpropagation_only():
    todo = memory_cases.cases(PAPER_SHAPES, ["4bit", "4bit kept"], [64, 256], METHODS)
    names = list(dict.fromkeys(case.name for case in todo))
    assert names == ["RoBERTa-large", "Llama2-7B", "OPT-6.7B", "OPT-13B"]
    assert len(todo) == 4 * 2 * (4 + 2)
    assert {case.method for case in todo if case.weights == "4bit kept"} == {"backprop", "checkpointed backprop"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (RuntimeError("CUDA error: an illegal memory access\nmore"), "failed: RuntimeError: CUDA error: an illegal"),
    ],
)
def test_a_failure_is_a_row_and_the_others_are_measured(monkeypatch, tmp_path, error, status):
    real, out = memory.measure, tmp_path / "gpu" / "table.csv"

    def measure(shape, method, **options):
        if method == "backprop":
            raise error
        return real(shape, method, **options)

    monkeypatch.setattr(memory, "measure", measure)
    todo = memory_cases.cases({"tiny": TINY}, ["full"], [8], ["backprop", "zero-order"])
    memory_cases.run_cases(todo, **PLAN | {"repeats": 1}, out=out)
    table = pd.read_csv(out)
    first, *others = table.itertuples()
    assert first.method == "backprop"
    assert first.status.startswith(status)
    assert pd.isna(first.measured)
    assert {row.status for row in others} == {"ok"}
    assert sum(row.measured for row in others) > 0
    assert min(row.seconds for row in others) > 0
    assert list(tmp_path.glob("gpu/*")) == [out]  # nothing half written is left


def test_limit_of_a_case_and_of_all(monkeypatch):
    monkeypatch.setattr(memory, "measure", lambda *_, **__: time.sleep(30))
    todo = memory_cases.cases({"tiny": TINY}, ["full"], [8], ["backprop", "zero-order"])
    start = time.monotonic()
    table = memory_cases.run_cases(todo, **PLAN | {"limit": 0.2, "budget": 0.1})
    assert time.monotonic() - start < 10
    assert table["status"].tolist() == ["time limit", "not begun in time"]


def test_command_in_half_precision_at_two_lengths(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(memory, "SMALL", TINY)
    out = tmp_path / "t.csv"
    asked = {"--weights": ["4bit"], "--methods": ["zero-order"], "--length": ["8", "16"], "--batch": ["1"]}
    asked |= {"--repeats": ["1"], "--dtype": ["bfloat16"], "--out": [str(out)]}
    memory.main([word for option, values in asked.items() for word in (option, *values)])
    table = pd.read_csv(out)
    assert table.groupby("length")["measured"].sum().is_monotonic_increasing
    assert set(table["dtype"]) == {"bfloat16"}
    assert (table["forward_seconds"] > 0).all()
    assert "GB (" in capsys.readouterr().out
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit):
            memory.main(["--device", "cuda"])
