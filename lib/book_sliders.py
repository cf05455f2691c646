"""Figures with a slider: the medians of a run's table for every stop of the slider, read by ``sliders.js``."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.jobs import make_job, papers
from lib.report.intervals import summarize
from lib.report.style import COLOURS
from lib.seeds import over_seeds

DIGITS = 4


@dataclass(frozen=True)
class Slider:
    """One such figure: from which table of which paper, which column slides, and what the axes show.

    Without `x` there is one dot a value of `by`. `figure` names the paper's own figure that stands in without
    JavaScript; `theory` is a column drawn as a dashed line; `log` makes the axis of `y` logarithmic.
    """

    paper: str
    table: str
    title: str
    text: str
    figure: str
    slides: str
    slides_label: str
    y: str
    y_label: str
    by: str
    x: str = ""
    x_label: str = ""
    theory: str = ""
    log: bool = False
    where: dict[str, object] = field(default_factory=dict)
    repeats: str = "seed"  # what the values at one stop differ in


SLIDERS = (
    Slider(
        paper="bslb",
        table="versions",
        title="What does a less sparse problem cost?",
        text="Regret of BSLB with the exploration length of the paper's first and of its second version, while more "
        "features matter. Lower is better.",
        figure="versions",
        slides="k",
        slides_label="features that matter, k",
        x="horizon",
        x_label="pulls",
        y="regret",
        y_label="regret",
        by="version",
        repeats="replicate",
    ),
    Slider(
        paper="spry",
        table="estimator",
        title="How good is a forward gradient?",
        text="Squared error of the estimate, relative to the squared gradient: at 1 it is as wrong as no estimate. The "
        "slider sets how many numbers are trained, the curves how many directions a client tries; dashed: the theory.",
        figure="estimator-error",
        slides="dimension",
        slides_label="trained numbers, d",
        x="clients",
        x_label="clients that share the numbers",
        y="mse",
        y_label="relative squared error",
        by="perturbations",
        theory="mse_theory",
        log=True,
    ),
    Slider(
        paper="fedper",
        table="classes",
        title="How unlike must clients be?",
        text="Accuracy on the clients' own test digits while each client holds fewer or more classes. At ten classes "
        "all clients are alike.",
        figure="rounds-by-classes",
        slides="classes_per_client",
        slides_label="classes a client holds",
        x="round",
        x_label="round",
        y="accuracy",
        y_label="personalized accuracy",
        by="method",
    ),
    Slider(
        paper="poisoning",
        table="by_share",
        title="How many attackers does it take?",
        text="Accuracy of the common model under the trimmed mean while the attackers' share of a cohort grows. At "
        "share zero nobody attacks, so the curves coincide.",
        figure="shares",
        slides="share",
        slides_label="attackers' share of a cohort",
        x="round",
        x_label="round",
        y="accuracy",
        y_label="accuracy",
        by="adversary",
        where={"rule": "trimmed mean"},
    ),
    Slider(
        paper="segmentation",
        table="curves",
        title="What does a budget buy?",
        text="Exposures bought by the best plan for each way to cut users into segments, while the budget grows.",
        figure="budgets",
        slides="fraction",
        slides_label="budget, share of the price of everybody",
        y="exposed",
        y_label="exposed users in 1,000",
        by="method",
    ),
)


def sliders_text() -> str:
    """Return the sections of all sliders whose paper has a notebook."""
    return "\n".join(section(slider, make_job(slider.paper).folder) for slider in SLIDERS if slider.paper in papers())


def section(slider: Slider, run: Path) -> str:
    """Return heading, text, the figure that stands in without JavaScript, and the embedded table of one slider."""
    table = pd.read_csv(run / "tables" / f"{slider.table}.csv")
    described = json.loads((run / "figures" / f"{slider.figure}.json").read_text(encoding="utf-8"))
    data = json.dumps(frames(slider, table), separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return "\n".join(
        [
            f"## {slider.title}",
            "",
            slider.text,
            "",
            "::::{div} scarce-slider",
            f":::{{figure}} /notebooks/{slider.paper}_files/figures/{slider.figure}.png",
            f":alt: {described['alt']}",
            ":width: 691px",
            "",
            described["caption"],
            ":::",
            "",
            "```{raw} html",
            f'<script type="application/json">{data}</script>',
            "```",
            "::::",
            "",
            f"From the table `{slider.table}` of the run behind [its page](/notebooks/{slider.paper}.ipynb); "
            f"{over_seeds(summary(slider, table)['n'], slider.repeats)}. The page's own figure is "
            f"{{numref}}`fig-{slider.paper}-{slider.figure}`.",
            "",
        ]
    )


def frames(slider: Slider, table: pd.DataFrame) -> dict[str, Any]:
    """Return what ``sliders.js`` draws: labels, ranges, and for each series one list of points a stop of the slider.

    A point is ``[x, median, low, high]`` (x is null without an `x`), with the theory's value after it where there is
    one; what is not known is null. Raises ValueError if the table lacks a column or any row (`summary`).
    """
    points = summary(slider, table)
    stops = sorted(points[slider.slides].unique().tolist())
    names = list(dict.fromkeys(points[slider.by]))
    ends = points[["low", "high", *([slider.theory] if slider.theory else [])]]
    lowest, highest = float(ends.min().min()), float(ends.max().max())
    return {
        "title": slider.title,
        "slider": {"label": slider.slides_label, "stops": stops, "start": stops.index(telling(slider, points))},
        "x": {"label": slider.x_label, "values": sorted(points[slider.x].unique().tolist())} if slider.x else None,
        "y": {
            "label": slider.y_label,
            "log": slider.log,
            "low": lowest if slider.log else min(0.0, lowest),
            "high": highest,
        },
        "by": slider.by,
        "series": [
            {
                "name": str(name),
                "colour": COLOURS[place % len(COLOURS)],
                "frames": [frame(slider, points[points[slider.by] == name], stop) for stop in stops],
            }
            for place, name in enumerate(names)
        ],
    }


def telling(slider: Slider, points: pd.DataFrame) -> float:
    """Return the stop at which a slider begins: where the medians of the series are furthest apart, over all x.

    Apart are their differences, or ratios on a logarithmic axis; the first such stop.
    """
    height = np.log(points["median"].where(points["median"] > 0)) if slider.log else points["median"]
    keys = [slider.slides, *([slider.x] if slider.x else [])]
    ends = points.assign(height=height).groupby(keys)["height"].agg(["min", "max"])
    return float((ends["max"] - ends["min"]).groupby(slider.slides).mean().fillna(0.0).idxmax())


def summary(slider: Slider, table: pd.DataFrame) -> pd.DataFrame:
    """Return the points of all series and stops: median, low, high and n (values, one a seed), and the theory."""
    columns = [name for name in (slider.slides, slider.x, slider.y, slider.by, slider.theory, *slider.where) if name]
    missing = [name for name in columns if name not in table]
    for name, value in slider.where.items() if not missing else ():
        table = table[table[name] == value]
    if missing or table.empty:
        lack = f"no column {', '.join(missing)}" if missing else f"no row with {slider.where}"
        raise ValueError(f"table {slider.table} of {slider.paper} has {lack}: mend SLIDERS in lib/book_sliders.py")
    keys = [slider.by, slider.slides, *([slider.x] if slider.x else [])]
    points = summarize(table, keys, slider.y)
    if not slider.theory:
        return points
    return points.merge(table.groupby(keys, as_index=False)[slider.theory].mean(), on=keys)


def frame(slider: Slider, points: pd.DataFrame, stop: float) -> list[list[float | None]]:
    """Return the points of one series at one stop of the slider, by growing x."""
    here = points[points[slider.slides] == stop]
    here = here.sort_values(slider.x) if slider.x else here
    columns = ["median", "low", "high", *([slider.theory] if slider.theory else [])]
    places = here[slider.x].tolist() if slider.x else [None] * len(here)
    values = here[columns].round(DIGITS).astype(object).where(here[columns].notna(), None).to_numpy().tolist()
    return [[place, *row] for place, row in zip(places, values, strict=True)]
