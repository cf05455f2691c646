"""Interrupting a long run and going on to exactly the same weights.

Every generator is a function of seed, round and client, so a checkpoint needs no generator state.
"""

import dataclasses
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import torch

from lib.federated.history import Recorder
from lib.federated.types import Algorithm, Federation, Memory, ServerState


def run_identity(algorithm: Algorithm, federation: Federation, **options: Any) -> dict[str, str]:
    """Return what must agree between a checkpoint and the run that goes on from it, as text by name."""
    # Functions print with their address, which differs from process to process.
    described = re.sub(r" at 0x[0-9a-f]+", "", repr(algorithm))
    sizes = [(client.examples, len(client.test_x)) for client in federation.clients]
    # Neither do two functions of one name differ in print; the tensors of their networks do.
    shapes = {name: tuple(value.shape) for name, value in algorithm.init(0).tensors.items()}
    facts = {"algorithm": f"{described}, {shapes}", "federation": f"{federation.name}, {sizes}, {_digest(federation)}"}
    return facts | {name: repr(value) for name, value in options.items()}


def _digest(federation: Federation) -> str:
    """Return a digest of every client's data in order: the seed of a partition shows in the data alone."""
    digest = hashlib.sha256()
    for client in federation.clients:
        for part in (client.train_x, client.train_y, client.test_x, client.test_y):
            digest.update(f"{part.dtype}, {tuple(part.shape)};".encode())
            digest.update(part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def save_checkpoint(
    path: Path, identity: dict[str, str], state: ServerState, memories: dict[int, Memory], recorder: Recorder
) -> None:
    """Write the run so far to `path` atomically: a crash leaves the previous checkpoint or the new one, never half."""
    content = {
        "identity": identity,
        "state": {item.name: getattr(state, item.name) for item in dataclasses.fields(state)},
        "memories": memories,
        "rows": recorder.rows,
        "failures": recorder.failures,
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
        try:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)


def load_checkpoint(
    path: Path, identity: dict[str, str], *, rounds: int, device: str | torch.device = "cpu"
) -> tuple[ServerState, dict[int, Memory], Recorder] | None:
    """Return state, memories and recorder of the checkpoint at `path`, or None when there is no file.

    Nothing but tensors and plain values is unpickled (``weights_only=True``). Raises ValueError for a file that is no
    checkpoint, for the checkpoint of another run, and for one of more than `rounds` rounds.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        found = content["identity"]
    except Exception as error:
        raise ValueError(f"{path} cannot be read as a checkpoint: delete it or choose another path") from error
    different = [name for name in identity if found.get(name) != identity[name]]
    if different:
        raise ValueError(
            f"{path} belongs to another run (other {', '.join(different)}): delete it or choose another path"
        )
    done = content["state"]["round"]
    if done > rounds:
        raise ValueError(f"{path} has done {done} rounds and {rounds} were asked for: ask for more or delete it")
    return (
        ServerState(**content["state"]),
        content["memories"],
        Recorder(content["rows"], content["failures"]),
    )
