"""What a client sends, receives and computes, as formulas that counting confirms.

The paper tabulates costs in its appendix, whose cells could not be read; these are derived from the algorithms. Sizes
are numbers, four bytes each as float32. A few scalars that do not grow with the model (examples, keys) are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lib.spry.units import assign_units

BACKPROP = ("FedAvg", "FedYogi", "FedAvgSplit", "FedYogiSplit", "FedSGD")
FORWARD = ("Spry", "FedFGD", "FedFGD shared")
ZERO_ORDER = ("FedMeZO", "Baffle+", "FwdLLM+", "FwdLLM")
SPLIT = ("Spry", "FedAvgSplit", "FedYogiSplit")
PER_ITERATION = " per iteration"


@dataclass(frozen=True)
class Traffic:
    """Numbers that each client of a round sends, by slot, and that each receives."""

    up: tuple[int, ...]
    down: int


def traffic(method: str, unit_sizes: Sequence[int], clients: int, *, perturbations: int = 1) -> Traffic:
    """Return what one round of `method` moves; "per iteration" in its name makes the round one minibatch.

    Split methods send their own units alone, ``max(units, clients)`` units in all; unsplit ones send everything; with
    derivatives as messages K numbers suffice. All clients receive all trainable weights, since the forward pass needs
    everybody's (the paper's table is reported to count the client's own part and a seed). FwdLLM also receives the
    server's last step, by which it selects its candidates; none has been made before the first round.

    Args:
        method: a name of `lib.spry.baselines.methods`.
        unit_sizes: numbers in each unit.
        clients: M, clients in the round.
        perturbations: K.

    Raises ValueError for an unknown name.
    """
    base = _known(method)
    whole = sum(unit_sizes)
    down = 2 * whole if base.startswith("FwdLLM") else whole
    if method.endswith(PER_ITERATION) and base not in BACKPROP:
        return Traffic((perturbations,) * clients, down)
    if base not in SPLIT:
        return Traffic((whole,) * clients, down)
    shares = assign_units(len(unit_sizes), clients)
    return Traffic(tuple(sum(unit_sizes[u] for u in share) for share in shares), down)


def passes(method: str, *, perturbations: int = 1) -> tuple[int, int]:
    """Return the forward and backward passes of a client on one minibatch; one with a tangent counts one.

    Raises ValueError for an unknown name.
    """
    base = _known(method)
    if base in BACKPROP:
        return 1, 1
    return (perturbations if base in FORWARD else 2 * perturbations), 0


def step_cost(method: str, layers: int, *, first: int = 0, perturbations: int = 1) -> float:
    """Return the products of one minibatch in forward passes of the whole network, whose backbone is frozen.

    `method` is one of `lib.spry.memory_model.METHODS`, `first` the lowest layer (from 0) with a trained weight. A
    frozen weight has no gradient to compute, so a backward pass costs one forward pass and not two; a tangent starts in
    layer `first`, and so does the backward pass end there. Products of two activations, in attention, cost twice as
    much in both and are neglected, as are LoRA's own. Checkpointing computes all layers twice, and transformers makes
    the embeddings require a gradient for it, so its backward pass runs to the bottom whatever is trained.

    Raises ValueError for an unknown method.
    """
    above = (layers - first) / layers
    costs = {
        "backprop": 1 + above,
        "checkpointed backprop": 3.0,
        "forward mode": perturbations * (1 + above),
        "zero-order": 2.0 * perturbations,
    }
    if method not in costs:
        raise ValueError(f"method is {method!r}: choose one of {', '.join(costs)}")
    return costs[method]


def _known(method: str) -> str:
    base = method.removesuffix(PER_ITERATION)
    if base not in BACKPROP + FORWARD + ZERO_ORDER:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(BACKPROP + FORWARD + ZERO_ORDER)}")
    return base
