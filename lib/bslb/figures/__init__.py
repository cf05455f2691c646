"""Figures of the blocked sparse linear bandit: tidy table in, captioned figure out."""

from lib.bslb.figures.annotation import annotation_accuracy, annotation_counterexample, difficulty_regret
from lib.bslb.figures.corral import corral_regret, corral_weights
from lib.bslb.figures.design import design_value, sparse_eigenvalue
from lib.bslb.figures.lasso import lasso_in_k, lasso_rate, tail_term
from lib.bslb.figures.recommendation import recommendation_regret
from lib.bslb.figures.regret import (
    fixed_pool_trap,
    regret_by_exploration,
    regret_by_horizon,
    regret_by_tail,
    regret_curves,
    version_comparison,
)
from lib.bslb.figures.robustness import estimator_by_noise, sparsity_edge, subset_gain
from lib.bslb.figures.tuning import tuning

__all__ = [
    "annotation_accuracy",
    "annotation_counterexample",
    "corral_regret",
    "corral_weights",
    "design_value",
    "difficulty_regret",
    "estimator_by_noise",
    "fixed_pool_trap",
    "lasso_in_k",
    "lasso_rate",
    "recommendation_regret",
    "regret_by_exploration",
    "regret_by_horizon",
    "regret_by_tail",
    "regret_curves",
    "sparse_eigenvalue",
    "sparsity_edge",
    "subset_gain",
    "tail_term",
    "tuning",
    "version_comparison",
]
