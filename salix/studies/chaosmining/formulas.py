"""The 15 formulas of ChaosMining, and formulas of a user's own."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.studies.chaosmining.expressions import derivative, evaluate, parse, variables
from salix.typing import InputError


@dataclass(frozen=True)
class Formula:
    """A function of the relevant features: its name, its text and its variables, in their order.

    By default the variables are those of the text; more may be declared, which it then ignores.
    Raises `InputError` for a text that is no expression or has no variable.
    """

    name: str
    text: str
    declared: str = ""

    def __post_init__(self) -> None:
        if not self.variables:
            raise InputError(f"formula {self.text!r} has no variable: name a feature a to z")

    @cached_property
    def tree(self) -> ast.expr:
        """The parsed expression."""
        return parse(self.text)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The relevant features: variables of the text and declared ones."""
        return tuple(sorted({*variables(self.tree), *self.declared}))

    @cached_property
    def partials(self) -> tuple[ast.expr, ...]:
        """The derivatives by each variable, in closed form."""
        return tuple(derivative(self.tree, v) for v in self.variables)

    def __call__(self, features: Float[np.ndarray, "*rows k"]) -> Float[np.ndarray, "*rows"]:
        """Return the values of the formula for rows of its features, by NumPy."""
        with np.errstate(all="ignore"):
            value = evaluate(self.tree, self._columns(features))
        return np.broadcast_to(np.asarray(value, features.dtype), features.shape[:-1])

    def traced(self, features: Float[Array, "*rows k"]) -> Float[Array, "*rows"]:
        """Return the values of the formula by JAX, which can be differentiated."""
        value = evaluate(self.tree, self._columns(features), jnp)
        return jnp.broadcast_to(value, features.shape[:-1])

    def gradient(self, features: Float[np.ndarray, "*rows k"]) -> Float[np.ndarray, "*rows k"]:
        """Return the closed-form gradient at rows of features."""
        columns = self._columns(features)
        with np.errstate(all="ignore"):
            parts = [evaluate(partial, columns) for partial in self.partials]
        shape = features.shape[:-1]
        return np.stack([np.broadcast_to(np.asarray(p, features.dtype), shape) for p in parts], -1)

    def _columns(self, features: Any) -> Mapping[str, Any]:
        return {name: features[..., i] for i, name in enumerate(self.variables)}


_TEXTS = (
    "a",
    "a^2",
    "2 / (a^2 + 1) - 1",
    "sin(a)",
    "exp(a) - 1.5",
    "2 * ln(a^2 + 1) - 1",
    "a^3 / 4 + 3 * b^2 / 4",
    "a^3 / 2 + 3 * b^2 / 4 + a * c",
    "exp(a) * sin(b) / 2 - cos(d)^5 / (4 * (c^2 + 1))",
    "(a - b)^2 / 2 + (c + d * e)^3 / 5 - 1 / 2",
    "cos(a) * tan(b) / 2 - ln((c - d)^2 + 1) / ((e + f + 1)^2 + 1)",
    "(b - c)^2 / (2 * (a^2 + 1)) + tan(d) * ln(e^2 + 1) + cos(f) * sin(g) / 2",
    "a + b^2 / 2 + c^3 / 3 + d^4 / 4 + e^5 / 5 + f^6 / 6 + f^7 / 7 + g^8 / 8",
    "(a - 1) / (2 * (b^2 + 1)) - c^3 / (2 * (d^2 + 1)) + e^5 / (2 * (f^2 + 1))"
    " - g^7 / (2 * (h^2 + 1)) + tan(i) / 2 + 1 / 2",
    "sin(a) / 2 - b^3 / 2 - ln(c^2 + 1) + sqrt((d + e)^2 + 1) / 2 - cos(f) * g / 2"
    " + h * i^2 / ((1 - j)^2 + 1) - 1 / 2",
)
# As released: formula 12 declares the feature h and never uses it.
FORMULAS: dict[str, Formula] = {
    str(i): Formula(str(i), text, "h" if i == 12 else "") for i, text in enumerate(_TEXTS)
}
# Formula 12 with its eighth variable: powers 7 and 8 are of g and h.
MENDED = Formula(
    "12-mended", "a + b^2 / 2 + c^3 / 3 + d^4 / 4 + e^5 / 5 + f^6 / 6 + g^7 / 7 + h^8 / 8"
)


def choose_formulas(names: tuple[str, ...]) -> tuple[Formula, ...]:
    """Return formulas by number (`3`, `0-5`), `12-mended`, or the text of a user's own.

    All 15 as released for no name. Raises `InputError` for a number without a formula and a text
    that is none.
    """
    formulas: list[Formula] = []
    for name in names or tuple(FORMULAS):
        first, dash, last = name.partition("-")
        if name == MENDED.name:
            formulas.append(MENDED)
        elif dash and first.isdecimal() and last.isdecimal():
            formulas += [_numbered(n, name) for n in _range(first, last, name)]
        elif name.isdecimal():
            formulas.append(_numbered(int(name), name))
        else:
            formulas.append(Formula(name, name))
    return tuple(dict.fromkeys(formulas))


def _range(first: str, last: str, name: str) -> range:
    if len(name) > 9 or int(first) > int(last):
        raise InputError(f"formulas {name!r}: give a range such as 0-5")
    return range(int(first), int(last) + 1)


def _numbered(number: int, name: str) -> Formula:
    if str(number) not in FORMULAS:
        raise InputError(
            f"formula {name!r}: the numbers are 0 to {len(FORMULAS) - 1}; or give "
            f"{MENDED.name!r} or a formula such as 'sin(a) * b'"
        )
    return FORMULAS[str(number)]
