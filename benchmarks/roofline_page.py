"""Section of the throughput page on the ceilings of accelerators."""

from collections.abc import Iterator, Mapping
from typing import Any

from page_tables import NETWORK_TITLES, TASK_TITLES, number, table
from targets import PASSES

METHOD = """Nothing here is measured. A product or convolution takes at least its FLOPs over the
device's peak, or its bytes over the bandwidth of its memory, whichever is longer; the ceiling is
the sum over the products of the program that the device gets, traced with a batch of {batch}. Work
between products counts as fused into them, and what measures do besides is left out: every run is
slower. *in memory* is the share of that time in which memory is the limit, in percent. Peaks are
those of the data sheets: {peaks}.
"""


def roofline_section(result: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield a table of images per second at most, by network, task and precision."""
    if result is None:
        return
    devices = result["devices"]
    peaks = "; ".join(
        f"{name} {device['peaks']['bfloat16'] / 1e12:.0f} TFLOP/s in bfloat16 and "
        f"{device['bandwidth'] / 1e12:.2f} TB/s"
        for name, device in devices.items()
    )
    yield "## Ceilings of accelerators, by `benchmarks/roofline.py`\n"
    yield METHOD.format(batch=result["batch"], peaks=peaks)
    columns = ["network", "task", "precision", "GFLOP", "MB"]
    for name in devices:
        columns += [f"{name}, img/s", "in memory"]
    lines = []
    for row in result["rows"]:
        line = [
            NETWORK_TITLES.get(row["network"], row["network"]),
            TASK_TITLES[row["task"]],
            row["precision"],
            number(row["gflop"]),
            number(row["megabytes"]),
        ]
        for name in devices:
            line += [
                number(row[name]["images_per_second"]),
                number(100 * row[name]["memory_share"]),
            ]
        lines.append(line)
    yield table(columns, lines)
    yield from _outside_passes(result)


def _outside_passes(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the share of the measures' ceiling that is no pass: the work of a kernel of its own."""
    rates = {
        (row["network"], row["task"], row["precision"], device): row[device]["images_per_second"]
        for row in result["rows"]
        for device in result["devices"]
    }
    first, parts = next(iter(result["devices"])), []
    for (network, task, precision, device), rate in rates.items():
        forward = rates.get((network, "forward", precision, device))
        if (task, precision, device) == ("paper", "bfloat16", first) and forward:
            share = 100 * (1 - PASSES["paper"][1] * rate / forward)
            parts.append(f"{NETWORK_TITLES.get(network, network)} {number(share, 2)} %")
    if parts:
        yield (
            f"Share of the measures' time outside of passes on {first}, in bfloat16: "
            + "; ".join(parts)
            + ". It is the bank of blurs, which multiplies in float32: for small networks a kernel "
            "that keeps an image's blurs in fast memory is the one worth writing.\n"
        )
