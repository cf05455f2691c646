"""Several runs of one method side by side: all their clients train in one stack, for which small networks have room.

A step of a small network costs what the interpreter needs for it, whatever the stack: six runs at once take hardly
more than one.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from lib.federated.cohort import sample_cohort
from lib.federated.engine import Answer, accept, evaluate_clients, note_metrics
from lib.federated.history import History, Recorder
from lib.federated.seeds import client_rng, cohort_rng, configure_rng
from lib.federated.types import Algorithm, Federation, Instruction, Memory
from lib.spry.local_training import RATE


def run_lockstep(
    algorithms: Sequence[Algorithm],
    federations: Sequence[Federation],
    seeds: Sequence[int],
    *,
    rounds: int,
    cohort_size: int,
    evaluate_every: int = 1,
    device: str = "cpu",
) -> list[History]:
    """Return for each run the history that `lib.federated.run.run` returns of it alone, up to rounding.

    The seconds of a client are an equal share of what the whole stack took.

    Args:
        algorithms: methods of `lib.spry`, one a run, alike in all but the learning rate of their `local`.
        federations: one a run.
        seeds: one a run.
        rounds: number of rounds.
        cohort_size: clients a round and run.
        evaluate_every: all clients are evaluated after every that many rounds and after the last.
        device: where data and weights live, in torch's spelling.

    Raises ClientError for an answer that is not finite or malformed; an error in the stack is raised as it is.
    """
    federations = [federation.to(device) for federation in federations]
    states = [algorithm.init(seed).to(device) for algorithm, seed in zip(algorithms, seeds, strict=True)]
    memories: list[dict[int, Memory]] = [{} for _ in seeds]
    recorders = [Recorder() for _ in seeds]
    for round in range(1, rounds + 1):
        sent = [
            algorithm.configure(
                state, round, sample_cohort(len(data), cohort_size, cohort_rng(s, round)), configure_rng(s, round)
            )
            for algorithm, state, data, s in zip(algorithms, states, federations, seeds, strict=True)
        ]
        answers = _train(algorithms, federations, sent, memories, seeds, round)
        for run, (algorithm, data, kept, notes) in enumerate(
            zip(algorithms, federations, memories, recorders, strict=True)
        ):
            plan = {"round": round, "on_failure": "raise"}
            updates = accept(algorithm, states[run], sent[run], answers[run], kept, notes, **plan)
            states[run] = algorithm.aggregate(states[run], updates)
            if round % evaluate_every == 0 or round == rounds:
                found = evaluate_clients(
                    algorithm, data, states[run], kept, round=round, seed=seeds[run], chunk=len(data)
                )
                note_metrics(found, notes, **plan)
    return [notes.history(*rest) for notes, *rest in zip(recorders, states, memories, strict=True)]


def _train(
    algorithms: Sequence[Algorithm],
    federations: Sequence[Federation],
    sent: Sequence[dict[int, Instruction]],
    memories: Sequence[dict[int, Memory]],
    seeds: Sequence[int],
    round: int,
) -> list[dict[int, Answer]]:
    """Train the clients of all runs in one stack, each at the rate of its run, and return their answers by run."""
    members = [(run, client) for run, instructions in enumerate(sent) for client in sorted(instructions)]
    rates = [getattr(algorithm, "method", algorithm).local.lr for algorithm in algorithms]
    begin = time.perf_counter()
    results = algorithms[0].train_cohort(
        [replace(sent[run][c], scalars=sent[run][c].scalars | {RATE: rates[run]}) for run, c in members],
        [federations[run].clients[c] for run, c in members],
        [memories[run].get(c, {}) for run, c in members],
        [client_rng(seeds[run], round, c) for run, c in members],
    )
    seconds = (time.perf_counter() - begin) / len(members)
    answers: list[dict[int, Answer]] = [{} for _ in sent]
    for (run, client), (update, memory) in zip(members, results, strict=True):
        answers[run][client] = Answer(update, memory, seconds)
    return answers
