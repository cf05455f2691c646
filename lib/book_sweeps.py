"""The recorded sweeps as a page: their reports, as `scarce sweep` wrote them."""

import re
import shutil
from pathlib import Path

from lib.report.paths import RESULTS

NONE_YET = "No sweep is recorded: `scarce sweep SPEC.yaml --record` keeps the report of one for this page."
PICTURE = re.compile(r"!\[(.*)\]\((\S+)\)")


def sweeps_text(generated: Path, recorded: Path = RESULTS / "sweeps") -> str:
    """Return the reports in `recorded` one below the other; their pictures are copied into the folder `generated`."""
    parts = [report(folder, generated) for folder in sorted(recorded.glob("*/")) if (folder / "index.md").is_file()]
    return "\n\n".join(parts) or NONE_YET


def report(folder: Path, generated: Path) -> str:
    """Return the page of one sweep as a section: headings a level lower, wide tables that scroll, picture as figure."""
    lines = []
    for line in (folder / "index.md").read_text(encoding="utf-8").splitlines():
        if found := PICTURE.fullmatch(line):
            name = f"sweep-{folder.name}{Path(found[2]).suffix}"
            shutil.copy(folder / found[2], generated / name)
            lines += [f"```{{figure}} /book/_generated/{name}", f":alt: {found[1]}", "", found[1], "```"]
        else:
            lines.append(f"#{line}" if line.startswith("#") else line)
    return "\n".join(lines)
