"""Our tensors and scalars as Flower's records, and back: what crosses the network is what an algorithm declares."""

from collections.abc import Mapping

import torch

from lib.federated.flower_api import ArrayRecord, ConfigRecord, RecordDict

TENSORS, SCALARS, ENVELOPE = "tensors", "scalars", "envelope"


def to_arrays(tensors: Mapping[str, torch.Tensor]) -> ArrayRecord:
    """Return `tensors` (any device, any shape) as an ArrayRecord, in the same order."""
    return ArrayRecord({name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def to_tensors(arrays: ArrayRecord, *, device: str = "cpu") -> dict[str, torch.Tensor]:
    """Return the tensors of `arrays` on `device`, in the order in which they were sent; each owns its memory."""
    return {name: torch.from_numpy(value.numpy().copy()).to(device) for name, value in arrays.items()}


def pack(tensors: Mapping[str, torch.Tensor], scalars: Mapping, **envelope) -> RecordDict:
    """Return one message's content.

    `tensors` and `scalars` (int, float, bool or str) are an Instruction's or an Update's; `envelope` holds what the
    engine adds for itself, such as the round and the seed.
    """
    return RecordDict(
        {
            TENSORS: to_arrays(tensors),
            SCALARS: ConfigRecord(dict(scalars)),
            ENVELOPE: ConfigRecord(envelope),
        }
    )


def unpack(content: RecordDict, *, device: str = "cpu") -> tuple[dict[str, torch.Tensor], dict, dict]:
    """Return the tensors (on `device`), the scalars and the envelope of a message made by `pack`."""
    tensors = to_tensors(content.array_records[TENSORS], device=device)
    return tensors, dict(content.config_records[SCALARS]), dict(content.config_records[ENVELOPE])
