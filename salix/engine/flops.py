"""The operations of a compiled program, those of a loop counted as often as it runs.

A backend's own analysis counts a loop's body once, and a sweep scans the variants of an image.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, nan, prod

# An optimised program is text: computations, whose lines read `name = type[shape] kind(operands)`
# and name the computations that they call.
COMPUTATION = re.compile(r"(ENTRY )?%?([\w.-]+) \(.*\{$")
INSTRUCTION = re.compile(r" *(?:ROOT )?%?([\w.-]+) = (?:\w+\[([\d,]*)\])?.*? ([\w-]+)\((.*)")
OPERAND = re.compile(r"%([\w.-]+)[,)]")
KERNEL = re.compile(r"dim_labels=\w+?_(\w+)->")
SPREAD = re.compile(r"lhs_dilate=([\dx]+)")
SUMMED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
CALLED = re.compile(
    r"(?:calls|to_apply|body|condition|\w+_computations?)=\{?((?:%[\w.-]+(?:, )?)+)"
)
TIMES = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
HIDDEN = re.compile(r'custom_call_target="[^"]*(?:conv|gemm|matmul)', re.IGNORECASE)


@dataclass(frozen=True)
class Operations:
    """Floating-point operations, two for each product that is added up.

    Products with padding are counted, those with the zeros between the places of an input that is
    spread, as a stride's gradient is, are not.
    """

    convolutions: float = 0.0
    products: float = 0.0  # of matrices

    def __add__(self, other: "Operations") -> "Operations":
        return Operations(self.convolutions + other.convolutions, self.products + other.products)

    def times(self, count: float) -> "Operations":
        """Return those of so many runs."""
        return Operations(*(n * count if n else n for n in (self.convolutions, self.products)))


def operations(text: str) -> Operations:
    """Return the operations of a compiled program, given as `compiled.as_text()`.

    All branches of a conditional are counted. Infinite where they lie in a loop that runs nobody
    knows how often, NaN where the program calls a library for them, which hides their sizes.
    """
    if HIDDEN.search(text):
        return Operations(nan, nan)
    parts, entry = _read(text)
    known: dict[str, Operations] = {}

    def of(name: str) -> Operations:
        if name not in known:
            part = parts[name]
            known[name] = sum((part.count(line, of) for line in part.lines), Operations())
        return known[name]

    return of(entry)


@dataclass(frozen=True)
class _Computation:
    shapes: dict[str, list[int]] = field(default_factory=dict)
    lines: list[tuple[str, str, str]] = field(default_factory=list)  # name, kind, the rest

    def count(self, line: tuple[str, str, str], of: Callable[[str], Operations]) -> Operations:
        """Return the operations of one line, with those of what it calls."""
        name, kind, rest = line
        if kind in ("convolution", "dot"):
            left, right = (self.shapes[n] for n in OPERAND.findall(rest)[:2])
            pairs = 2 * prod(self.shapes[name])
            if kind == "dot":
                return Operations(0, pairs * prod(left[n] for n in _numbers(SUMMED, rest)))
            (labels,) = KERNEL.findall(rest)
            summed = prod(right) / right[labels.index("o")]
            return Operations(pairs * summed / prod(_numbers(SPREAD, rest)))
        called = [c for group in CALLED.findall(rest) for c in OPERAND.findall(group + ",")]
        once = sum((of(c) for c in called), Operations())
        return once.times((*_numbers(TIMES, rest), inf)[0]) if kind == "while" else once


def _numbers(pattern: re.Pattern[str], text: str) -> list[int]:
    """Return the whole numbers of what a pattern finds, if it does."""
    return [int(n) for found in pattern.findall(text) for n in re.findall(r"\d+", found)]


def _read(text: str) -> tuple[dict[str, _Computation], str]:
    """Return the computations of a program, and the name of the one it starts with."""
    parts: dict[str, _Computation] = {}
    entry, part = "", _Computation()
    for line in text.splitlines():
        if header := COMPUTATION.match(line):
            part = parts[header[2]] = _Computation()
            entry = header[2] if header[1] else entry
        elif found := INSTRUCTION.match(line):
            name, shape, kind, rest = found.groups()
            part.shapes[name] = [int(n) for n in (shape or "").split(",") if n]
            part.lines.append((name, kind, rest))
    return parts, entry
