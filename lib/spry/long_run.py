"""A longer comparison on texts from cached states, on a GPU: ``python -m lib.spry.long_run FILE --device cuda``.

LoRA in the encoder's last layer, as the text experiments of the notebook, with more rounds, seeds and directions than
they have. Rates are chosen in shorter runs on other texts. Several processes share the device, since single steps of
so small a model leave it idle.
"""

import argparse
import functools
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

METHODS = ("FedAvg", "FedAvgSplit", "Spry", "Spry, more directions", "FedFGD", "FedMeZO", "Baffle+")


def problem(
    file: Path, *, device: str = "cpu", clients: int = 30, cohort: int = 6, rounds: int = 200, record: int = 10
):
    """Return the `Problem` on the states in `file`: as many texts a client as there are in half of them.

    Half of the texts are for judging, half for choosing rates; a round is one epoch in minibatches of 8 on the first
    four fifths of a client's texts.
    """
    from lib.federated.model import Model
    from lib.spry.cached_states import load_states
    from lib.spry.experiments.arms import Problem
    from lib.spry.experiments.real import federation

    net, states, labels, centre, components = load_states(file)
    each = len(labels) // 2 // clients
    return Problem(
        model=Model(functools.partial(_placed, net, centre, components, device)),
        deal=functools.lru_cache(maxsize=8)(functools.partial(federation, file.stem, states, labels, clients)),
        options={"optimizer": "sgd", "stacked": True},
        cohort=cohort,
        steps=max(1, each * 4 // 5 // 8),
        rounds=rounds,
        record=record,
        device=device,
    )


def _placed(net, centre, components, device: str):
    from lib.spry.last_layer import last_layer

    return last_layer(net, centre, components).to(device)


@functools.cache
def _problem(file: Path, device: str, cohort: int, rounds: int, record: int):
    import torch

    torch.set_num_threads(1)  # the processes share the processor too
    return problem(file, device=device, cohort=cohort, rounds=rounds, record=record)


def one_run(
    file: Path, device: str, cohort: int, directions: int, rounds: int, record: int, method: str, alpha: float,
    lr: float, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Return the rows of one run, of `lib.spry.experiments.arms.run_rows`."""
    from lib.spry.experiments.arms import named_arms, run_rows

    arm = named_arms([method], _problem(file, device, cohort, rounds, record), zero_order_k=directions)[0]
    return run_rows(arm, alpha, [(lr, seed)])


def compare(
    file: Path,
    *,
    device: str = "cpu",
    methods: Sequence[str] = METHODS,
    alphas: Sequence[float] = (1.0,),
    rates: Sequence[float] = (0.01, 0.03, 0.1, 0.3, 1.0),
    seeds: int = 5,
    rounds: int = 200,
    tuning_rounds: int = 40,
    cohort: int = 6,
    directions: int = 10,
    processes: int = 4,
    budget: float = 220,
    out: Path | None = None,
) -> pd.DataFrame:
    """Choose every method's rate on three tuning partitions, run it on the judged ones, and write rows as they come.

    Returns:
        The rows of all finished runs with the column data in front and, for the time that is left out when `budget`
        (seconds) ends, complete runs only: method, alpha, seed, lr, round, accuracy and what was spent.
    """
    from lib.federated.tuning import best_settings, tuning_seeds

    start = time.monotonic()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:

        def begin(length: int, step: int, method: str, alpha: float, lr: float, seed: int) -> Future:
            return pool.submit(one_run, file, device, cohort, directions, length, step, method, alpha, lr, seed)

        tried = [
            begin(tuning_rounds, tuning_rounds, method, alpha, lr, seed)
            for seed in tuning_seeds(3)
            for method in methods
            for alpha in alphas
            for lr in rates
        ]
        tuned = _collected(tried, start, budget / 2, None, file.stem, "tuning")
        ends = tuned[tuned["round"] == tuning_rounds]
        best = best_settings(ends, ["method", "alpha"])
        print(best.to_string(), flush=True)
        step = max(1, rounds // 20)
        judged = [
            begin(rounds, step, row.method, row.alpha, row.lr, seed)
            for seed in range(seeds)
            for row in best.itertuples()
        ]
        return _collected(judged, start, budget, out, file.stem, "judged")


def _collected(
    futures: Sequence[Future], start: float, budget: float, out: Path | None, name: str, label: str
) -> pd.DataFrame:
    """Gather tables as runs end, and give up what has not begun once `budget` seconds have passed."""
    from lib.spry.memory_cases import write_table

    parts: list[pd.DataFrame] = []
    for future in as_completed(futures):
        if future.cancelled():
            continue
        if future.exception() is not None:  # one failed run must not cost the others, on a machine that is lent
            print(f"{label}: {type(future.exception()).__name__}: {future.exception()}", flush=True)
            continue
        parts.append(future.result())
        row, spent = parts[-1].iloc[-1], time.monotonic() - start
        what = f"{row.method}, alpha {row.alpha:g}, lr {row.lr:g}, seed {row.seed}, round {row['round']}"
        print(f"{spent:6.1f} s  {label} {len(parts)}/{len(futures)}: {what}: {row.accuracy:.3f}", flush=True)
        if out is not None:
            write_table(out, pd.concat(parts, ignore_index=True).assign(data=name))
        if time.monotonic() - start > budget:
            for other in futures:
                other.cancel()
    return pd.concat(parts, ignore_index=True).assign(data=name)


def main(arguments: list[str] | None = None) -> None:
    """Compare the methods on cached states and write the table of runs."""
    parser = argparse.ArgumentParser(prog="python -m lib.spry.long_run", description=main.__doc__)
    parser.add_argument("file", type=Path, help="of lib.spry.cached_states")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--alphas", nargs="+", type=float, default=[1.0])
    parser.add_argument("--rates", nargs="+", type=float, default=[0.01, 0.03, 0.1, 0.3, 1.0])
    for name, value in {"seeds": 5, "rounds": 200, "tuning-rounds": 40, "cohort": 6, "directions": 10}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--budget", type=float, default=220, help="seconds after which no further run is begun")
    parser.add_argument("--out", type=Path, required=True)
    compare(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
