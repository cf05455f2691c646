"""The reference of `lib`: one page a room, from signatures and docstrings, read without importing anything."""

import ast
import re
from pathlib import Path

from lib.report.paths import ROOT

SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):\s*$")


def write_reference(folder: Path) -> list[str]:
    """Write one page a room of `lib` into `folder` and return their names, the rooms in alphabetical order.

    A room is a package below `lib`; the modules that lie in `lib` itself share the page ``command``.
    """
    folder.mkdir()
    packages = sorted(path.parent for path in (ROOT / "lib").glob("*/__init__.py"))
    rooms = {package.name: sorted(package.rglob("*.py")) for package in packages}
    rooms["command"] = sorted(path for path in (ROOT / "lib").glob("*.py") if path.name != "__init__.py")
    for room, files in rooms.items():
        (folder / f"{room}.md").write_text(room_page(room, files), encoding="utf-8")
    return list(rooms)


def room_page(room: str, files: list[Path]) -> str:
    """Return the page of one room: its modules that have something public, with their docstrings."""
    title = "The command and the book" if room == "command" else f"lib.{room}"
    parts = [f"# {title}", ""]
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts += module_text(module_name(path), tree)
    return "\n".join(parts) + "\n"


def module_name(path: Path) -> str:
    """Return the dotted name of the module in the file `path`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_text(name: str, tree: ast.Module) -> list[str]:
    """Return heading, docstring and public members of a module; nothing for one that has none of them."""
    members = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and public(node.name)]
    doc = ast.get_docstring(tree)
    if not members and not doc:
        return []
    parts = [f"## {name}", "", *docstring(doc), ""]
    for node in members:
        parts += member_text(name, node)
    return parts


def member_text(module: str, node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """Return signature and docstring of a function, or of a class and its public methods."""
    if isinstance(node, ast.FunctionDef):
        return entry(f"{module}.{node.name}", node.name, signature(node), ast.get_docstring(node))
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    # Addresses do not tell capitals from small letters, and many a function makes the class of its name.
    parts = entry(
        f"{module}.{node.name}-class", f"class {node.name}", f"({bases})" if bases else "", ast.get_docstring(node)
    )
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and public(method.name) and ast.get_docstring(method):
            name = f"{node.name}.{method.name}"
            parts += entry(f"{module}.{name}", name, signature(method), ast.get_docstring(method))
    return parts


def entry(target: str, name: str, rest: str, doc: str | None) -> list[str]:
    """Return one definition: the signature as its term, the docstring as its text; `target` is its address."""
    head = f"({target})=\n`{name}{rest}`"
    body = docstring(doc) or ["(no docstring)"]
    return [head, ":   " + body[0], *(f"    {line}" if line else "" for line in body[1:]), ""]


def signature(node: ast.FunctionDef) -> str:
    """Return parameters and result of a function as they are written, on one line."""
    arguments = re.sub(r"^self(, )?", "", ast.unparse(node.args))
    return f"({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def docstring(doc: str | None) -> list[str]:
    """Return the lines of a docstring as Markdown: sections in bold, everything else as literal words.

    Characters that Markdown would read as markup (dollar, asterisk, underscore, brackets...) are escaped outside code.
    """
    if not doc:
        return []
    lines: list[str] = []
    inside = False
    for raw in doc.splitlines():
        heading = SECTION.match(raw)
        if heading:
            inside = heading[1] in ("Args", "Attributes", "Raises")
            lines += ["", f"**{heading[1]}**", ""]
        elif inside and re.match(r"    \S.*?: ", raw):
            name, text = raw.strip().split(": ", 1)
            lines.append(f"- `{name}`: {words(text)}")
        elif inside and raw.startswith("    ") and lines and lines[-1]:
            lines[-1] += f" {words(raw.strip())}"
        else:
            inside = inside and not raw.strip()
            lines.append(words(raw.strip()))
    return lines


def words(text: str) -> str:
    """Return a line of a docstring with its code kept and the rest safe from Markdown."""
    parts = re.split(r"(``.+?``|`.+?`)", text)
    safe = [f"`{part.strip('`')}`" if part.startswith("`") and len(part) > 2 else escaped(part) for part in parts]
    return "".join(safe)


def escaped(text: str) -> str:
    """Return `text` with the characters that Markdown reads as markup escaped."""
    text = re.sub(r"([\\`*_$\[\]{}<>|#~^])", r"\\\1", text)
    return re.sub(r"^(\s*\d*)([-+:.])(\s)", r"\1\\\2\3", text)


def public(name: str) -> bool:
    """Return whether a name belongs to the reference."""
    return not name.startswith("_")
