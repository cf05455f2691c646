"""What each policy costs: seconds, memory, and how often the expert is asked."""

import time
from collections.abc import Sequence

import pandas as pd

from lib.bslb.environments import soft_sparse_environment, uniform_pool
from lib.bslb.experiments.checks import check_setting
from lib.bslb.experiments.methods import (
    DEFAULT_METHODS,
    METHODS,
    PoolDesigns,
    Progress,
    check_methods,
    feedback_batches,
    longest_exploration,
    track,
)
from lib.profiling import peak_memory


def policy_costs(
    *,
    T: int = 300,
    arms: int = 4000,
    d: int = 400,
    k: int = 5,
    sigma: float = 0.3,
    methods: Sequence[str] = DEFAULT_METHODS,
    iterations: int = 100,
    draws: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return time, memory and expert batches of one run of each policy on one replicate, its design included.

    Returns:
        One row a policy: method, seconds (wall time of a second, untraced run), extra_mib (peak memory that the run
        allocates beyond the arms), arms_mib, expert_batches (rounds of feedback: explore-then-commit needs two,
        a policy that looks at every reward needs T), design_iterations (of the solver of the design, 0 without one).
    """
    check_methods(methods)
    check_setting(T=T, arms=arms, d=d, ks=(k,), iterations=iterations, draws=draws)
    pool = uniform_pool(arms, d, seed=seed)
    env = soft_sparse_environment(arms=pool, d=d, k=k, sigma=sigma, replicates=1, seed=seed)
    rows = []
    longest = longest_exploration((k,), T)
    for name in track(methods, "costs", progress):
        traced, timed = (PoolDesigns(pool, longest, seed, iterations, draws=draws) for _ in range(2))
        with peak_memory(kind="numpy", inputs=(pool,)) as memory:
            METHODS[name](env, T, k, seed, traced)
        start = time.perf_counter()
        METHODS[name](env, T, k, seed, timed)
        seconds = time.perf_counter() - start
        rows.append(
            {
                "method": name,
                "seconds": seconds,
                "extra_mib": memory.extra_bytes / 2**20,
                "arms_mib": pool.nbytes / 2**20,
                "expert_batches": feedback_batches(name, T),
                "design_iterations": iterations if timed.used else 0,
            }
        )
    return pd.DataFrame(rows)
