"""Spry, federated finetuning with forward-mode differentiation (arXiv 2405.15551): what the notebook calls."""

from lib.spry import experiments, figures
from lib.spry.claims import CLAIMS

__all__ = ["CLAIMS", "experiments", "figures"]
