"""The comparisons on real texts, AG News and SST-2: the classifier of a pretrained encoder, or LoRA as well.

MultiRC has a longer table of its own (`lib.spry.experiments.longer`), of the classifier.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.federated.types import Federation
from lib.report.tasks import Task, run_tasks
from lib.spry.experiments.adapted import lora_tasks
from lib.spry.experiments.arms import TUNING, Problem, Progress, arm_options, named_arms, tuned_arm
from lib.spry.experiments.methods import NAMES, PROTOCOLS

# All methods but FedYogiSplit and Spry + Yogi, which differ from FedAvgSplit and Spry by their server alone.
ALL = (*(name for name in NAMES if name not in ("FedYogiSplit", "Spry + Yogi")), *PROTOCOLS)
LENGTHS = {"ag-news": 24, "sst2": 24, "multirc": 64}  # word pieces a text
TITLES = {"ag-news": "AG News", "sst2": "SST-2", "multirc": "MultiRC"}
KNOWN = ("digits", *LENGTHS)


def real_tasks(
    data_sets: Sequence[str],
    *,
    alphas: Sequence[float] = (1.0, 0.1),
    rates: Sequence[float] = (0.025, 0.1, 0.4, 1.6, 6.4, 25.6),
    rounds: int = 20,
    lora_rounds: int = 30,
    seeds: int = 3,
    tuning_seeds: int = 3,
    zero_order_k: int = 4,
    candidates: int = 3,
    seed: int = 0,
) -> list[Task]:
    """Return the pieces of the tables texts and lora for those of "ag-news" and "sst2" named.

    "digits" and "multirc" give nothing here. The table texts has the rows of `tuned_arm` with the column data in
    front, lora those of `lib.spry.experiments.adapted.lora_arm`. Raises ValueError for an unknown name.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    names = [name for name in data_sets if name not in ("digits", "multirc")]
    judged, tasks = range(seed, seed + seeds), []
    several = {"zero_order_k": zero_order_k, "candidates": candidates}
    for name in names:
        plan = {"rates": rates, "rounds": rounds, "seeds": seeds, "tuning_seeds": tuning_seeds, "seed": seed}
        tasks += text_tasks(name, ALL, alphas=alphas, **plan, **several)
    plan = {"alphas": alphas, "rounds": lora_rounds, "seeds": judged}
    return tasks + lora_tasks(names, ALL, **plan, **several)


def text_tasks(
    name: str,
    methods: Sequence[str],
    *,
    table: str = "texts",
    alphas: Sequence[float],
    rates: Sequence[float],
    rounds: int,
    seeds: int,
    tuning_seeds: int = 3,
    zero_order_k: int = 4,
    candidates: int = 3,
    seed: int = 0,
) -> list[Task]:
    """Return the pieces of a `table` with the rows of `text_arm`, one an alpha and method, of one data set."""
    arms = named_arms(methods, text_problem(name, rounds=rounds), zero_order_k=zero_order_k, candidates=candidates)
    judged = range(seed, seed + seeds)
    cells = [arm_options(arm, alpha, rates, judged, tuning_seeds) for alpha in alphas for arm in arms]
    return [Task(table, text_arm, {"data": name} | cell) for cell in cells]


def tasks_of(parameters: Mapping[str, Any]) -> list[Task]:
    """Return the `real_tasks` that the notebook's parameters ask for, and with them the `longer_tasks`."""
    from lib.spry.experiments.longer import longer_tasks

    names = {"rates": "text_rates", "rounds": "text_rounds"}
    names |= {name: name for name in ("lora_rounds", "seeds", "zero_order_k", "candidates")}
    options = {name: parameters[given] for name, given in names.items()}
    return real_tasks(parameters["data_sets"], **options) + longer_tasks(parameters)


def real_tables(
    data_sets: Sequence[str], *, workers: int = 1, progress: Progress | None = None, **options: Any
) -> dict[str, pd.DataFrame]:
    """Return the tables of `real_tasks`, which takes the `options`, with `workers` processes at work.

    Raises ValueError for an unknown name, DataError where a data set and ModuleNotFoundError where the encoder's
    package is absent (unless `lib.spry.cached_states` has been there before).
    """
    return run_tasks(real_tasks(data_sets, **options), workers=workers, progress=progress)


def text_arm(data: str, **options: Any) -> pd.DataFrame:
    """Return the rows of `tuned_arm` with the column data in front."""
    table = tuned_arm(**options)
    table.insert(0, "data", data)
    return table


def text_problem(
    name: str,
    *,
    clients: int = 30,
    each: int = 80,
    cohort: int = 6,
    rounds: int = 30,
    length: int | None = None,
    components: int = 64,
    blocks: int = 8,
    seed: int = 0,
) -> Problem:
    """Return the problem of training the classifier alone on the frozen encoder's mean-pooled states.

    Texts are drawn once from the pool of the released partition code, half of them for judging, half for choosing
    rates. A partition gives every client `each` texts, label-skewed as there, of which it trains on the first four
    fifths. The classifier reads whitened principal components and its weights are cut into `blocks`, the units.
    Clients take SGD; a round is one epoch in minibatches of 8.

    Args:
        name: as for `lib.spry.text_data.text_examples`.
        clients: number of clients.
        each: texts a client.
        cohort: clients a round.
        rounds: number of rounds.
        length: word pieces a text; None is `LENGTHS`.
        components: principal components that the classifier reads, found on the texts for choosing rates.
        blocks: units of the classifier, a divisor of `components`.
        seed: of the texts.
    """
    from lib.spry.text_data import CLASSES
    from lib.spry.toy import softmax_model

    size = (name, clients * each, length or LENGTHS[name], components, seed)
    return Problem(
        model=softmax_model(components, CLASSES[name], blocks),
        deal=functools.partial(_dealt, size, clients),
        options={"optimizer": "sgd", "per_unit": 1},
        cohort=cohort,
        steps=each * 4 // 5 // 8,
        rounds=rounds,
    )


@functools.lru_cache(maxsize=8)  # every arm and rate sees the same partitions
def _dealt(size: tuple, clients: int, alpha: float, seed: int) -> Federation:
    return federation(size[0], *_vectors(*size), clients, alpha, seed)


@functools.lru_cache(maxsize=2)
def _vectors(name: str, half: int, length: int, components: int, seed: int):
    """Return what the classifier reads ``(2 half, components)``, and the labels."""
    from lib.spry.cached_states import cached_vectors
    from lib.spry.minilm import minilm_folder

    found = cached_vectors(name, half, length, components, seed) if minilm_folder() is None else None
    return vectors(name, half, length, components, seed) if found is None else found


def vectors(name: str, half: int, length: int, components: int, seed: int):
    """Compute the mean-pooled states of ``2 half`` texts, whitened on the second half, and return them and labels."""
    from lib.spry.minilm import minilm
    from lib.spry.pooled import pooled_states, whitened
    from lib.spry.text_data import CLASSES, text_examples

    net = minilm(classes=CLASSES[name], method="classifier", dropout=0.0, skip_frozen=False).net
    x, y = text_examples(name, length=length, examples=2 * half, seed=seed, tokens="wordpiece")
    states = pooled_states(net, x)
    return whitened(states, states[half:], components), y


def federation(name: str, states, labels, clients: int, alpha: float, seed: int) -> Federation:
    """Deal the first half of the texts, for seeds from `TUNING` the second."""
    from lib.spry.federation import dirichlet_equal_sizes, tail_test_federation

    half = len(labels) // 2
    start = half if seed >= TUNING else 0
    rng = np.random.default_rng([seed, round(1000 * alpha), 31])
    parts = dirichlet_equal_sizes(labels[start : start + half].numpy(), clients, alpha=alpha, rng=rng)
    return tail_test_federation(states, labels, [part + start for part in parts], name=name)
