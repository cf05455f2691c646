"""Which parameters are shared (the base) and which stay with the client (personalization layers)."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from lib.nets import unit_names

BatchNormPolicy = Literal["none", "average", "local"]


@dataclass(frozen=True)
class Split:
    """Names of the shared tensors (`base`) and of those that never leave a client (`personal`), in network order."""

    base: tuple[str, ...]
    personal: tuple[str, ...]


def last_units(net: nn.Module, units: int, *, bn_policy: BatchNormPolicy = "none") -> Split:
    """Keep the last `units` units of ``net.blocks`` personal (arXiv 1912.00818, K_P counted in basic blocks).

    `units` = 0 is FedAvg, 1 the classifier alone, ``len(net.blocks)`` local training. Raises ValueError for a number
    out of that range, and for batch normalization without a policy (see `apply_bn_policy`).
    """
    names = unit_names(net)
    if not 0 <= units <= len(names):
        raise ValueError(f"{units} personal units of a network of {len(names)}: choose 0 to {len(names)}")
    # By place, not by parameter name, so that running statistics go with the unit that they belong to.
    prefixes = tuple(f"blocks.{place}." for place in range(len(names) - units, len(names)))
    personal = {name for name in tensor_names(net) if name.startswith(prefixes)} if units else set()
    return apply_bn_policy(net, personal, bn_policy)


def by_name(net: nn.Module, patterns: Sequence[str], *, bn_policy: BatchNormPolicy = "none") -> Split:
    """Keep the tensors personal whose name matches one of the shell-style `patterns`, such as ``"*.bias"``.

    Raises ValueError for a pattern that matches nothing.
    """
    names, personal = tensor_names(net), set()
    for pattern in patterns:
        found = fnmatch.filter(names, pattern)
        if not found:
            raise ValueError(f"no parameter matches {pattern!r}; the network has {', '.join(names[:4])}, ...")
        personal |= set(found)
    return apply_bn_policy(net, personal, bn_policy)


def apply_bn_policy(net: nn.Module, personal: set[str], policy: BatchNormPolicy) -> Split:
    """Return the split with the running statistics of batch normalization treated as `policy` says.

    The statistics of personal units are personal in any case. Those of the base are averaged like its weights with
    "average", and stay with the client with "local" (its scale and shift are averaged still). "none" states that the
    network has none, as with group normalization: then no choice distorts a comparison. Counters of batches are
    integers and never sent. Raises ValueError if the network has running statistics and the policy is "none".
    """
    if policy not in ("none", "average", "local"):
        raise ValueError(f"bn_policy is {policy!r}: choose 'none', 'average' or 'local'")
    statistics = {name for name, value in net.named_buffers() if value.is_floating_point()}
    if statistics and policy == "none":
        raise ValueError("the network has batch normalization: choose bn_policy 'average' or 'local', or norm='group'")
    kept = personal | (statistics if policy == "local" else set())
    names = tensor_names(net)
    return Split(tuple(n for n in names if n not in kept), tuple(n for n in names if n in kept))


def tensor_names(net: nn.Module) -> list[str]:
    """Return the names of all trained parameters, then of all floating-point buffers: what can be sent."""
    parameters = [name for name, value in net.named_parameters() if value.requires_grad]
    return parameters + [name for name, value in net.named_buffers() if value.is_floating_point()]


def personal_count(net: nn.Module, split: Split) -> int:
    """Return the number of trainable numbers that stay with a client."""
    return sum(value.numel() for name, value in net.named_parameters() if name in set(split.personal))
