"""A Flower Grid inside this process: Flower's own strategies, or our ServerApp, without Ray, ports or daemons.

It exists to check things: Flower's built-in strategies serve as an independent implementation of our server
optimizers, and the ServerApp and ClientApp of the Flower engine are tested at the speed of a function call.
"""

from collections.abc import Iterable
from uuid import uuid4

from lib.federated.flower_api import ClientApp, Context, Error, ErrorCode, Grid, Message, RecordDict, TaskIdentity

RUN_ID = 1


class InProcessGrid(Grid):
    """One Context a client, kept between messages; a message is a call of the ClientApp.

    `clients` is their number; client c answers at the node id ``first_node + c``, and its node_config holds
    ``partition-id`` and ``num-partitions`` as on a SuperNode. An exception in a client becomes an error reply, as in
    Flower's engines.
    """

    def __init__(self, app: ClientApp, clients: int, *, first_node: int = 1000):
        # Flower refuses to build a Message in a process that runs no task.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
        self.app, self.silent = app, set()
        self.contexts = {
            first_node + client: Context(
                run_id=RUN_ID,
                node_id=first_node + client,
                node_config={"partition-id": client, "num-partitions": clients},
                state=RecordDict(),
                run_config={},
            )
            for client in range(clients)
        }
        self._replies: dict[str, Message] = {}

    def silence(self, *clients: int) -> None:
        """Let these `clients` never answer again, as if their machines were gone."""
        nodes = list(self.contexts)
        self.silent |= {nodes[client] for client in clients}

    def set_run(self, run) -> None:
        """Do nothing: there is one run."""

    @property
    def run(self):
        """Raise: an in-process grid belongs to no run of a SuperLink."""
        raise NotImplementedError("an in-process grid belongs to no run of a SuperLink")

    def create_message(self, content, message_type, dst_node_id, group_id, ttl=None) -> Message:
        """Return a Message to `dst_node_id` (deprecated by Flower in favour of the constructor)."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return the ids of all nodes, also of those that never answer."""
        return list(self.contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Deliver `messages` one after the other and keep the replies; return the ids of the messages."""
        return [self._deliver(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to `message_ids` that exist, each once."""
        return [self._replies.pop(name) for name in list(message_ids) if name in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Return the replies to `messages`, without waiting `timeout` for the silent ones."""
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Message) -> str:
        message.metadata.__dict__["_message_id"] = name = uuid4().hex
        node = message.metadata.dst_node_id
        if node in self.silent:
            return name
        try:
            reply = self.app(message, self.contexts[node])
        except Exception as error:
            code = ErrorCode.CLIENT_APP_RAISED_EXCEPTION
            reply = Message(Error(code=code, reason=f"{type(error).__name__}: {error}"), reply_to=message)
        self._replies[name] = reply
        return name
