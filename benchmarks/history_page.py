"""Table of the throughput page on machines: what was measured on each kind, and when."""

from collections.abc import Iterator, Mapping
from typing import Any

from machine import VECTORS
from page_tables import escape, table

# Benchmarks with a file of results for each kind of processor, and their titles.
BENCHMARKS = {"throughput": "throughput", "family": "methods and metrics", "training": "training"}
FILES = {f"{name}-cpu-{kind}": (name, kind) for name in BENCHMARKS for kind in VECTORS}


def results_by_kind(results: Mapping[str, Any], benchmark: str) -> dict[str, Any]:
    """Results of a benchmark by kind of processor, without those that were not measured."""
    return {
        kind: results[name]
        for name, (title, kind) in FILES.items()
        if title == benchmark and results.get(name)
    }


def measurement_days(result: Mapping[str, Any]) -> set[str]:
    """Days on which a result was measured, where it has them."""
    parts = [*result.get("groups", {}).values(), *result.get("tasks", {}).values()]
    stamps = [part.get("started") for part in parts] + [result["about"].get("finished")]
    return {stamp[:10] for stamp in stamps if stamp}


def measured_results(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str, set[str], Any]]:
    """Yield kind, processor, section, days and packages of every result."""
    for name, (benchmark, kind) in FILES.items():
        if result := results.get(name):
            about = result["about"]
            days = measurement_days(result)
            yield VECTORS[kind], about["processor"], BENCHMARKS[benchmark], days, about["packages"]
    for run in results.get("measures-cpu") or []:
        days, packages = {run["started"][:10]}, {k: run[k] for k in ("jax",) if k in run}
        yield run["vectors"], run["processor"], "measures", days, packages
    if result := results.get("throughput-gpu"):
        about = result["about"]
        days = measurement_days(result)
        yield "GPU", about.get("accelerator") or "–", "throughput", days, about["packages"]


def history_section(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the title and a row for each processor; nothing where none was measured."""
    sections: dict[tuple[str, str], dict[str, None]] = {}
    days: dict[tuple[str, str], set[str]] = {}
    packages: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for kind, processor, section, dates, versions in measured_results(results):
        machine = kind, processor
        sections.setdefault(machine, {})[section] = None
        days.setdefault(machine, set()).update(dates)
        packages.setdefault(machine, set()).update(versions.items())
    if not sections:
        return
    body = []
    for machine in sections:
        dates = sorted(days[machine])
        period = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "–"
        versions = ", ".join(" ".join(item) for item in sorted(packages[machine]))
        body.append([*map(escape, machine), period, versions, ", ".join(sections[machine])])
    yield "## History by machine\n"
    yield table(["kind", "processor", "measured", "packages", "sections"], body)
