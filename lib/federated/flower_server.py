"""An algorithm's server side on a Flower Grid: the rounds of `lib.federated.run`, with the clients behind messages."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from lib.federated.checkpoint import load_checkpoint, save_checkpoint
from lib.federated.checks import ClientError, MalformedUpdate
from lib.federated.cohort import sample_cohort
from lib.federated.engine import Answer, accept
from lib.federated.flower_api import ErrorCode, Grid, Message
from lib.federated.flower_client import CLIENT
from lib.federated.flower_records import pack, unpack
from lib.federated.history import History, Recorder
from lib.federated.seeds import cohort_rng, configure_rng
from lib.federated.types import Algorithm, Instruction, Memory, Scalars, ServerState, Tensors, Update

# Errors with which a SuperLink answers for a node that it cannot reach: the same to us as silence.
UNREACHABLE = (ErrorCode.NODE_UNAVAILABLE, ErrorCode.MESSAGE_UNAVAILABLE, ErrorCode.REPLY_MESSAGE_UNAVAILABLE)


class Fleet:
    """The clients behind a Grid, addressed by their number instead of Flower's random node ids.

    `timeout` is how long to wait for the replies to one batch of messages, in seconds, and `start_timeout` how long for
    all clients to appear. Raises TimeoutError if they do not, ValueError if two nodes call themselves the same client.
    """

    def __init__(self, grid: Grid, clients: int, *, seed: int, timeout: float, start_timeout: float = 120.0):
        self.grid, self.seed, self.timeout = grid, seed, timeout
        self.accepted: dict[int, int] = {}  # the last round in which the server used a client's update
        self.nodes = _find_nodes(grid, clients, start_timeout)

    def ask(
        self, kind: str, contents: Mapping[int, tuple[Tensors, Scalars]], *, round: int = 0, device: str = "cpu"
    ) -> dict[int, tuple[Tensors, Scalars, dict]]:
        """Send each client its tensors and scalars and return those of the clients that answer, with an envelope.

        The envelope's ``status`` is "done", or else how the client failed, with the name of the ``error`` and a
        ``message``; its ``seconds`` are those of the client's work.
        """
        messages, senders = [], {node: client for client, node in self.nodes.items()}
        for client, (tensors, scalars) in contents.items():
            accepted = self.accepted.get(client, 0)
            content = pack(tensors, scalars, round=round, seed=self.seed, accepted=accepted)
            messages.append(Message(content, self.nodes[client], kind, group_id=str(round)))
        replies = {}
        for reply in self.grid.send_and_receive(messages, timeout=self.timeout) if messages else ():
            client = senders.get(reply.metadata.src_node_id)  # None: the SuperLink speaks for a node that it lost
            if client is None or (reply.has_error() and reply.error.code in UNREACHABLE):
                continue
            if not reply.has_error():
                replies[client] = unpack(reply.content, device=device)
            else:
                problem = {"status": "raised", "error": "RuntimeError", "message": reply.error.reason}
                replies[client] = ({}, {}, problem | {"seconds": float("nan")})
        return replies

    def memories(self, device: str) -> dict[int, Memory]:
        """Return what the clients that have trained keep. Only the clients of a simulation answer this."""
        replies = self.ask("query.memory", {client: ({}, {}) for client in self.accepted}, device=device)
        return {client: replies[client][0] for client in sorted(replies)}

    def restore(self, memories: Mapping[int, Memory]) -> None:
        """Give the clients of a simulation their `memories` back."""
        self.ask("train.restore", {client: (memory, {}) for client, memory in memories.items()})
        self.accepted |= dict.fromkeys(memories, 0)


def serve(
    algorithm: Algorithm,
    fleet: Fleet,
    *,
    rounds: int,
    cohort_size: int | None = None,
    evaluate_every: int = 1,
    on_failure: Literal["skip", "raise"] = "skip",
    checkpoint: Path | None = None,
    checkpoint_every: int = 1,
    identity: dict[str, str] | None = None,
    device: str = "cpu",
    simulated: bool = False,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> History:
    """Run the rounds on `fleet` and return their `History`; options and failures are those of `lib.federated.run`.

    A client that is silent for the fleet's timeout is missing from its round; one that fails in its evaluation has no
    metrics in that round and a line in ``History.failures``. Unless `simulated`, the clients keep their memories to
    themselves: ``History.memories`` is empty, and a checkpoint, whose `identity` must agree, is refused.
    """
    if on_failure not in ("skip", "raise"):
        raise ValueError(f"no on_failure {on_failure!r}: choose 'skip' or 'raise'")
    if checkpoint and not simulated:
        raise ValueError("real clients do not show their memories, so there is no checkpoint: leave it out")
    found = load_checkpoint(checkpoint, identity, rounds=rounds, device=device) if checkpoint else None
    state, memories, recorder = found or (algorithm.init(fleet.seed).to(device), {}, Recorder())
    if memories:
        fleet.restore(memories)
    todo = range(state.round + 1, rounds + 1)
    for round in progress(todo, type(algorithm).__name__) if progress else todo:
        state = _play(algorithm, fleet, state, recorder, round, cohort_size, on_failure, device)
        last = round == rounds
        if evaluate_every and (last or round % evaluate_every == 0):
            _evaluate(fleet, state, recorder, round, on_failure)
        save = checkpoint and (last or round % checkpoint_every == 0)
        if simulated and (last or save):
            memories = fleet.memories(device)
        if save:
            save_checkpoint(checkpoint, identity, state, memories, recorder)
    return recorder.history(state, memories)


def _play(algorithm, fleet, state, recorder, round, cohort_size, on_failure, device) -> ServerState:
    cohort = sample_cohort(len(fleet.nodes), cohort_size, cohort_rng(fleet.seed, round))
    instructions = algorithm.configure(state, round, cohort, configure_rng(fleet.seed, round))
    answers = _train(fleet, instructions, round, device)
    # The clients hold the memories themselves; here the engine's check of the answers needs a place to put them.
    updates = accept(algorithm, state, instructions, answers, {}, recorder, round=round, on_failure=on_failure)
    fleet.accepted |= dict.fromkeys(updates, round)
    return algorithm.aggregate(state, updates) if updates else replace(state, round=round)


def _train(fleet: Fleet, instructions: dict[int, Instruction], round: int, device: str) -> dict[int, Answer]:
    contents = {client: (sent.tensors, sent.scalars) for client, sent in instructions.items()}
    answers = {}
    for client, (tensors, scalars, envelope) in fleet.ask("train", contents, round=round, device=device).items():
        update = Update(tensors, scalars) if envelope["status"] == "done" else None
        error = _error(envelope) if envelope["status"] == "raised" else None
        if envelope["status"] == "malformed":
            error = MalformedUpdate(envelope["message"])
        answers[client] = Answer(update, {}, envelope["seconds"], error)
    return answers


def _evaluate(fleet: Fleet, state: ServerState, recorder: Recorder, round: int, on_failure: str) -> None:
    replies = fleet.ask("evaluate", {client: (state.tensors, {}) for client in sorted(fleet.nodes)}, round=round)
    for client in sorted(fleet.nodes):
        _, metrics, envelope = replies.get(client, ({}, {}, {"status": "missing"}))
        if envelope["status"] == "done":
            recorder.evaluated(round, client, metrics)
            continue
        text = f"no metrics: {_error(envelope)!r}" if "error" in envelope else "no metrics: the client did not answer"
        if on_failure == "raise":
            raise ClientError(f"client {client} failed in the evaluation of round {round}: {text}")
        recorder.failures.append({"round": round, "client": client, "status": envelope["status"], "message": text})


def _error(envelope: dict) -> Exception:
    """Return the client's exception under its own name; its class may not exist on this machine."""
    return type(envelope["error"], (ClientError,), {})(envelope["message"])


def _find_nodes(grid: Grid, clients: int, patience: float) -> dict[int, int]:
    """Return the node id of every client, waiting `patience` seconds for all of them to appear and answer."""
    nodes, asked, end = {}, set(), time.monotonic() + patience
    while len(nodes) < clients:
        new = [node for node in grid.get_node_ids() if node not in asked]
        messages = [Message(pack({}, {}), node, "query") for node in new]
        for reply in grid.send_and_receive(messages, timeout=max(end - time.monotonic(), 0.1)) if messages else ():
            if reply.has_error():
                continue
            client = unpack(reply.content)[1][CLIENT]
            if client in nodes or not 0 <= client < clients:
                raise ValueError(f"a node calls itself client {client}; give the nodes partition-id 0 to {clients - 1}")
            nodes[client] = reply.metadata.src_node_id
        asked |= set(nodes.values())
        if len(nodes) < clients and time.monotonic() > end:
            raise TimeoutError(f"{len(nodes)} of {clients} clients appeared within {patience:g} s; start the others")
        if len(nodes) < clients:
            time.sleep(0.1)
    return nodes
