"""The adversaries that the hybrid is compared with, by name."""

import functools
from dataclasses import replace

import numpy as np

from lib.federated.model import Model
from lib.poisoning import attacks
from lib.poisoning.attackers import (
    AgnosticAttacker,
    Attacker,
    BaseModelAttacker,
    DataAttacker,
    TrainingAttacker,
)
from lib.poisoning.federations import CLASSES, SIDE, Population
from lib.poisoning.hybrid import hybrid_attacker
from lib.poisoning.plan import Plan

ADVERSARIES = ("none", "MPAF", "compromised 5", "hybrid 1", "hybrid 5", "bootstrap 5", "compromised 20 %", "omniscient")

# Attacks that know the round's honest updates but not the rule.
AGNOSTIC = {
    "LIE": attacks.little_is_enough,
    "Min-Max": attacks.min_max,
    "Min-Sum": attacks.min_sum,
    "IPM": functools.partial(attacks.inner_product, scale=1.0),
    "mimic": attacks.mimic,
}


def make_attacker(name: str, population: Population, plan: Plan, *, seed: int = 0) -> Attacker | None:
    """Return the attacker called `name` (see `spectrum`), None for "none"; raises ValueError for an unknown name."""
    model, common = Model(population.net), {"kind": plan.kind, "malicious": plan.malicious}
    kind, _, amount = name.partition(" ")
    rng = np.random.default_rng([seed, 11])
    if name == "none" or plan.malicious == 0:
        return None
    if name == "MPAF":
        return BaseModelAttacker(malicious=plan.malicious, base=model.init(10_000 + seed), scale=plan.mpaf_scale)
    if name in AGNOSTIC:
        return AgnosticAttacker(attack=AGNOSTIC[name], **common)
    if name == "label flip":
        shards = tuple(
            replace(client, train_y=attacks.flipped_labels(client.train_y, CLASSES))
            for client in population.within_reach
        )
        return DataAttacker(model=model, local=plan.local, shards=shards, **common)
    if name == "omniscient":
        return Attacker(**common)
    if kind == "compromised" and amount.endswith("%"):
        count = round(float(amount[:-1]) / 100 * population.genuine)
        return TrainingAttacker(model=model, local=plan.local, shards=_reach(population, count), **common)
    if kind == "compromised":
        taken = _reach(population, int(amount))
        genuine = {"malicious": len(taken), "population": population.genuine, "kind": plan.kind}
        return TrainingAttacker(model=model, local=plan.local, shards=taken, **genuine)
    generators = {"hybrid": "ddpm", "DCGAN": "dcgan", "bootstrap": "bootstrap", "noise": "noise"}
    if kind not in generators:
        known = (*ADVERSARIES, "DCGAN 5", "noise", "label flip", *AGNOSTIC)
        raise ValueError(f"no adversary {name!r}: choose like {', '.join(known)}")
    # One minibatch of the convolutional denoiser costs what a hundred of the perceptron do.
    training = {"batch": 64} if kind == "hybrid" and population.side > SIDE else {}
    sizes = {"virtual": plan.virtual, "images_each": plan.images_each, "side": population.side, "classes": CLASSES}
    taken = _reach(population, int(amount or 1))
    return hybrid_attacker(
        taken, model=model, local=plan.local, generator=generators[kind], rng=rng, **sizes, **common, **training
    )


def _reach(population: Population, count: int) -> tuple:
    if not 1 <= count <= len(population.within_reach):
        raise ValueError(f"{count} clients to take over; {len(population.within_reach)} are within reach, at least one")
    return population.within_reach[:count]
