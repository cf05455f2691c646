"""Floating-point operations that a torch function executes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Operations that hide matrix products from the counter: it has no formula for them and sees no parts of them.
_HIDDEN = ("scaled_dot_product", "mkldnn_rnn_layer", "_transformer_encoder_layer_fwd", "_native_multi_head_attention")


@dataclass(frozen=True)
class Flops:
    """Counted operations in total and by torch operator (``"aten.mm"``, ...); a multiply-add counts 2."""

    total: int
    by_operator: dict[str, int]

    def row(self) -> dict[str, int]:
        """Return one table row: ``flops`` and one ``flops_<operator>`` column an operator."""
        return {"flops": self.total} | {f"flops_{name}": count for name, count in self.by_operator.items()}


def count_flops(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Flops:
    """Count the floating-point operations of ``fn(*args, **kwargs)``, backward passes inside it included.

    Convention: a multiply-add is 2 operations. Matrix products, convolutions and attention are counted, as executed;
    element-wise operations, normalizations and reductions are not (torch's ``FlopCounterMode``). Forward-mode
    derivatives therefore include the products with zero tangents that torch really carries out.

    Raises ``ValueError`` when an operation runs whose products the counter cannot see, such as fused attention on
    the CPU or an LSTM there: choose eager attention (``attn_implementation="eager"`` or
    ``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)``), or ``torch.backends.mkldnn.flags(enabled=False)``.
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    class Watch(TorchDispatchMode):
        """Refuse operations that would silently count as nothing."""

        def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            name = str(func.overloadpacket)
            if any(part in name for part in _HIDDEN) and func.overloadpacket not in counter.flop_registry:
                raise ValueError(
                    f"{name} hides its products from the FLOP counter: use eager attention "
                    "(attn_implementation='eager', or sdpa_kernel(SDPBackend.MATH)), "
                    "for an LSTM torch.backends.mkldnn.flags(enabled=False)"
                )
            return func(*args, **(kwargs or {}))

    counter = FlopCounterMode(display=False)
    # Watch lies below the counter, so that it sees what is left after the counter's own decompositions.
    with Watch(), counter:
        fn(*args, **kwargs)
    by_operator = {str(name): int(count) for name, count in counter.get_flop_counts().get("Global", {}).items()}
    return Flops(total=int(counter.get_total_flops()), by_operator=by_operator)
