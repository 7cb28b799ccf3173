"""Canonical descriptions and hashes: the identity of what decides a row, by content."""

import hashlib
import inspect
import json
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from salix.hyperparameters import is_described

PLAIN = (bool, int, float, complex, str, bytes, type(None))
LIBRARIES = {"jax", "jaxlib", "numpy"}  # whose functions are known by their names
CHUNK = 10_000  # items that are described at once
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value in canonical form."""
    return hashlib.sha256(_canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_items(items: Iterable[Any]) -> str:
    """Return the digest of the list of `items`, which are read once and never held together."""
    sha, items, first = hashlib.sha256(b"["), iter(items), True
    while chunk := list(islice(items, CHUNK)):
        text = _canonical(chunk)[1:-1]
        sha.update((text if first else f",{text}").encode("utf-8", "surrogatepass"))
        first = False
    sha.update(b"]")
    return sha.hexdigest()


def weights_digest(weights: Any) -> str:
    """Return a sha256 of all leaves of a pytree with their names, shapes and types."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        sha.update(f"{jax.tree_util.keystr(path)} {describe(leaf)}".encode())
    return sha.hexdigest()


def describe(value: Any) -> str:
    """Return a text that is equal for equal settings, in every process and version of Python.

    Frozen dataclasses read as their `repr`, field by field, so that a method of plain fields can be
    read back from the text; those with the metadata `described=False` are left out, and those with
    `described="changed"`, added after runs had been written, at their default. Arrays are
    named by type, shape and sha256 of their content; functions by module and name; other objects by
    module, class and public attributes, and where they have none by their `repr` without addresses.
    What functions and objects compute is not described: in a sweep it is part of the traced
    program, see `salix.engine.traced_identity`.
    """
    return _describe(value, ())


def _describe(value: Any, outer: tuple[int, ...]) -> str:
    if isinstance(value, PLAIN):
        return repr(value.item() if isinstance(value, np.generic) else value)
    if id(value) in outer:  # an object that refers to itself
        return "..."
    outer = (*outer, id(value))

    def inner(part: Any) -> str:
        return _describe(part, outer)

    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    match value:
        case Tracer():
            return kind
        case np.ndarray() | np.generic() | jax.Array():
            return array_text(value)
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
            return f"{inner(value.__self__)}.{value.__func__.__qualname__}"
        case _ if is_dataclass(value):
            described = [f for f in fields(value) if f.init and is_described(f, value)]
            parts = [f"{f.name}={inner(getattr(value, f.name))}" for f in described]
            return f"{type(value).__qualname__}({', '.join(parts)})"
    function = _unwrapped(value)
    if name := getattr(function, "__qualname__", None) or getattr(function, "__name__", None):
        module = getattr(function, "__module__", None) or "builtins"
        return f"{module}.{name}"
    if attributes := {n: v for n, v in _attributes(value).items() if not n.startswith("_")}:
        parts = [f"{n}={inner(v)}" for n, v in sorted(attributes.items())]
        return f"{kind}({', '.join(parts)})"
    text = repr(value)
    return kind if ADDRESS.search(text) else text


def _unwrapped(value: Any) -> Any:
    """Return the function inside a compiled or decorated one."""
    try:
        return inspect.unwrap(value) if callable(value) else value
    except ValueError:  # it wraps itself
        return value


def _attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object, in its dictionary or slots."""
    slots = [s for kind in type(value).__mro__ for s in vars(kind).get("__slots__", ())]
    stored = {s: getattr(value, s) for s in slots if isinstance(s, str) and hasattr(value, s)}
    return stored | getattr(value, "__dict__", {})


def array_text(value: Any) -> str:
    """Return type, shape and sha256 of the content of an array, a random key or a NumPy scalar."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    array = np.ascontiguousarray(value)
    if array.dtype.hasobject:  # its bytes are addresses
        return f"array({array.dtype}{list(np.shape(value))}, {describe(array.tolist())})"
    sha = hashlib.sha256(array.reshape(-1).view(np.uint8).data).hexdigest()
    return f"array({array.dtype}{list(np.shape(value))}, sha256={sha})"


def describe_host_function(value: Any) -> str:
    """Describe a function that runs on the host, which no traced program shows, with its code.

    Its bytecode, defaults, closure and the plain values and arrays among its global variables count
    as well: the text is that of one version of Python. Other objects are described by `describe`,
    with the functions among their attributes.
    """
    return _host(value, ())


def _host(value: Any, outer: tuple[int, ...]) -> str:
    if id(value) in outer:
        return "..."
    outer = (*outer, id(value))

    def inner(part: Any) -> str:
        return _host(part, outer)

    match value:
        case MethodType():
            return f"{inner(value.__self__)}.{inner(value.__func__)}"
        case list() | tuple():
            return f"[{', '.join(map(inner, value))}]"
        case dict():
            return str(sorted((describe(k), inner(v)) for k, v in value.items()))
        case partial():
            return f"partial({inner((value.func, value.args, value.keywords))})"
    function = _unwrapped(value)
    if not isinstance(function, FunctionType):
        is_object = not isinstance(value, (type, ModuleType, *PLAIN)) and callable(value)
        attributes = _attributes(value) if is_object else {}
        return describe(value) + (inner(attributes) if attributes else "")
    if (function.__module__ or "").partition(".")[0] in LIBRARIES:
        return describe(function)
    closure = list(inspect.getclosurevars(function).nonlocals.values())
    used = {name: function.__globals__.get(name) for name in _names(function.__code__)}
    kinds = (*PLAIN, tuple, np.ndarray, np.generic, jax.Array)
    data = {
        name: value
        for name, value in used.items()
        if (value is not None and isinstance(value, kinds))
        or (isinstance(value, FunctionType) and value.__module__ == function.__module__)
    }
    parts = [_code(function.__code__), *map(inner, (function.__defaults__ or (), closure, data))]
    parts.append(inner(function.__kwdefaults__ or {}))
    sha = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{function.__module__}.{function.__qualname__}#{sha[:16]}"


def _names(code: CodeType) -> list[str]:
    """Return the global names that a function and the functions inside it use."""
    nested = (c for c in code.co_consts if isinstance(c, CodeType))
    return [*code.co_names, *(name for c in nested for name in _names(c))]


def _code(code: CodeType) -> str:
    """Describe the instructions of a function, its constants and the names that it uses."""
    constants = [_code(c) if isinstance(c, CodeType) else describe(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"
