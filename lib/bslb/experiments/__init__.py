"""Experiments of the blocked sparse linear bandit: parameters in, tidy table out."""

from lib.bslb.experiments.annotation import annotation_counterexamples, annotation_digits
from lib.bslb.experiments.annotation_real import annotation_sst2, annotation_voc, annotation_voc_accuracy
from lib.bslb.experiments.corral import corral_regret, corral_weights
from lib.bslb.experiments.costs import policy_costs
from lib.bslb.experiments.design import sparse_eigenvalues, subset_quality
from lib.bslb.experiments.lasso import lasso_error, lasso_in_k
from lib.bslb.experiments.real import real_tables
from lib.bslb.experiments.recommendation import recommendation_movielens, recommendation_synthetic
from lib.bslb.experiments.regret import (
    fixed_pool_trap,
    regret_by_exploration,
    regret_by_horizon,
    regret_by_tail,
    regret_curves,
    version_comparison,
)
from lib.bslb.experiments.robustness import estimator_by_noise, sparsity_edge, subset_gain
from lib.bslb.experiments.tuning import tune

__all__ = [
    "annotation_counterexamples",
    "annotation_digits",
    "annotation_sst2",
    "annotation_voc",
    "annotation_voc_accuracy",
    "corral_regret",
    "corral_weights",
    "estimator_by_noise",
    "fixed_pool_trap",
    "lasso_error",
    "lasso_in_k",
    "policy_costs",
    "real_tables",
    "recommendation_movielens",
    "recommendation_synthetic",
    "regret_by_exploration",
    "regret_by_horizon",
    "regret_by_tail",
    "regret_curves",
    "sparse_eigenvalues",
    "sparsity_edge",
    "subset_gain",
    "subset_quality",
    "tune",
    "version_comparison",
]
