"""Generic federated algorithms, one a file; each reads like its pseudocode."""

from lib.federated.algorithms.apfl import APFL
from lib.federated.algorithms.base import CohortAlgorithm
from lib.federated.algorithms.ditto import Ditto
from lib.federated.algorithms.ensemble import Ensemble
from lib.federated.algorithms.fedavg import FedAvg
from lib.federated.algorithms.fedbabu import FedBABU
from lib.federated.algorithms.fedprox import FedProx
from lib.federated.algorithms.fedrep import FedRep
from lib.federated.algorithms.finetuned import FineTuned
from lib.federated.algorithms.hypcluster import HypCluster
from lib.federated.algorithms.knn_per import KNNPer
from lib.federated.algorithms.lg_fedavg import LGFedAvg
from lib.federated.algorithms.local_only import LocalOnly
from lib.federated.algorithms.partially_shared import PartiallyShared
from lib.federated.algorithms.pfedme import PFedMe

__all__ = [
    "APFL",
    "CohortAlgorithm",
    "Ditto",
    "Ensemble",
    "FedAvg",
    "FedBABU",
    "FedProx",
    "FedRep",
    "FineTuned",
    "HypCluster",
    "KNNPer",
    "LGFedAvg",
    "LocalOnly",
    "PFedMe",
    "PartiallyShared",
]
