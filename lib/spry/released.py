"""Defects of the authors' released code that change results, written down so that their effect can be shown.

Found by reading the code that accompanies arXiv 2405.15551; none of this is in the paper. The others are options of
the methods: dropout in finite differences, Baffle's scaling, FwdLLM's repeated direction and its open gate, LoRA's A
that is perturbed while its gradient is zero, evaluation after training.
"""

from collections.abc import Mapping, Sequence

import torch

from lib.federated.types import Tensors


def positional_zip(
    server: Tensors, updates: Mapping[int, tuple[Tensors, float]], weight_by: str = "examples"
) -> Tensors:
    """Return what a server makes of split updates when it pairs tensors by their position instead of their name.

    The first tensors of all clients are averaged, whatever unit they come from, and become the server's first tensor,
    and so on to the end of the shortest list; the rest is dropped. The released strategy hands split updates to a
    stock aggregation that does so. Arguments as in `lib.spry.units.aggregate_units`.

    Raises ValueError where tensors of one position differ in shape.
    """
    lists = [list(updates[c][0].values()) for c in sorted(updates)]
    counts = torch.tensor([updates[c][1] if weight_by == "examples" else 1 for c in sorted(updates)])
    weights, result = counts / counts.sum(), dict(server)
    for (name, value), tensors in zip(server.items(), zip(*lists, strict=False), strict=False):
        shapes = {tuple(tensor.shape) for tensor in (value, *tensors)}
        if len(shapes) > 1:
            raise ValueError(f"tensors of different shapes {sorted(shapes)} at one position; aggregate per unit")
        result[name] = torch.einsum("c,c...->...", weights.to(value), torch.stack(tensors))
    return result


def aliased_sum(gradients: Sequence[Tensors]) -> Tensors:
    """Return the "sum" of gradients in a buffer that is also the gradient buffer of the network, never set to zero.

    The released FedSGD keeps a reference to the first client's gradients and adds the later ones to it. The next
    client's backward pass already accumulates into that buffer, which is then added to itself: M unit gradients come
    out with weights ``2^(M-1), 2^(M-1), 2^(M-2), ..., 2``.
    """
    buffer = dict(gradients[0])
    for later in gradients[1:]:
        buffer = {name: 2 * (value + later[name]) for name, value in buffer.items()}
    return buffer


def released_assignment(units: int, clients: int) -> list[tuple[int, ...]]:
    """Return the units of each client slot as the released code deals them: unit j to slot ``j mod clients``, once.

    Raises ValueError for more clients than units: the slots after the last unit have no entry, and the released code
    fails where it looks theirs up. `lib.spry.units.assign_units` goes on with the first unit instead.
    """
    if clients > units:
        raise ValueError(
            f"the released code has no share for {clients - units} of {clients} clients, as there are "
            f"{units} units: take fewer clients a round, or the companion's assignment"
        )
    return [tuple(range(slot, units, clients)) for slot in range(clients)]
