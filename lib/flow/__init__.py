"""Per-instance personalized federated learning through dynamic routing (arXiv 2211.15281): what the notebook calls.

Nothing is loaded before it is used.
"""

import importlib
from typing import Any

__all__ = ["CLAIMS", "experiments", "figures"]


def __getattr__(name: str) -> Any:
    """Load `experiments`, `figures` or `CLAIMS` at first use."""
    if name in ("experiments", "figures"):
        return importlib.import_module(f"lib.flow.{name}")
    if name == "CLAIMS":
        return importlib.import_module("lib.flow.claims").CLAIMS
    raise AttributeError(f"module lib.flow has no attribute {name!r}: it has {', '.join(__all__)}")
