"""An algorithm's client side as a Flower ClientApp: the memory of a client lives in its Flower Context."""

import threading
import time
from collections.abc import Callable

from lib.federated.checks import MalformedUpdate, expectation, update_problem
from lib.federated.flower_api import ClientApp, ConfigRecord, Context, Message
from lib.federated.flower_records import pack, to_arrays, to_tensors, unpack
from lib.federated.seeds import client_rng, evaluation_rng
from lib.federated.types import Algorithm, ClientData, Instruction, Memory, Scalars, ServerState, Tensors

Setting = Callable[[Context], tuple[Algorithm, ClientData]]
# What to send, and what to keep if the server accepts it.
Work = Callable[[Algorithm, ClientData], tuple[Tensors, Scalars, Memory | None]]

CLIENT = "partition-id"
# Records of a Context: the memory, and the one of the last training until the server has accepted its update.
MEMORY, STAGED, STAGED_ROUND = "memory", "staged", "staged-round"


def make_client_app(
    setting: Setting, *, device: str = "cpu", deadline: float | None = None, simulated: bool = False
) -> ClientApp:
    """Return the ClientApp of an algorithm.

    Args:
        setting: takes the node's Context to the algorithm and this client's data; the client's number is the entry
            ``partition-id`` of the Context's ``node_config``.
        device: where the client computes, in torch's spelling, unless its ``node_config`` has another ``device``.
        deadline: seconds that one training or evaluation may take; longer work is given up and reported as missing.
        simulated: also answer the messages that read and write a memory, which a checkpoint of a simulation needs. A
            real client never shows its memory.

    A client that raises replies with the status "raised" and its error, one that is too slow with "missing", one whose
    update is no usable one with "malformed". What it would keep from a training becomes its memory when the server
    says, in the next message, that it accepted the update of that round; so a client whose update was lost, late or
    refused goes on from the memory that it had before, as on the local engine.
    """
    app = ClientApp()

    @app.query()
    def who(message: Message, context: Context) -> Message:
        return Message(pack({}, {CLIENT: int(context.node_config[CLIENT])}), reply_to=message)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        here = str(context.node_config.get("device", device))
        tensors, scalars, envelope = unpack(message.content, device=here)
        memory = _memory(context, envelope, here)

        def work(algorithm: Algorithm, data: ClientData):
            rng = client_rng(envelope["seed"], envelope["round"], int(context.node_config[CLIENT]))
            sent = Instruction(tensors, scalars)
            update, kept = algorithm.train(sent, data, memory, rng) or (None, {})
            problem = update_problem(update, **expectation(algorithm, sent))
            if problem and problem[0] == "missing":  # None stands for a client that never answers, on every engine
                raise TimeoutError(problem[1])
            if problem and problem[0] == "malformed":  # before it is packed: not everything fits in a message
                raise MalformedUpdate(problem[1])
            return update.tensors, update.scalars, kept

        return answer(message, context, envelope, work)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        here = str(context.node_config.get("device", device))
        tensors, _, envelope = unpack(message.content, device=here)
        memory = _memory(context, envelope, here)

        def work(algorithm: Algorithm, data: ClientData):
            rng = evaluation_rng(envelope["seed"], envelope["round"], int(context.node_config[CLIENT]))
            metrics = algorithm.evaluate(ServerState(envelope["round"], tensors), data, memory, rng)
            return {}, {name: float(value) for name, value in metrics.items()}, None

        return answer(message, context, envelope, work)

    def answer(message: Message, context: Context, envelope: dict, work: Work) -> Message:
        def load() -> tuple[Algorithm, ClientData]:
            algorithm, data = setting(context)
            return algorithm, data.to(str(context.node_config.get("device", device)))

        tensors, scalars, kept, outcome = _outcome(load, work, deadline)
        if kept is not None:
            context.state[STAGED] = to_arrays(kept)
            context.state[STAGED_ROUND] = ConfigRecord({"round": envelope["round"]})
        return Message(pack(tensors, scalars, **outcome), reply_to=message)

    if simulated:
        _add_memory_messages(app)
    return app


def _add_memory_messages(app: ClientApp) -> None:
    @app.query("memory")
    def show(message: Message, context: Context) -> Message:
        return Message(pack(_memory(context, unpack(message.content)[2], "cpu"), {}), reply_to=message)

    @app.train("restore")
    def restore(message: Message, context: Context) -> Message:
        context.state[MEMORY] = to_arrays(unpack(message.content)[0])
        return Message(pack({}, {}), reply_to=message)


def _memory(context: Context, envelope: dict, device: str) -> Memory:
    """Return what the client keeps, after taking over the staged memory if the server accepted that round."""
    if STAGED in context.state:
        staged, round = context.state.pop(STAGED), context.state.pop(STAGED_ROUND)["round"]
        if round == envelope["accepted"]:
            context.state[MEMORY] = staged
    return to_tensors(context.state[MEMORY], device=device) if MEMORY in context.state else {}


def _outcome(load: Callable, work: Work, deadline: float | None) -> tuple[Tensors, Scalars, Memory | None, dict]:
    """Return the result of `work`, and how it went: status, seconds, and the error if there was one.

    Loading the data, which happens once in the life of a process, is not part of the deadline.
    """
    start = time.perf_counter()
    try:
        arguments = load()
        start = time.perf_counter()
        result = work(*arguments) if deadline is None else _within(deadline, lambda: work(*arguments))
        how = {"status": "done"}
    except Exception as error:
        result = {}, {}, None
        kinds = {TimeoutError: "missing", MalformedUpdate: "malformed"}
        status = next((name for kind, name in kinds.items() if isinstance(error, kind)), "raised")
        how = {"status": status, "error": type(error).__name__, "message": str(error)}
    return *result, how | {"seconds": time.perf_counter() - start}


def _within(seconds: float, work: Callable):
    """Return ``work()``, or raise TimeoutError after `seconds`; the thread that hangs dies with its process."""
    result: dict = {}

    def call() -> None:
        try:
            result["value"] = work()
        except Exception as error:
            result["error"] = error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if "error" in result:
        raise result["error"]
    return result["value"]
