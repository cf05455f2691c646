"""Data-driven compression of convolutional networks (arXiv 1911.12740): what the notebook calls.

Nothing is loaded before it is used.
"""

import importlib
from typing import Any

__all__ = ["CLAIMS", "experiments", "figures"]


def __getattr__(name: str) -> Any:
    """Load `experiments`, `figures` or `CLAIMS` at first use."""
    if name in ("experiments", "figures"):
        return importlib.import_module(f"lib.compression.{name}")
    if name == "CLAIMS":
        return importlib.import_module("lib.compression.claims").CLAIMS
    raise AttributeError(f"module lib.compression has no attribute {name!r}: it has {', '.join(__all__)}")
