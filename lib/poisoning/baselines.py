"""The adversaries that the hybrid is compared with, by name."""

import functools
from dataclasses import replace

import numpy as np

from lib.federated.model import Model
from lib.federated.types import ClientData, to_device
from lib.poisoning import attackers_published as published
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
DRAWN = {"Gaussian": attacks.gaussian, "random": published.random_like}
# Further published attacks, with all clients within reach where they need data.
PUBLISHED = (*AGNOSTIC, *DRAWN, "Fang", "PGA", "sign flip", "label flip", "dynamic label flip", "history", "PoisonedFL")
GENERATORS = {"hybrid": "ddpm", "DCGAN": "dcgan", "bootstrap": "bootstrap", "noise": "noise"}


def make_attacker(
    name: str, population: Population, plan: Plan, *, seed: int = 0, device: str = "cpu"
) -> Attacker | None:
    """Return the attacker called `name` (see `spectrum`), None for "none"; raises ValueError for an unknown name.

    Its data lie on `device`, where the run must be as well. The last ones made are kept, with their generators' images.
    """
    return _made(name, population, plan, seed, device)


@functools.lru_cache(maxsize=128)
def _made(name: str, population: Population, plan: Plan, seed: int, device: str) -> Attacker | None:
    common = {"kind": plan.kind, "malicious": plan.malicious}
    kind, _, amount = name.partition(" ")
    if name == "none" or plan.malicious == 0:
        return None
    if kind == "MPAF":
        base = to_device(Model(population.net).init(10_000 + seed), device)
        return BaseModelAttacker(malicious=plan.malicious, base=base, scale=float(amount or plan.mpaf_scale))
    if name == "omniscient":
        return Attacker(**common)
    if name in PUBLISHED:
        return _published(name, population, plan, seed, device)
    training = {"model": Model(population.net), "local": plan.local}
    if kind == "compromised" and amount.endswith("%"):
        count = round(float(amount[:-1]) / 100 * population.genuine)
        return TrainingAttacker(shards=_reach(population, count, device), **training, **common)
    if kind == "compromised":
        taken = _reach(population, int(amount), device)
        genuine = {"malicious": len(taken), "population": population.genuine, "kind": plan.kind}
        return TrainingAttacker(shards=taken, **training, **genuine)
    if kind not in GENERATORS:
        known = (*ADVERSARIES, "DCGAN 5", "noise", *PUBLISHED)
        raise ValueError(f"no adversary {name!r}: choose like {', '.join(known)}")
    sizes = {"virtual": plan.virtual, "images_each": plan.images_each, "side": population.side, "classes": CLASSES}
    sizes |= {"own": plan.own}
    taken, rng = _reach(population, int(amount or 1), device), np.random.default_rng([seed, 11])
    options = _generator_options(kind, population, plan)
    return hybrid_attacker(taken, generator=GENERATORS[kind], rng=rng, **training, **sizes, **common, **options)


def _generator_options(kind: str, population: Population, plan: Plan) -> dict[str, object]:
    if kind not in ("hybrid", "DCGAN") or population.side <= SIDE:
        return {}
    if kind == "DCGAN":
        return {"steps": plan.generator_steps}
    # One minibatch of the convolutional denoiser costs what a hundred of the perceptron do.
    return {"batch": 64, "steps": plan.generator_steps, "widths": plan.generator_widths}


def _published(name: str, population: Population, plan: Plan, seed: int, device: str) -> Attacker:
    """Return one of the `PUBLISHED` attacks that stand beside the spectrum."""
    common = {"kind": plan.kind, "malicious": plan.malicious}
    if name in AGNOSTIC:
        return AgnosticAttacker(attack=AGNOSTIC[name], **common)
    if name in DRAWN:
        return published.DrawnAttacker(attack=DRAWN[name], **common)
    if name == "Fang":
        return published.FangAttacker(**common)
    if name == "history":
        return published.HistoryAttacker(scale=plan.mpaf_scale, **common)
    if name == "PoisonedFL":
        return published.PoisonedFLAttacker(seed=seed, **common)
    shards = _reach(population, len(population.within_reach), device)
    training = {"model": Model(population.net), "local": plan.local, **common}
    if name == "PGA":
        return published.AscentAttacker(shards=shards, **training)
    if name == "sign flip":
        return DataAttacker(shards=shards, scale=-1.0, **training)
    if name == "dynamic label flip":
        return published.DynamicFlipAttacker(shards=shards, **training)
    flipped = tuple(replace(one, train_y=attacks.flipped_labels(one.train_y, CLASSES)) for one in shards)
    return DataAttacker(shards=flipped, **training)


def _reach(population: Population, count: int, device: str) -> tuple[ClientData, ...]:
    if not 1 <= count <= len(population.within_reach):
        raise ValueError(f"{count} clients to take over; {len(population.within_reach)} are within reach, at least one")
    return tuple(client.to(device) for client in population.within_reach[:count])
