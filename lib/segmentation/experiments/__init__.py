"""Experiments of segmentation: parameters in, tidy table out."""

from lib.segmentation.experiments.comparison import comparison

__all__ = ["comparison"]
