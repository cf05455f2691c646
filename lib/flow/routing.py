"""The personalized network: every unit mixes a global and a local branch, instance by instance. arXiv 2211.15281.

With branches ``g_l`` and ``e_l`` of unit l and ``q_l(x)`` the share of the local one,
``h_l = after_l((1 - q_l(x)) g_l(h_{l-1}) + q_l(x) e_l(h_{l-1}))``: both branches see the same mixed input, and the mix
comes before nonlinearity and pooling.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from lib.federated.model import Model
from lib.federated.stacked import stacked_call
from lib.federated.types import Tensors
from lib.flow.policy import ClientPolicy, ExitPolicy, part

Mode = Literal["soft", "hard", "zero ties"]


@dataclass(frozen=True)
class UnitRouting:
    """Routing over the units of a network of `lib.nets`.

    The layers without parameters at the end of a unit (nonlinearity, pooling) act on the mix; the rest of the unit is
    its branch, which exists twice.

    Attributes:
        model: network and loss; the network has units in ``blocks``.
        widths: hidden layers of the policy, see `lib.flow.policy.ExitPolicy`.
        inputs: numbers in one instance, the policy's input.
        routed: places of the units that are routed, in order; None routes all. The others use the global branch.
        by: "instance" routes each instance, "client" all instances of a client alike.
        sees: places of the numbers of an instance that the policy sees; None shows it all of them.
    """

    model: Model
    widths: tuple[int, ...]
    inputs: int
    routed: tuple[int, ...] | None = None
    by: Literal["instance", "client"] = "instance"
    sees: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        units = len(self.model.network().blocks)
        places = self.places
        if not places or list(places) != sorted(set(places)) or not 0 <= places[0] <= places[-1] < units:
            raise ValueError(f"routed = {self.routed}: name some of the {units} units by place, in ascending order")
        if self.by not in ("instance", "client"):
            raise ValueError(f"by = {self.by!r}: choose 'instance' or 'client'")
        if self.model.buffer_names:
            raise ValueError("two branches cannot share running statistics; build the network with group normalization")

    @property
    def places(self) -> tuple[int, ...]:
        """Places of the routed units."""
        return tuple(range(len(self.model.network().blocks))) if self.routed is None else self.routed

    @functools.cached_property
    def policy(self) -> Model:
        """The policy network."""
        if self.by == "client":
            return Model(functools.partial(ClientPolicy, len(self.places)))
        seen = self.inputs if self.sees is None else len(self.sees)
        return Model(functools.partial(ExitPolicy, seen, self.widths, len(self.places)))

    def shares(self, policy: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(C, n, routed)`` of the local route, of stacked policies on inputs ``(C, n, ...)``."""
        x = x if self.sees is None else x.flatten(2)[..., list(self.sees)]
        logits = self.policy.network().stacked(policy, x)
        return torch.sigmoid(logits[..., 1] - logits[..., 0])  # the softmax of two

    def forward(
        self,
        shared: Tensors,
        local: Tensors,
        policy: Tensors,
        x: torch.Tensor,
        mode: Mode,
        *,
        shares: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs ``(C, n, classes)`` of the personalized networks of C clients, and the policies' shares.

        Args:
            shared: stacked values of the global branches, by the names of the network.
            local: stacked values of the local branches.
            policy: stacked values of the policies.
            x: inputs, shape ``(C, n, ...)``.
            mode: "soft" mixes by the shares; "hard" uses the local branch where its share is above one half; "zero
                ties" is the released rounding, which uses neither branch where the share is exactly one half.
            shares: probabilities of the local route, shape ``(C, n, routed)``, instead of the policies'.
        """
        shares = self.shares(policy, x) if shares is None else shares
        ours, theirs = weights_of(shares, mode)
        position, h = dict(zip(self.places, range(len(self.places)), strict=True)), x
        for place, unit in enumerate(self.model.network().blocks):
            branch, after = split_unit(unit)
            prefix = f"blocks.{place}."
            mix = _branch(branch, part(shared, prefix), h)
            if place in position:
                own = _branch(branch, part(local, prefix), h)
                q = _like(ours[..., position[place]], mix)
                if theirs is None:
                    mix = torch.lerp(mix, own, q)
                else:
                    mix = _like(theirs[..., position[place]], mix) * mix + q * own
            h = mix if after is None else after(mix.flatten(0, 1)).unflatten(0, mix.shape[:2])
        return h, shares


def weights_of(shares: torch.Tensor, mode: Mode) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the weights of the local and of the global branch; None for one minus the local weight."""
    if mode == "soft":
        return shares, None
    if mode == "hard":
        return (shares > 0.5).to(shares), None
    if mode == "zero ties":
        return shares.round(), (1 - shares).round()  # rounds one half to the even zero
    raise ValueError(f"mode = {mode!r}: choose 'soft', 'hard' or 'zero ties'")


@functools.lru_cache(maxsize=128)
def split_unit(unit: nn.Module) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor] | None]:
    """Return the branch of a unit, and its last layers without parameters (None if there are none)."""
    if not isinstance(unit, nn.Sequential):
        return unit, None
    layers = list(unit)
    count = len(layers)
    while count > 1 and not any(True for _ in layers[count - 1].parameters()):
        count -= 1
    return unit[:count], unit[count:] if count < len(layers) else None


def _branch(branch: nn.Module, values: Tensors, h: torch.Tensor) -> torch.Tensor:
    if len(h) == 1:
        one = torch.func.functional_call(branch, {name: value[0] for name, value in values.items()}, (h[0],))
        return one.unsqueeze(0)
    return stacked_call(branch, values, h)


def _like(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return weights.reshape(*weights.shape, *[1] * (values.dim() - 2))
