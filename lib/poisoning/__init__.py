"""Poisoning of federated learning: fake, compromised and hybrid adversaries (arXiv 2403.06319)."""

from lib.poisoning import experiments, figures
from lib.poisoning.claims import CLAIMS
from lib.poisoning.taxonomy import taxonomy

__all__ = ["CLAIMS", "experiments", "figures", "taxonomy"]
