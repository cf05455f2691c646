"""Finish the rendered pages: out with scripts and icons that nothing uses, clear roles and names for screen readers."""

import re
from pathlib import Path

# The theme draws its icons from a font; this script of 1.5 MB would draw the same ones again as pictures.
ICON_SCRIPT = re.compile(r"\s*<script[^>]*fontawesome\.js[^>]*>\s*</script>|\s*<link[^>]*fontawesome\.js[^>]*>")
MATHJAX = re.compile(r"\s*<script[^>]*mathjax/tex-mml-chtml\.js[^>]*></script>")
FORMULA = re.compile(r"""class=["'][^"']*\bmath\b""")
# The index of all words is for the search page; elsewhere the field only leads there.
SEARCH = re.compile(r"""\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>""")
# A role that the standard for screen readers has withdrawn; docutils writes it for the items of its role="list".
WITHDRAWN = ('role="doc-biblioentry"', 'role="listitem"')
# The theme's switch for the pages below one in the navigation shows an arrow and has no name.
NAMELESS = ('<summary><span class="toctree-toggle"', '<summary aria-label="pages below"><span class="toctree-toggle"')
ICON_RULE = re.compile(r"((?:\.fa-[\w-]+:{1,2}before,?)+)\{(?:content|--fa):\"(\\[0-9a-f]+)\"\}")
FACE = re.compile(r"@font-face\{[^}]*?url\(\.\./vendor/fontawesome/webfonts/(fa-[\w-]+)\.woff2\)[^}]*\}")


def finish(html: Path) -> None:
    """Finish every page below `html`, the theme's style sheet and its icon fonts."""
    icons: set[str] = set()
    for page in sorted(html.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        icons |= set(re.findall(r"\bfa-[\w-]+", text))
        finished = name_roles(lighten_page(text, search=page.name == "search.html"))
        if finished != text:
            page.write_text(finished, encoding="utf-8")
    for script in sorted((html / "_static").rglob("*.js")):
        if script.name != "fontawesome.js":
            icons |= set(re.findall(r"\bfa-[\w-]+", script.read_text(encoding="utf-8")))
    lighten_icons(html / "_static", icons)
    for file in {*(html / "_static").rglob("*.map"), *(html / "_static").rglob("fontawesome.js*")}:
        file.unlink()


def lighten_page(text: str, *, search: bool) -> str:
    """Return a page without the icon script, without MathJax if it has no formula, and without the search index.

    `search` keeps the index.
    """
    text = ICON_SCRIPT.sub("", text)
    if not FORMULA.search(text):
        text = MATHJAX.sub("", text)
    return text if search else SEARCH.sub("", text)


def name_roles(text: str) -> str:
    """Return a page whose lists of references have items, and whose switches in the navigation have a name."""
    return text.replace(*WITHDRAWN).replace(*NAMELESS)


def lighten_icons(static: Path, used: set[str]) -> None:
    """Keep only the icons named in `used`: their rules in the theme's style sheet, their signs in its fonts.

    Signs that the style sheet itself sets (``--pst-icon-...``, characters of the private use area) stay too.
    """
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    css = sheet.read_text(encoding="utf-8")
    signs: set[str] = set()

    def rule(found: re.Match[str]) -> str:
        names = set(re.findall(r"fa-[\w-]+", found[1]))
        if not names & used:
            return ""
        signs.add(found[2])
        return found[0]

    css = ICON_RULE.sub(rule, css)
    others = [path.read_text(encoding="utf-8") for path in sorted(static.rglob("*.css")) if path != sheet]
    signs |= set(re.findall(r'content:\s*"(\\f[0-9a-f]{3})"', "".join([css, *others])))
    points = {int(sign[1:], 16) for sign in signs} | {ord(sign) for sign in re.findall("[\uf000-\uf8ff]", css)}
    folder = static / "vendor" / "fontawesome" / "webfonts"

    def face(found: re.Match[str]) -> str:
        subset_font(folder / f"{found[1]}.ttf", folder / f"{found[1]}.woff", points)
        sources = re.compile(r"src:[^;}]*")
        return sources.sub(f'src:url(../vendor/fontawesome/webfonts/{found[1]}.woff) format("woff")', found[0])

    sheet.write_text(FACE.sub(face, css), encoding="utf-8")
    for file in [*folder.glob("*.ttf"), *folder.glob("*.woff2")]:
        file.unlink()


def subset_font(source: Path, target: Path, points: set[int]) -> None:
    """Write the glyphs of `source` for the code points `points` to the WOFF file `target`."""
    from fontTools import subset

    options = subset.Options(flavor="woff", notdef_outline=True, layout_features=[])
    worker = subset.Subsetter(options)
    worker.populate(unicodes=points)
    with subset.load_font(str(source), options) as font:
        worker.subset(font)
        subset.save_font(font, str(target), options)
