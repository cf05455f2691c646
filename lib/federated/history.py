"""What a run leaves behind: one tidy table, the last state, and what the clients keep."""

from dataclasses import dataclass

import pandas as pd

from lib.federated.communication import payload_bytes
from lib.federated.types import Instruction, Memory, ServerState, Update

COLUMNS = ("round", "client", "status", "examples", "bytes_up", "bytes_down", "seconds")
FAILURES = ("round", "client", "status", "message")


@dataclass(frozen=True, eq=False)
class History:
    """The outcome of a run.

    Attributes:
        table: one row per round and client that was in the cohort or was evaluated: ``round`` (from 1), ``client``,
            ``status`` ("trained", "not sampled", or how it failed: "raised", "not finite", "malformed", "missing"),
            ``examples`` (training examples it reported), ``bytes_up`` and ``bytes_down`` (content of the messages that
            training exchanged in this round, not of those that only evaluate; 0 up for an update that the server cannot
            use), ``seconds`` (of training; clients trained
            together share the time equally), then the algorithm's metrics after the round's aggregation and further
            numbers of its updates, NaN where not known.
        state: the server's state after the last round.
        memories: what each client that has trained keeps, by client.
        failures: one row a failure: ``round``, ``client``, ``status``, ``message``.
    """

    table: pd.DataFrame
    state: ServerState
    memories: dict[int, Memory]
    failures: pd.DataFrame


class Recorder:
    """Collects the rows of a `History` while a run goes on."""

    def __init__(self, rows: list[dict] | None = None, failures: list[dict] | None = None):
        self.rows, self.failures = rows or [], failures or []
        self._at = {(row["round"], row["client"]): row for row in self.rows}

    def trained(
        self, round: int, client: int, instruction: Instruction, update: Update | None, *, seconds: float = float("nan")
    ) -> None:
        """Note that `client` was sent `instruction` and answered `update` (None: nothing of use)."""
        row = self._row(round, client)
        row |= {"status": "trained", "bytes_down": payload_bytes(instruction), "seconds": float(seconds)}
        if update is not None:
            numbers = {name: value for name, value in update.scalars.items() if not isinstance(value, str)}
            row |= {name: float(value) for name, value in numbers.items()} | {"bytes_up": payload_bytes(update)}

    def failed(self, round: int, client: int, status: str, message: str) -> None:
        """Note that the server left out what `client` did in `round`."""
        self._row(round, client)["status"] = status
        self.failures.append({"round": round, "client": client, "status": status, "message": message})

    def evaluated(self, round: int, client: int, metrics: dict[str, float]) -> None:
        """Note the metrics of `client` after `round`."""
        row = self._row(round, client)
        row |= {name: float(value) for name, value in metrics.items()}

    def history(self, state: ServerState, memories: dict[int, Memory]) -> History:
        """Return everything noted so far, rows sorted by round and client."""
        table = pd.DataFrame(self.rows, columns=list(dict.fromkeys([*COLUMNS, *(k for row in self.rows for k in row)])))
        table = table.sort_values(["round", "client"], ignore_index=True)
        return History(table, state, dict(memories), pd.DataFrame(self.failures, columns=list(FAILURES)))

    def _row(self, round: int, client: int) -> dict:
        if (round, client) not in self._at:
            row = {"round": round, "client": client, "status": "not sampled", "examples": float("nan")}
            row |= {"bytes_up": 0, "bytes_down": 0, "seconds": float("nan")}
            self.rows.append(row)
            self._at[round, client] = row
        return self._at[round, client]
