"""Long tables in pieces that do not depend on each other, computed in this process or in several."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lib.report.provenance import THREAD_VARIABLES, data_checksums


@dataclass(frozen=True)
class Task:
    """One piece of a table: the rows that ``function(**options)`` returns.

    `function` must be importable by name, and `options` must pickle, where several processes share the work. A piece
    that `needs` other tables begins when they are complete; `function` is given them as ``tables``, by name (those of a
    former run as they were written, to eight digits).
    """

    table: str
    function: Callable[..., pd.DataFrame]
    options: Mapping[str, Any]
    needs: tuple[str, ...] = ()

    def rows(self) -> pd.DataFrame:
        """Compute the rows."""
        return self.function(**self.options)

    def given(self, tables: Mapping[str, pd.DataFrame]) -> "Task":
        """Return the task with those of `tables` that it needs among its options."""
        if not self.needs:
            return self
        return replace(self, options={**self.options, "tables": {name: tables[name] for name in self.needs}}, needs=())


def run_tasks(
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    progress: Callable[[Iterable, str], Iterable] | None = None,
    on_table: Callable[[str, pd.DataFrame], None] = lambda name, table: None,
    on_piece: Callable[[int, pd.DataFrame], None] = lambda place, rows: None,
    done: Mapping[int, pd.DataFrame] | None = None,
    known: Mapping[str, pd.DataFrame] | None = None,
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
        known: tables that tasks need and that are complete.
    """
    if workers < 1:
        raise ValueError(f"workers={workers}: ask for at least one process")
    rows, tables, there = dict(done or {}), {}, dict(known or {})
    _check_needs(tasks, there)
    left = [place for place in range(len(tasks)) if place not in rows]
    todo = [tasks[place] for place in left]
    found = _in_processes(todo, workers, there) if workers > 1 and len(todo) > 1 else _here(todo, there)

    def complete(names: Iterable[str]) -> None:
        for name in names:
            places = [place for place, task in enumerate(tasks) if task.table == name]
            if name not in tables and all(place in rows for place in places):
                tables[name] = there[name] = pd.concat([rows[place] for place in places], ignore_index=True)
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


def _check_needs(tasks: Sequence[Task], known: Mapping[str, pd.DataFrame]) -> None:
    needs = {}
    for task in tasks:
        needs.setdefault(task.table, set()).update(set(task.needs) - set(known))
    for table, names in needs.items():
        for name in sorted(names - set(needs)):
            raise ValueError(f"the table {table!r} needs {name!r}, which is not there: compute it as well")
    while ready := {table for table, names in needs.items() if not names & set(needs)}:
        needs = {table: names for table, names in needs.items() if table not in ready}
    if needs:
        raise ValueError(f"the tables {', '.join(sorted(needs))} wait for each other: take one out of its `needs`")


def _ready(waiting: dict[int, Task], tables: Mapping[str, pd.DataFrame]) -> dict[int, Task]:
    """Take from `waiting` the tasks that can begin, and return them with the `tables` that they need."""
    found = {place: task.given(tables) for place, task in waiting.items() if set(task.needs) <= set(tables)}
    for place in found:
        del waiting[place]
    return found


def _here(tasks: Sequence[Task], tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[int, pd.DataFrame]]:
    waiting = dict(enumerate(tasks))
    while found := _ready(waiting, tables):
        for place, task in found.items():
            yield place, _named(task, task.rows)


def _in_processes(
    tasks: Sequence[Task], workers: int, tables: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[int, pd.DataFrame]]:
    # Read by the libraries when the new processes import them; several threads in each would only get in the way.
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    # A forked process cannot use a GPU that its parent has touched; a spawned one can.
    pool = ProcessPoolExecutor(min(workers, len(tasks)), multiprocessing.get_context("spawn"))
    waiting, running = dict(enumerate(tasks)), {}
    try:
        while running := running | _begun(pool, waiting, tables):
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place = running.pop(future)
                rows, used = _named(tasks[place], future.result)
                _note_checksums(used)
                yield place, rows
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _begun(
    pool: ProcessPoolExecutor, waiting: dict[int, Task], tables: Mapping[str, pd.DataFrame]
) -> dict[Future, int]:
    """Hand the tasks that can begin to the pool, and return their places by what will hold their rows."""
    return {pool.submit(_work, task): place for place, task in _ready(waiting, tables).items()}


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
