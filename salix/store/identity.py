"""Canonical descriptions and hashes: the identity of what decides a row, by content."""

import hashlib
import inspect
import json
import re
from dataclasses import fields, is_dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
PLAIN = (bool, int, float, complex, str, bytes, type(None))


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_digest(weights: Any) -> str:
    """Return a sha256 of all arrays of a pytree with their names, shapes and types."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        array = np.asarray(leaf)
        sha.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def describe(value: Any) -> str:
    """Return a text that is equal for equal configurations only, in every process.

    Frozen dataclasses read as their `repr`, field by field, so that a method of plain fields can be
    read back from the text. Arrays are named by type, shape and sha256 of their content; functions
    by module, name and a hash of their code, defaults, closure and the plain values and arrays
    among their global variables. Nothing is named by its address.
    """
    return _describe(value, ())


def _describe(value: Any, outer: tuple[int, ...]) -> str:
    if isinstance(value, PLAIN):
        return repr(value)
    if id(value) in outer:  # a function or object that refers to itself
        return "..."
    outer = (*outer, id(value))

    def inner(part: Any) -> str:
        return _describe(part, outer)

    match value:
        case np.ndarray() | np.generic() | jax.Array():
            return _array(value)
        case type():
            return f"{value.__module__}.{value.__qualname__}"
        case ModuleType():
            return value.__name__
        case list() | tuple():
            text = ", ".join(map(inner, value))
            if type(value) is list:
                return f"[{text}]"
            if type(value) is tuple:
                return f"({text},)" if len(value) == 1 else f"({text})"
            return f"{type(value).__name__}({text})"
        case set() | frozenset():
            return f"{{{', '.join(sorted(map(inner, value)))}}}"
        case dict():
            pairs = sorted((inner(k), inner(v)) for k, v in value.items())
            return f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
        case partial():
            return f"partial({inner((value.func, value.args, value.keywords))})"
        case MethodType():
            return f"{inner(value.__self__)}.{inner(value.__func__)}"
        case _ if is_dataclass(value):
            parts = [f"{f.name}={inner(getattr(value, f.name))}" for f in fields(value) if f.init]
            return f"{type(value).__qualname__}({', '.join(parts)})"
    function = inspect.unwrap(value) if callable(value) else value  # of a compiled function
    if isinstance(function, FunctionType):
        parts = [_code(function.__code__, inner), inner(function.__defaults__)]
        closure = [c.cell_contents for c in function.__closure__ or ()]
        parts += [inner(function.__kwdefaults__), inner(closure), inner(_data(function))]
        sha = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return f"{function.__module__}.{function.__qualname__}#{sha[:16]}"
    if hasattr(value, "__qualname__"):  # built in
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "__dict__"):
        return f"{type(value).__module__}.{type(value).__qualname__}{inner(vars(value))}"
    return ADDRESS.sub("", repr(value))


def _array(value: Any) -> str:
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    array = np.ascontiguousarray(value)
    sha = hashlib.sha256(array.tobytes()).hexdigest()
    return f"array({array.dtype}{list(np.shape(value))}, sha256={sha})"


def _code(code: CodeType, inner: Any) -> str:
    """Describe the instructions of a function, its constants and the names that it uses."""
    constants = [_code(c, inner) if isinstance(c, CodeType) else inner(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"


def _data(function: FunctionType) -> dict[str, Any]:
    """Return the global variables of a function that are plain values, tuples or arrays."""
    data = (*PLAIN, tuple, np.ndarray, np.generic, jax.Array)
    used = {n: function.__globals__.get(n) for n in function.__code__.co_names}
    return {n: v for n, v in used.items() if v is not None and isinstance(v, data)}
