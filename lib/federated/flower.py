"""The Flower engine: any algorithm as a ServerApp and ClientApp on Flower's simulation engine (Ray)."""

import functools
import gc
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import torch

from lib.federated.checkpoint import run_identity
from lib.federated.flower_api import ClientApp, Context, ServerApp
from lib.federated.flower_client import CLIENT, make_client_app
from lib.federated.flower_server import Fleet, serve
from lib.federated.history import History
from lib.federated.types import Algorithm, ClientData, Federation


def run_flower(
    algorithm: Algorithm,
    federation: Federation,
    *,
    rounds: int,
    cohort_size: int | None = None,
    seed: int = 0,
    evaluate_every: int = 1,
    checkpoint: Path | None = None,
    checkpoint_every: int = 1,
    on_failure: Literal["skip", "raise"] = "skip",
    device: str = "cpu",
    progress: Callable[[Iterable, str], Iterable] | None = None,
    timeout: float = 600.0,
) -> History:
    """Run `algorithm` on Flower's simulation engine; see `lib.federated.run` for the options.

    One virtual SuperNode a client; Ray runs as many at a time as there are processors. `timeout` is how long one client
    may train or be evaluated, in seconds, before the server counts it as missing. Ray takes longer to start than the
    local engine needs for a small run, and both return the same weights: this engine is for clients that are heavy
    enough to deserve a process each, and for checking an algorithm before it is deployed.

    Raises what `lib.federated.run` raises, and ImportError without the extra ``federated``.
    """
    identity = run_identity(
        algorithm, federation, seed=seed, cohort_size=cohort_size, evaluate_every=evaluate_every, on_failure=on_failure
    )
    outcome: list[History] = []

    def main(grid, context: Context) -> None:
        # Ray lets clients wait for one another: the deadline of one is the client's own affair, ours bounds a batch.
        fleet = Fleet(grid, len(federation), seed=seed, timeout=timeout * len(federation) + 60)
        outcome.append(
            serve(
                algorithm,
                fleet,
                rounds=rounds,
                cohort_size=cohort_size,
                evaluate_every=evaluate_every,
                on_failure=on_failure,
                checkpoint=checkpoint,
                checkpoint_every=checkpoint_every,
                identity=identity,
                device=device,
                simulated=True,
                progress=progress,
            )
        )

    with tempfile.TemporaryDirectory(prefix="federation-") as folder:
        _store(algorithm, federation, Path(folder))
        app = make_client_app(functools.partial(_setting, folder), device=device, deadline=timeout, simulated=True)
        simulate(main, app, len(federation), processes=cohort_size or len(federation), device=device)
    return outcome[0]


def simulate(main: Callable, app: ClientApp, clients: int, *, processes: int = 1000, device: str = "cpu") -> None:
    """Run ``main(grid, context)`` against `clients` virtual SuperNodes with the ClientApp `app`, and stop Ray after.

    Ray starts at most `processes` processes, and no more than there are processors. Raises what `main` raises.
    """
    import ray
    from flwr.simulation import run_simulation

    server = ServerApp()
    server.main()(main)
    cuda = device.startswith("cuda")
    resources = {"num_cpus": 1, "num_gpus": 0.1 if cuda else 0.0}  # ten clients share a GPU
    init = {"num_cpus": min(processes, os.cpu_count() or 1)} | ({} if cuda else {"num_gpus": 0})
    path = os.environ.get("PYTHONPATH")
    with warnings.catch_warnings():
        # Ray leaves the log files of the processes that it starts to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            run_simulation(server, app, clients, backend_config={"client_resources": resources, "init_args": init})
        finally:
            ray.shutdown()
            gc.collect()
            if path is None:  # Flower sets it for the processes of Ray
                os.environ.pop("PYTHONPATH", None)
            else:
                os.environ["PYTHONPATH"] = path


def _store(algorithm: Algorithm, federation: Federation, folder: Path) -> None:
    """Write the algorithm and each client's data where the processes of Ray find them, once instead of a message."""
    from ray import cloudpickle

    (folder / "algorithm.pickle").write_bytes(cloudpickle.dumps(algorithm))
    for number, data in enumerate(federation.clients):
        torch.save(vars(data.to("cpu")), folder / f"{number}.pt")


def _setting(folder: str, context: Context) -> tuple[Algorithm, ClientData]:
    return _algorithm(folder), _data(folder, int(context.node_config[CLIENT]))


@functools.lru_cache(maxsize=1)
def _algorithm(folder: str) -> Algorithm:
    return pickle.loads(Path(folder, "algorithm.pickle").read_bytes())


@functools.lru_cache(maxsize=256)
def _data(folder: str, client: int) -> ClientData:
    return ClientData(**torch.load(Path(folder, f"{client}.pt"), weights_only=True))
