"""Several runs of one algorithm at once: the clients of all of them trained as one stack."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lib.federated.checks import ClientError
from lib.federated.cohort import sample_cohort
from lib.federated.engine import Answer, accept, evaluate_clients, note_metrics
from lib.federated.history import History, Recorder
from lib.federated.seeds import client_rng, cohort_rng, configure_rng
from lib.federated.types import Algorithm, Federation, Instruction, Memory, ServerState


@dataclass(frozen=True, eq=False)
class Outcome:
    """How one of the runs stands: the server's state, and what each client keeps."""

    state: ServerState
    memories: dict[int, Memory]


def run_side_by_side(
    algorithm: Algorithm,
    federations: Sequence[Federation],
    seeds: Sequence[int],
    *,
    rounds: int,
    cohort_size: int | None = None,
    evaluate_every: int = 0,
    chunk: int = 100,
    watch: Callable[[int, list[Outcome]], None] | None = None,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> list[History]:
    """Run `algorithm` on each federation with its seed, and return their histories in that order.

    The weights are those of ``lib.federated.run(algorithm, federation, rounds=rounds, seed=seed)`` up to rounding;
    small networks train several times faster so. Weights live where the data do. Raises `ClientError` for the first
    client that answers with NaN, infinity or wrong shapes; one that raises ends the call with its exception.

    Args:
        algorithm: one with ``train_cohort``; its clients may come from different runs.
        federations: the clients of each run; inputs must have the same shape.
        seeds: the seed of each run.
        rounds: rounds of each run.
        cohort_size: clients sampled a round in each run; None takes all.
        evaluate_every: all clients are evaluated after every that many rounds and after the last; 0 never evaluates.
        chunk: clients trained at once, all runs together.
        watch: called after each round with its number and how all runs stand.
        progress: wraps the loop over rounds.
    """
    if rounds < 1 or chunk < 1:
        raise ValueError("rounds and chunk must be at least 1; raise them")
    places = [federation.clients[0].train_x.device for federation in federations]
    states = [algorithm.init(seed).to(device) for seed, device in zip(seeds, places, strict=True)]
    memories: list[dict[int, Memory]] = [{} for _ in seeds]
    recorders = [Recorder() for _ in seeds]
    todo = range(1, rounds + 1)
    for round in progress(todo, type(algorithm).__name__) if progress else todo:
        sent = [
            _instructions(algorithm, *run, round, cohort_size) for run in zip(states, federations, seeds, strict=True)
        ]
        answers = _trained(algorithm, federations, seeds, sent, memories, round, chunk)
        for place, run in enumerate(zip(sent, answers, memories, recorders, strict=True)):
            try:
                updates = accept(algorithm, states[place], *run, round=round, on_failure="raise")
            except ClientError as error:
                error.add_note(f"in the run with seed {seeds[place]}, number {place + 1} of {len(seeds)} side by side")
                raise
            states[place] = algorithm.aggregate(states[place], updates)
        if evaluate_every and (round % evaluate_every == 0 or round == rounds):
            for *run, seed, recorder in zip(federations, states, memories, seeds, recorders, strict=True):
                found = evaluate_clients(algorithm, *run, round=round, seed=seed, chunk=chunk)
                note_metrics(found, recorder, round=round, on_failure="raise")
        if watch:
            watch(round, [Outcome(*pair) for pair in zip(states, memories, strict=True)])
    return [recorder.history(*pair) for recorder, *pair in zip(recorders, states, memories, strict=True)]


def _instructions(
    algorithm: Algorithm, state: ServerState, federation: Federation, seed: int, round: int, cohort_size: int | None
) -> dict[int, Instruction]:
    cohort = sample_cohort(len(federation), cohort_size, cohort_rng(seed, round))
    return algorithm.configure(state, round, cohort, configure_rng(seed, round))


def _trained(
    algorithm: Algorithm,
    federations: Sequence[Federation],
    seeds: Sequence[int],
    sent: Sequence[dict[int, Instruction]],
    memories: Sequence[dict[int, Memory]],
    round: int,
    chunk: int,
) -> list[dict[int, Answer]]:
    """Return the answers of the clients of each run, `chunk` of them trained at once."""
    work = [(place, client) for place, instructions in enumerate(sent) for client in sorted(instructions)]
    answers: list[dict[int, Answer]] = [{} for _ in sent]
    for start in range(0, len(work), chunk):
        part = work[start : start + chunk]
        results = algorithm.train_cohort(
            [sent[place][c] for place, c in part],
            [federations[place].clients[c] for place, c in part],
            [memories[place].get(c, {}) for place, c in part],
            [client_rng(seeds[place], round, c) for place, c in part],
        )
        for (place, c), (update, memory) in zip(part, results, strict=True):
            answers[place][c] = Answer(update, memory, np.nan)  # clients of many runs share the time
    return answers
