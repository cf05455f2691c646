"""Algorithms, data, profiling and reports of the Scarce companion."""

__version__ = "0.1.0"
