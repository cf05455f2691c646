"""Which clients take part in a round."""

import numpy as np


def sample_cohort(
    clients: int, size: int | None, rng: np.random.Generator, *, weights: np.ndarray | None = None
) -> tuple[int, ...]:
    """Return `size` distinct clients of ``0 .. clients - 1``, in ascending order; all of them if `size` is None.

    Args:
        clients: number of clients in the federation.
        size: clients a round, between 1 and `clients`.
        rng: the generator that draws them, ``cohort_rng(seed, round)`` in a run.
        weights: relative chances, shape ``(clients,)``, drawn one after the other without replacement; None is uniform.

    Raises ValueError for a cohort that the federation cannot fill.
    """
    if size is None:
        return tuple(range(clients))
    if not 1 <= size <= clients:
        raise ValueError(f"a cohort of {size} needs between 1 and {clients} clients; lower cohort_size or add clients")
    chances = None
    if weights is not None:
        weights = np.asarray(weights, dtype=float)
        if weights.shape != (clients,) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(f"weights must be {clients} finite numbers of at least zero, one a client")
        if (weights > 0).sum() < size:
            raise ValueError(f"only {(weights > 0).sum()} clients have a positive weight; lower cohort_size to that")
        chances = weights / weights.sum()
    return tuple(sorted(int(c) for c in rng.choice(clients, size=size, replace=False, p=chances)))
