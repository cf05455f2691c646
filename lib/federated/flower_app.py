"""The app of a real deployment, named in ``deploy/pyproject.toml``: a ServerApp and a ClientApp for any experiment.

The run configuration names the experiment, a function ``module:name`` that takes the number of clients, the seed and
the options ``experiment.*`` of the configuration to a pair: the algorithm, and a function from a client's number to
its data. The server asks for the algorithm alone; each client loads its own data and nobody else's.
"""

import functools
import importlib
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.federated.algorithms import PartiallyShared
from lib.federated.federation import make_federation
from lib.federated.flower_api import Context, Grid, ServerApp
from lib.federated.flower_client import CLIENT, make_client_app
from lib.federated.flower_server import Fleet, serve
from lib.federated.history import History
from lib.federated.local import LocalSGD
from lib.federated.model import Model
from lib.federated.partition import by_classes, iid
from lib.federated.types import Algorithm, ClientData
from lib.files import write_text
from lib.nets.perceptron import mlp
from lib.nets.units import unit_names

Experiment = tuple[Algorithm, Callable[[int], ClientData]]

server_app = ServerApp()


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the configured rounds on the clients behind `grid`, and write what came out to the folder ``output``.

    A run that fails says why in ``error.txt`` there, and in the log of the run: Flower alone would only say that it
    failed.
    """
    config = context.run_config
    folder = Path(str(config["output"]))
    (folder / "error.txt").unlink(missing_ok=True)  # of an earlier run
    try:
        write_history(_served(grid, config), folder)
    except Exception as error:
        write_text(folder / "error.txt", f"{type(error).__name__}: {error}\n")
        print(traceback.format_exc(), flush=True)
        raise


def _served(grid: Grid, config: dict) -> History:
    """Return the history of the rounds that `config` asks for."""
    algorithm, _ = experiment_of(config, int(config["clients"]))
    fleet = Fleet(
        grid,
        int(config["clients"]),
        seed=int(config["seed"]),
        timeout=float(config["timeout"]),
        start_timeout=float(config["start-timeout"]),
    )
    return serve(
        algorithm,
        fleet,
        rounds=int(config["rounds"]),
        cohort_size=int(config["cohort-size"]) or None,
        evaluate_every=int(config["evaluate-every"]),
        on_failure=str(config["on-failure"]),
        device=str(config["device"]),
    )


def _client(context: Context) -> tuple[Algorithm, ClientData]:
    return _loaded(tuple(context.run_config.items()), int(context.node_config[CLIENT]))


client_app = make_client_app(_client)


@functools.lru_cache(maxsize=1)
def _loaded(config: tuple, client: int) -> tuple[Algorithm, ClientData]:
    algorithm, load = experiment_of(dict(config), int(dict(config)["clients"]))
    return algorithm, load(client)


def experiment_of(config: dict, clients: int) -> Experiment:
    """Return the experiment that a run configuration names, for that many `clients`.

    ``config["experiment.name"]`` is ``module:function``; every other ``experiment.*`` is a keyword of the function,
    hyphens read as underscores. Raises ValueError for a name that is not of this form.
    """
    module, colon, name = str(config["experiment.name"]).partition(":")
    if not (module and colon and name):
        raise ValueError(f"experiment.name is {config['experiment.name']!r}; write it as module:function")
    options = {key.removeprefix("experiment."): value for key, value in config.items() if key.startswith("experiment.")}
    options = {key.replace("-", "_"): value for key, value in options.items() if key != "name"}
    return getattr(importlib.import_module(module), name)(clients, seed=int(config["seed"]), **options)


def write_history(history: History, folder: Path) -> None:
    """Write ``weights.npz``, ``history.csv`` and ``failures.csv`` to `folder`; the weights last."""
    folder.mkdir(parents=True, exist_ok=True)
    history.table.to_csv(folder / "history.csv", index=False)
    history.failures.to_csv(folder / "failures.csv", index=False)
    part = folder / "weights.part"
    with part.open("wb") as file:
        np.savez(file, **{name: value.numpy(force=True) for name, value in history.state.tensors.items()})
    part.replace(folder / "weights.npz")


def digits(
    clients: int, *, seed: int, personal_units: int = 0, classes_per_client: int = 0, lr: float = 0.1
) -> Experiment:
    """Return the experiment of the page "past one machine": the digits of scikit-learn and a small perceptron.

    Args:
        clients: number of clients; every one must be told the same, or their shares of the digits overlap.
        seed: drives the partition.
        personal_units: how many of the last units stay on the client; 0 is FedAvg.
        classes_per_client: digits a client knows; 0 spreads the examples at random.
        lr: learning rate of the clients.
    """
    model = Model(functools.partial(mlp, (64, 32, 10)))
    units = unit_names(model.build())
    personal = [name for unit in units[len(units) - personal_units :] for name in unit]
    algorithm = PartiallyShared(model=model, local=LocalSGD(lr=lr, batch_size=16), personal=tuple(personal))
    return algorithm, functools.partial(_digits_of, clients, seed, classes_per_client)


def _digits_of(clients: int, seed: int, classes_per_client: int, client: int) -> ClientData:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    if classes_per_client:
        parts = by_classes(y, clients, classes_per_client=classes_per_client, rng=rng)
    else:
        parts = iid(len(y), clients, rng=rng)
    return make_federation((x / 16).astype(np.float32), y, parts, rng=rng, name="digits").clients[client]
