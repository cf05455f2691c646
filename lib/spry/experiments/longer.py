"""Tables that take longer than a run of the page: ``python -m lib.tables spry --preset real --only NAME --out DIR``.

The page shows them where they were recorded. They belong to data sets: skew to the digits, lora_long and peft to AG
News, multirc to MultiRC.
"""

from collections.abc import Mapping
from typing import Any

from lib.report.tasks import Task
from lib.spry.experiments.adapted import WIDER, lora_tasks
from lib.spry.experiments.arms import MORE
from lib.spry.experiments.finetuning import finetuning_tasks
from lib.spry.experiments.skew import skew_tasks

ALPHAS = (1.0, 0.1)
# The strongest rivals of the shorter table lora, those that the claims on accuracy ask for, and the split ablation.
LONG = ("FedAvg", "FedYogi", "FedAvgSplit", "Spry", MORE, "FedMeZO", "Baffle+", "FwdLLM+")
LONGER = 4  # times the rounds of lora


def longer_tasks(parameters: Mapping[str, Any]) -> list[Task]:
    """Return the pieces of the longer tables for the data sets among the notebook's `parameters`."""
    data = parameters["data_sets"]
    several = {name: parameters[name] for name in ("zero_order_k", "candidates")}
    rounds, judged = parameters["lora_rounds"], range(parameters["seeds"])
    tasks: list[Task] = []
    if "digits" in data:
        tasks += skew_tasks(rates=parameters["rates"], rounds=parameters["rounds"], **several)
    if "ag-news" in data:
        tasks += long_lora_tasks(rounds=rounds, seeds=judged, **several)
        tasks += finetuning_tasks(alphas=ALPHAS, rounds=2 * rounds, tuning_rounds=rounds, seeds=judged, **several)
    if "multirc" in data:
        tasks += multirc_tasks(parameters)
    return tasks


def long_lora_tasks(*, rounds: int, seeds: range, **several: int) -> list[Task]:
    """Return the pieces of lora_long: the rows of lora on AG News with LoRA, `LONGER` times as many `rounds`.

    The rates were shifted by one step after the rows of lora had been seen, where no method chose the highest with
    LoRA and Spry often the lowest: one below them is new, the highest left out. They are chosen in half as many rounds.
    """
    plan = {"rates": WIDER[:-1], "rounds": LONGER * rounds, "tuning_rounds": LONGER * rounds // 2, "record": 5}
    plan |= {"alphas": ALPHAS, "seeds": seeds, "alone": (), "table": "lora_long"}
    return lora_tasks(["ag-news"], LONG[::-1], **plan, **several)


def multirc_tasks(parameters: Mapping[str, Any]) -> list[Task]:
    """Return the pieces of the table multirc, which has the rows of texts."""
    from lib.spry.experiments.real import ALL, text_tasks

    names = {"rates": "text_rates", "rounds": "text_rounds"} | {n: n for n in ("seeds", "zero_order_k", "candidates")}
    options = {name: parameters[given] for name, given in names.items()}
    return text_tasks("multirc", ALL, table="multirc", alphas=ALPHAS, **options)
