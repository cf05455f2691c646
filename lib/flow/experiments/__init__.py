"""Experiments of Flow: parameters in, tidy table out."""

from lib.flow.experiments.costs import round_costs
from lib.flow.experiments.preference import granularity, motivation, preference
from lib.flow.experiments.statements import instance_value_check, mixing_check

__all__ = ["granularity", "instance_value_check", "mixing_check", "motivation", "preference", "round_costs"]
