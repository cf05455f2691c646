"""What a client sends, computes and holds, counted: in a whole round, and phase by phase."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import torch

from lib.federated.algorithms import FedAvg
from lib.federated.batches import Batch
from lib.federated.costs import client_costs
from lib.federated.local import LocalSGD
from lib.federated.training import gradients
from lib.federated.types import Tensors
from lib.flow.experiments.preference import bench
from lib.flow.flow import flow
from lib.flow.lstm import shakespeare_routing, stackoverflow_routing
from lib.flow.mixture import mixture
from lib.flow.networks import cifar_routing, emnist_routing
from lib.flow.phases import Parts, Phases
from lib.flow.regularizer import Regularizer
from lib.profiling import count_flops, peak_memory

KIB, MIB = 1024, 2**20
POLICY_STEPS = (2, 3)  # a policy step in plain ones, as one reckons: two branches forward and back, and the policy
NETWORKS = {  # routed network, and the names of the tensors that the code does not double
    "EMNIST CNN": (emnist_routing, ()),
    "Stack Overflow LSTM": (stackoverflow_routing, ("embedding.weight",)),
    "Shakespeare LSTM": (shakespeare_routing, ()),
    "CIFAR-10 ResNet-18": (cifar_routing, ()),
}


def network_costs() -> pd.DataFrame:
    """Return what a client sends in a round with the networks of the authors' code, counted on the tensors.

    Returns:
        One row a network: network, parameters, policy, policy / network, sent / FedAvg (global branch and policy),
        sent as released / FedAvg (the local branch too; where the code has one embedding for both branches, once).
    """
    rows = []
    for name, (make, single) in NETWORKS.items():
        routing = make()
        sizes = {key: value.numel() for key, value in routing.model.init(0).items()}
        whole, policy = sum(sizes.values()), sum(value.numel() for value in routing.policy.init(0).values())
        doubled = whole - sum(sizes[key] for key in single)
        released = (whole + doubled + policy) / whole
        rows.append([name, whole, policy, policy / whole, (whole + policy) / whole, released])
    columns = ["network", "parameters", "policy", "policy / network", "sent / FedAvg", "sent as released / FedAvg"]
    return pd.DataFrame(rows, columns=columns)


def round_costs(*, seed: int = 0) -> pd.DataFrame:
    """Return what one client of the instance-preference experiment pays for a round of FedAvg and of Flow.

    Returns:
        One row a method: method, KiB sent, sent / FedAvg, MFLOP, operations / FedAvg, expected (text: the latter if a
        policy step cost as `POLICY_STEPS` plain ones), extra KiB (peak beyond data and what was received),
        milliseconds (processor time of the training). Flow as released splits its data and sends the local branch too.
    """
    made, both = mixture(rho=0.25, seed=seed), bench()
    methods = {
        "FedAvg": FedAvg(model=both.routing.model, local=both.local),
        "Flow": flow(both.routing, both.local),
        "Flow, half of the data a phase": flow(both.routing, both.local, split="half"),
        "Flow as released": flow(both.routing, both.local, split="half", local_init="average"),
    }
    rows = []
    for name, algorithm in methods.items():
        one = replace(made.federation, clients=made.federation.clients[:1])
        found = client_costs(algorithm, one, seed=seed)
        rows.append([name, found["bytes_up"] / KIB, found["flops"] / 1e6, found["extra_bytes"] / KIB])
        rows[-1].append(1e3 * found["seconds"])
    table = pd.DataFrame(rows, columns=["method", "KiB sent", "MFLOP", "extra KiB", "milliseconds"])
    table.insert(2, "sent / FedAvg", table["KiB sent"] / table["KiB sent"][0])
    table.insert(4, "operations / FedAvg", table["MFLOP"] / table["MFLOP"][0])
    table.insert(5, "expected", ["1", *(_expected(share) for share in (1.0, 0.5, 0.5))])
    return table


def _expected(share: float) -> str:
    """Return ``"4 to 5"``: a step on each branch and one on the policy, of a `share` of the data each."""
    return " to ".join(f"{share * (2 + steps):g}" for steps in POLICY_STEPS)


def phase_costs(*, batch_size: int = 20, classes: int = 10, seed: int = 0) -> pd.DataFrame:
    """Return operations and memory of one step of each phase on the EMNIST network, one client.

    Returns:
        One row a step: step ("FedAvg", "local", "policy", "global"), MFLOP, operations / FedAvg, held_mib (weights that
        the client holds in that phase, and the momentum of the part that it trains), extra_mib (peak of gradients,
        activations and transients), extra / FedAvg.
    """
    routing = emnist_routing(classes=classes)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, batch_size, 1, 28, 28, generator=generator)
    y = torch.randint(classes, (1, batch_size), generator=generator)
    batch = Batch(x, y, torch.full((1, batch_size), 1 / batch_size), None)
    shared, local, policy = (_one(values) for values in _weights(routing, seed))
    phases = Phases(
        routing=routing, local=LocalSGD(), policy_lr=0.1, regularizer=Regularizer(0.1, "global"), order="in turns"
    )
    model, parts = routing.model, Parts(local=local, policy=policy, shared=shared)
    every = (shared, local, policy)
    steps: dict[str, tuple[Callable[[], Tensors], Tensors, tuple[Tensors, ...]]] = {
        "FedAvg": (lambda: gradients(model, shared, batch, model.parameter_names), shared, (shared,)),
        "local": (lambda: gradients(model, local, batch, model.parameter_names), local, every),
        "policy": (lambda: phases.policy_gradients(parts, local, batch), policy, every),
        "global": (lambda: gradients(model, shared, batch, model.parameter_names), shared, every),
    }
    rows = []
    for name, (step, trained, held) in steps.items():
        step()  # what is built once is built now
        with peak_memory(inputs=(*held, x, y, batch.weights)) as memory:
            step()
        kept = sum(value.numel() * value.element_size() for part in (*held, trained) for value in part.values())
        rows.append([name, count_flops(step).total / 1e6, kept / MIB, memory.extra_bytes / MIB])
    table = pd.DataFrame(rows, columns=["step", "MFLOP", "held_mib", "extra_mib"])
    table.insert(2, "operations / FedAvg", table["MFLOP"] / table["MFLOP"][0])
    table["extra / FedAvg"] = table["extra_mib"] / table["extra_mib"][0]
    return table


def _weights(routing, seed: int) -> tuple[Tensors, Tensors, Tensors]:
    return routing.model.init(seed), routing.model.init(seed + 1), routing.policy.init(seed + 2)


def _one(values: Tensors) -> Tensors:
    return {name: value.unsqueeze(0).clone() for name, value in values.items()}
