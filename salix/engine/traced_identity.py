"""Digests of a traced program: of its operations, and of the arrays that it closes over.

The text of a jaxpr would not do: it abbreviates arrays, prints no constants, and has addresses of
functions. Two programs have equal digests where they compute the same, in any process, folder and
minor version of Python. Names of functions and variables, source lines, devices and shardings do
not count.
"""

import hashlib
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import jax
import numpy as np
from jax.core import AbstractValue
from jax.extend import core

from salix.store import array_text, describe_host_function

# Parameters of operations that do not decide their result. Rules of differentiation have been
# applied when a program is traced.
IGNORED = {"name", "ctx_mesh", "mesh", "jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd", "out_trees"}
PLAIN = (bool, int, float, complex, str, bytes, type(None))
Digests = tuple[str, tuple[str, ...]]  # of the operations, and of each constant


def traced_identity(traced: core.ClosedJaxpr) -> dict[str, str]:
    """Return the sha256 of the operations of a traced program, and that of their constants.

    Numbers that Python knew while it traced are part of the operations. A function of the host that
    the program calls back counts by module, name, bytecode and closure.
    """
    operations, constants = JaxprDigests({}).closed(traced)
    return {"operations": operations, "constants": _sha("\n".join(constants))}


class JaxprDigests:
    """Digests of jaxprs, each computed once; `digests` maps the id of a jaxpr to its own."""

    def __init__(self, digests: dict[int, tuple[Any, Digests]]):
        self.digests = digests

    def closed(self, jaxpr: Any) -> Digests:
        """Return the digests of a jaxpr, closed or open."""
        if id(jaxpr) not in self.digests:  # the jaxpr is stored so that its id stays its own
            inner, constants = getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())
            self.digests[id(jaxpr)] = jaxpr, self._digests(inner, constants)
        return self.digests[id(jaxpr)][1]

    def _digests(self, jaxpr: Any, values: Any) -> Digests:
        constants: list[str] = []
        names: dict[Any, str] = {}
        closed_over = dict(zip(jaxpr.constvars, values, strict=False))
        for variable in (*jaxpr.constvars, *jaxpr.invars):
            if variable not in closed_over:
                names[variable] = f"in{len(names)}"

        labelled: dict[Any, Any] = {}  # a name given to a value is no operation

        def read(atom: Any) -> str:
            if not isinstance(atom, core.Literal):
                atom = labelled.get(atom, atom)
            if isinstance(atom, core.Literal) and np.ndim(atom.val) == 0:
                return f"{_type(atom.aval)}={np.asarray(atom.val).item()!r}"
            if isinstance(atom, core.Literal) or atom in closed_over:
                value = atom.val if isinstance(atom, core.Literal) else closed_over[atom]
                constants.append(array_text(value))
                return f"constant {_type(atom.aval)}"
            return names[atom]

        lines = [" ".join(_type(v.aval) for v in jaxpr.invars)]
        for equation in jaxpr.eqns:
            if equation.primitive.name == "name":
                (value,) = equation.invars
                literal = isinstance(value, core.Literal)
                labelled[equation.outvars[0]] = value if literal else labelled.get(value, value)
                continue
            inputs = " ".join(map(read, equation.invars))
            for variable in equation.outvars:
                names[variable] = f"v{len(names)}"
            outputs = " ".join(f"{names[v]}:{_type(v.aval)}" for v in equation.outvars)
            parameters = [
                f"{key}={self._text(value, constants)}"
                for key, value in sorted(equation.params.items())
                if key not in IGNORED and "sharding" not in key and "layout" not in key
            ]
            context = equation.ctx
            settings = f"{context.compute_type} {context.threefry_partitionable}"
            words = (equation.primitive.name, inputs, *parameters, settings, outputs)
            lines.append(" ".join(words))
        lines.append(" ".join(map(read, jaxpr.outvars)))
        return _sha("\n".join(lines)), tuple(constants)

    def _text(self, value: Any, constants: list[str]) -> str:
        """Describe a parameter of an operation; arrays in it go to the constants."""

        def inner(part: Any) -> str:
            return self._text(part, constants)

        match value:
            case _ if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
                operations, arrays = self.closed(value)
                constants.extend(arrays)
                return operations
            case np.generic() | np.ndarray() | jax.Array() if np.ndim(value) == 0:
                return f"{value.dtype}:{np.asarray(value).item()!r}"
            case np.ndarray() | jax.Array():
                constants.append(array_text(value))
                return f"array {value.dtype}{list(value.shape)}"
            case Enum():
                return f"{type(value).__name__}.{value.name}"
            case _ if isinstance(value, PLAIN):
                return repr(value)
            case np.dtype():
                return value.name
            case AbstractValue():
                return _type(value)
            case tuple() | list():
                return f"{type(value).__name__}({', '.join(map(inner, value))})"
            case set() | frozenset():
                return f"{{{', '.join(sorted(map(inner, value)))}}}"
            case dict():
                pairs = sorted(f"{inner(k)}: {inner(v)}" for k, v in value.items())
                return f"{{{', '.join(pairs)}}}"
            case _ if is_dataclass(value) and not isinstance(value, type):
                parts = [f"{f.name}={inner(getattr(value, f.name))}" for f in fields(value)]
                return f"{type(value).__name__}({', '.join(parts)})"
        return describe_host_function(value)


def _type(value: Any) -> str:
    """Return type and shape of an abstract value; a weak type counts, a sharding does not."""
    shape, dtype = getattr(value, "shape", ""), getattr(value, "dtype", type(value).__name__)
    return f"{dtype}{list(shape)}{'w' if getattr(value, 'weak_type', False) else ''}"


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
