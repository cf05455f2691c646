"""What a notebook calls: show a figure, keep a table, judge the claims. Writes only inside a run."""

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from matplotlib.figure import Figure

from lib.files import write_json
from lib.report import provenance
from lib.report.claims import COMPANION, Claim, judge
from lib.report.paths import RESULTS, current_run
from lib.report.published import KNOWN, published

Item = TypeVar("Item")
DPI = 160
# How columns of our tables are read, wherever one is shown; a paper's own headings are given by the paper.
HEADINGS = {"seconds": "time (s)", "milliseconds": "time (ms)", "mflop": "MFLOP"}


def paper_card(paper: str) -> None:
    """Display the identity of `paper`: title, authors, venue, and what could be read of it."""
    card = published(paper)
    rows = [("Paper", f"*{card['title']}*"), ("Authors", card["authors"]), ("Published", card["venue"])]
    rows += [
        ("Source", f"[arXiv:{card['arxiv']}](https://arxiv.org/abs/{card['arxiv']})"),
        ("What we read", card["read"]),
    ]
    _markdown("\n".join(["| | |", "|---|---|", *(f"| **{name}** | {' '.join(text.split())} |" for name, text in rows)]))


def show(fig: Figure, name: str) -> None:
    """Display `fig` with its caption and, inside a run, keep it as PNG and SVG with its provenance.

    `name` is lower-case with hyphens; it becomes the file name and the cross-reference label. Raises ValueError if
    the figure was not finished by `lib.report.describe`.
    """
    from IPython.display import display

    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"figure name {name!r}: use lower-case words joined by hyphens")
    if not hasattr(fig, "scarce_caption"):
        raise ValueError(f"figure {name!r} has no caption: finish it with lib.report.describe(fig, caption=, alt=)")
    png = _png(fig)
    run = current_run()
    if run is not None:
        _keep_figure(fig, png, name, run)
    width = round(fig.get_size_inches()[0] * 96)
    display(
        {"image/png": png, "text/plain": f"<figure {name}>"},
        metadata={
            "image/png": {"width": width},
            "scarce": {"name": name, "alt": fig.scarce_alt, "width": f"{width}px"},
        },
        raw=True,
    )
    _markdown(f"**Figure.** {fig.scarce_caption}", {"scarce_caption": fig.scarce_caption})


def keep(tables: Mapping[str, pd.DataFrame]) -> None:
    """Inside a run, write each table to ``tables/<name>.csv``; outside one, do nothing."""
    run = current_run()
    if run is None:
        return
    (run / "tables").mkdir(exist_ok=True)
    for name, table in tables.items():
        table.to_csv(run / "tables" / f"{name}.csv", index=False, float_format="%.8g")


def files() -> Path | None:
    """Return the folder for files that the page offers for download, or None outside a run."""
    run = current_run()
    if run is None:
        return None
    (run / "files").mkdir(exist_ok=True)
    return run / "files"


def table(frame: pd.DataFrame, *, digits: int = 2, index: bool = False) -> None:
    """Display `frame` as a plain table with at most `digits` decimals, columns under their `HEADINGS`."""
    head = [*([""] if index else []), *(HEADINGS.get(name, str(name)) for name in frame.columns)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for label, row in zip(frame.index, frame.itertuples(index=False), strict=True):
        cells = [_cell(value, digits) for value in ([label, *row] if index else row)]
        lines.append("| " + " | ".join(cells) + " |")
    _markdown("\n".join(lines))


def verdicts(claims: Iterable[Claim], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Judge `claims` on `tables`, display the table, keep ``claims.json`` inside a run, and return the rows."""
    judged = judge(claims, tables)
    own = judged["source"] == COMPANION
    for title, part in (
        ("From the paper and its public record", judged[~own]),
        ("Added by the companion", judged[own]),
    ):
        columns = {
            "verdict": [f"**{status}**" for status in part["status"]],
            "claim": part["statement"] + " *(" + part["source"] + ")*",
            "published": part["published"],
            "measured": part["measured"] + [f" *({scale})*" if scale else "" for scale in part["scale"]],
        }
        _markdown(f"**{title}**")
        table(pd.DataFrame(columns).drop(columns=["published"] if part["source"].eq(COMPANION).all() else []))
    run = current_run()
    if run is not None:
        write_json(run / "claims.json", judged.to_dict("records"))
        write_json(run / "kernel.json", {"data": provenance.data_checksums(), "machine": provenance.machine()})
    return judged


def rules(judged: pd.DataFrame) -> None:
    """Display the rule behind each verdict, what limits it, and what was changed after a result had been seen."""
    columns = {"id": "claim", "rule": "rule", "detail": "remark", "changed": "changed after a result was seen"}
    rows = judged[list(columns)].rename(columns=columns)
    table(rows.loc[:, (rows != "").any()])


def one_thread() -> None:
    """Let linear algebra use one thread, unless OMP_NUM_THREADS says otherwise: the matrices here are small."""
    from threadpoolctl import threadpool_limits

    if "OMP_NUM_THREADS" not in os.environ:
        threadpool_limits(limits=1)


def scale_note(tables: Mapping[str, pd.DataFrame], names: Iterable[str]) -> None:
    """Display which of the tables `names` come from a recorded run, with scale and date, and which from this one."""
    scales: dict[str, list[str]] = {}
    for name in names:
        scales.setdefault(tables[name].attrs.get("recorded", ""), []).append(name)
    said = [f"recorded run ({scale}): {', '.join(group)}" for scale, group in scales.items() if scale]
    said += [f"this run: {', '.join(scales[''])}"] if "" in scales else []
    _markdown(f"*Where the tables of this section were computed. {'; '.join(said).capitalize()}.*")


def published_table(paper: str) -> None:
    """Display every published value of `paper` with its place and how it is known to us."""
    values = published(paper)["values"]
    rows = [(v["what"], v.get("text") or "not known to us", v["where"], KNOWN[v["known"]]) for v in values.values()]
    table(pd.DataFrame(rows, columns=["what", "published", "where", "how known"]))


def recorded(paper: str, name: str) -> dict[str, pd.DataFrame]:
    """Return the tables of the recorded run ``results/<paper>/<name>``, or an empty dict if there is none.

    Each table carries the scale and date of its run in ``attrs["recorded"]``.
    """
    folder = RESULTS / paper / name
    if not (folder / "result.json").is_file():
        return {}
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    tables = {path.stem: pd.read_csv(path) for path in sorted((folder / "tables").glob("*.csv"))}
    for frame in tables.values():
        frame.attrs["recorded"] = f"{result['preset']}, {result['started'][:10]}"
    return tables


def track(items: Iterable[Item], label: str) -> Iterator[Item]:
    """Yield `items`, reporting progress: to the run's progress file inside a run, else to a bar on stderr."""
    run = current_run()
    items = items if isinstance(items, Sized) else list(items)  # what knows its length may still be at work
    if run is None:
        from tqdm import tqdm

        yield from tqdm(items, desc=label, leave=False, disable=None)
        return
    for done, item in enumerate(items):
        (run / "progress").write_text(f"{label} {done}/{len(items)}", encoding="utf-8")
        yield item
    (run / "progress").write_text("", encoding="utf-8")


def _png(fig: Figure) -> bytes:
    """Return `fig` as a PNG of at most 256 colours, a third of the size of the full-colour one, with its metadata."""
    from PIL import Image, PngImagePlugin

    full, small = io.BytesIO(), io.BytesIO()
    fig.savefig(full, format="png", dpi=DPI)
    info = PngImagePlugin.PngInfo()
    for name, text in _figure_metadata().items():
        info.add_text(name, text)
    colours = Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    colours.save(small, format="png", pnginfo=info, optimize=True, dpi=(DPI, DPI))
    return small.getvalue()


def _keep_figure(fig: Figure, png: bytes, name: str, run: Path) -> None:
    folder = run / "figures"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.png").write_bytes(png)
    described = {"Title": name, "Description": json.dumps(_figure_metadata())}
    fig.savefig(folder / f"{name}.svg", metadata={**described, "Date": None})
    write_json(folder / f"{name}.json", {"caption": fig.scarce_caption, "alt": fig.scarce_alt})


def _figure_metadata() -> dict[str, str]:
    """Return what a figure file says of its origin; the run's identity comes from the runner's environment."""
    metadata = {"Software": f"Scarce, matplotlib {provenance.versions(('matplotlib',))['matplotlib']}"}
    if "SCARCE_PROVENANCE" in os.environ:
        metadata["Comment"] = os.environ["SCARCE_PROVENANCE"]
    return metadata


def _markdown(text: str, metadata: dict[str, Any] | None = None) -> None:
    from IPython.display import display

    display({"text/markdown": text, "text/plain": text}, metadata=metadata or {}, raw=True)


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, float):
        text = f"{value:.{digits}f}" if abs(value) >= 10**-digits or value == 0 else f"{value:.1e}"
    else:
        text = str(value)
    return text.replace("|", "\\|").replace("\n", " ")
