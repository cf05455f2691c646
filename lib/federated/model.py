"""A network without state: initial values from a seed, and calls with given values, for one client or a stack."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call

from lib.federated.stacked import better_one_by_one, stacked_call
from lib.federated.types import ClientData, Tensors

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of each example, shape ``(n,)``, of logits ``(n, classes)`` and labels ``(n,)``."""
    return nn.functional.cross_entropy(outputs, targets, reduction="none")


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return half the squared error of each example, shape ``(n,)``, summed over outputs."""
    return 0.5 * (outputs - targets.reshape(outputs.shape)).square().flatten(1).sum(dim=1)


@dataclass(frozen=True)
class Model:
    """A network and its loss.

    What travels and is aggregated are the parameters that require a gradient, and the buffers. Frozen parameters stay
    in the network that `build` returns: every process builds the same ones, from torch's generator at seed 0 or a file.

    Attributes:
        build: returns a fresh ``nn.Module``; a function of a module or a ``functools.partial`` of one, so that it can
            travel to another process. The network must not draw random numbers when it is called (no dropout), unless
            `dropout` is set.
        loss: per-example loss, ``(outputs (n, ...), targets (n, ...)) -> (n,)``.
        dropout: the network draws from torch's generator when it trains. Only an algorithm that seeds every call can
            train it (those of `lib.spry`); the others refuse.
    """

    build: Callable[[], nn.Module]
    loss: Loss = cross_entropy
    dropout: bool = False

    def init(self, seed: int) -> Tensors:
        """Return initial parameters and floating-point buffers, by name; the same seed gives the same values.

        Torch's global generator is set for the time of the construction and restored.
        """
        net = _built(self.build, seed)
        values = dict(net.named_parameters()) | dict(net.named_buffers())
        return {name: values[name].detach() for name in self.names}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all trainable parameters and floating-point buffers, in order."""
        return self.parameter_names + self.buffer_names

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters that require a gradient, which are trained."""
        return _names(self.build, self.dropout)[0]

    @property
    def buffer_names(self) -> tuple[str, ...]:
        """Names of the floating-point buffers (running statistics of batch normalization); not trained."""
        return _names(self.build, self.dropout)[1]

    @property
    def has_frozen(self) -> bool:
        """Whether the network has parameters that do not require a gradient, as a finetuned one has."""
        return any(not value.requires_grad for value in _template(self.build, self.dropout).parameters())

    def trains_one_by_one(self, data: ClientData, batch_size: int | None) -> bool:
        """Return whether clients like `data` should train one after the other instead of stacked.

        Networks with buffers must, because running statistics have no place in a stack; others when it is faster.
        """
        return bool(self.buffer_names) or better_one_by_one(self.network(False), data, batch_size)

    def __call__(self, values: Tensors, x: torch.Tensor, *, train: bool = False) -> torch.Tensor:
        """Return the outputs of one network with `values` on inputs ``(n, ...)``."""
        return functional_call(self.network(train), values, (x,))

    def stacked(self, values: Tensors, x: torch.Tensor, *, train: bool = False) -> torch.Tensor:
        """Return the outputs ``(C, n, ...)`` of C networks with stacked `values` on inputs ``(C, n, ...)``.

        A single network is called directly. Networks with buffers can be stacked for evaluation only. Raises ValueError
        for training a network with dropout, whose calls must be seeded one by one.
        """
        if train and self.dropout:
            raise ValueError("a network with dropout needs an algorithm that seeds its calls (lib.spry): set p to 0")
        if len(x) == 1:
            one = x[0].contiguous(memory_format=torch.channels_last) if x.dim() == 5 else x[0]  # faster convolutions
            return self({name: value[0] for name, value in values.items()}, one, train=train).unsqueeze(0)
        return stacked_call(self.network(train), values, x)

    def network(self, train: bool = False) -> nn.Module:
        """Return the network that calls go through, in that mode; its own trainable values are never used.

        It is built at the first use, which must be outside ``torch.func`` transforms if `build` freezes parameters.
        """
        return _template(self.build, self.dropout, train)


def _built(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


@functools.lru_cache(maxsize=32)
def _names(build: Callable[[], nn.Module], dropout: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    net = _template(build, dropout)
    trained = tuple(name for name, value in net.named_parameters() if value.requires_grad)
    # Buffers outside the state dict are constants that `build` makes again, such as rotary frequencies.
    kept = set(net.state_dict())
    return trained, tuple(n for n, value in net.named_buffers() if value.is_floating_point() and n in kept)


@functools.lru_cache(maxsize=32)
def _template(build: Callable[[], nn.Module], dropout: bool = False, train: bool = False) -> nn.Module:
    net = _built(build, 0).train(train)
    layers = [module for module in net.modules() if isinstance(module, nn.modules.dropout._DropoutNd)]
    random = [type(layer).__name__ for layer in layers if layer.p > 0]
    if random and not dropout:
        raise ValueError(f"the network draws random numbers when called ({random[0]}); build it without dropout")
    return net
