"""Build hooks of the site: API pages from the source tree, and formulas as MathML."""

import ast
import html
import re
import sys
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))

from evidence_table import evidence
from family_pages import family_nav, family_pages

ROOT = Path(__file__).parent.parent
FORMULA = re.compile(r'<(span|div) class="arithmatex">(?:\\\(|\\\[)(.*?)(?:\\\)|\\\])</\1>', re.S)


def packages() -> dict[str, Path]:
    """Return the folder of each package by its dotted name, `salix` first."""
    below = sorted(p.parent for p in (ROOT / "salix").glob("*/__init__.py"))
    names = {f"salix.{p.name}": p for p in below}
    return {"salix": ROOT / "salix", **dict(sorted(names.items()))}


def exported(module: Path) -> list[str]:
    """Return the names in the `__all__` of a module."""
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def defined(module: Path) -> list[str]:
    """Return the public functions and classes that a module defines."""
    body = ast.parse(module.read_text()).body
    nodes = [n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    return [n.name for n in nodes if not n.name.startswith("_")]


def api_page(package: str, folder: Path) -> str:
    """Return the API page of a package: its exports, then what its modules hold besides."""
    public = exported(folder / "__init__.py")
    blocks = [f"# `{package}`", f"::: {package}"]
    for module in sorted(folder.rglob("*.py")):
        parts = module.relative_to(folder).with_suffix("").parts
        nested = package == "salix" and len(parts) > 1
        if nested or module.name == "__main__.py" or parts == ("__init__",):
            continue
        names = exported(module) or [n for n in defined(module) if n not in public]
        if names:
            dotted = ".".join((package, *parts)).removesuffix(".__init__")
            blocks.append(f"## `{dotted}`\n\n::: {dotted}\n    options:\n      members: {names}")
            blocks[-1] += "\n      heading_level: 3"
    return "\n\n".join(blocks) + "\n"


def on_config(config):
    """Enter the pages of methods, metrics and the API in the navigation."""
    generated = {
        "Methods": family_nav("methods"),
        "Metrics": family_nav("metrics"),
        "API": [{name: f"api/{name}.md"} for name in packages()],
    }
    config.nav = [
        {entry: generated[entry]} if isinstance(entry, str) and entry in generated else entry
        for entry in config.nav
    ]
    return config


def on_files(files, config):
    """Add a generated page for each package, and the pages that stand in the root."""
    pages = {f"api/{name}.md": api_page(name, folder) for name, folder in packages().items()}
    pages |= family_pages()
    for name in ("CONTRIBUTING", "CHANGELOG"):
        text = (ROOT / f"{name}.md").read_text()
        pages[f"{name.lower()}.md"] = text.replace("](docs/", "](")
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Write the table of a benchmark where a page asks for it."""
    return markdown.replace("<!-- planted truth -->", evidence())


def on_page_content(content, page, config, files):
    """Turn the formulas of a page into MathML, which browsers show without scripts."""

    def mathml(match: re.Match[str]) -> str:
        display = "block" if match[1] == "div" else "inline"
        return convert(html.unescape(match[2]), display=display)

    return FORMULA.sub(mathml, content)
