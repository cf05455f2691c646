"""What Spry is compared with, on one federated shell (`lib.spry.spry`)."""

from lib.spry.baselines.backpropagation import Backpropagation
from lib.spry.baselines.methods import METHODS, method
from lib.spry.baselines.zero_order import Baffle, FedMeZO, FwdLLM

__all__ = ["METHODS", "Backpropagation", "Baffle", "FedMeZO", "FwdLLM", "method"]
