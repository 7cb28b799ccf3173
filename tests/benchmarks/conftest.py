"""Fixtures that import the scripts of `benchmarks/`."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = (
    "machine",
    "rounds",
    "serving",
    "workers",
    "variants",
    "inputs",
    "groups",
    "throughput",
    "targets",
    "family_tasks",
    "family_calls",
    "family_page",
    "family",
    "page",
    "page_tables",
    "history_page",
    "training_page",
    "guard",
    "scale",
    "null_pages",
    "headline_errors",
    "planted_images",
    "planted_truth",
    "distinct_products",
    "roofline",
    "roofline_page",
)


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, Any]]:
    """Modules by name; they import each other as scripts do."""
    before = dict(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in NAMES}
    sys.path.remove(str(FOLDER))
    for name in set(sys.modules) - set(before):
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]
