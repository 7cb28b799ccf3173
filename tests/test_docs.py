"""README and docs/: their Python runs, their commands parse, their links resolve."""

import contextlib
import importlib
import io
import json
import re
import sys
from pathlib import Path

import pytest

from salix.attribution import METHODS
from salix.metrics import METRICS

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?: \{ \.)?(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
INCLUDE = re.compile(r'^--8<-- "(.*)"$', re.M)


def script(name: str):
    """Return a script of docs/ as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")  # scripts import each other
        return importlib.import_module(name)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[tuple[str, str, int]]:
    """Return the language, the body and the line of each fenced block, files included."""
    include = lambda m: (ROOT / m[1]).read_text()  # noqa: E731
    return [
        (m[1], INCLUDE.sub(include, m[2]), text[: m.start(2)].count("\n"))
        for m in FENCE.finditer(text)
    ]


def run(text: str, path: str) -> int:
    """Run the Python blocks of a page in one namespace, and compare what they print.

    A `text` block right after a Python block is its output. Returns the number of blocks.
    """
    namespace = {"__name__": "page"}
    ran, printed = 0, ""
    for language, body, line in blocks(text):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * line + body, path, "exec"), namespace)
            ran, printed = ran + 1, out.getvalue()
        elif language == "text" and printed:
            assert printed.rstrip() == body.rstrip(), f"{path}, line {line + 1}"
            printed = ""
    return ran


# Each page takes seconds: by default the README alone runs. SLIC's loops take minutes if XLA does
# not optimise them.
MARKS = {"README.md": (), "regions.md": (pytest.mark.slow, pytest.mark.optimised)}
RUN = [
    pytest.param(p, marks=MARKS.get(p.name, pytest.mark.slow), id=name(p))
    for p in PAGES
    if "```python" in p.read_text()
]


@pytest.fixture
def registries():
    """Restore the registries of methods, metrics and models, to which pages add their own."""
    tables = {
        id(table): table
        for module, contents in list(sys.modules.items())
        if module.startswith("salix")
        for name, table in vars(contents).items()
        if name.isupper() and isinstance(table, dict)
    }
    before = {key: dict(table) for key, table in tables.items()}
    yield
    for key, table in tables.items():
        table.clear()
        table.update(before[key])


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("page", RUN)
def test_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(page.read_text(), str(page)) > 0


@pytest.mark.parametrize(
    "text", ["```python\nprint(1)\n```\n\n```text\n2\n```", "```python\nassert False\n```"]
)
def test_wrong_output_and_failed_assertions_are_errors(text):
    with pytest.raises(AssertionError):
        run(text, "page")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_names_its_language(page):
    assert all(language for language, _, _ in blocks(page.read_text()))


def commands() -> list[str]:
    """Return the command lines of Salix in the shell blocks of all pages."""
    shell = "\n".join(b for p in PAGES for kind, b, _ in blocks(p.read_text()) if kind == "sh")
    return sorted(set(re.findall(r"^(?:.*&& )?(salix .*)$", shell.replace("\\\n", ""), re.M)))


@pytest.mark.parametrize("line", commands())
def test_each_command_line_parses(line, monkeypatch):
    from salix import cli

    ran = []
    for command in cli.COMMANDS.values():
        monkeypatch.setattr(command, "run", lambda self: ran.append(self) or 0)
    assert cli.main(line.split()[1:]) == 0
    assert isinstance(ran[0], cli.COMMANDS[line.split()[1]])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_pictures_exist(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(FENCE, "", page.read_text()))
    generated = {(ROOT / "docs" / path).resolve() for path in script("family_pages").family_pages()}
    for link in links:
        elsewhere = re.match(r"https://|(\.\./)*api/salix", link)  # API pages: docs/hooks.py
        elsewhere = elsewhere or (page.parent / link).resolve() in generated
        assert elsewhere or (page.parent / link).exists(), link


def test_the_catalogue_of_the_site_is_that_of_the_code():
    catalogue = script("catalogue")
    stored = json.loads(catalogue.FILE.read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(catalogue.catalogue())), "run python docs/catalogue.py"


def test_the_evidence_is_that_of_the_benchmark():
    results = json.loads((ROOT / "benchmarks/results/planted-truth.json").read_text())
    table = script("evidence_table").evidence()
    assert f"| {results['models']['patch']['overall']['tau']:g} |" in table.replace("  ", " ")
    assert "| `RandomMap()` |" in table
    assert "<!-- planted truth -->" in (ROOT / "docs/which-method.md").read_text()


def test_each_picture_has_its_method_and_is_small():
    folder = ROOT / "docs/pictures"
    pictures = json.loads((folder / "index.json").read_text())
    files = {path.stem: path for path in folder.glob("[A-Z]*.webp")}
    assert set(pictures) == set(files)
    assert set(files) <= set(METHODS)
    assert all(path.stat().st_size < 45_000 for path in files.values())


def test_pages_of_methods_and_metrics_have_their_facts():
    pages = script("family_pages").family_pages()
    page = pages["methods/IntegratedGradients.md"]
    for text in (
        "[arXiv:1703.01365](https://arxiv.org/abs/1703.01365)",
        "| path |",
        "gradients; for",
    ):
        assert text in page
    assert "::: salix.attribution.integrated_gradients.IntegratedGradients" in page
    assert "0 to 1; lower is better" in pages["metrics/deletion.md"]
    assert "[`iou`](iou.md)" in pages["metrics/index.md"]
    assert all(f"methods/{name}.md" in pages for name in METHODS)
    assert all(f"metrics/{name}.md" in pages for name in METRICS)


def test_the_gate_runs_the_readmes_commands():
    gate, text = (ROOT / ".ci/run").read_text(), (ROOT / "README.md").read_text()
    for command in ("pip install '.[test]'", "pytest", "salix demo"):
        assert command in text
        assert command in gate


def test_the_readmes_throughput_is_that_of_its_file():
    path = ROOT / "benchmarks/results/sweep-cpu.json"
    method = json.loads(path.read_text())["methods"]["GradCAM(relu=True)"]
    rate, flops = method["images_per_second"], method["step_over_forward_flops"]
    text = " ".join((ROOT / "README.md").read_text().split())
    ends = f"{min(rate['all']):.0f} to {max(rate['all']):.0f} in three rounds"
    assert f"explains {rate['median']:.0f} images of 256 x 256 a second ({ends}" in text
    assert f"takes {flops:.4f} times the FLOPs of the forward pass alone" in text


def test_the_gates_paths_exist():
    lines = (ROOT / ".ci/run").read_text().split()
    paths = [word.partition("::")[0] for word in lines if word.startswith("tests/")]
    assert len(paths) >= 8
    for path in paths:
        assert list(ROOT.glob(path)), path
