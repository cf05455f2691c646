"""Experiments of Spry: parameters in, tidy table out."""
