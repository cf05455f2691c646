"""LoRA in the encoder's last layer on real texts: all methods, and some of them with the classifier alone.

Rank and scale are those of the released script, 1 and 1. A classifier on whitened inputs learns best at a rate near
one, where such adapters begin to diverge, so the rates to choose from must lie close together there. At higher ranks
and the same alpha the scale falls, and the adapters with it: at rank 8 they hardly move in as many steps.
"""

import functools
from collections.abc import Sequence

import pandas as pd

from lib.federated.model import Model
from lib.report.tasks import Task
from lib.spry.experiments.arms import MORE, Problem, arm_options, named_arms, tuned_arm

LORA, HEAD = "LoRA and classifier", "classifier alone"
TRAINED = {LORA: "lora", "IA3": "ia3", "BitFit": "bitfit", HEAD: "classifier"}
RATES = (0.01, 0.04, 0.16, 0.64, 2.56)  # learning rates on which every method is tuned
WIDER = (0.0025, *RATES)  # where more rounds want lower ones
ALONE = ("FedAvg", "Spry", MORE)  # methods that train the classifier alone, too


def lora_tasks(
    data_sets: Sequence[str],
    methods: Sequence[str],
    *,
    alphas: Sequence[float],
    rounds: int,
    seeds: Sequence[int],
    rates: Sequence[float] = RATES,
    tuning_seeds: int = 2,
    zero_order_k: int = 4,
    candidates: int = 3,
    alone: Sequence[str] | None = None,
    table: str = "lora",
    **more: int,
) -> list[Task]:
    """Return the pieces of a `table`: `methods` with LoRA, those `alone` without (`ALONE`), at each of `alphas`.

    `more` are further options of `lora_arm`.
    """
    alone = ALONE if alone is None else alone
    plan = {"rates": tuple(rates), "rounds": rounds, "seeds": tuple(seeds), "tuning_seeds": tuning_seeds}
    plan |= {"zero_order_k": zero_order_k, "candidates": candidates}
    cells = [
        {"data": name, "trained": trained, "method": method, "alpha": alpha}
        for name in data_sets
        for alpha in alphas
        for trained, some in ((LORA, methods), (HEAD, alone))
        for method in some
    ]
    return [Task(table, lora_arm, cell | plan | more) for cell in cells]


def lora_arm(
    data: str,
    trained: str,
    method: str,
    alpha: float,
    rates: Sequence[float],
    rounds: int,
    seeds: Sequence[int],
    tuning_seeds: int,
    zero_order_k: int,
    candidates: int,
    tuning_rounds: int | None = None,
    **problem_options: int,
) -> pd.DataFrame:
    """Return the rows of `tuned_arm` with columns data, trained (of `TRAINED`) and weights (how many) in front.

    `problem_options` are further options of `lora_problem`.
    """
    problem = lora_problem(data, trained=trained, rounds=rounds, **problem_options)
    (arm,) = named_arms([method], problem, zero_order_k=zero_order_k, candidates=candidates)
    table = tuned_arm(**arm_options(arm, alpha, rates, seeds, tuning_seeds, tuning_rounds=tuning_rounds))
    weights = sum(value.numel() for value in problem.model.init(0).values())
    for place, (column, value) in enumerate({"data": data, "trained": trained, "weights": weights}.items()):
        table.insert(place, column, value)
    return table


def lora_problem(
    name: str,
    *,
    trained: str = LORA,
    clients: int = 30,
    each: int = 40,
    cohort: int = 6,
    rounds: int = 30,
    length: int = 16,
    components: int = 16,
    rank: int = 1,
    scale: float = 1.0,
    per_unit: int = 2,
    shared: int = 0,
    record: int = 1,
    seed: int = 0,
) -> Problem:
    """Return the problem of finetuning the encoder's last layer: LoRA on query and value, and the classifier.

    The classifier reads whitened principal components of the pooled first token. The trained tensors make three units
    (two of LoRA, one of the classifier), so that two clients of six share one; without LoRA all share the one unit.

    Args:
        name: as for `lib.spry.text_data.text_examples`.
        trained: of `TRAINED`; IA3 scales keys, values and the inner layer, BitFit trains the biases.
        clients: number of clients.
        each: texts a client, as for `lib.spry.experiments.real.text_problem`.
        cohort: clients a round.
        rounds: number of rounds.
        length: word pieces a text.
        components: principal components that the classifier reads.
        rank: LoRA's r.
        scale: LoRA's alpha over r, what the update is multiplied by.
        per_unit: tensors a unit.
        shared: trailing tensors that every client trains in addition to its share; two are the classifier.
        record: the accuracy is recorded after every that many rounds.
        seed: of the texts.
    """
    if trained not in TRAINED:
        raise ValueError(f"cannot train {trained!r}: choose one of {', '.join(TRAINED)}")
    pool = (name, clients * each, length, components, seed)
    return Problem(
        model=Model(_classifier(pool) if trained == HEAD else _layer(pool, TRAINED[trained], rank, scale)),
        deal=functools.partial(_dealt, pool, trained, clients),
        options={"optimizer": "sgd", "stacked": True, "per_unit": per_unit, "classifier_share": shared},
        cohort=cohort,
        steps=each * 4 // 5 // 8,
        rounds=rounds,
        record=record,
    )


def _layer(pool: tuple, method: str, rank: int, scale: float):
    from lib.spry.last_layer import last_layer

    net, _, _, centre, directions = _states(*pool)
    return functools.partial(last_layer, net, centre, directions, method=method, rank=rank, alpha=scale * rank)


def _classifier(pool: tuple):
    from lib.spry.last_layer import Classifier

    net, _, _, _, directions = _states(*pool)
    return functools.partial(Classifier, directions.shape[1], net.config.num_labels)


@functools.lru_cache(maxsize=6)  # the methods see the same partitions
def _dealt(pool: tuple, trained: str, clients: int, alpha: float, seed: int):
    from lib.spry.experiments.real import federation

    return federation(pool[0], *_inputs(pool, trained), clients, alpha, seed)


@functools.lru_cache(maxsize=2)
def _inputs(pool: tuple, trained: str):
    """Return what is called with by the network that trains LoRA, or by the classifier alone, and the labels."""
    from lib.spry.last_layer import frozen_pooled

    net, states, labels, centre, directions = _states(*pool)
    return frozen_pooled(net, states, centre, directions) if trained == HEAD else states, labels


@functools.lru_cache(maxsize=1)  # the methods share the texts and what the frozen layers make of them
def _states(name: str, half: int, length: int, components: int, seed: int):
    """Return the network, states, labels, and the mean and principal components of the pooled vector."""
    from lib.spry.cached_states import cached_states, states
    from lib.spry.minilm import minilm_folder

    found = cached_states(name, half, length, components, seed) if minilm_folder() is None else None
    return states(name, half, length, components, seed) if found is None else found
