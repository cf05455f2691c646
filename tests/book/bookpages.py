"""Where the built book lies and which pages it has."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HTML = Path(os.environ.get("SCARCE_BOOK", ROOT / "_build" / "html"))


def built_pages() -> list[str]:
    """Every page of the book, relative to its folder; the theme's templates under _static are none."""
    found = sorted(path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html"))
    return [name for name in found if not name.startswith("_static/")]
