"""What FedPer costs: numbers sent and kept, memory and operations of a training step."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from lib.federated.communication import payload_bytes
from lib.federated.costs import client_costs
from lib.federated.types import Update
from lib.fedper.baselines import method
from lib.fedper.experiments.arms import DIGITS_NET, Plan, Progress, track
from lib.fedper.federations import class_federation, digits
from lib.fedper.split import last_units
from lib.nets import mobilenet_v1, resnet34
from lib.profiling import count_flops, latency, peak_memory

NETWORKS = {"MobileNet-v1": mobilenet_v1, "ResNet-34": resnet34}


def unit_sizes() -> list[int]:
    """Return the number of parameters of each unit of the network that the digits experiments use."""
    net = DIGITS_NET()
    return [sum(value.numel() for value in unit.parameters()) for unit in net.blocks]


def transfer_counts(*, personal_units: Sequence[int] = (0, 1, 2, 3, 4), classes: int = 10) -> pd.DataFrame:
    """Return what FedPer sends and keeps with the paper's two networks, exactly (nothing is trained).

    Returns:
        One row a network and number of personal units: network, personal_units, parameters, personal_parameters,
        mib_up (MiB that a client sends in a round, float32), saved (share of FedAvg's bytes that stay home).
    """
    rows = []
    for name, build in NETWORKS.items():
        with torch.device("meta"):  # shapes only: no memory is taken
            net = build(classes=classes)
        sizes = dict(net.named_parameters())
        whole = payload_bytes(Update(sizes, {"examples": 1}))
        for units in personal_units:
            split = last_units(net, units)
            sent = payload_bytes(Update({key: sizes[key] for key in split.base}, {"examples": 1}))
            kept = sum(sizes[key].numel() for key in split.personal)
            rows.append(
                {
                    "network": name,
                    "personal_units": units,
                    "parameters": sum(value.numel() for value in sizes.values()),
                    "personal_parameters": kept,
                    "mib_up": sent / 2**20,
                    "saved": 1 - sent / whole,
                }
            )
    return pd.DataFrame(rows)


def round_costs(
    *,
    methods: Sequence[str] = ("FedAvg", "FedPer 1", "FedPer 2", "FedRep", "LG-FedAvg", "Ditto", "local only"),
    classes_per_client: int = 4,
    steps: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what one client of the digits pays for one round of each method, measured in its second round.

    Returns:
        One row a method: method, mflop (of local training), extra_kib (peak of tensors beyond the client's data and
        what it received and keeps), kept_kib (between rounds), down_kib, up_kib (content of the messages), milliseconds
        (processor time of the training).
    """
    federation = class_federation(*digits(), classes_per_client=classes_per_client, seed=seed)
    plan = Plan(steps=steps)
    rows = []
    for name in methods:
        found = client_costs(method(name, DIGITS_NET, plan.local, seed=seed), federation, seed=seed)
        kib = {"extra": "extra_bytes", "kept": "memory_bytes", "down": "bytes_down", "up": "bytes_up"}
        sizes = {f"{column}_kib": found[key] / 1024 for column, key in kib.items()}
        time = {"milliseconds": 1e3 * found["seconds"]}
        rows.append({"method": name, "mflop": found["flops"] / 1e6} | sizes | time)
    return pd.DataFrame(rows)


def step_costs(
    *,
    network: str = "MobileNet-v1",
    width: float = 0.5,
    image_size: int = 32,
    batch_size: int = 16,
    personal_units: Sequence[int] = (1, 2, 4),
    repeats: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return memory, operations and time of one training step on one client.

    A joint step of FedPer is one of FedAvg: all layers get gradients. A fine-tuning step freezes the base, so its
    forward pass need not be kept. Returns one row a step: step, personal_units (0 for the joint step), extra_mib (peak
    beyond weights and inputs), mflop, milliseconds (median), personal_kib (what the client stores between rounds).
    """
    net = NETWORKS[network](width=width)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch_size, 3, image_size, image_size, generator=generator)
    y = torch.randint(10, (batch_size,), generator=generator)
    # Before any step, because a step freezes what it does not train, and what is frozen belongs to no side.
    splits = {units: last_units(net, units or len(net.blocks)).personal for units in (0, *personal_units)}
    rows = []
    for units, trained in track(list(splits.items()), "step costs", progress):
        step = _step(net, x, y, set(trained))
        with peak_memory(modules=net, inputs=(x, y)) as memory:
            step()
        sizes = dict(net.named_parameters())
        kept = sum(sizes[name].numel() for name in trained) if units else 0
        rows.append(
            {
                "step": "head only" if units else "joint (FedAvg, FedPer)",
                "personal_units": units,
                "extra_mib": memory.extra_bytes / 2**20,
                "mflop": count_flops(step).total / 1e6,
                "milliseconds": 1e3 * latency(step, warmup=1, repeats=repeats).median_s,
                "personal_kib": 4 * kept / 1024,
            }
        )
    return pd.DataFrame(rows)


def _step(net: nn.Module, x: torch.Tensor, y: torch.Tensor, trained: set[str]):
    """Return a function that computes the gradients of the parameters called `trained`."""
    parameters = dict(net.named_parameters())

    def step() -> None:
        for name, parameter in parameters.items():
            parameter.requires_grad_(name in trained)
        loss = functional.cross_entropy(net(x), y)
        torch.autograd.grad(loss, [parameters[name] for name in parameters if name in trained])

    return step
