"""What FedPer is compared with does what its name says, at the settings that the experiments use."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.federated.model import Model
from lib.fedper.baselines import FINETUNE_STEPS, method
from lib.fedper.experiments import statements
from lib.fedper.experiments.arms import DIGITS_NET, Cell, Plan, arm, arms
from lib.fedper.experiments.finetuning import finetuned
from lib.fedper.experiments.newcomers import _adapted, _first, _starts
from lib.fedper.federations import class_federation, digits
from lib.fedper.fedper import fedper
from lib.fedper.theory import largest_curvature

PLAN = Plan(rounds=2, steps=3)


@pytest.fixture(scope="module")
def federation():
    return class_federation(*digits(), clients=4, classes_per_client=4, seed=0)


def head_names(model):
    last = model.parameter_names[-1].split(".")[1]
    return {name for name in model.names if name.split(".")[1] == last}


def test_lg_fedavg_keeps_the_lower_layers_and_shares_the_head():
    algorithm = method("LG-FedAvg", DIGITS_NET, PLAN.local, seed=0)
    shared = set(algorithm.model.names) - set(algorithm.personal)
    assert head_names(algorithm.model) <= shared and "blocks.0.0.weight" in algorithm.personal
    assert len({name.split(".")[1] for name in shared}) == 2


def test_the_head_that_fedbabu_freezes_is_another_one_in_every_seed(federation):
    heads = []
    for seed in (0, 1):
        _, history = arm("FedBABU", method("FedBABU", DIGITS_NET, PLAN.local, seed=seed), federation, PLAN, seed=0)
        heads.append([memory[name] for memory in history.memories.values() for name in sorted(memory)])
    assert not any(torch.equal(one, other) for one, other in zip(*heads, strict=True) if one.any())


def test_ditto_pulls_its_personal_model_towards_the_global_one(federation):
    ditto = method("Ditto", DIGITS_NET, PLAN.local, seed=0)
    states = {}
    for lam in (0.0, ditto.lam):
        _, history = arm("Ditto", replace(ditto, lam=lam), federation, PLAN, seed=0)
        gaps = [
            sum(float((memory[name] - history.state.tensors[name]).square().sum()) for name in memory)
            for memory in history.memories.values()
        ]
        states[lam] = np.mean(gaps)
    assert ditto.lam > 0 and states[ditto.lam] < states[0.0]


def test_fine_tuned_fedavg_takes_its_steps_from_fedavgs_model(federation):
    algorithm = method("FedAvg", DIGITS_NET, PLAN.local, seed=0)
    rows, history = arm("FedAvg", algorithm, federation, PLAN, seed=0)
    (found,) = finetuned(rows, algorithm, history, federation, PLAN, seed=0)["accuracy"]
    assert FINETUNE_STEPS > 0 and found != rows["accuracy"].iloc[-1]
    assert method("FedAvg + FT", DIGITS_NET, PLAN.local, seed=0).finetune.steps == FINETUNE_STEPS


@pytest.mark.parametrize("name", ["FedAvg", "FedPer 1", "LG-FedAvg", "local only"])
def test_cells_side_by_side_have_the_rows_of_one_run_after_the_other(federation, name):
    other = class_federation(*digits(), clients=5, classes_per_client=2, seed=5)
    cells = [Cell(federation, 0, {"k": 4}), Cell(other, 5, {"k": 2})]
    algorithm = method(name, DIGITS_NET, PLAN.local, seed=0)
    for cell, (rows, history) in zip(cells, arms(name, algorithm, cells, PLAN, evaluate_every=1), strict=True):
        alone, before = arm(name, algorithm, cell.federation, PLAN, seed=cell.seed, evaluate_every=1, **cell.columns)
        pd.testing.assert_frame_equal(rows, alone, atol=0.02)
        for tensor, value in before.state.tensors.items():
            torch.testing.assert_close(history.state.tensors[tensor], value, rtol=1e-3, atol=1e-4)


def test_newcomers_train_what_they_may_on_the_examples_they_have(federation):
    few = _first(federation.clients, 5)
    assert [data.examples for data in few] == [5] * 4
    assert all(torch.equal(one.train_x, all_.train_x[:5]) for one, all_ in zip(few, federation.clients, strict=True))
    personal = fedper(DIGITS_NET, personal_units=1, local=PLAN.local)
    base, shared = personal.init(1).tensors, Model(DIGITS_NET).init(2)
    for way, start, trained in _starts(personal, base, shared, 4, 0):
        values = _adapted(start, few, PLAN, trained, 3, 0)
        moved = {name for name in start if not torch.equal(values[name], start[name])}
        wanted = set(start) if trained is None else set(trained)
        assert moved == wanted, way
        if way == "FedPer base, new head":
            assert all(torch.equal(row, base["blocks.0.0.weight"]) for row in start["blocks.0.0.weight"])
        if way.startswith("FedAvg"):
            assert all(torch.equal(row, shared[name]) for name in start for row in start[name])


def test_the_bound_is_two_over_the_largest_curvature_on_the_path():
    table = statements.block_descent_check(rates=(0.05,), rounds=2)
    double = statements._double(class_federation(*digits(), classes_per_client=4, seed=0))
    start = Model(statements.double_net).init(0)
    first = max(largest_curvature(Model(statements.double_net), start, data) for data in double.clients)
    (bound,) = table["bound"].unique()
    assert bound <= 2 / first * (1 + 1e-9)  # later curvature can only lower it
    assert bound > 0.2 * 2 / first
