"""Published attacks placed on the axes of `lib.poisoning.adversary`. The placement is the companion's."""

from dataclasses import dataclass

import pandas as pd

from lib.poisoning.adversary import AXES, Adversary


@dataclass(frozen=True, kw_only=True)
class Published:
    """One attack of the literature: name, source, where it stands on the axes, and our function for it."""

    name: str
    source: str
    adversary: Adversary
    ours: str


def _taken(data: str, **axes: str) -> Adversary:
    return Adversary(clients="compromised", data=data, compromised=1, **axes)


def _made_up(data: str, **axes: str) -> Adversary:
    return Adversary(clients="fake", data=data, fakes=1, **axes)


_AGNOSTIC = {"aggregation": "agnostic"}
ATTACKS = (
    Published(
        name="label flip",
        source="Tolpegin et al., arXiv 2007.08432",
        adversary=_taken("own", capability="data", **_AGNOSTIC),
        ours="flipped_labels, least_likely_labels",
    ),
    Published(
        name="inner product manipulation",
        source="Xie et al., arXiv 1903.03936",
        adversary=_taken("omniscient", **_AGNOSTIC),
        ours="inner_product",
    ),
    Published(
        name="a little is enough",
        source="Baruch et al., arXiv 1902.06156",
        adversary=_taken("own", **_AGNOSTIC),
        ours="little_is_enough",
    ),
    Published(
        name="mimic",
        source="Karimireddy et al., arXiv 2006.09365",
        adversary=_taken("omniscient", **_AGNOSTIC),
        ours="mimic",
    ),
    Published(
        name="STAT-OPT",
        source="Fang et al., arXiv 1911.11815",
        adversary=_taken("omniscient"),
        ours="fang_trimmed, fang_krum",
    ),
    Published(
        name="DYN-OPT (tailored)",
        source="Shejwalkar and Houmansadr, NDSS 2021",
        adversary=_taken("own"),
        ours="tailored",
    ),
    Published(
        name="Min-Max, Min-Sum",
        source="Shejwalkar and Houmansadr, NDSS 2021",
        adversary=_taken("own", **_AGNOSTIC),
        ours="min_max, min_sum",
    ),
    Published(
        name="projected gradient ascent",
        source="Shejwalkar et al., arXiv 2108.10241",
        adversary=_taken("own"),
        ours="gradient_ascent",
    ),
    Published(
        name="MPAF",
        source="Cao and Gong, arXiv 2203.08669",
        adversary=_made_up("none", **_AGNOSTIC),
        ours="mpaf, random_updates, history",
    ),
    Published(
        name="PoisonedFL",
        source="Xie et al., arXiv 2404.15611",
        adversary=_made_up("none", **_AGNOSTIC),
        ours="poisoned_fl",
    ),
    Published(
        name="noise-data fakes",
        source="companion",
        adversary=_made_up("noise"),
        ours="noise_images, tailored",
    ),
    Published(
        name="hybrid",
        source="Mozaffari et al., arXiv 2403.06319",
        adversary=Adversary(clients="hybrid", data="synthetic", compromised=1, fakes=1),
        ours="lib.poisoning.hybrid",
    ),
    Published(
        name="hybrid without a generator",
        source="companion",
        adversary=Adversary(clients="hybrid", data="own", compromised=1, fakes=1),
        ours="lib.poisoning.hybrid",
    ),
)


def taxonomy() -> pd.DataFrame:
    """Return one row an attack: attack, the axes, source, and the function of this package that implements it."""
    rows = [
        {"attack": one.name}
        | {axis: getattr(one.adversary, axis) for axis in AXES}
        | {"source": one.source, "function": one.ours}
        for one in ATTACKS
    ]
    return pd.DataFrame(rows)
