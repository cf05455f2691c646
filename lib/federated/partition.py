"""Who holds which examples: index arrays, one a client, that together use every example exactly once."""

from collections.abc import Sequence

import numpy as np

Parts = list[np.ndarray]


def iid(examples: int, clients: int, *, rng: np.random.Generator) -> Parts:
    """Return a random split of ``0 .. examples - 1`` in `clients` parts whose sizes differ by at most one.

    Raises ValueError when there are fewer examples than clients.
    """
    _enough(examples, clients, 1)
    return [np.sort(part) for part in np.array_split(rng.permutation(examples), clients)]


def by_user(users: Sequence, *, minimum: int = 1) -> Parts:
    """Return one part a distinct user, in the users' sorted order: a natural partition.

    Args:
        users: the user of each example, shape ``(n,)``.
        minimum: examples that every user must have.

    Raises ValueError when a user has fewer: drop such users first, so that it is clear whose examples are left out.
    """
    names, owner, counts = np.unique(np.asarray(users), return_inverse=True, return_counts=True)
    if len(names) == 0:
        raise ValueError("there is no example to partition; give at least one")
    if counts.min() < minimum:
        raise ValueError(
            f"user {names[counts.argmin()]} has {counts.min()} examples, fewer than {minimum}; "
            "drop small users first or lower minimum"
        )
    return np.split(np.argsort(owner, kind="stable"), np.cumsum(counts)[:-1])


def by_classes(labels: np.ndarray, clients: int, *, classes_per_client: int, rng: np.random.Generator) -> Parts:
    """Return a partition in which each client holds exactly `classes_per_client` random classes.

    Every class is held by at least one client, and its examples are spread evenly over its holders, so the clients'
    sizes differ. A class that nobody drew takes the place of one that several clients drew; redrawing everything
    until no class is left over may take forever when there are few clients. The companion's reconstruction of the
    partition of arXiv 1912.00818, after its public replications.

    Args:
        labels: the class of each example, shape ``(n,)``; the classes are the distinct values.
        clients: number of clients.
        classes_per_client: classes a client, between one and the number of classes.
        rng: draws the classes and who gets which example.

    Raises ValueError when the clients cannot hold all classes between them, or a class is too small for its holders.
    """
    classes, labels = np.unique(np.asarray(labels), return_inverse=True)
    if not 1 <= classes_per_client <= len(classes):
        raise ValueError(f"{classes_per_client} classes a client: choose between 1 and the {len(classes)} classes")
    if clients * classes_per_client < len(classes):
        raise ValueError(
            f"{clients} clients with {classes_per_client} classes each cannot hold {len(classes)} classes; "
            f"use at least {-(-len(classes) // clients)} classes a client or more clients"
        )
    held = _class_draws(clients, len(classes), classes_per_client, rng)
    found = [[] for _ in range(clients)]
    for label in range(len(classes)):
        holders = rng.permutation(np.flatnonzero(held[:, label]))
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) < len(holders):
            raise ValueError(
                f"class {classes[label]} has {len(rows)} examples for {len(holders)} holders; "
                "use fewer classes a client or fewer clients"
            )
        for client, part in zip(holders, np.array_split(rows, len(holders)), strict=True):
            found[client].append(part)
    return [np.sort(np.concatenate(parts)) for parts in found]


def _class_draws(clients: int, classes: int, each: int, rng: np.random.Generator) -> np.ndarray:
    """Return who holds what, a boolean ``(clients, classes)`` array with `each` true entries a row, no empty column."""
    held = np.zeros((clients, classes), dtype=bool)
    for row in held:
        row[rng.choice(classes, size=each, replace=False)] = True
    for label in rng.permutation(classes):
        if not held[:, label].any():
            # Some class is held twice, because there are at least as many places as classes: one holder gives it up.
            spare = held & (held.sum(axis=0) > 1)
            client, other = rng.choice(np.argwhere(spare))
            held[client, other], held[client, label] = False, True
    return held


def dirichlet(labels: np.ndarray, clients: int, *, alpha: float, rng: np.random.Generator, minimum: int = 1) -> Parts:
    """Return parts of equal size (up to one) whose class mixtures are drawn from a Dirichlet distribution.

    Every client draws proportions of the classes from a Dirichlet distribution, whose parameter is `alpha` for each
    of balanced classes and proportional to its number of examples for an unbalanced one. The table of proportions is
    scaled to the clients' sizes and the classes' sizes (iterative proportional fitting), so that no class is used up
    early and its leftovers spread over everybody; then clients are filled from it example by example, in turns. Small
    `alpha` makes clients of few classes, a large one nearly identical clients. Without the scaling this is the
    partition of Hsu et al., arXiv 1909.06335, whose parameter is `alpha` times the number of classes.

    Args:
        labels: the class of each example, shape ``(n,)``.
        clients: number of clients.
        alpha: concentration, positive.
        rng: draws everything.
        minimum: examples that every client must get.

    Raises ValueError for a non-positive alpha or too few examples.
    """
    classes, labels, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    _positive(alpha)
    _enough(len(labels), clients, minimum)
    mixtures = _proportions(alpha * counts / len(labels) * len(classes), clients, rng)
    stock = [list(rng.permutation(np.flatnonzero(labels == label))) for label in range(len(classes))]
    sizes = np.array([len(part) for part in np.array_split(np.arange(len(labels)), clients)])
    mixtures = _fitted(mixtures, sizes, counts)
    found = [[] for _ in range(clients)]
    # One pass fills one place of every client, so that no client is left with only the remains of the others.
    for place in range(sizes.max()):
        for client in rng.permutation(np.flatnonzero(sizes > place)):
            chances = mixtures[client] * [len(rows) > 0 for rows in stock]
            if chances.sum() <= 0:  # its classes are used up after all: any class, by what is left of it
                chances = np.array([float(len(rows)) for rows in stock])
            ladder = chances.cumsum()
            found[client].append(stock[np.searchsorted(ladder, rng.random() * ladder[-1], side="right")].pop())
    return [np.sort(np.array(part)) for part in found]


def quantity_skewed(
    labels: np.ndarray, clients: int, *, alpha: float, rng: np.random.Generator, minimum: int = 1
) -> Parts:
    """Return parts of unequal size: each class is cut over the clients in Dirichlet(`alpha`) proportions.

    The partition of Yurochkin et al., arXiv 1905.12022, skewed in classes and in sizes. Clients that come out with
    fewer than `minimum` examples receive random ones from the largest client; the proportions are not redrawn, so the
    number of draws does not depend on luck.

    The arguments and errors are those of `dirichlet`.
    """
    classes, labels = np.unique(np.asarray(labels), return_inverse=True)
    _positive(alpha)
    _enough(len(labels), clients, minimum)
    found = [[] for _ in range(clients)]
    for label in range(len(classes)):
        rows = rng.permutation(np.flatnonzero(labels == label))
        shares = _proportions(np.full(clients, alpha), 1, rng)[0]
        cuts = np.rint(np.cumsum(shares)[:-1] * len(rows)).astype(int)
        for part, piece in zip(found, np.split(rows, cuts), strict=True):
            part.extend(piece)
    for part in found:
        while len(part) < minimum:
            largest = max(found, key=len)
            part.append(largest.pop(int(rng.integers(len(largest)))))
    return [np.sort(np.array(part, dtype=int)) for part in found]


def _proportions(alpha: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return Dirichlet draws ``(draws, k)``; for tiny `alpha`, where all gammas underflow, one class takes all."""
    gammas = rng.standard_gamma(alpha, size=(draws, len(alpha)))
    fallback = np.eye(len(alpha))[rng.choice(len(alpha), size=draws, p=alpha / alpha.sum())]
    totals = gammas.sum(axis=1, keepdims=True)
    return np.where(totals > 0, gammas / np.where(totals > 0, totals, 1), fallback)


def _fitted(table: np.ndarray, rows: np.ndarray, columns: np.ndarray, iterations: int = 100) -> np.ndarray:
    """Return `table` with its rows and columns scaled to the sums `rows` and `columns`, as nearly as zeros allow."""
    for _ in range(iterations):
        for axis, sums in ((0, columns), (1, rows[:, None])):
            found = table.sum(axis=axis, keepdims=axis == 1)
            table = table * np.where(found > 0, sums / np.where(found > 0, found, 1), 0)
    return table


def _positive(alpha: float) -> None:
    if not alpha > 0 or not np.isfinite(alpha):
        raise ValueError(f"alpha = {alpha} must be positive and finite; 0.1 is heterogeneous, 100 nearly identical")


def _enough(examples: int, clients: int, minimum: int) -> None:
    if clients < 1 or minimum < 1:
        raise ValueError("there must be at least one client and a minimum of at least one example; raise them")
    if examples < clients * minimum:
        raise ValueError(
            f"{examples} examples cannot give {clients} clients {minimum} each; "
            f"use at most {examples // minimum} clients or a lower minimum"
        )
