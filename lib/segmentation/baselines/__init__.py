"""Other ways to segment users, all scored and delivered like ours."""

from lib.segmentation.baselines.methods import METHODS, ORACLES, baseline

__all__ = ["METHODS", "ORACLES", "baseline"]
