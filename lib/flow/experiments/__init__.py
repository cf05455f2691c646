"""Experiments of Flow: parameters in, tidy table out."""

from lib.flow.experiments.ablation import ablation
from lib.flow.experiments.costs import network_costs, phase_costs, round_costs
from lib.flow.experiments.curves import over_rounds
from lib.flow.experiments.longer import longer_tables
from lib.flow.experiments.preference import correctness, forms_of_fine_tuning, granularity, motivation, preference
from lib.flow.experiments.rates import global_rates, personal_gradients
from lib.flow.experiments.real import real_tables
from lib.flow.experiments.shifts import digit_shifts, newcomers
from lib.flow.experiments.statements import instance_value_check, mixing_check
from lib.flow.experiments.tuning import settings_table, tuned_table

__all__ = [
    "ablation",
    "correctness",
    "digit_shifts",
    "forms_of_fine_tuning",
    "global_rates",
    "granularity",
    "instance_value_check",
    "longer_tables",
    "mixing_check",
    "motivation",
    "network_costs",
    "newcomers",
    "over_rounds",
    "personal_gradients",
    "phase_costs",
    "preference",
    "real_tables",
    "round_costs",
    "settings_table",
    "tuned_table",
]
