"""Spry, federated finetuning with forward-mode differentiation (arXiv 2405.15551): what the notebook calls.

Nothing is loaded before it is used, so that ``python -m lib.spry.memory`` needs no library that draws or reports.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # also tells the runner which files a run of the notebook depends on
    from lib.spry import experiments, figures
    from lib.spry.claims import CLAIMS

__all__ = ["CLAIMS", "experiments", "figures"]


def __getattr__(name: str) -> Any:
    """Load `experiments`, `figures` or `CLAIMS` at first use."""
    if name in ("experiments", "figures"):
        return importlib.import_module(f"lib.spry.{name}")
    if name == "CLAIMS":
        return importlib.import_module("lib.spry.claims").CLAIMS
    raise AttributeError(f"module lib.spry has no attribute {name!r}: it has {', '.join(__all__)}")
