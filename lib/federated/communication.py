"""Bytes that cross the network, counted on the messages themselves."""

from lib.federated.types import Instruction, Scalars, Tensors, Update


def payload_bytes(message: Instruction | Update) -> int:
    """Return the bytes of a message's content.

    A tensor counts its elements times their size, an integer or a real number 8 bytes, a truth value 1, a string its
    UTF-8 length. Names and framing, which depend on the transport, do not count.
    """
    return tensor_bytes(message.tensors) + scalar_bytes(message.scalars)


def tensor_bytes(tensors: Tensors) -> int:
    """Return the bytes of the tensors' elements."""
    return sum(value.numel() * value.element_size() for value in tensors.values())


def scalar_bytes(scalars: Scalars) -> int:
    """Return the bytes of the scalars, see `payload_bytes`."""
    sizes = {bool: lambda _: 1, int: lambda _: 8, float: lambda _: 8, str: lambda text: len(text.encode())}
    total = 0
    for name, value in scalars.items():
        if type(value) not in sizes:
            raise ValueError(f"scalar {name!r} is a {type(value).__name__}; send int, float, bool or str")
        total += sizes[type(value)](value)
    return total
