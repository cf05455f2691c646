"""The comparison on real texts: AG News, SST-2 and MultiRC with a pretrained encoder under LoRA."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.federated.types import Federation
from lib.spry.experiments.arms import MORE, TUNING, Problem, Progress, named_arms, tuned_runs
from lib.spry.experiments.encoder import encoder_costs
from lib.spry.experiments.methods import NAMES, PROTOCOLS

# All methods on the first data set; the others do without those that the first tells apart from their neighbours.
ALL = (*NAMES, *PROTOCOLS)
FEWER = ("FedAvg", "FedYogi", "FedAvgSplit", "Spry", MORE, "FedMeZO", "Baffle+", "FwdLLM+")
LENGTHS = {"ag-news": 16, "sst2": 16, "multirc": 64}  # word pieces a text
KNOWN = ("digits", *LENGTHS)


def real_tables(
    data_sets: Sequence[str],
    *,
    alphas: Sequence[float] = (1.0, 0.1),
    rates: Sequence[float] = (0.05, 0.2, 1.0),
    rounds: int = 8,
    seeds: int = 3,
    zero_order_k: int = 4,
    candidates: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables texts and encoder for those of "ag-news", "sst2", "multirc" that are named.

    The first data set has all methods, the others those of `FEWER`; "digits" gives nothing here.

    Returns:
        texts, the rows of `tuned_runs` with the column data in front, and encoder, those of `encoder_costs`; {} without
        a data set. Raises ValueError for an unknown name, DataError where a data set and ModuleNotFoundError where the
        encoder's package is absent.
    """
    unknown = sorted(set(data_sets) - set(KNOWN))
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    parts = []
    for name in [name for name in data_sets if name != "digits"]:
        problem = text_problem(name, rounds=rounds)
        arms = named_arms(FEWER if parts else ALL, problem, zero_order_k=zero_order_k, candidates=candidates)
        table = tuned_runs(arms, alphas, rates, range(seed, seed + seeds), 1, progress)
        table.insert(0, "data", name)
        parts.append(table)
    return {"texts": pd.concat(parts, ignore_index=True), "encoder": encoder_costs()} if parts else {}


def text_problem(
    name: str,
    *,
    clients: int = 30,
    each: int = 80,
    cohort: int = 6,
    rounds: int = 8,
    length: int | None = None,
    components: int = 16,
    rank: int = 1,
    seed: int = 0,
) -> Problem:
    """Return the problem of finetuning the encoder's last layer on texts.

    Texts are drawn once from the pool of the released partition code, half of them for judging, half for choosing
    rates. A partition gives every client `each` texts, label-skewed as there, of which it trains on the first four
    fifths. Clients take SGD; a round is one epoch in minibatches of 8.

    Args:
        name: as for `lib.spry.text_data.text_examples`.
        clients: number of clients.
        each: texts a client.
        cohort: clients a round.
        rounds: number of rounds.
        length: word pieces a text; None is `LENGTHS`.
        components: principal components that the classifier reads.
        rank: LoRA's r.
        seed: of the texts.
    """
    from lib.federated.model import Model
    from lib.spry.last_layer import frozen_states, last_layer, principal_components
    from lib.spry.minilm import minilm
    from lib.spry.text_data import CLASSES, text_examples

    net = minilm(classes=CLASSES[name], method="classifier", dropout=0.0, skip_frozen=False).net
    half = clients * each
    x, y = text_examples(name, length=length or LENGTHS[name], examples=2 * half, seed=seed, tokens="wordpiece")
    states = frozen_states(net, x)
    build = functools.partial(last_layer, net, *principal_components(net, states[half:], components), rank=rank)
    return Problem(
        model=Model(build),
        deal=functools.lru_cache(maxsize=8)(functools.partial(federation, name, states, y, clients)),
        options={"optimizer": "sgd", "stacked": True},
        cohort=cohort,
        steps=each * 4 // 5 // 8,
        rounds=rounds,
        record=max(1, rounds // 4),
    )


def federation(name: str, states, labels, clients: int, alpha: float, seed: int) -> Federation:
    """Deal the first half of the texts, for seeds from `TUNING` the second."""
    from lib.spry.federation import dirichlet_equal_sizes, tail_test_federation

    half = len(labels) // 2
    start = half if seed >= TUNING else 0
    rng = np.random.default_rng([seed, round(1000 * alpha), 31])
    parts = dirichlet_equal_sizes(labels[start : start + half].numpy(), clients, alpha=alpha, rng=rng)
    return tail_test_federation(states, labels, [part + start for part in parts], name=name)
