"""Section of the throughput page on methods and metrics, beside the best peer of each."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from family_tasks import KIND_TITLES, MISSED, SHARED_PASSES, TASKS
from machine import VECTORS
from page_tables import escape, format_machine, number, table, with_quartiles
from rounds import Quartiles, quartiles, round_ratios

METHOD = """Every variant has its own process, and each round runs a batch once in each of them in
turn (their number is after the title), on ResNet-18 at 224 x 224 with the same random weights, and
as many steps, samples and perturbed images as the definitions permit. *default*: the library's
defaults; *tuned*: channels last, frozen parameters, and batches of 8 perturbed images where it has
an option, as Salix has. Times are milliseconds per image, medians over rounds: *cpu* of all
threads, and *wall* under the load of a busy machine, so that processor time is the steadier. *of
default*, *of best*: how many times the time of Salix the library takes in its default form, and in
its faster one, with the quartiles of the rounds in brackets. *passes*: images that pass through the
network for each image. *first, s*: compilation and first run, or first run. *r, difference*:
correlation of the results and their largest difference, relative to the largest value, where both
are of one definition (=) or random draws of it (~).
"""
FEW = 16  # values


def ratio_of(rows: Mapping[str, Any], name: str, key: str) -> Quartiles:
    """Quartiles over rounds of a variant's cost relative to that of Salix."""
    ours, theirs = rows["salix"]["rounds"], rows[name]["rounds"]
    n = min(len(ours), len(theirs))
    return round_ratios(theirs[:n], ours[:n], key)


def timed_peers(rows: Mapping[str, Any]) -> list[str]:
    return [name for name, row in rows.items() if name != "salix" and row.get("rounds")]


def per_image(task: Mapping[str, Any], name: str, key: str) -> float:
    return 1e3 * quartiles([r[key] for r in task["rows"][name]["rounds"]])["median"] / task["batch"]


def best_peer(rows: Mapping[str, Any]) -> str:
    """The peer's variant of the least processor time."""
    return min(timed_peers(rows), key=lambda name: ratio_of(rows, name, "cpu")["median"])


def first_seconds(row: Mapping[str, Any]) -> str:
    return number(row["first_call_s"] + row.get("compile_s", 0.0))


def task_row(name: str, task: Mapping[str, Any]) -> list[str]:
    """Row of the table of a task, whose best peer and default of the same library are compared."""
    rows, facts = task["rows"], TASKS[name]
    if not rows["salix"].get("rounds") or not timed_peers(rows):
        return [facts.title, "left out", *[""] * 11]
    best = best_peer(rows)
    library = best.rsplit(" ", 1)[0]
    default = f"{library} default" if f"{library} default" in timed_peers(rows) else best
    mark = {"equal": "=", "random": "~"}.get(facts.values)
    row = rows[best]
    r = row.get("correlation")
    # Of a few values, such as one for each image, a correlation says little.
    agreement = "–" if r is None or prod(row.get("shape", ())) < FEW else f"{r:.4f}"
    return [
        f"{facts.title} ({task['rounds']})",
        best,
        *(number(rows[n].get("passes")) for n in ("salix", best)),
        *(number(per_image(task, n, "cpu")) for n in ("salix", best)),
        *(number(per_image(task, n, "wall")) for n in ("salix", best)),
        with_quartiles(ratio_of(rows, default, "cpu")),
        with_quartiles(ratio_of(rows, best, "cpu")),
        with_quartiles(ratio_of(rows, best, "wall")),
        first_seconds(rows["salix"]) + ", " + first_seconds(row),
        f"{mark} {agreement}, {number(row.get('difference'), 2)}" if mark else "–",
    ]


def misses(tasks: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a peer is as fast, or a metric of perturbed images less than five times ahead."""
    for name, task in tasks.items():
        rows, facts = task["rows"], TASKS[name]
        if not rows["salix"].get("rounds"):
            yield f"- {facts.title}: not measured: {escape(rows['salix']['left out'])}."
            continue
        if not timed_peers(rows):
            continue
        best = best_peer(rows)
        ratio = ratio_of(rows, best, "cpu")
        goal = 5 if facts.kind == "perturbation" else 1
        if ratio["median"] < goal:
            what = "behind" if ratio["median"] < 1 else f"less than {goal} times ahead"
            why = MISSED.get(name, SHARED_PASSES)
            yield f"- {facts.title}: {with_quartiles(ratio)} of {best}, {what}. {why}."


def remarks(tasks: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs between the libraries, and variants that did not run."""
    for name, task in tasks.items():
        if TASKS[name].differs:
            yield f"- {TASKS[name].title}: {TASKS[name].differs}."
        for variant, row in task["rows"].items():
            if "left out" in row:
                yield f"- {TASKS[name].title}, {variant}: left out: {escape(row['left out'])}"


def family_section(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of the section, from results by kind of processor."""
    yield "## Methods and metrics, by `benchmarks/family.py`\n"
    if not results:
        yield "Not measured.\n"
        return
    yield METHOD
    for kind, result in results.items():
        yield f"### Methods and metrics on a CPU with {VECTORS[kind]}\n"
        yield from machine_tables(result)


def machine_tables(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables and remarks of one machine."""
    tasks = {n: t for n, t in result["tasks"].items() if n in TASKS}
    loads = [load[0] for task in tasks.values() for load in task["load"]]
    rounds = sorted({task["rounds"] for task in tasks.values()})
    yield (
        f"{format_machine(result['about'])} "
        f"{rounds[0]} to {rounds[-1]} rounds; load {number(min(loads))} to {number(max(loads))}.\n"
    )
    head = [
        "", "best peer", "passes", "its", "cpu ms", "its", "wall ms", "its", "of default, cpu",
        "of best, cpu", "of best, wall", "first, s; its", "r, difference",
    ]  # fmt: skip
    for kind, title in KIND_TITLES.items():
        rows = [task_row(n, task) for n, task in tasks.items() if TASKS[n].kind == kind]
        if rows:
            yield f"#### {title}\n"
            yield table(head, rows)
    yield "#### Where Salix is not ahead, or less than five times\n"
    yield "\n".join([*misses(tasks)] or ["Nowhere in these results."]) + "\n"
    yield "#### What differs\n"
    yield "\n".join([*remarks(tasks)] or ["Nothing."]) + "\n"
