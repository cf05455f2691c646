"""The common base of our functions with a forward-mode rule of their own."""

import inspect

import torch


class Rule(torch.autograd.Function):
    """A function that `torch.func.vmap` can map, called without the delay of reading its signature anew every time."""

    generate_vmap_rule = True

    def __init_subclass__(cls) -> None:
        cls.forward.__signature__ = inspect.signature(cls.forward)
