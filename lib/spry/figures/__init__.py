"""Figures of Spry: tidy table in, captioned figure out."""
