"""Federated learning with personalization layers (arXiv 1912.00818): what the notebook calls."""

from lib.fedper import experiments, figures
from lib.fedper.claims import CLAIMS

__all__ = ["CLAIMS", "experiments", "figures"]
