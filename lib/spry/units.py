"""Which client trains which weights: units of trainable tensors, their assignment, and the average a unit.

Source: Panchal et al., "Thinking Forward: Memory-Efficient Federated Finetuning of Language Models" (Spry),
arXiv 2405.15551, for splitting over clients and averaging where several share a unit. That a unit is a run of
consecutive tensors dealt out cyclically is how the authors' code does it. What happens with more clients than units is
our rule: the deal goes on with the first unit again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from lib.federated.types import Tensors


@dataclass(frozen=True)
class Unit:
    """Consecutive trainable tensors that one client trains together, such as the pair of a LoRA module.

    Attributes:
        index: number of the unit, from 0 in the order of the model's parameters.
        shapes: shape of each tensor, by name.
    """

    index: int
    shapes: dict[str, torch.Size]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tensors."""
        return tuple(self.shapes)

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(shape.numel() for shape in self.shapes.values())


def units(names_and_shapes: Mapping[str, torch.Size], per_unit: int = 2) -> tuple[Unit, ...]:
    """Return the trainable tensors in units of `per_unit` consecutive ones; the last unit may be smaller.

    Two a unit keeps the pair of a LoRA module, and weight and bias of a head, together; BitFit and IA3 take one.
    """
    if per_unit < 1 or not names_and_shapes:
        raise ValueError("a unit needs at least one trainable tensor; raise per_unit or unfreeze something")
    items = list(names_and_shapes.items())
    starts = range(0, len(items), per_unit)
    return tuple(Unit(index, dict(items[start : start + per_unit])) for index, start in enumerate(starts))


def assign_units(units: int, clients: int) -> list[tuple[int, ...]]:
    """Return the units of each client slot: ``max(units, clients)`` cards dealt in turn, to clients and of units.

    Every unit has a client and every client a unit; the numbers of units of two clients differ by at most one when
    units are not fewer than clients, else every client has one and so do the numbers of clients of two units.
    """
    if min(units, clients) < 1:
        raise ValueError(f"{units} units for {clients} clients: give at least one of each")
    shares: list[list[int]] = [[] for _ in range(clients)]
    for card in range(max(units, clients)):
        shares[card % clients].append(card % units)
    return [tuple(share) for share in shares]


def classifier_share(names: Sequence[str], tensors: int) -> tuple[str, ...]:
    """Return the last `tensors` of the trainable `names`: those that every client trains in addition to its share.

    The authors' code (where it is off by default) takes 1 for Llama, 2 for BERT and ALBERT, 4 for DistilBERT and
    RoBERTa.
    """
    if not 0 <= tensors <= len(names):
        raise ValueError(f"cannot share the last {tensors} of {len(names)} tensors; choose 0 to {len(names)}")
    return tuple(names[len(names) - tensors :])


def aggregate_units(
    server: Tensors,
    updates: Mapping[int, tuple[Tensors, float]],
    weight_by: Literal["examples", "uniform"] = "examples",
) -> Tensors:
    """Return, tensor by tensor, the average over the clients that trained it; what nobody trained stays the server's.

    Args:
        server: the server's tensors, whose names, order and shapes the result has.
        updates: by client, the tensors that it trained and its number of examples.
        weight_by: "examples" or "uniform". Which of the two the paper uses is not known to us.

    Raises ValueError for a tensor that the server does not have.
    """
    if weight_by not in ("examples", "uniform"):
        raise ValueError(f"no weights by {weight_by!r}: choose 'examples' or 'uniform'")
    unknown = {name for owned, _ in updates.values() for name in owned} - set(server)
    if unknown:
        raise ValueError(f"a client sent {sorted(unknown)[0]!r}, which the server does not have; check the model")
    result = {}
    for name, value in server.items():
        # Ascending order of the client, so that every engine adds up in the same order.
        parts = [(updates[c][0][name], updates[c][1]) for c in sorted(updates) if name in updates[c][0]]
        result[name] = value
        if parts:
            shares = torch.tensor([n if weight_by == "examples" else 1 for _, n in parts], dtype=torch.float64)
            weights = (shares / shares.sum()).to(value)
            result[name] = (weights @ torch.stack([part.flatten() for part, _ in parts])).reshape(value.shape)
    return result
