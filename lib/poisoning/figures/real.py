"""The figures of the runs on real data, by question: those for which there are tables."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from lib.poisoning.experiments.spectrum import beside
from lib.poisoning.figures.attacks import attacks, directions, other_rules, taken_over
from lib.poisoning.figures.images import distances, samples
from lib.poisoning.figures.spectrum import heterogeneity, shares, spectrum

NAMES = {"mnist": "MNIST", "femnist-digits": "FEMNIST digits", "cifar10": "CIFAR-10"}
SOME = ("none", "MPAF", "noise", "compromised 5", "hybrid 5", "bootstrap 5", "omniscient")
Tables = Mapping[str, pd.DataFrame]


def of_real(tables: Tables, question: str | None = None) -> dict[str, Figure]:
    """Return the figures of `tables`, those of `lib.poisoning.experiments.real_tables`, by name; none without them.

    `question` is one of `QUESTIONS`, None is all of them.
    """
    if "real" not in tables:
        return {}
    found: dict[str, Figure] = {}
    for draw in QUESTIONS.values() if question is None else (QUESTIONS[question],):
        found |= draw(tables)
    return found


def show_real(tables: Tables, question: str, show: Callable[[Figure, str], None]) -> None:
    """Hand the figures of `of_real` that answer `question` to `show`, with their names."""
    for name, figure in of_real(tables, question).items():
        show(figure, name)


def _spectra(tables: Tables) -> dict[str, Figure]:
    """Return the spectrum of every data set, and how it changes with the clients taken over where that varies."""
    found = {}
    for data, main in _parts(tables, "real").items():
        varied = main["adversary"].str.match(r"(hybrid|DCGAN|bootstrap) (?!5$)")
        found[f"{data}-spectrum"] = spectrum(main[~varied], data=NAMES[data])
        if varied.any():
            found[f"{data}-taken"] = taken_over(main, data=NAMES[data])
    return found


def _images(tables: Tables) -> dict[str, Figure]:
    """Return synthetic images of five clients, and how near those of any number lie to what was learnt from."""
    images = [rows.assign(data=NAMES[data]) for data, rows in _parts(tables, "real_images").items()]
    if not images:
        return {}
    table = pd.concat(images, ignore_index=True)
    five = table[table["compromised"] == 5]
    shown = {"real-samples": samples(five)} if len(five) else {}
    return shown | {"real-distances": distances(table)}


def _variations(tables: Tables) -> dict[str, Figure]:
    """Return what other attacks, rules, directions, shares and clients do, where they were run."""
    known = _parts(tables, "real")
    found = {}
    for data, rows in _parts(tables, "real_attacks").items():
        found[f"{data}-attacks"] = attacks(beside(rows, known[data], SOME), data=NAMES[data])
    for data, rows in _parts(tables, "real_rules").items():
        same = known[data][known[data]["adversary"].isin(rows["adversary"])]
        found[f"{data}-rules"] = other_rules(pd.concat([same, rows], ignore_index=True), data=NAMES[data])
    for data, rows in _parts(tables, "real_alike").items():
        same = known[data][known[data]["adversary"].isin(rows["adversary"])]
        found[f"{data}-alike"] = heterogeneity(same, rows, data=NAMES[data])
    for data, rows in _parts(tables, "real_directions").items():
        names = ("none", *rows["adversary"].unique())
        found[f"{data}-directions"] = directions(beside(rows, known[data], names), data=NAMES[data])
    for data, rows in _parts(tables, "real_shares").items():
        found[f"{data}-shares"] = shares(_from_zero(rows, known[data]), data=NAMES[data])
    return found


def _from_zero(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with those of the spectrum `known`: its share of attackers, and none, which is anybody's zero."""
    names = list(rows["adversary"].unique())
    clean = known[(known["adversary"] == "none") & known["rule"].isin(rows["rule"])]
    zeros = [clean.assign(adversary=name, share=0.0) for name in names]
    return pd.concat([*zeros, beside(rows, known, names)], ignore_index=True)


def _parts(tables: Tables, key: str) -> dict[str, pd.DataFrame]:
    """Return the rows of one table by data set, without the mean, which is no robust rule."""
    if key not in tables:
        return {}
    table = tables[key]
    kept = table[table["rule"] != "mean"] if "rule" in table else table
    return {data: kept[kept["data"] == data] for data in NAMES if (kept["data"] == data).any()}


QUESTIONS: dict[str, Callable[[Tables], dict[str, Figure]]] = {
    "adversaries": _spectra,
    "images": _images,
    "variations": _variations,
}
