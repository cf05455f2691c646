"""Two runs of a paper on one page: what differs, and their figures beside each other."""

import base64
import html
from pathlib import Path

from lib.diff import Difference
from lib.jobs import read_result


def as_html(found: Difference) -> str:
    """Return the comparison as one page without links: tables, and the figures of both runs beside each other."""
    a, b = read_result(found.a), read_result(found.b)
    heads = "".join(f"<li>{name}: {r['preset']}, {r['hash']}, {r['started']}</li>" for name, r in (("A", a), ("B", b)))
    parts = [f"<h1>{html.escape(a['paper'])}: two runs</h1><ul>{heads}</ul>"]
    for title, part in (("Facts", found.facts), ("Verdicts", found.claims), ("Tables", found.tables)):
        body = (
            part.to_html(index=False, border=0, na_rep="", float_format="%.4g")
            if len(part)
            else "<p>No difference.</p>"
        )
        parts.append(f"<h2>{title}</h2>{body}")
    pictures = [{path.stem: path for path in (run / "figures").glob("*.png")} for run in (found.a, found.b)]
    if any(pictures):
        parts.append("<h2>Figures</h2>")
    for name in sorted(set(pictures[0]) | set(pictures[1])):
        parts.append(f"<h3>{html.escape(name)}</h3><div class=pair>")
        parts += [_picture(one.get(name), f"{name}, run {run}") for run, one in zip("AB", pictures, strict=True)]
        parts.append("</div>")
    style = (
        "body{font:16px system-ui;margin:2rem;max-width:90rem}table{border-collapse:collapse;font-size:.85rem}"
        "td,th{padding:.2rem .6rem;border-bottom:1px solid #ccc;text-align:left}.pair{display:flex;gap:1rem;"
        "flex-wrap:wrap}.pair>*{flex:1 1 22rem;max-width:100%}"
    )
    title = f"<title>{html.escape(a['paper'])}: two runs</title><meta charset=utf-8>"
    return (
        f"<!doctype html><html lang=en><head>{title}<style>{style}</style></head><body>{''.join(parts)}</body></html>"
    )


def _picture(path: Path | None, alt: str) -> str:
    if path is None:
        return "<p>no such figure</p>"
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
