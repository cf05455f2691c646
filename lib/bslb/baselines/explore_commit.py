"""Explore-then-commit ablations of BSLB: each changes one of its two ingredients, the subset or the Lasso."""

from lib.bslb.bslb import bslb
from lib.bslb.environments import Environment
from lib.bslb.policy import Run


def uniform_etc(env: Environment, T: int, k: int, *, seed: int, **options) -> Run:
    """Explore uniformly random arms of the whole pool, then as BSLB; `options` are those of `bslb`."""
    return bslb(env, T, k, seed=seed, explore="uniform", **options)


def ridge_etc(env: Environment, T: int, k: int, *, seed: int, **options) -> Run:
    """Explore as BSLB, fit ridge regression instead of the Lasso; `options` are those of `bslb`."""
    return bslb(env, T, k, seed=seed, estimator="ridge", **options)


def popart_etc(env: Environment, T: int, k: int, *, seed: int, **options) -> Run:
    """Explore as BSLB, fit PopArt with the subset's second moment; `options` are those of `bslb`.

    Source of the estimator: Jang, Zhang and Jun, PopArt, NeurIPS 2022. Its own design is replaced by BSLB's subset,
    which blocking needs.
    """
    return bslb(env, T, k, seed=seed, estimator="popart", **options)
