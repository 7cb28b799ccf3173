"""Section of the throughput page on training, beside PyTorch."""

from collections.abc import Iterator, Mapping
from typing import Any

from machine import VECTORS
from page_tables import escape, format_machine, number, table, with_quartiles
from rounds import quartiles, round_ratios

METHOD = """A step is forward, backward and an update of SGD with momentum on a batch of images of 8
bits, by `salix.train` for one seed or for several together, and by PyTorch with channels last, as
it is and compiled. Every variant has its own process, and each round runs a step in each of them in
turn. *img/s* counts the images of every seed; *of torch*: processor time per image of torch
relative to the variant's, above 1 where the variant needs less, within the same round: median and
quartiles. *first, s*: preparation, compilation and first step.
"""
TITLES = {"jax": "salix", "jax, 3 seeds together": "salix, 3 seeds together"}
BASE = "torch"


def case_rows(case: str, rows: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield a row of the table for each variant of a network."""
    base = rows.get(BASE, {}).get("rounds")
    for name, row in rows.items():
        title = TITLES.get(name, name)
        if not row.get("rounds"):
            yield [case, title, f"left out: {escape(row['left out'])}", *[""] * 3]
            continue
        images = row["img/s"] * quartiles([r["wall"] for r in row["rounds"]])["median"]
        cpu = quartiles([1e3 * r["cpu"] / images for r in row["rounds"]])["median"]
        ratio = "–"
        if base:
            batch = rows[BASE]["img/s"] * quartiles([r["wall"] for r in base])["median"]
            shares = round_ratios(base, row["rounds"], "cpu")
            scaled = {k: v if k == "n" else v * images / batch for k, v in shares.items()}
            ratio = with_quartiles(scaled)
        yield [case, title, number(row["img/s"]), ratio, number(cpu), number(row["first_s"])]


def training_section(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of the section, from results by kind of processor."""
    yield "## Training, by `benchmarks/training.py`\n"
    if not results:
        yield "Not measured.\n"
        return
    yield METHOD
    head = ["network", "variant", "img/s", "of torch, cpu", "cpu ms", "first, s"]
    for kind, result in results.items():
        before, after = (number(load[0]) for load in result["about"]["load before and after"])
        yield f"### Training on a CPU with {VECTORS[kind]}\n"
        yield f"{format_machine(result['about'])} Load {before} before and {after} after.\n"
        yield table(head, [r for c, rows in result["results"].items() for r in case_rows(c, rows)])
