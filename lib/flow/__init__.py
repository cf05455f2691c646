"""Per-instance personalized federated learning through dynamic routing (arXiv 2211.15281): what the notebook calls."""

from lib.flow import experiments, figures
from lib.flow.claims import CLAIMS

__all__ = ["CLAIMS", "experiments", "figures"]
