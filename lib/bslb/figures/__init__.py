"""Figures of the blocked sparse linear bandit: tidy table in, captioned figure out."""
