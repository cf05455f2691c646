"""Aggregation rules: pure functions from ``(clients, d)`` updates and f, the clients to tolerate, to ``(d,)``."""

from lib.poisoning.aggregation.adaptive_averaging import adaptive_averaging
from lib.poisoning.aggregation.bucketing import bucketed
from lib.poisoning.aggregation.bulyan import bulyan
from lib.poisoning.aggregation.centred_clipping import centred_clipping
from lib.poisoning.aggregation.checks import finite_rows
from lib.poisoning.aggregation.divide_and_conquer import divide_and_conquer
from lib.poisoning.aggregation.fltrust import fltrust
from lib.poisoning.aggregation.foolsgold import foolsgold
from lib.poisoning.aggregation.geometric_median import geometric_median
from lib.poisoning.aggregation.krum import krum
from lib.poisoning.aggregation.mean import mean
from lib.poisoning.aggregation.median import median
from lib.poisoning.aggregation.mixing import after_mixing, mixed
from lib.poisoning.aggregation.multi_krum import multi_krum
from lib.poisoning.aggregation.norm_bound import norm_bound
from lib.poisoning.aggregation.rank_vote import active_edges, rank_vote, ranked_scores
from lib.poisoning.aggregation.sign_majority import sign_majority
from lib.poisoning.aggregation.trimmed_mean import trimmed_mean

__all__ = [
    "active_edges",
    "adaptive_averaging",
    "after_mixing",
    "bucketed",
    "bulyan",
    "centred_clipping",
    "divide_and_conquer",
    "finite_rows",
    "fltrust",
    "foolsgold",
    "geometric_median",
    "krum",
    "mean",
    "median",
    "mixed",
    "multi_krum",
    "norm_bound",
    "rank_vote",
    "ranked_scores",
    "sign_majority",
    "trimmed_mean",
]
