"""Flower's own strategies, over an in-process grid, as an independent implementation of our server optimizers."""

import functools

import numpy as np
import pytest
import torch

from lib.federated import server_optimizers as ours
from lib.federated.aggregation import client_weights, combine, weighted_mean
from lib.federated.flower_api import ArrayRecord, ClientApp, Message, MetricRecord, RecordDict
from lib.federated.flower_grid import InProcessGrid
from lib.federated.flower_records import to_arrays, to_tensors
from lib.federated.types import Update

ROUNDS, CLIENTS = 6, 5
EXAMPLES = (10, 3, 25, 1, 7)
OPTIONS = {"fraction_train": 1.0, "fraction_evaluate": 0.0, "min_train_nodes": CLIENTS, "min_available_nodes": CLIENTS}


def drift(weights, client, round):
    """Return what `client` sends in `round`: the weights, moved half way to a place of its own, with noise."""
    rng = np.random.default_rng([client, round])
    moved = {}
    for name, value in weights.items():
        noise = torch.tensor(rng.normal(size=value.shape), dtype=torch.float32)
        moved[name] = value + 0.5 * (client - 1.5 - value) + 0.1 * noise
    return moved


def start():
    rng = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=rng) for name, shape in {"w": (4, 3), "b": (3,), "scale": ()}.items()}


def flower(strategy):
    """Return the weights after every round of Flower's `strategy`."""
    app, seen = ClientApp(), []

    @app.train()
    def train(message, context):
        client, round = context.node_config["partition-id"], message.content["config"]["server-round"]
        sent = to_arrays(drift(to_tensors(message.content["arrays"]), client, round))
        content = {"arrays": sent, "metrics": MetricRecord({"num-examples": EXAMPLES[client]})}
        return Message(RecordDict(content), reply_to=message)

    def keep(round, arrays):
        seen.append(to_tensors(ArrayRecord(dict(arrays))))

    strategy.start(InProcessGrid(app, CLIENTS), to_arrays(start()), num_rounds=ROUNDS, evaluate_fn=keep)
    return seen[1:]


def mine(optimizer):
    """Return the weights after every round of our `optimizer` on the same clients."""
    weights, moments, seen = start(), {}, []
    for round in range(1, ROUNDS + 1):
        updates = {c: Update(drift(weights, c, round), {"examples": EXAMPLES[c]}) for c in range(CLIENTS)}
        average = combine(updates, client_weights(updates, "examples"), weighted_mean)
        # Flower counts the rounds of its bias correction from two.
        weights, moments = optimizer(weights, average, moments, step=round + 1)
        seen.append(weights)
    return seen


@pytest.mark.parametrize(
    ("name", "options", "optimizer"),
    [
        ("FedAvg", {}, ours.fedavg),
        ("FedAdagrad", {"eta": 0.2, "tau": 1e-2}, functools.partial(ours.fedadagrad, lr=0.2, tau=1e-2, initial_v=0.0)),
        (
            "FedAdam",
            {"eta": 0.1, "beta_1": 0.8, "beta_2": 0.95, "tau": 1e-3},
            functools.partial(
                ours.fedadam, lr=0.1, beta1=0.8, beta2=0.95, tau=1e-3, initial_v=0.0, bias_correction=True
            ),
        ),
        (
            "FedYogi",
            {"eta": 0.1, "beta_1": 0.8, "beta_2": 0.95, "tau": 1e-3},
            functools.partial(ours.fedyogi, lr=0.1, beta1=0.8, beta2=0.95, tau=1e-3, initial_v=0.0),
        ),
    ],
)
def test_server_optimizer_takes_the_steps_of_flowers_strategy(name, options, optimizer):
    from flwr.serverapp import strategy

    theirs = flower(getattr(strategy, name)(**OPTIONS, **options))
    found = mine(optimizer)
    for a, b in zip(theirs, found, strict=True):
        for key in a:
            # Six rounds in single precision; the weights are of order one.
            torch.testing.assert_close(a[key].float(), b[key], rtol=0, atol=2e-6)
    assert (found[0]["w"] - found[-1]["w"]).abs().max() > 0.1  # they went somewhere
