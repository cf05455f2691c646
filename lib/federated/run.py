"""Run a federated algorithm on a federation: the in-process engine, and the door to the other one."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from lib.federated.checkpoint import load_checkpoint, run_identity, save_checkpoint
from lib.federated.cohort import sample_cohort
from lib.federated.engine import accept, evaluate_clients, note_metrics, train_clients
from lib.federated.history import History, Recorder
from lib.federated.seeds import cohort_rng, configure_rng
from lib.federated.types import Algorithm, Federation


def run(
    algorithm: Algorithm,
    federation: Federation,
    *,
    rounds: int,
    cohort_size: int | None = None,
    seed: int = 0,
    engine: Literal["local", "flower"] = "local",
    evaluate_every: int = 1,
    checkpoint: Path | None = None,
    checkpoint_every: int = 1,
    on_failure: Literal["skip", "raise"] = "skip",
    device: str = "cpu",
    chunk: int = 25,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> History:
    """Run `rounds` rounds of `algorithm` and return their `History`.

    Args:
        algorithm: the algorithm.
        federation: the clients and their data.
        rounds: number of rounds, counted from the very first (a resumed run does the rest).
        cohort_size: clients sampled a round, uniformly without replacement; None takes all.
        seed: drives initial weights, cohorts and every client's minibatches.
        engine: "local" trains in this process, "flower" on Flower's simulation engine; same seed, same weights.
        evaluate_every: all clients are evaluated after every that many rounds and after the last; 0 never evaluates.
        checkpoint: file to write after every `checkpoint_every` rounds, and to go on from if it exists.
        checkpoint_every: rounds between checkpoints.
        on_failure: "skip" leaves a client that fails out of its round and reports it in ``History.failures``; "raise"
            stops with a `ClientError`. A client fails when it raises, answers with NaN, infinity or wrong shapes, or
            does not answer. Its memory stays as it was. A round in which all fail leaves the server's tensors alone. A
            client that raises in its evaluation has no metrics in that round.
        device: where data and weights live, in torch's spelling.
        chunk: clients trained at once on the local engine; small stacks stay in the processor's cache, 1 trains one by
            one.
        progress: wraps the loop over rounds, ``progress(iterable, label) -> iterable``.

    Raises ValueError for options that make no sense or a checkpoint of another run.
    """
    _check(rounds, evaluate_every, checkpoint_every, on_failure, chunk)
    sample_cohort(len(federation), cohort_size, cohort_rng(seed, 0))  # refuses an impossible cohort before the work
    if engine == "flower":
        from lib.federated.flower import run_flower

        return run_flower(
            algorithm,
            federation,
            rounds=rounds,
            cohort_size=cohort_size,
            seed=seed,
            evaluate_every=evaluate_every,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            on_failure=on_failure,
            device=device,
            progress=progress,
        )
    if engine != "local":
        raise ValueError(f"no engine {engine!r}: choose 'local' or 'flower'")
    federation = federation.to(device)
    found, identity = None, {}
    if checkpoint:
        identity = run_identity(
            algorithm,
            federation,
            seed=seed,
            cohort_size=cohort_size,
            evaluate_every=evaluate_every,
            on_failure=on_failure,
        )
        found = load_checkpoint(checkpoint, identity, rounds=rounds, device=device)
    state, memories, recorder = found or (algorithm.init(seed).to(device), {}, Recorder())
    todo = range(state.round + 1, rounds + 1)
    for round in progress(todo, type(algorithm).__name__) if progress else todo:
        cohort = sample_cohort(len(federation), cohort_size, cohort_rng(seed, round))
        instructions = algorithm.configure(state, round, cohort, configure_rng(seed, round))
        answers = train_clients(algorithm, federation, instructions, memories, round=round, seed=seed, chunk=chunk)
        updates = accept(
            algorithm, state, instructions, answers, memories, recorder, round=round, on_failure=on_failure
        )
        state = algorithm.aggregate(state, updates) if updates else replace(state, round=round)
        if evaluate_every and (round % evaluate_every == 0 or round == rounds):
            found = evaluate_clients(algorithm, federation, state, memories, round=round, seed=seed, chunk=chunk)
            note_metrics(found, recorder, round=round, on_failure=on_failure)
        if checkpoint and (round % checkpoint_every == 0 or round == rounds):
            save_checkpoint(checkpoint, identity, state, memories, recorder)
    return recorder.history(state, memories)


def _check(rounds: int, evaluate_every: int, checkpoint_every: int, on_failure: str, chunk: int) -> None:
    if rounds < 1 or evaluate_every < 0 or checkpoint_every < 1 or chunk < 1:
        raise ValueError("rounds, checkpoint_every and chunk must be at least 1, evaluate_every at least 0; raise them")
    if on_failure not in ("skip", "raise"):
        raise ValueError(f"no on_failure {on_failure!r}: choose 'skip' or 'raise'")
