"""An attack on the Flower engine ends at the same weights as on the local one."""

from importlib.util import find_spec

import pytest
import torch

from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.run import run
from lib.poisoning.attackers import Attacker, TrainingAttacker
from lib.poisoning.federations import NET, digits_population
from lib.poisoning.robust_averaging import RobustAveraging, flat

pytestmark = pytest.mark.skipif(not find_spec("flwr"), reason="needs the optional package flwr")


@pytest.mark.parametrize("rule", ["trimmed mean", "Multi-Krum"])
@pytest.mark.parametrize("trains", [False, True])
def test_same_seed_same_weights_as_the_local_engine(rule, trains):
    from lib.federated.flower_client import CLIENT, make_client_app
    from lib.federated.flower_grid import InProcessGrid
    from lib.federated.flower_server import Fleet, serve

    found = digits_population(clients=12, reach=3, beta=1.0)
    model, local = Model(NET), LocalSGD(lr=0.1, batch_size=8, epochs=None, steps=2)
    attacker = Attacker(malicious=2)
    if trains:
        attacker = TrainingAttacker(malicious=2, model=model, local=local, shards=found.within_reach)
    algorithm = RobustAveraging(model=model, local=local, cohort_size=8, defence=rule, attacker=attacker)
    settings = {"rounds": 2, "cohort_size": 8, "evaluate_every": 2}

    def setting(context):
        return algorithm, found.honest.clients[context.node_config[CLIENT]]

    grid = InProcessGrid(make_client_app(setting, simulated=True), len(found.honest))
    fleet = Fleet(grid, len(found.honest), seed=4, timeout=60.0)
    remote = serve(algorithm, fleet, simulated=True, **settings)
    here = run(algorithm, found.honest, seed=4, chunk=1, **settings)
    assert here.failures.empty and remote.failures.empty
    torch.testing.assert_close(flat(remote.state.tensors), flat(here.state.tensors), rtol=0, atol=1e-6)
    counts = here.table[here.table["round"] == 1]["bytes_up"].notna().sum()
    assert counts == 6  # attackers take the places of honest clients
