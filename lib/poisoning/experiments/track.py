"""Progress of long loops."""

from collections.abc import Callable, Iterable

Progress = Callable[[Iterable, str], Iterable]


def track(items: Iterable, label: str, progress: Progress | None) -> Iterable:
    """Return `items`, wrapped in `progress` if there is one."""
    return progress(items, label) if progress else items
