"""Render docs/throughput.md from the results: python benchmarks page.

Every number is read from benchmarks/results; missing results are marked as not measured. Equal
results give an equal page.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from family_page import family_section
from history_page import FILES, history_section, results_by_kind
from machine import HERE, VECTORS
from page_tables import (
    ceiling_table,
    escape,
    format_machine,
    group_section,
    measure_table,
    pass_shares,
    slower_cases,
    target_table,
)
from roofline_page import roofline_section
from training_page import training_section

INTRO = """# Throughput

Time that Salix and other libraries take to explain images. `benchmarks/page.py` renders this page
from `benchmarks/results`; `benchmarks/throughput.py` measures again. Each kind of processor has its
own results, for instruction sets change the ratios of libraries too.
"""
METHOD = """## Method

- Every variant has its own process. Each round runs a batch once in each of them in turn, so that
  all meet the same load; waiting processes use no processor time. A run is timed from the call
  until its result is ready; images and weights are on the device before.
- Weights are random and the same for all variants. *img/s* is the median over rounds, with the
  quartiles in brackets. *of torch* is the speedup over the fastest form of PyTorch alone in the
  same precision, within the same round: median and quartiles. *cpu ms* are processor milliseconds
  per image of all threads, user and system.
- *roofline*: FLOP/s of the task in percent of the fastest matrix product in that precision, in
  PyTorch or in JAX, measured before the same run. The FLOPs are counted in the program that Salix
  compiles (two for each multiplication and addition) and used for all variants, also those that
  compute more.
- *first, s*: compilation and first run, without loading. The graphs of torch compiled are cached
  between the tasks of a run: a later task may reuse one.
- *r*: correlation of the result with that of the base named above each table. Every library draws
  its own noise for SmoothGrad; the released measures are other statistics and have no *r*.
- Variants named *default* use the library's defaults and the default allocator; the others keep
  freed memory (glibc's MALLOC_ settings), as the command line of Salix does.
"""


def about(result: Mapping[str, Any]) -> str:
    """Machine, package versions and modules that were left out."""
    info = result["about"]
    lines = [f"{format_machine(info)}\n"]
    lines += [f"- Left out: {name}: {escape(why)}" for name, why in info["left out"].items()]
    return "\n".join(lines)


def device_part(title: str, device: str, result: Mapping[str, Any] | None) -> Iterator[str]:
    yield f"## On a {title}\n"
    if result is None:
        yield "Not measured.\n"
        return
    groups = result["groups"]
    yield about(result)
    yield ceiling_table(groups)
    yield "### Targets\n"
    yield target_table(groups, device)
    yield "### Where Salix is slower\n"
    lines = list(slower_cases(groups))
    yield "\n".join(lines or ["Nowhere in these results."]) + "\n"
    yield "### Salix relative to its own passes\n"
    yield "The passes were timed alone, in another task: medians, not of the same rounds.\n"
    yield pass_shares(groups)
    for group in groups.values():
        yield from group_section(group)


def render(results: Mapping[str, Any]) -> str:
    """Render the page from the results by name, such as `throughput-gpu`; missing ones are None."""
    parts = [INTRO, *history_section(results), METHOD]
    for kind, result in results_by_kind(results, "throughput").items() or [("", None)]:
        parts += device_part(f"CPU with {VECTORS[kind]}" if kind else "CPU", "cpu", result)
    parts += device_part("GPU", "gpu", results.get("throughput-gpu"))
    parts += roofline_section(results.get("roofline"))
    parts += family_section(results_by_kind(results, "family"))
    parts += training_section(results_by_kind(results, "training"))
    parts.append("## Measures relative to bare passes, by `benchmarks/measures.py`\n")
    runs = results.get("measures-cpu") or []
    if not runs:
        parts.append("Not measured.\n")
    for run in runs:
        machine = (
            f"{run['processor']} with {run['vectors']}, {run['cores']} cores, {run['started']}"
        )
        parts.append(f"{escape(machine)}, {run['rounds']} rounds.\n")
        parts.append(measure_table(run))
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "throughput.md")
    options = parser.parse_args()
    names = (*FILES, "throughput-gpu", "measures-cpu", "roofline")
    paths = {name: options.results / f"{name}.json" for name in names}
    results = {n: json.loads(p.read_text()) if p.exists() else None for n, p in paths.items()}
    # Groups beyond the time limit have a reason only: their network, task and batch are in the key.
    for name in filter(lambda name: name.startswith("throughput"), names):
        for key, group in (results[name] or {"groups": {}})["groups"].items():
            network, task, batch, *_ = key.split()
            group.update({"network": network, "task": task, "batch": int(batch)})
    options.out.write_text(render(results))


if __name__ == "__main__":
    main()
