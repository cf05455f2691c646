"""Costs of a client against hand counts."""

import subprocess
import sys

import pytest
from federated_toys import MLP, toy_federation

from lib.federated import LocalSGD
from lib.federated.algorithms import Ditto, FedAvg, FedRep, LocalOnly, PartiallyShared
from lib.federated.costs import client_costs

SGD = LocalSGD(lr=0.1, batch_size=4, epochs=1)
HEAD = ("2.weight", "2.bias")
SIZE = {"0.weight": 30, "0.bias": 5, "2.weight": 15, "2.bias": 3}  # a perceptron 6-5-3
FORWARD = 2 * (30 + 15)  # operations an example


def costs(algorithm):
    return client_costs(algorithm, toy_federation((8, 12)), client=1)


def test_fedavg_costs_three_passes_and_the_whole_model_both_ways():
    row = costs(FedAvg(model=MLP, local=SGD))
    # Backpropagation: gradients of both weights and of the hidden layer, not of the inputs.
    assert row["flops"] == 12 * (FORWARD + 2 * (30 + 15) + 2 * 15)
    assert (row["bytes_down"], row["bytes_up"]) == (4 * 53, 4 * 53 + 8)
    assert row["memory_bytes"] == 0 and row["examples"] == 12 and row["client"] == 1 and row["seconds"] > 0
    held = 4 * 53 + 12 * (6 * 4 + 8)
    assert row["peak_bytes"] - row["extra_bytes"] == held
    assert row["extra_bytes"] > 2 * 4 * 53  # at least the trained copy and its gradient


def test_personal_tensors_are_kept_and_not_sent():
    whole, split = costs(FedAvg(model=MLP, local=SGD)), costs(PartiallyShared(model=MLP, local=SGD, personal=HEAD))
    assert split["memory_bytes"] == 4 * 18 and split["bytes_down"] == 4 * 35 and split["bytes_up"] == 4 * 35 + 8
    assert split["flops"] == whole["flops"]
    alone = costs(LocalOnly(model=MLP, local=SGD))
    assert (alone["memory_bytes"], alone["bytes_down"], alone["bytes_up"]) == (4 * 53, 0, 8)


def test_a_frozen_body_saves_its_gradients_and_two_models_cost_twice():
    rep = costs(FedRep(model=MLP, local=SGD, head=SGD, personal=HEAD))
    head = FORWARD + 2 * 15  # gradient of the last weight alone
    body = FORWARD + 2 * 15 + 2 * 30  # through the frozen head to the first weight
    assert rep["flops"] == 12 * (head + body)
    assert costs(Ditto(model=MLP, local=SGD))["flops"] == 2 * costs(FedAvg(model=MLP, local=SGD))["flops"]


def test_an_unknown_client_is_refused():
    with pytest.raises(ValueError, match="choose one of the 2"):
        client_costs(FedAvg(model=MLP), toy_federation((8, 12)), client=2)


def test_importing_the_room_is_cheap():
    heavy = ("flwr", "ray", "torchvision", "matplotlib", "sklearn", "scipy", "transformers", "torch._dynamo")
    code = f"import sys, lib.federated, lib.federated.algorithms; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
