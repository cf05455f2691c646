"""Filter pruning by a maintained library, Torch-Pruning (Fang et al., 2301.12900), which finds tied filters itself."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from lib.compression.data import Images
from lib.compression.layers import Architecture, Block, Leaf, parameter_count
from lib.compression.networks import Network, Residual

IMPORTANCES = ("taylor", "magnitude")


def library_pruning(
    net: Network,
    images: Images,
    *,
    parameters: int,
    tune: Callable[[Network], None],
    importance: str = "taylor",
    rounds: int = 3,
    steps: int = 100,
    batch: int = 256,
    seed: int = 0,
) -> Network:
    """Return `net` pruned to at most `parameters` parameters in `rounds` rounds; `net` itself is unchanged.

    Filters are ranked over all layers, tied ones together; at most 95 % of a layer's go. The count falls by the same
    factor in each round. Filters of equal score go together, so many dead ones can take the count well below.

    Args:
        net: A trained network, chain or residual.
        images: Gradients are taken on `batch` images of the first view of the training part.
        parameters: Number of parameters to reach.
        tune: Trains the network that it is given in place, called after each round.
        importance: "taylor" (weight times gradient) or "magnitude".
        rounds: Rounds of pruning and fine-tuning.
        steps: Small steps that the library takes from nothing to 95 % pruned.
        batch: Images for the gradients.
        seed: Which images.

    Raises:
        ValueError: for an unknown importance, or a count that is out of reach.
        ImportError: when the extra ``pruning`` is not installed.
    """
    if importance not in IMPORTANCES:
        raise ValueError(f"importance is {importance!r}: choose one of {', '.join(IMPORTANCES)}")
    library, net = _library(), copy.deepcopy(net)
    start, rows = parameter_count(net.architecture), _rows(images, batch, seed)
    for turn in range(1, rounds + 1):
        target = round(start * (parameters / start) ** (turn / rounds))
        _prune(library, net, images, rows, target, importance, steps)
        net.architecture = architecture_of(net)
        tune(net)
    return net


def architecture_of(net: Network) -> Architecture:
    """Return the architecture that the layers of `net` have now, their widths read from the modules."""
    pairs = zip(net.architecture.parts, net.parts, strict=True)
    return replace(net.architecture, parts=tuple(_read(part, module) for part, module in pairs))


def _read(part: Leaf | Block, module: nn.Module) -> Leaf | Block:
    if isinstance(part, Leaf):
        return replace(part, outputs=module.out_channels) if part.kind == "conv" else part
    assert isinstance(module, Residual)
    paths = []
    for leaves, path in ((part.main, module.main), (part.shortcut, module.shortcut)):
        inside = [path] if len(leaves) == 1 else list(path.children())
        paths.append(tuple(_read(leaf, one) for leaf, one in zip(leaves, inside, strict=True)))
    return Block(*paths)


def _prune(
    library: object, net: Network, images: Images, rows: torch.Tensor, target: int, importance: str, steps: int
) -> None:
    """Let the library take small steps until `net` has at most `target` parameters."""
    importances = {
        "taylor": library.importance.GroupTaylorImportance,
        "magnitude": library.importance.GroupMagnitudeImportance,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's remarks on modules that it does not know
        pruner = library.pruner.BasePruner(
            net.eval(),
            images.train_x[0, :1],
            importance=importances[importance](),
            global_pruning=True,
            pruning_ratio=0.95,
            max_pruning_ratio=0.95,
            iterative_steps=steps,
            ignored_layers=[module for module in net.modules() if isinstance(module, nn.Linear)],
        )
        for _ in range(steps):
            if _count(net) <= target:
                break
            net.zero_grad()
            functional.cross_entropy(net(images.train_x[0, rows]), images.train_y[rows]).backward()
            pruner.step()
    net.zero_grad()
    if _count(net) > target:
        raise ValueError(f"{target:,} parameters cannot be reached by thinning layers: {_count(net):,} are left")


def _count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def _rows(images: Images, batch: int, seed: int) -> torch.Tensor:
    order = torch.randperm(len(images.train_y), generator=torch.Generator().manual_seed(seed))
    return order[:batch].to(images.train_y.device)


def _library() -> object:
    try:
        import torch_pruning
    except ImportError as error:
        raise ImportError("this baseline needs an optional library: pip install 'scarce[pruning]'") from error
    return torch_pruning
