"""Ways to finetune on AG News: what is trained of the encoder's last layer, under backpropagation and under Spry.

The classifier alone, biases (BitFit), scales (IA3) or LoRA of several ranks, each with the classifier. Every client
trains the classifier beside its share, so that splitting costs none of them clients of the classifier, and the arms
differ by what is trained besides. The scale of LoRA's update is 1 at every rank.
"""

from collections.abc import Sequence

import pandas as pd

from lib.report.tasks import Task
from lib.spry.experiments.adapted import HEAD, LORA, WIDER, lora_arm
from lib.spry.experiments.arms import MORE

RANKS = {f"LoRA, rank {rank}": rank for rank in (1, 4, 8)}
WAYS = (*RANKS, "IA3", "BitFit", HEAD)
METHODS = (MORE, "Spry", "FedAvg")  # the longest first


def finetuning_tasks(
    *,
    data: str = "ag-news",
    ways: Sequence[str] = WAYS,
    methods: Sequence[str] = METHODS,
    alphas: Sequence[float],
    rounds: int,
    tuning_rounds: int,
    seeds: Sequence[int],
    rates: Sequence[float] = WIDER,
    tuning_seeds: int = 2,
    zero_order_k: int = 4,
    candidates: int = 3,
) -> list[Task]:
    """Return the pieces of the table peft: rows of `lora_arm`, with one of `WAYS` in the column trained."""
    plan = {"rates": tuple(rates), "rounds": rounds, "tuning_rounds": tuning_rounds, "seeds": tuple(seeds)}
    plan |= {"tuning_seeds": tuning_seeds, "zero_order_k": zero_order_k, "candidates": candidates, "record": 5}
    return [
        Task("peft", way_arm, {"data": data, "way": way, "method": method, "alpha": alpha} | plan)
        for method in methods
        for way in ways
        for alpha in alphas
    ]


def way_arm(way: str, **options) -> pd.DataFrame:
    """Return the rows of `lora_arm` for one of `WAYS`, whose name they have in the column trained.

    Pairs of tensors are a unit with LoRA, single ones with IA3 and BitFit, as in the released code.
    """
    if way not in WAYS:
        raise ValueError(f"no way to finetune {way!r}: choose one of {', '.join(WAYS)}")
    kind = LORA if way in RANKS else way
    single = way in ("IA3", "BitFit")
    problem = {"rank": RANKS.get(way, 1), "shared": 2, "per_unit": 1 if single else 2}
    return lora_arm(trained=kind, **options, **problem).assign(trained=way)
