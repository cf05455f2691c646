"""Long tables in pieces that do not depend on each other, computed in this process or in several."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lib.report.provenance import THREAD_VARIABLES, data_checksums


@dataclass(frozen=True)
class Task:
    """One piece of a table: the rows that ``function(**options)`` returns.

    `function` must be importable by name, and `options` must pickle, where several processes share the work.
    """

    table: str
    function: Callable[..., pd.DataFrame]
    options: Mapping[str, Any]

    def rows(self) -> pd.DataFrame:
        """Compute the rows."""
        return self.function(**self.options)


def run_tasks(
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    progress: Callable[[Iterable, str], Iterable] | None = None,
    on_table: Callable[[str, pd.DataFrame], None] = lambda name, table: None,
    on_piece: Callable[[int, pd.DataFrame], None] = lambda place, rows: None,
    done: Mapping[int, pd.DataFrame] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables that `tasks` make up, each with the rows of its tasks in the order of `tasks`.

    The first task that raises stops the rest; its error carries the table's name as a note.

    Args:
        tasks: the pieces; start with the longest where several processes share them.
        workers: processes at work, each with one thread; 1 computes here.
        progress: wraps the loop over finished tasks, ``progress(iterable, label) -> iterable``.
        on_table: called with each table once all its tasks are done.
        on_piece: called with the place in `tasks` and the rows of each task that was computed.
        done: rows by place in `tasks` of what was computed before.
    """
    if workers < 1:
        raise ValueError(f"workers={workers}: ask for at least one process")
    rows, tables = dict(done or {}), {}
    left = [place for place in range(len(tasks)) if place not in rows]
    todo = [tasks[place] for place in left]
    found = _in_processes(todo, workers) if workers > 1 and len(todo) > 1 else _here(todo)

    def complete(names: Iterable[str]) -> None:
        for name in names:
            places = [place for place, task in enumerate(tasks) if task.table == name]
            if name not in tables and all(place in rows for place in places):
                tables[name] = pd.concat([rows[place] for place in places], ignore_index=True)
                on_table(name, tables[name])

    names = dict.fromkeys(task.table for task in tasks)
    complete(names)
    counted = _Counted(found, len(todo))
    for index, piece in progress(counted, "tables") if progress and todo else counted:
        rows[left[index]] = piece
        on_piece(left[index], piece)
        complete([todo[index].table])
    return {name: tables[name] for name in names}


class _Counted:
    """An iterable that knows its length, for a progress bar."""

    def __init__(self, items: Iterable, length: int) -> None:
        self.items, self.length = items, length

    def __iter__(self) -> Iterator:
        return iter(self.items)

    def __len__(self) -> int:
        return self.length


def _here(tasks: Sequence[Task]) -> Iterator[tuple[int, pd.DataFrame]]:
    for place, task in enumerate(tasks):
        yield place, _named(task, task.rows)


def _in_processes(tasks: Sequence[Task], workers: int) -> Iterator[tuple[int, pd.DataFrame]]:
    # Read by the libraries when the new processes import them; several threads in each would only get in the way.
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    # A forked process cannot use a GPU that its parent has touched; a spawned one can.
    pool = ProcessPoolExecutor(min(workers, len(tasks)), multiprocessing.get_context("spawn"))
    try:
        places = {pool.submit(_work, task): place for place, task in enumerate(tasks)}
        for future in as_completed(places):
            found, used = _named(tasks[places[future]], future.result)
            _note_checksums(used)
            yield places[future], found
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _work(task: Task) -> tuple[pd.DataFrame, dict[str, str]]:
    return task.rows(), data_checksums()


def _named(task: Task, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        error.add_note(f"while computing the table {task.table!r}")
        raise


def _note_checksums(used: dict[str, str]) -> None:
    if used:
        from lib import data

        data.note_used(used)
