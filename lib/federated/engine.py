"""One round in this process: the clients of a cohort trained in stacks, their answers checked, their metrics."""

import time
from dataclasses import dataclass

from lib.federated.checks import ClientError, MalformedUpdate, expectation, update_problem
from lib.federated.history import Recorder
from lib.federated.seeds import client_rng, evaluation_rng
from lib.federated.types import Algorithm, Federation, Instruction, Memory, ServerState, Update


@dataclass(frozen=True, eq=False)
class Answer:
    """What came back from one client: an update and a memory, or None and the error that it raised, if it did."""

    update: Update | None
    memory: Memory
    seconds: float
    error: Exception | None = None


def train_clients(
    algorithm: Algorithm,
    federation: Federation,
    instructions: dict[int, Instruction],
    memories: dict[int, Memory],
    *,
    round: int,
    seed: int,
    chunk: int,
) -> dict[int, Answer]:
    """Train the clients that have an instruction, `chunk` at a time, and return their answers by client.

    When a stack of clients raises, its clients train again one by one, with the same generators, to find who failed.
    """
    answers, clients = {}, sorted(instructions)
    for start in range(0, len(clients), chunk):
        part = clients[start : start + chunk]
        try:
            answers |= _train(algorithm, federation, instructions, memories, part, round, seed)
        except Exception:
            for client in part:
                try:
                    answers |= _train(algorithm, federation, instructions, memories, [client], round, seed)
                except Exception as error:
                    answers[client] = Answer(None, {}, float("nan"), error)
    return answers


def accept(
    algorithm: Algorithm,
    state: ServerState,
    instructions: dict[int, Instruction],
    answers: dict[int, Answer],
    memories: dict[int, Memory],
    recorder: Recorder,
    *,
    round: int,
    on_failure: str,
) -> dict[int, Update]:
    """Return the updates that the server can use, in ascending order of the client.

    `memories` and `recorder` are updated in place. Raises `ClientError` at the first failure if `on_failure` is
    "raise".
    """
    updates = {}
    for client in sorted(instructions):
        answer = answers.get(client, Answer(None, {}, float("nan")))
        problem = update_problem(answer.update, **expectation(algorithm, instructions[client], state.tensors))
        if isinstance(answer.error, MalformedUpdate):
            problem = "malformed", str(answer.error)
        elif answer.error is not None:
            problem = "raised", f"{type(answer.error).__name__}: {answer.error}"
        usable = answer.update if problem is None else None
        recorder.trained(round, client, instructions[client], usable, seconds=answer.seconds)
        if problem is None:
            updates[client], memories[client] = answer.update, answer.memory
        elif on_failure == "raise":
            message = f"client {client} failed in round {round} ({problem[0]}): {problem[1]}"
            raise ClientError(f"{message}; on_failure='skip' goes on without it") from answer.error
        else:
            recorder.failed(round, client, *problem)
    return updates


def evaluate_clients(
    algorithm: Algorithm,
    federation: Federation,
    state: ServerState,
    memories: dict[int, Memory],
    *,
    round: int,
    seed: int,
    chunk: int,
) -> dict[int, dict[str, float] | Exception]:
    """Return the metrics of every client of the federation, or what its evaluation raised, by client."""
    found = {}
    for start in range(0, len(federation), chunk):
        part = range(start, min(start + chunk, len(federation)))
        try:
            found |= _evaluate(algorithm, federation, state, memories, part, round, seed)
        except Exception:
            for client in part:
                try:
                    found |= _evaluate(algorithm, federation, state, memories, [client], round, seed)
                except Exception as error:
                    found[client] = error
    return found


def note_metrics(
    found: dict[int, dict[str, float] | Exception], recorder: Recorder, *, round: int, on_failure: str
) -> None:
    """Put what `evaluate_clients` returned into `recorder`; raise `ClientError` for a failure if `on_failure` says so.

    A client whose evaluation failed has no metrics in that round and a line in ``History.failures``.
    """
    for client, metrics in found.items():
        if not isinstance(metrics, Exception):
            recorder.evaluated(round, client, metrics)
            continue
        text = f"no metrics: {metrics!r}"
        if on_failure == "raise":
            raise ClientError(f"client {client} failed in the evaluation of round {round}: {text}") from metrics
        recorder.failures.append({"round": round, "client": client, "status": "raised", "message": text})


def _evaluate(algorithm, federation, state, memories, clients, round, seed) -> dict[int, dict[str, float]]:
    datas = [federation.clients[c] for c in clients]
    kept = [memories.get(c, {}) for c in clients]
    rngs = [evaluation_rng(seed, round, c) for c in clients]
    if hasattr(algorithm, "evaluate_cohort") and len(datas) > 1:
        metrics = algorithm.evaluate_cohort(state, datas, kept, rngs)
    else:
        metrics = [algorithm.evaluate(state, *one) for one in zip(datas, kept, rngs, strict=True)]
    return dict(zip(clients, metrics, strict=True))


def _train(algorithm, federation, instructions, memories, clients, round, seed) -> dict[int, Answer]:
    sent = [instructions[c] for c in clients]
    datas = [federation.clients[c] for c in clients]
    kept = [memories.get(c, {}) for c in clients]
    rngs = [client_rng(seed, round, c) for c in clients]
    start = time.perf_counter()
    if hasattr(algorithm, "train_cohort") and len(clients) > 1:
        results = algorithm.train_cohort(sent, datas, kept, rngs)
    else:
        results = [algorithm.train(*one) for one in zip(sent, datas, kept, rngs, strict=True)]
    seconds = (time.perf_counter() - start) / len(clients)
    # A result of None stands for a client that never answers.
    pairs = zip(clients, results, strict=True)
    return {c: Answer(*(result or (None, {})), seconds) for c, result in pairs}
