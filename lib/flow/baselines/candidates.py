"""What is tried for every method: as many candidate settings for each, around the values of the authors' code."""

from collections.abc import Sequence
from itertools import product


def grid(**options: Sequence) -> list[dict]:
    """Return every combination of the values given."""
    return [dict(zip(options, values, strict=True)) for values in product(*options.values())]


# `rate` of FedAvg is a multiple of the bench's learning rate, that of the others a multiple of the one FedAvg chose.
CANDIDATES: dict[str, list[dict]] = {
    "FedAvg": grid(rate=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0)),
    "FedAvg + FT": grid(rate=(0.1, 0.3, 1.0), times=(1, 2)),
    "local only": grid(rate=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0)),
    "kNN-Per": grid(neighbours=(3, 10), weight=(0.2, 0.4, 0.6)),
    "PartialFed": grid(rate=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0)),
    "APFL": grid(rate=(2.0, 8.0, 32.0), alpha=(0.15, 0.3)),
    "Ditto": grid(rate=(0.1, 0.3, 1.0), lam=(0.1, 0.4)),
    "FedRep": grid(rate=(0.1, 0.3, 1.0), times=(1, 2)),
    "LG-FedAvg": grid(rate=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0)),
    "HypCluster": grid(rate=(0.5, 1.0, 2.0), clusters=(2, 4)),
    "ensemble": grid(rate=(0.1, 0.3, 1.0), alpha=(0.5, 0.7)),
    "ensemble, own weight": grid(rate=(0.1, 0.3, 1.0), times=(1, 2)),
    "Flow": grid(rate=(0.1, 0.3, 1.0), push=(0.0, 0.1)),
    "Flow by client": grid(rate=(0.1, 0.3, 1.0), push=(0.0, 0.1)),
}

# The same on real data, eight each: a lower rate for what a method trains for itself, and FedAvg's on both sides.
RATES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
OWN = (0.03, 0.1, 0.3, 1.0)
WIDER: dict[str, list[dict]] = {
    "FedAvg": grid(rate=RATES),
    "FedAvg + FT": grid(rate=OWN, times=(1, 2)),
    "local only": grid(rate=RATES),
    "kNN-Per": grid(neighbours=(3, 10), weight=(0.2, 0.4, 0.6, 0.8)),
    "PartialFed": grid(rate=RATES),
    "APFL": grid(rate=(0.5, 2.0, 8.0, 32.0), alpha=(0.15, 0.3)),
    "Ditto": grid(rate=OWN, lam=(0.1, 0.4)),
    "FedRep": grid(rate=OWN, times=(1, 2)),
    "LG-FedAvg": grid(rate=RATES),
    "HypCluster": grid(rate=(0.25, 0.5, 1.0, 2.0), clusters=(2, 4)),
    "ensemble": grid(rate=OWN, alpha=(0.5, 0.7)),
    "ensemble, own weight": grid(rate=OWN, times=(1, 2)),
    "Flow": grid(rate=OWN, push=(0.0, 0.1)),
    "Flow by client": grid(rate=OWN, push=(0.0, 0.1)),
}


def setting_text(setting: dict) -> str:
    """Return ``"rate=0.4, epochs=1"``."""
    return ", ".join(f"{key}={value:g}" for key, value in setting.items())


def setting_of(text: str) -> dict:
    """Return the setting that `setting_text` wrote; whole numbers come back as integers."""
    pairs = (part.split("=") for part in text.split(", "))
    return {key: int(value) if value.isdigit() else float(value) for key, value in pairs}
