"""Experiments on poisoning: parameters in, tidy table out."""

from lib.poisoning.experiments.ablation import ablation, ablation_summary
from lib.poisoning.experiments.breakdown import breakdown, cohort_risk, robustness, strength_curves, two_points
from lib.poisoning.experiments.closed_forms import mpaf_paths, votes_and_trust
from lib.poisoning.experiments.costs import rule_costs, search_cost
from lib.poisoning.experiments.memorization import nearness, synthetic_images
from lib.poisoning.experiments.real import real_tables
from lib.poisoning.experiments.reference import krum_guarantee, quality_and_impact, reference_quality
from lib.poisoning.experiments.released import released_code
from lib.poisoning.experiments.shares import by_share, cost_and_impact, placement
from lib.poisoning.experiments.spectrum import beside, by_beta, by_direction, impact, learning_rates, spectrum, tuned
from lib.poisoning.plan import Plan

__all__ = [
    "Plan",
    "ablation",
    "ablation_summary",
    "beside",
    "breakdown",
    "by_beta",
    "by_direction",
    "by_share",
    "cohort_risk",
    "cost_and_impact",
    "impact",
    "krum_guarantee",
    "learning_rates",
    "mpaf_paths",
    "nearness",
    "placement",
    "quality_and_impact",
    "real_tables",
    "reference_quality",
    "released_code",
    "robustness",
    "rule_costs",
    "search_cost",
    "spectrum",
    "strength_curves",
    "synthetic_images",
    "tuned",
    "two_points",
    "votes_and_trust",
]
