"""Federated learning: federations, algorithms and the engines that run them."""

from lib.federated.history import History
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.run import run
from lib.federated.types import ClientData, Federation

__all__ = ["ClientData", "Federation", "History", "LocalSGD", "Model", "run"]
