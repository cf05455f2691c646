"""The outputs of several networks of one architecture at once, each on its own inputs."""

import functools
from collections.abc import Iterator

import torch
from torch import nn
from torch.func import functional_call, vmap

from lib.federated.types import ClientData, Tensors
from lib.nets.units import UnitNet

# Layers that treat every number alike, so that further leading axes change nothing.
ELEMENTWISE = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Softplus, nn.Identity)

STACKED_PIXELS = 2**14  # pixels of one client's minibatch above which convolutions are faster client by client


def better_one_by_one(net: nn.Module, data: ClientData, batch_size: int | None) -> bool:
    """Return whether training clients one after the other beats training a stack of them.

    That is so for convolutions over large minibatches on the CPU: one client fills the processor then, and stacked
    (grouped) convolutions only leave its cache. The limit was found by measurement; either way gives the same weights.
    """
    if data.train_x.device.type != "cpu" or not _convolves(net):
        return False
    batch = min(batch_size or data.examples, data.examples)
    return batch * data.train_x.shape[2:].numel() > STACKED_PIXELS


@functools.lru_cache(maxsize=32)
def _convolves(net: nn.Module) -> bool:
    return any(isinstance(layer, nn.Conv2d) for layer in net.modules())


def stacked_call(net: nn.Module, values: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Return the outputs ``(C, n, ...)`` of C networks with stacked `values` ``(C, ...)`` on inputs ``(C, n, ...)``.

    A chain of linear and elementwise layers becomes one batched matrix product a linear layer. A network that offers
    ``stacked(values, x)`` is asked. Any other goes through ``torch.func.vmap``, which does the same at two to three
    times the overhead a layer.
    """
    if hasattr(net, "stacked"):
        return net.stacked(values, x)
    layers = _perceptron(net)
    if layers is None or x.dim() < 3:
        return vmap(lambda one, inputs: functional_call(net, one, (inputs,)))(values, x)
    for prefix, layer in layers:
        if isinstance(layer, nn.Linear):
            x = _linear(x, values[f"{prefix}weight"], values.get(f"{prefix}bias"))
        else:
            x = x.flatten(2) if isinstance(layer, nn.Flatten) else layer(x)
    return x


def _linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    rows = x.flatten(1, -2)  # further axes of the inputs are more examples to a linear layer
    if bias is None:
        product = torch.bmm(rows, weight.transpose(1, 2))
    else:
        product = torch.baddbmm(bias.unsqueeze(1), rows, weight.transpose(1, 2))
    return product.unflatten(1, x.shape[1:-1])


@functools.lru_cache(maxsize=32)
def _perceptron(net: nn.Module) -> tuple[tuple[str, nn.Module], ...] | None:
    """Return name prefixes and layers of a chain of linear and elementwise layers, None for any other network."""
    layers = tuple(_chain(net, ""))
    plain = all(
        type(layer) in (nn.Linear, *ELEMENTWISE) or (type(layer) is nn.Flatten and layer.start_dim == 1)
        for _, layer in layers
    )
    return layers if plain else None


def _chain(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of nested sequences in the order in which they are applied."""
    if type(module) in (nn.Sequential, UnitNet):
        for name, child in module.named_children():
            yield from _chain(child, f"{prefix}{name}.")
    else:
        yield prefix, module
