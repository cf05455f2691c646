"""Experiments of the blocked sparse linear bandit: parameters in, tidy table out."""
