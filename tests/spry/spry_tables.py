"""Tables made by hand for the rules of Spry: each function returns what a rule needs, from the numbers that decide."""

import numpy as np
import pandas as pd

from lib.spry.experiments.adapted import HEAD, LORA
from lib.spry.experiments.arms import MORE
from lib.spry.experiments.finetuning import WAYS
from lib.spry.experiments.methods import RELEASED
from lib.spry.memory_model import PAPER_SHAPES, TRANSIENT


def runs(**accuracies):
    """Return a comparison at two alphas: {method, with _ for a space: final accuracies by seed, or by alpha}."""
    made = []
    for name, values in accuracies.items():
        by_alpha = values if isinstance(values, dict) else {1.0: values, 0.1: values}
        for alpha, some in by_alpha.items():
            for seed, value in enumerate(np.atleast_1d(some)):
                for r, accuracy in ((1, 0.0), (9, value)):
                    row = {"method": name.replace("_", " "), "alpha": alpha, "seed": seed, "round": r}
                    made.append(row | {"accuracy": accuracy, "operations": 10.0 * r, "majority": 0.1, "lr": 1.0})
    return pd.DataFrame(made)


def accuracy(*gains):
    zero = {"FedMeZO": 0.3, "Baffle+": 0.5, "FwdLLM+": 0.4}
    parts = [runs(**{n: dict.fromkeys((1.0, 0.1), v) for n, v in zero.items()})]
    return {"comparison": pd.concat([*parts, runs(Spry={1.0: 0.5 + gains[0], 0.1: 0.5 + gains[-1]})])}


def below(*gaps):
    first, last = np.broadcast_arrays(gaps[0], gaps[-1])
    rivals = {"FedAvg": np.full(first.shape, 0.9), "FedYogi": np.full(first.shape, 0.8)}
    return {"comparison": runs(**rivals, Spry={1.0: 0.9 - first, 0.1: 0.9 - last})}


def slower(*ratios):
    """Return a comparison in which zero-order methods need `ratios` times the operations of Spry."""
    table = runs(Spry=0.5, FedMeZO=0.5, **{"Baffle+": 0.5, "FwdLLM+": 0.5})
    factor = dict(zip(("FedMeZO", "Baffle+", "FwdLLM+"), ratios, strict=True))
    return {"comparison": table.assign(operations=table["operations"] * table["method"].map(factor).fillna(1))}


def gpu(backprop, forward):
    """Return measured peaks in GB by shape, the same at both lengths."""
    rows = []
    for shape in backprop:
        full = shape == "RoBERTa-large"
        for length in (64, 256):
            case = {
                "shape": shape,
                "batch": 8,
                "length": length,
                "dtype": "bfloat16",
                "status": "ok",
                "category": "all",
                "device": "a GPU",
            }
            rival = {
                "method": "backprop",
                "weights": "full" if full else "4bit kept",
                "measured": backprop[shape] * 1e9,
            }
            ours = {"method": "forward mode", "weights": "full" if full else "4bit", "measured": forward[shape] * 1e9}
            rows += [case | rival, case | ours]
    return {"gpu_memory": pd.DataFrame(rows)}


def four(*ratios):
    names = tuple(PAPER_SHAPES)
    return gpu(dict(zip(names, ratios, strict=True)), dict.fromkeys(names, 1.0))


def checkpointed(*ratios):
    """Return the peaks of `four` as those of a checkpointed rival, with the weights of forward mode."""
    table = four(*ratios)["gpu_memory"]
    rival = table["method"].replace("backprop", "checkpointed backprop")
    return {"gpu_memory": table.assign(method=rival, weights=table["weights"].replace("4bit kept", "4bit"))}


def one_shape(shape):
    return lambda back, forward: gpu({shape: back}, {shape: forward})


def depth(**ends):
    """Return transients at 2 and 24 layers by method, with _ for a space."""
    rows = [
        [layers, name.replace("_", " ").replace("zero order", "zero-order"), TRANSIENT, value]
        for name, values in ends.items()
        for layers, value in zip((2, 24), values, strict=True)
    ]
    return {"depth": pd.DataFrame(rows, columns=["layers", "method", "category", "measured"])}


def paired(first, second, *gains, table="comparison"):
    return {table: runs(**{first: 0.5 + np.array(gains), second: np.full(len(gains), 0.5)})}


def per_iteration(*gains):
    both = paired("Spry per iteration", "Spry", *gains)["comparison"]
    mine = both["method"] == "Spry"
    return {"comparison": both[mine], "protocols": both[~mine]}


def sweep(name, values):
    rows = [[name, value, 0, 9, accuracy] for value, accuracy in values.items()]
    return {"sweeps": pd.DataFrame(rows, columns=["sweep", "value", "seed", "round", "accuracy"])}


def no_split(*gains):
    shared = runs(**{"FedFGD shared": np.full(len(gains), 0.1)})
    return {"comparison": pd.concat([paired("Spry", "FedFGD", *gains)["comparison"], shared])}


def bias(total, averaged=(1.0, 1.0, 1.0), alike=(1.0, 1.0), skewed=20.0):
    table = {"alpha": [100.0, 1.0, 0.1], "seed": 0, "bias2": total, "averaged2": averaged}
    rows = [[alpha, 0.1 * value] for alpha, some in ((np.inf, alike), (0.1, [skewed])) for value in some]
    sampled = pd.DataFrame(rows, columns=["alpha", "error2"]).assign(chance2=0.1, draws=100)
    return {"bias": pd.DataFrame(table).assign(averaged2_theory=1.0), "sampled": sampled}


def floor(slope, ratio):
    rows = [
        [name, alpha, 0, r, (r / 400) ** slope * (ratio if alpha == 0.1 else 1.0)]
        for name in ("fixed", "re-sampled")
        for alpha in (100.0, 0.1)
        for r in (10, 50, 100, 400)
    ]
    return {"floor": pd.DataFrame(rows, columns=["map", "alpha", "seed", "round", "norm2"])}


def estimator(*off):
    table = pd.DataFrame({"dimension": range(len(off)), "perturbations": 1, "clients": 1, "mse_theory": 10.0})
    return {"estimator": table.assign(mse=10.0 * (1 + np.array(off)))}


def one_step(ratio):
    rows = [["split", 16, ratio], ["own directions", 16, 1.0], ["split", 1, 9.0], ["own directions", 1, 1.0]]
    return {"one_step": pd.DataFrame(rows, columns=["method", "clients", "mse"])}


def splitting(*gains):
    rows = [
        [name, steps, 0.1, value]
        for steps, gain in zip((1, 64), gains, strict=True)
        for name, value in (("split", 10.0), ("own directions", 10.0 * gain))
    ]
    return {"splitting": pd.DataFrame(rows, columns=["method", "steps", "lr", "rounds"])}


def dropout(released, shared):
    rows = [["as_released", 1e-4, released], ["as_released", 1e-1, 0.9], ["shared_mask", 1e-2, shared]]
    return {"dropout": pd.DataFrame(rows, columns=["mode", "step", "correlation"])}


def defects(*released):
    table = pd.DataFrame({"defect": [f"d{i}" for i in range(len(released))], "right": 1.0, "released": released})
    return {"defects": table}


def counted(sent, other=7):
    rows = [["Spry per iteration", 3, sent, 6, 5, 5, 2, 2, 0, 0], ["FedAvg", 3, other, 7, 5, 5, 1, 1, 1, 1]]
    names = ["up_all", "up_all_formula", "down", "down_formula", "forward", "forward_formula"]
    table = pd.DataFrame(rows, columns=["method", "clients", *names, "backward", "backward_formula"])
    return {"counted": table.assign(books=5)}


def released(*losses):
    """Return runs of two methods that lose so much by their defect."""
    names = {f"m{place}": 0.5 for place in range(len(losses))}
    defect = {f"m{place}{RELEASED}": 0.5 - loss for place, loss in enumerate(losses)}
    return {"released": runs(**names, **defect)}


def lora(Spry=(0.0,), FedFGD=(0.0,), FedAvg=(0.0,), more=(0.0,)):
    """Return methods with LoRA and without ("more" is Spry with several directions), given their gains by seed.

    FedFGD has no rows without: its gain is over Spry alone.
    """
    gains, parts = {"Spry": Spry, "FedFGD": FedFGD, "FedAvg": FedAvg, MORE: more}, []
    count = max(map(len, gains.values()))
    for trained, sign in ((LORA, 1), (HEAD, 0)):
        rows = runs(**{n: 0.5 + sign * np.resize(v, count) for n, v in gains.items() if sign or n != "FedFGD"})
        parts += [rows.assign(trained=trained, data=data) for data in ("ag-news", "sst2")]
    return {"lora": pd.concat(parts, ignore_index=True)}


def skew(make):
    """Return the function whose tables are the comparison that `make` makes, as the table skew."""
    return lambda *arguments: {"skew": make(*arguments)["comparison"]}


def growing(*gaps, start=0.05):
    """Return runs in which Spry is `start` below FedAvg at Dirichlet 1, and so much more at 0.1 in each seed."""
    gap = np.array(gaps)
    rivals = {"FedAvg": np.full(len(gap), 0.9), "FedYogi": np.full(len(gap), 0.8)}
    return {"skew": runs(**rivals, Spry={1.0: np.full(len(gap), 0.9 - start), 0.1: 0.9 - start - gap})}


def ways(seeds=1, **accuracies):
    """Return a table peft: by method, with _ for a space, final accuracies that fit ``(6 ways, seeds)``."""
    finals = {"Spry": 0.5, "FedAvg": 0.5, MORE: 0.5} | accuracies
    parts = []
    for place, (way, size) in enumerate(zip(WAYS, (2000, 8000, 16000, 2300, 4600, 68), strict=True)):
        some = {name: (np.zeros((6, seeds)) + value)[place] for name, value in finals.items()}
        parts.append(runs(**some).assign(trained=way, weights=size, data="ag-news"))
    return {"peft": pd.concat(parts, ignore_index=True)}


def best_way(*gains):
    """Return ways of which LoRA of rank one is so much better under Spry than the others in each seed."""
    return ways(len(gains), Spry=np.array([[0.5 + gain for gain in gains], *[[0.5] * len(gains)] * 5]))


def by_size(ours, theirs):
    """Return ways whose accuracy falls by rank of size, times `ours` under Spry and `theirs` under FedAvg, by way."""
    rank = np.array((2, 5, 6, 3, 4, 1)) / 20
    return ways(Spry=(0.6 - np.array(ours) * rank)[:, None], FedAvg=(0.6 - np.array(theirs) * rank)[:, None])
