"""Random: T arms drawn uniformly without replacement."""

import numpy as np

from lib.bslb.environments import Environment
from lib.bslb.policy import Run, check_problem, replicate_rngs


def random_pulls(env: Environment, T: int, *, seed: int) -> Run:
    """Pull `T` uniformly random arms without replacement, in each replicate its own draw."""
    check_problem(env, T)
    M = len(env.arms)
    return Run(np.stack([rng.permutation(M)[:T] for rng in replicate_rngs(env, seed)]), T)
