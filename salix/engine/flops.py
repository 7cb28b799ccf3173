"""FLOPs of a compiled program, with the body of a loop counted as often as it runs.

A backend's own analysis counts a loop's body once, and a sweep scans the variants of an image.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, nan, prod

# An optimised program is text: computations of lines `name = type[shape] kind(operands)`, which name
# the computations that they call.
COMPUTATION = re.compile(r"(ENTRY )?%?([\w.-]+) \(.*\{$")
INSTRUCTION = re.compile(r" *(?:ROOT )?%?([\w.-]+) = (?:\w+\[([\d,]*)\])?.*? ([\w-]+)\((.*)")
OPERAND = re.compile(r"%([\w.-]+)[,)]")
KERNEL = re.compile(r"dim_labels=\w+?_(\w+)->")
DILATION = re.compile(r"lhs_dilate=([\dx]+)")
CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
CALLEES = re.compile(
    r"(?:calls|to_apply|body|condition|\w+_computations?)=\{?((?:%[\w.-]+(?:, )?)+)"
)
TRIP_COUNT = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
LIBRARY_CALL = re.compile(r'custom_call_target="[^"]*(?:conv|gemm|matmul)', re.IGNORECASE)


@dataclass(frozen=True)
class Flops:
    """Floating-point operations, two for each term of a sum of products.

    Products with padding are counted, those with the zeros of a dilated input, as in a stride's
    gradient, are not.
    """

    convolutions: float = 0.0
    products: float = 0.0  # of matrices

    @property
    def total(self) -> float:
        """FLOPs of both kinds."""
        return self.convolutions + self.products

    def __add__(self, other: "Flops") -> "Flops":
        return Flops(self.convolutions + other.convolutions, self.products + other.products)

    def times(self, count: float) -> "Flops":
        """Return the FLOPs of `count` executions."""
        return Flops(*(n * count if n else n for n in (self.convolutions, self.products)))


def count_flops(text: str) -> Flops:
    """Return the FLOPs of a compiled program, given as `compiled.as_text()`.

    All branches of a conditional are counted. Infinite for a loop of unknown length, NaN where the
    program calls a library, which hides the sizes.
    """
    if LIBRARY_CALL.search(text):
        return Flops(nan, nan)
    computations, entry = _parse(text)
    known: dict[str, Flops] = {}

    def computation_flops(name: str) -> Flops:
        if name not in known:
            computation = computations[name]
            lines = (computation.count(line, computation_flops) for line in computation.lines)
            known[name] = sum(lines, Flops())
        return known[name]

    return computation_flops(entry)


@dataclass
class _Computation:
    shapes: dict[str, list[int]] = field(default_factory=dict)
    lines: list[tuple[str, str, str]] = field(default_factory=list)  # name, kind, the rest

    def count(self, line: tuple[str, str, str], callee_flops: Callable[[str], Flops]) -> Flops:
        """Return the FLOPs of one line, with those of the computations that it calls."""
        name, kind, rest = line
        if kind in ("convolution", "dot"):
            left, right = (self.shapes[n] for n in OPERAND.findall(rest)[:2])
            outputs = 2 * prod(self.shapes[name])
            if kind == "dot":
                return Flops(0, outputs * prod(left[n] for n in _integers(CONTRACTED, rest)))
            (labels,) = KERNEL.findall(rest)
            terms = prod(right) / right[labels.index("o")]
            return Flops(outputs * terms / prod(_integers(DILATION, rest)))
        callees = [c for group in CALLEES.findall(rest) for c in OPERAND.findall(group + ",")]
        once = sum((callee_flops(c) for c in callees), Flops())
        return once.times((*_integers(TRIP_COUNT, rest), inf)[0]) if kind == "while" else once


def _integers(pattern: re.Pattern[str], text: str) -> list[int]:
    return [int(n) for match in pattern.findall(text) for n in re.findall(r"\d+", match)]


def _parse(text: str) -> tuple[dict[str, _Computation], str]:
    """Return the computations of a program by name, and the name of its entry."""
    computations: dict[str, _Computation] = {}
    entry, computation = "", _Computation()
    for line in text.splitlines():
        if header := COMPUTATION.match(line):
            computation = computations[header[2]] = _Computation()
            entry = header[2] if header[1] else entry
        elif instruction := INSTRUCTION.match(line):
            name, shape, kind, rest = instruction.groups()
            computation.shapes[name] = [int(n) for n in (shape or "").split(",") if n]
            computation.lines.append((name, kind, rest))
    return computations, entry
