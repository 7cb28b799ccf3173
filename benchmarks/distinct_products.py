"""Products of a program with equal values computed once, as compilers do."""

from collections.abc import Hashable, Iterator
from itertools import count
from typing import Any

from jax.extend.core import Literal

from salix.compiler import Product, inner_jaxprs, product_of

CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat2", "checkpoint")
Number = int  # of a value: two values of one number are equal


class DistinctProducts:
    """Value numbering: an operation of the same numbers has the same result.

    Bodies of loops are numbered once, with their iterations; what differs between iterations has
    numbers of its own.
    """

    def __init__(self) -> None:
        self.numbers: dict[Hashable, Number] = {}
        self.fresh = count()

    def of(self, jaxpr: Any) -> Iterator[Product]:
        """Yield the distinct products of a program."""
        inputs = [next(self.fresh) for _ in (*jaxpr.invars, *jaxpr.constvars)]
        yield from self._walk(jaxpr, inputs, 1, [])

    def _number(self, key: Hashable) -> Number:
        if key not in self.numbers:
            self.numbers[key] = next(self.fresh)
        return self.numbers[key]

    def _walk(
        self, jaxpr: Any, inputs: list[Number], times: int, results: list[Number]
    ) -> Iterator[Product]:
        """Yield the products of a jaxpr of numbered inputs; `results` gets those of its outputs."""
        values = dict(zip((*jaxpr.invars, *jaxpr.constvars), inputs, strict=True))

        def read(atom: Any) -> Number:
            if isinstance(atom, Literal):
                return self._number(("literal", repr(atom.val), str(atom.aval)))
            return values[atom]

        for equation in jaxpr.eqns:
            operands = tuple(map(read, equation.invars))
            inner, numbers = inner_jaxprs(equation), []
            if inner and equation.primitive.name in CALLS:
                constants = [self._number(("constant", id(v))) for v in inner[0].constvars]
                yield from self._walk(inner[0], [*operands, *constants], times, numbers)
            else:
                # A jaxpr is the same one where its text is.
                parts = sorted((k, str(v)) for k, v in equation.params.items())
                key = equation.primitive.name, tuple(parts), operands
                is_new = (key, 0) not in self.numbers
                numbers = [self._number((key, i)) for i in range(len(equation.outvars))]
                if is_new and (product := product_of(equation, times)):
                    yield product
                for body in inner if is_new else ():
                    inputs = self._body_inputs(equation, body, operands)
                    iterations = times * equation.params.get("length", 1)  # of a scan
                    yield from self._walk(body, inputs, iterations, [])
            values.update(zip(equation.outvars, numbers, strict=True))
        results += map(read, jaxpr.outvars)

    def _body_inputs(self, equation: Any, body: Any, operands: tuple[Number, ...]) -> list[Number]:
        """Return numbers of a body's inputs: constants of a scan are those outside."""
        constants = operands[: equation.params.get("num_consts", 0)]
        others = len(body.invars) + len(body.constvars) - len(constants)
        return [*constants, *(next(self.fresh) for _ in range(others))]
