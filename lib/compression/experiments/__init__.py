"""Experiments of data-driven compression: parameters in, tidy table out.

Nothing is loaded before it is used, so that `lib.compression.experiments.gpu` needs little.
"""

import importlib
from typing import Any

_WHERE = {
    "policies": ("dynamics", "exact_learning", "first_rewards", "speed", "transfer_dynamics"),
    "cold": ("cold_start",),
    "edge": ("edge_costs", "final_networks"),
    "frontier": ("preferred", "searched"),
    "latency": ("costs_of_students", "latency_predictors", "measured_surrogate", "student_costs"),
    "real": ("all_methods", "real_tables"),
    "oracle": ("enumeration", "tabular_searches"),
    "variants": ("preferences",),
    "published": ("published_rows",),
    "rewards": ("reward_curves", "reward_surface"),
    "methods": ("Searches", "cache_savings", "digits_teacher", "searches"),
    "statements": ("exchange", "floors", "noise", "threshold_path"),
    "subsets": ("heads", "subset_searches"),
}
__all__ = sorted(name for names in _WHERE.values() for name in names)


def __getattr__(name: str) -> Any:
    """Load what `name` stands for at first use."""
    for module, names in _WHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"lib.compression.experiments.{module}"), name)
    raise AttributeError(f"module lib.compression.experiments has no attribute {name!r}: it has {', '.join(__all__)}")
