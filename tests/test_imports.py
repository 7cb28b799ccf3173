"""The import table of the design: which part of Salix may import which."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Parts that every other part may import.
COMMON = {"typing", "spec", "hyperparameters", "progress", "precision", "compiler", "interrupts"}
COMMON |= {"atomic", "measurement", "optional", "profiler"}
MAY = {
    "typing": set(),
    "spec": set(),
    "hyperparameters": set(),
    "progress": set(),
    "interrupts": set(),
    "measurement": set(),
    "profiler": set(),
    "callbacks": set(),
    "atomic": set(),
    "optional": set(),
    "precision": set(),
    "compiler": set(),  # of the engine, of training and of benchmarks
    "scores": set(),
    "preprocess": set(),
    "model": {"scores", "preprocess"},
    "adapters": {"model", "scores", "preprocess"},
    "perturb": set(),
    "attribution": {"perturb", "scores"},
    "metrics": {"perturb"},
    "measures": {"perturb", "metrics"},
    "nn": set(),
    "models": {"nn", "model", "scores", "preprocess", "adapters"},
    "data": {"preprocess", "perturb"},
    "store": set(),
    "stats": set(),
    "plot": set(),
    "engine": {"perturb", "attribution", "metrics", "measures", "data", "store"}
    | {"nn", "model", "scores", "preprocess", "adapters"},
    "analysis": {"store", "stats", "metrics", "perturb"},
    "compare": {"analysis", "store", "stats", "metrics", "data"},
    # A comparison shows images that no row has: they are read, and cut as the models see them.
    "report": {"analysis", "compare", "store", "stats", "metrics", "data", "preprocess", "plot"},
    "train": {"model", "models", "nn", "scores", "preprocess", "adapters", "attribution"}
    | {"metrics", "data", "stats", "store", "perturb"},
}
MAY["audit"] = MAY["engine"] | {"engine", "analysis", "compare", "stats", "report"}
MAY["bench"] = MAY["engine"] | {"engine", "models"}
MAY["extend"] = {"engine", "report"}  # the protocols that they are extended by
MAY["runtime"] = {"data"}  # the folder of the cache
MAY["studies"] = set(MAY)
MAY["cli"] = set(MAY) | {"studies"}
MAY["__init__"] = set(MAY)
ALL = set(MAY) - {"__init__"}


def imported(source: str) -> set[str]:
    """Return the parts of salix that a module's source imports, at any depth of its code."""
    parts: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            module = str(node.module)
            names = [f"salix.{a.name}" for a in node.names] if module == "salix" else [module]
        parts |= {n.split(".")[1] for n in names if n.startswith("salix.")}
    return parts & ALL


def modules() -> list[tuple[str, Path]]:
    """Return each module file with the part that it belongs to."""
    found = [
        (p.relative_to(ROOT / "salix").parts[0].removesuffix(".py"), p)
        for p in (ROOT / "salix").rglob("*.py")
        if "models" not in p.relative_to(ROOT).parts  # the link
    ]
    return found + [("models", p) for p in (ROOT / "models").rglob("*.py")]


def test_imports_only_what_the_table_allows():
    others = {
        path.relative_to(ROOT).as_posix(): imported(path.read_text()) - MAY[part] - COMMON - {part}
        for part, path in modules()
    }
    assert {path: parts for path, parts in others.items() if parts} == {}


def test_every_part_is_in_the_table():
    assert {part for part, _ in modules()} == set(MAY)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from salix.report import write", {"report"}),
        ("def f():\n    import salix.engine.run", {"engine"}),
        ("from salix import store, logit", {"store"}),
        ("import numpy", set()),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source, found):
    assert imported(source) == found


def test_import_salix_loads_no_heavy_package():
    heavy = {"pyarrow", "plotly", "tyro", "jinja2", "PIL", "h5py", "skimage", "torch", "grain"}
    heavy |= {"tensorflow_datasets", "orbax", "scipy", "sklearn", "matplotlib"}
    code = f"import sys, salix; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_every_package_is_installed():
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    on_disk = {"salix"} | {
        ".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "salix").rglob("*/__init__.py")
    }
    models = {"salix.models", "salix.models.checkpoints"}
    assert listed == on_disk | models
