import pytest

from benchmarks import compression

FOUND = {
    "drawn": 120,
    "trained": 80,
    "savings": 1.5,
    "rollouts": 5,
    "difference": 2e-4,
    "batched_ratio": 1.4,
    "seeds": 8,
    "surrogate_seconds": 4.0,
    "latency_first": 0.4,
    "latency_second": 0.46,
    "latency_change": 0.15,
}


def test_rows_compare_with_their_aims():
    rows = compression.rows(FOUND)
    assert [row["kind"] for row in rows] == ["targets", "peers", "targets", "targets"]
    assert [row["reached"] for row in rows] == [True, False, True, False]
    assert rows[0]["measured"] == "1.50 times fewer trainings (80)"
    assert rows[1]["agreement"] == "weights within 2e-04"
    assert rows[2]["measured"] == "0.50 s a seed, 4.0 s in all"
    assert rows[3]["measured"] == "0.400 and 0.460, 15.0% apart"
    better = FOUND | {"batched_ratio": 1.5, "latency_change": 0.1, "savings": 1.29, "surrogate_seconds": 8.1}
    assert [row["reached"] for row in compression.rows(better)] == [False, True, False, True]


def test_students_that_differ_are_not_compared(monkeypatch):
    teacher = compression.digits_teacher(widths=(2, 3))
    real = compression.train_students

    def other(*arguments, batched, **options):
        nets = real(*arguments, batched=batched, **options)
        if batched:
            next(nets[0].parameters()).data += 1
        return nets

    monkeypatch.setattr(compression, "train_students", other)
    with pytest.raises(AssertionError, match="nothing is timed"):
        compression._side_by_side(teacher, 2, 1)
