"""Poisoning of federated learning (arXiv 2403.06319)."""
