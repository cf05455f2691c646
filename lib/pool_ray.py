"""Run many jobs on a Ray cluster: the same runs on disk as on one machine, on a file system that all nodes share."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lib.jobs import Job
from lib.pool import FAILED, RUNNING, Outcome, bring_up_to_date

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of a change of its own default
    "RAY_raylet_start_wait_time_s": "180",  # a busy machine starts Ray slowly
}
LOCAL = "local"  # the address that starts a cluster of this machine alone
GPUS = {"paper": 1.0}  # of one run, by preset; a fraction lets several runs share one


def run_all_on_ray(
    jobs: Sequence[Job],
    *,
    address: str = LOCAL,
    retries: int = 1,
    limit: float | None = None,
    gpus: float | None = None,
    on_change: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Bring all jobs up to date on a Ray cluster, a processor a run, and return how each ended, in their order.

    A run whose node or process is lost is started again elsewhere, up to `retries` times. The package must be installed
    on every node, and the repository, or ``SCARCE_RUNS``, must lie on a file system that they share.

    Args:
        jobs: what to run.
        address: of a running cluster, as ``ray start`` prints it or "auto"; "local" starts one on this machine.
        retries: further attempts a job.
        limit: seconds that one attempt may take; None sets no limit.
        gpus: GPUs that a run reserves, also a fraction; None takes `GPUS` of its preset where the cluster has any.
        on_change: called when a job is submitted or ends.

    Raises ModuleNotFoundError without Ray, ConnectionError if the cluster cannot be reached.
    """
    ray = _connected(address)
    try:
        has_gpu = ray.cluster_resources().get("GPU", 0) > 0
        task = ray.remote(max_retries=retries, num_cpus=1)(_on_node)
        waiting = {}
        for job in jobs:
            share = gpus if gpus is not None else GPUS.get(job.preset, 0.0) if has_gpu else 0.0
            waiting[task.options(num_gpus=share).remote(job, retries, limit)] = job
            on_change(Outcome(job, RUNNING, 1, message="submitted"))
        return _collected(ray, waiting, jobs, on_change)
    finally:
        ray.shutdown()


def _collected(ray: Any, waiting: dict, jobs: Sequence[Job], on_change: Callable[[Outcome], None]) -> list[Outcome]:
    """Return the outcomes as they come in; on any interruption cancel what still runs."""
    ended, open_ones = {}, list(waiting)
    try:
        while open_ones:
            done, open_ones = ray.wait(open_ones, num_returns=1)
            job = waiting[done[0]]
            try:
                ended[job.hash] = ray.get(done[0])
            except ray.exceptions.RayError as lost:
                ended[job.hash] = Outcome(job, FAILED, 1, message=f"lost: {str(lost).splitlines()[0]}")
            on_change(ended[job.hash])
    except BaseException:
        for one in open_ones:
            ray.cancel(one)  # raises KeyboardInterrupt there, so that the run cleans up behind itself
        ray.wait(open_ones, num_returns=len(open_ones), timeout=30)
        raise
    return [ended[job.hash] for job in jobs]


def _connected(address: str) -> Any:
    """Return the ray module, connected to `address`."""
    os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})
    try:
        import ray
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Ray is not installed: pip install -e '.[federated]', or use --engine process"
        ) from None
    ours = {name: value for name, value in os.environ.items() if name.startswith("SCARCE_")}
    options = {"runtime_env": {"env_vars": ours}, "log_to_driver": False, "configure_logging": False}
    if address == LOCAL:
        ray.init(include_dashboard=False, **options)
    else:
        ray.init(address=address, **options)
    return ray


def _on_node(job: Job, retries: int, limit: float | None) -> Outcome:
    """Do one job on the node that Ray chose, and say which that was."""
    import ray

    outcome = bring_up_to_date(job, retries, limit, threading.Event(), lambda outcome: None)
    node = ray.get_runtime_context().get_node_id()
    return outcome if outcome.message else replace(outcome, message=f"node {node[:8]}")
