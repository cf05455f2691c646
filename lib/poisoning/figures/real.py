"""The figures of the runs on real data: those for which there are tables."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from lib.poisoning.experiments.spectrum import beside
from lib.poisoning.figures.attacks import attacks, directions, taken_over
from lib.poisoning.figures.images import distances, samples
from lib.poisoning.figures.spectrum import heterogeneity, shares, spectrum

NAMES = {"mnist": "MNIST", "femnist-digits": "FEMNIST digits", "cifar10": "CIFAR-10"}
SOME = ("none", "MPAF", "noise", "compromised 5", "hybrid 5", "bootstrap 5", "omniscient")


def of_real(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Return the figures of `tables`, those of `lib.poisoning.experiments.real_tables`, by name; none without them."""
    found: dict[str, Figure] = {}
    if "real" not in tables:
        return found
    for data, name in NAMES.items():
        parts = {key: table[table["data"] == data] for key, table in tables.items() if "data" in table}
        parts = {key: table for key, table in parts.items() if len(table)}
        if "real" in parts:
            found |= {f"{data}-{key}": figure for key, figure in _of(parts, name).items()}
    return found


def show_real(tables: Mapping[str, pd.DataFrame], show: Callable[[Figure, str], None]) -> None:
    """Hand the figures of `of_real` to `show`, with their names."""
    for name, figure in of_real(tables).items():
        show(figure, name)


def _of(tables: Mapping[str, pd.DataFrame], name: str) -> dict[str, Figure]:
    """Return the figures of one data set."""
    main = tables["real"][tables["real"]["rule"] != "mean"]
    varied = main["adversary"].str.match(r"(hybrid|DCGAN|bootstrap) (?!5$)")
    found = {"spectrum": spectrum(main[~varied], data=name)}
    if varied.any():
        found["taken"] = taken_over(main, data=name)
    if "real_images" in tables:
        found |= {"samples": samples(tables["real_images"]), "distances": distances(tables["real_images"])}
    if "real_attacks" in tables:
        found["attacks"] = attacks(beside(tables["real_attacks"], main, SOME), data=name)
    if "real_alike" in tables:
        names = tuple(tables["real_alike"]["adversary"].unique())
        found["alike"] = heterogeneity(main[main["adversary"].isin(names)], tables["real_alike"])
    if "real_directions" in tables:
        known = tuple(tables["real_directions"]["adversary"].unique())
        found["directions"] = directions(beside(tables["real_directions"], main, ("none", *known)), data=name)
    if "real_shares" in tables:
        known = tuple(tables["real_shares"]["adversary"].unique())
        found["shares"] = shares(beside(tables["real_shares"], main, known))
    if "real_rules" in tables:
        found["rules"] = attacks(tables["real_rules"], data=name)
    return found
