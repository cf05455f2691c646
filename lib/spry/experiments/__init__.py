"""Experiments of Spry: parameters in, tidy table out."""

from lib.spry.experiments.adapted import RATES as LORA_RATES
from lib.spry.experiments.adapted import WIDER as WIDER_LORA_RATES
from lib.spry.experiments.bias import label_skew_bias, sampled_bias
from lib.spry.experiments.convergence import convergence_floor
from lib.spry.experiments.costs import communication_table, counted_costs, step_operations
from lib.spry.experiments.defects import released_defects
from lib.spry.experiments.derivative import derivative_costs
from lib.spry.experiments.dropout import dropout_noise
from lib.spry.experiments.encoder import encoder_costs
from lib.spry.experiments.estimator import estimator_error, one_step_error
from lib.spry.experiments.memory import memory_by_depth, paper_predictions
from lib.spry.experiments.methods import digits_tables
from lib.spry.experiments.real import real_tables
from lib.spry.experiments.splitting import splitting_rounds
from lib.spry.experiments.tangents import tangents

__all__ = [
    "LORA_RATES",
    "WIDER_LORA_RATES",
    "communication_table",
    "convergence_floor",
    "counted_costs",
    "derivative_costs",
    "digits_tables",
    "dropout_noise",
    "encoder_costs",
    "estimator_error",
    "label_skew_bias",
    "memory_by_depth",
    "one_step_error",
    "paper_predictions",
    "real_tables",
    "released_defects",
    "sampled_bias",
    "splitting_rounds",
    "step_operations",
    "tangents",
]
