"""What is trained: the classifier alone, or LoRA of several ranks in the encoder's last layer as well."""

import functools
from collections.abc import Sequence

import pandas as pd

from lib.report.tasks import Task
from lib.spry.experiments.arms import Arm, Problem, tuned_arm

RANKS = (0, 1, 8)  # 0 trains the classifier alone


def adapted_tasks(
    name: str,
    *,
    methods: Sequence[str] = ("FedAvg", "Spry"),
    ranks: Sequence[int] = RANKS,
    rates: Sequence[float] = (0.01, 0.05, 0.25, 1.25),
    rounds: int = 12,
    seeds: Sequence[int] = (0, 1, 2),
    tuning_seeds: int = 2,
) -> list[Task]:
    """Return the pieces of the table adapted, methods by what they train, each at a rate of its own, at Dirichlet 1."""
    plan = {"rates": tuple(rates), "rounds": rounds, "seeds": tuple(seeds), "tuning_seeds": tuning_seeds}
    cells = [{"name": name, "rank": rank, "method": method} | plan for rank in ranks for method in methods]
    return [Task("adapted", adapted_arm, cell) for cell in cells]


def adapted_arm(
    name: str,
    rank: int,
    method: str,
    rates: Sequence[float],
    rounds: int,
    seeds: Sequence[int],
    tuning_seeds: int,
) -> pd.DataFrame:
    """Return the rows of `tuned_arm` with columns rank and trained (numbers that are trained) in front."""
    problem = lora_problem(name, rank=rank, rounds=rounds)
    table = tuned_arm(Arm(method, method, problem), 1.0, rates, seeds, tuning_seeds)
    table.insert(0, "rank", rank)
    table.insert(1, "trained", sum(value.numel() for value in problem.model.init(0).values()))
    return table


def lora_problem(
    name: str,
    *,
    clients: int = 30,
    each: int = 40,
    cohort: int = 6,
    rounds: int = 12,
    length: int = 16,
    components: int = 16,
    rank: int = 1,
    seed: int = 0,
) -> Problem:
    """Return the problem of finetuning the encoder's last layer: LoRA on query and value, and the classifier.

    The classifier reads whitened principal components of the pooled first token. The trained tensors make three units
    (two of LoRA, one of the classifier; without LoRA one), so that two clients of six, or all, share one.

    Args:
        name: as for `lib.spry.text_data.text_examples`.
        clients: number of clients.
        each: texts a client, as for `lib.spry.experiments.real.text_problem`.
        cohort: clients a round.
        rounds: number of rounds.
        length: word pieces a text.
        components: principal components that the classifier reads.
        rank: LoRA's r; 0 trains the classifier alone.
        seed: of the texts.
    """
    from lib.federated.model import Model
    from lib.spry.experiments.real import federation
    from lib.spry.last_layer import last_layer

    net, states, y, centre, directions = _states(name, clients * each, length, components, seed)
    build = functools.partial(last_layer, net, centre, directions, rank=max(rank, 1), adapters=rank > 0)
    return Problem(
        model=Model(build),
        deal=functools.lru_cache(maxsize=8)(functools.partial(federation, name, states, y, clients)),
        options={"optimizer": "sgd", "stacked": True},
        cohort=cohort,
        steps=each * 4 // 5 // 8,
        rounds=rounds,
    )


@functools.lru_cache(maxsize=1)  # the ranks share the texts and what the frozen layers make of them
def _states(name: str, half: int, length: int, components: int, seed: int):
    """Return the network, states, labels, and the mean and principal components of the pooled vector."""
    from lib.spry.cached_states import cached_states, states
    from lib.spry.minilm import minilm_folder

    found = cached_states(name, half, length, components, seed) if minilm_folder() is None else None
    return states(name, half, length, components, seed) if found is None else found
