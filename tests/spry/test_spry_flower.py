"""Spry and its baselines end at the same weights on the Flower engine as on the local one."""

from importlib.util import find_spec

import pandas as pd
import pytest
from spry_toys import DROPOUT, LOCAL, MODEL, assert_near, toy

from lib.federated import run
from lib.spry.baselines import method

pytestmark = pytest.mark.skipif(not find_spec("flwr"), reason="needs the optional package flwr")


def flower(algorithm, federation, *, seed, **options):
    from lib.federated.flower_client import CLIENT, make_client_app
    from lib.federated.flower_grid import InProcessGrid
    from lib.federated.flower_server import Fleet, serve

    def setting(context):
        return algorithm, federation.clients[context.node_config[CLIENT]]

    grid = InProcessGrid(make_client_app(setting, simulated=True), len(federation))
    return serve(algorithm, Fleet(grid, len(federation), seed=seed, timeout=60.0), simulated=True, **options)


@pytest.mark.parametrize(
    ("name", "model", "options"),
    [
        ("Spry", MODEL, {"optimizer": "sgd", "perturbations": 2}),
        ("Spry", DROPOUT, {"per_unit": 1, "personal_epochs": 1}),
        ("FedFGD shared", MODEL, {"optimizer": "sgd"}),
        ("FwdLLM", MODEL, {"perturbations": 2}),
        ("FedAvgSplit", MODEL, {"optimizer": "sgd"}),
        ("Spry per iteration", MODEL, {"perturbations": 3}),
        ("FedSGD", MODEL, {}),
    ],
)
def test_same_seed_same_weights_and_same_table_as_the_local_engine(name, model, options):
    algorithm, federation = method(name, model, LOCAL, **options), toy()
    settings = {"rounds": 3, "cohort_size": 3, "seed": 4, "evaluate_every": 3}
    # One client at a time, so that not even the rounding of a stack differs.
    local, remote = run(algorithm, federation, chunk=1, **settings), flower(algorithm, federation, **settings)
    assert local.failures.empty and remote.failures.empty
    assert_near(local.state.tensors, remote.state.tensors, atol=1e-6)
    assert_near(local.state.optimizer, remote.state.optimizer, atol=1e-6)
    pd.testing.assert_frame_equal(local.table.drop(columns="seconds"), remote.table.drop(columns="seconds"), atol=1e-5)
