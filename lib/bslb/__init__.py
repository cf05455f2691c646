"""Blocked sparse linear bandits (arXiv 2410.20041): what the notebook calls."""

from lib.bslb import experiments, figures
from lib.bslb.claims import CLAIMS

__all__ = ["CLAIMS", "experiments", "figures"]
