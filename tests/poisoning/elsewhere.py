"""Tensors that pretend to lie on an accelerator: they refuse to meet tensors of the processor, as real ones do."""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

PLACE = torch.device("cuda", 0)
# The functions that may see both: a tensor there may be indexed by one here, and copies may be made.
CROSSING = ("to", "__getitem__", "__setitem__", "copy_", "__repr__")


class Elsewhere(torch.Tensor):
    """A tensor whose device is `PLACE`, as far as it can tell."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), func.__name__
        if func == torch.Tensor.device.__get__:
            return PLACE
        found = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        here = [leaf for leaf in found if not isinstance(leaf, cls) and leaf.dim() > 0]
        if name == "numpy":
            raise TypeError("can't convert a tensor of an accelerator to numpy")
        if name == "cpu":
            return _plain(args[0]).clone()
        if here and name not in CROSSING:
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        if name == "to":
            return _moved(args, kwargs)
        if name == "__getitem__" and not isinstance(args[0], cls):
            raise RuntimeError("a tensor here cannot be indexed by one elsewhere")
        kwargs.pop("device", None)
        return super().__torch_function__(func, types, args, kwargs)


class Pretend(TorchFunctionMode):
    """Makes new tensors that are asked for on `PLACE` lie there."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.to and not isinstance(args[0], Elsewhere):
            return _moved(args, kwargs)
        asked = kwargs.get("device")
        if asked is not None and torch.device(asked).type == "cuda":
            return func(*args, **(kwargs | {"device": "cpu"})).as_subclass(Elsewhere)
        return func(*args, **kwargs)


def elsewhere(tensor: torch.Tensor) -> Elsewhere:
    """Return a copy of `tensor` that lies on `PLACE`."""
    return tensor.clone().as_subclass(Elsewhere)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.as_subclass(torch.Tensor)


def _moved(args, kwargs) -> torch.Tensor:
    """Return the result of ``Tensor.to``: a dtype keeps the place, a device or another tensor decides it."""
    source, words = args[0], [*args[1:], *kwargs.values()]
    there, dtype = isinstance(source, Elsewhere), source.dtype
    for word in words:
        if isinstance(word, torch.Tensor):
            there, dtype = isinstance(word, Elsewhere), word.dtype
        elif isinstance(word, torch.dtype):
            dtype = word
        elif isinstance(word, str | torch.device):
            there = torch.device(word).type == "cuda"
    moved = _plain(source).to(dtype)
    return moved.as_subclass(Elsewhere) if there else moved
