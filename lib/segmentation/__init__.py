"""Delivery-optimized discovery of user segments (arXiv 2402.03388): what the notebook calls."""

from lib.segmentation import experiments, figures
from lib.segmentation.claims import CLAIMS
from lib.segmentation.outcomes import Terms
from lib.segmentation.settings import Settings, choices_table

__all__ = ["CLAIMS", "Settings", "Terms", "choices_table", "experiments", "figures"]
