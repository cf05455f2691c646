"""Which generator drives what: a function of seed, round and client alone, so that every engine draws the same."""

import numpy as np

_COHORT, _CONFIGURE, _CLIENT, _EVALUATION = range(4)


def client_rng(seed: int, round: int, client: int) -> np.random.Generator:
    """Return the generator of `client` while it trains in `round` (from 1)."""
    return _generator(seed, _CLIENT, round, client)


def evaluation_rng(seed: int, round: int, client: int) -> np.random.Generator:
    """Return the generator of `client` while it is evaluated after `round`.

    It is apart from the training generator, so that evaluating more or less often changes no trained weight.
    """
    return _generator(seed, _EVALUATION, round, client)


def cohort_rng(seed: int, round: int) -> np.random.Generator:
    """Return the generator that samples the cohort of `round`."""
    return _generator(seed, _COHORT, round, 0)


def configure_rng(seed: int, round: int) -> np.random.Generator:
    """Return the generator that the server uses to configure `round`."""
    return _generator(seed, _CONFIGURE, round, 0)


def _generator(seed: int, stream: int, round: int, client: int) -> np.random.Generator:
    if min(seed, round, client) < 0:
        raise ValueError(f"seed {seed}, round {round} and client {client} must not be negative; count from zero")
    return np.random.default_rng([seed, stream, round, client])
