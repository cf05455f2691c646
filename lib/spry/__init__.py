"""Spry, federated finetuning with forward-mode differentiation (arXiv 2405.15551): what the notebook calls."""
