"""Several runs of one algorithm at once: the clients of all of them trained as one stack."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lib.federated.cohort import sample_cohort
from lib.federated.seeds import client_rng, cohort_rng, configure_rng
from lib.federated.types import Algorithm, Federation, Memory, ServerState


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one of the runs leaves behind: the server's last state, and what each client keeps."""

    state: ServerState
    memories: dict[int, Memory]


def run_side_by_side(
    algorithm: Algorithm,
    federations: Sequence[Federation],
    seeds: Sequence[int],
    *,
    rounds: int,
    cohort_size: int | None = None,
    chunk: int = 100,
    watch: Callable[[int, list[Outcome]], None] | None = None,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> list[Outcome]:
    """Run `algorithm` on each federation with its seed, and return the outcomes in that order.

    The weights are those of ``lib.federated.run(algorithm, federation, rounds=rounds, seed=seed)`` up to rounding;
    small networks train several times faster so. Weights live where the data do. A client that fails ends the call with
    its exception.

    Args:
        algorithm: one with ``train_cohort``; its clients may come from different runs.
        federations: the clients of each run; inputs must have the same shape.
        seeds: the seed of each run.
        rounds: rounds of each run.
        cohort_size: clients sampled a round in each run; None takes all.
        chunk: clients trained at once, all runs together.
        watch: called after each round with its number and how all runs stand.
        progress: wraps the loop over rounds.
    """
    if rounds < 1 or chunk < 1:
        raise ValueError("rounds and chunk must be at least 1; raise them")
    places = [federation.clients[0].train_x.device for federation in federations]
    states = [algorithm.init(seed).to(device) for seed, device in zip(seeds, places, strict=True)]
    memories: list[dict[int, Memory]] = [{} for _ in seeds]
    todo = range(1, rounds + 1)
    for round in progress(todo, type(algorithm).__name__) if progress else todo:
        work = []
        for place, (federation, seed) in enumerate(zip(federations, seeds, strict=True)):
            cohort = sample_cohort(len(federation), cohort_size, cohort_rng(seed, round))
            sent = algorithm.configure(states[place], round, cohort, configure_rng(seed, round))
            kept = memories[place]
            work += [
                (place, c, sent[c], federation.clients[c], kept.get(c, {}), client_rng(seed, round, c)) for c in cohort
            ]
        updates: list[dict] = [{} for _ in seeds]
        for start in range(0, len(work), chunk):
            part = work[start : start + chunk]
            results = algorithm.train_cohort(*(list(column) for column in list(zip(*part, strict=True))[2:]))
            for (place, client, *_), (update, memory) in zip(part, results, strict=True):
                updates[place][client], memories[place][client] = update, memory
        states = [algorithm.aggregate(state, found) for state, found in zip(states, updates, strict=True)]
        if watch:
            watch(round, [Outcome(*pair) for pair in zip(states, memories, strict=True)])
    return [Outcome(*pair) for pair in zip(states, memories, strict=True)]
