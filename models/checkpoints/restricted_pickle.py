"""Restricted unpickler: a stack machine that imports nothing and calls only allow-listed functions.

`pickle` imports and calls any function that a file names. Here a name stays text, and a call is
looked up in the caller's table. Opcodes as in the standard library's `pickletools`.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from salix.models.checkpoints.errors import printable
from salix.typing import InputError

__all__ = ["Global", "Ordered", "set_items", "unpickle"]

STEPS = 2_000_000  # opcodes in one pickle; a checkpoint of 10,000 tensors has about 300,000

_MARK = object()
_PUSH_ARGUMENT = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
_PUSH_NEW: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_FROM_MARK: Mapping[str, Callable[[list[Any]], Any]] = {
    "LIST": list,
    "TUPLE": tuple,
    "DICT": lambda items: set_items({}, items),
}
_TUPLE = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Global:
    """A name that a pickle would import, kept as text."""

    name: str


class Ordered(dict[Any, Any]):
    """Stand-in for a `collections.OrderedDict`; attributes that a pickle sets on it are dropped."""


def set_items(target: Any, items: list[Any]) -> Any:
    """Set the pairs of a flat list in a dict and return it; keys must be text or integers.

    Nested tuples are refused as keys: with shared members they take a few bytes in a pickle and
    exponential time to hash.
    """
    if not isinstance(target, dict):
        raise InputError(f"sets items of a {type(target).__name__}")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | int):
            raise InputError(f"has a {type(key).__name__} as a key")
        target[key] = value
    return target


def _extend(target: Any, items: list[Any]) -> None:
    if type(target) is not list:
        raise InputError(f"appends to a {type(target).__name__}")
    target.extend(items)


def _pop_mark(stack: list[Any]) -> list[Any]:
    """Remove the items above the last mark, and the mark, and return the items."""
    mark = len(stack) - 1
    while stack[mark] is not _MARK:  # IndexError where there is none
        mark -= 1
    items = stack[mark + 1 :]
    del stack[mark:]
    return items


def _call(function: Any, arguments: Any, calls: Mapping[str, Callable[..., Any]]) -> Any:
    if not isinstance(function, Global):
        raise InputError(f"calls a {type(function).__name__}")
    if function.name not in calls:
        raise InputError(
            f"asks to run {printable(function.name)}, which is refused: only tensors in plain "
            "containers are read (save the state dict alone)"
        )
    if not isinstance(arguments, tuple):
        raise InputError(f"calls {printable(function.name)} without a tuple of arguments")
    return calls[function.name](*arguments)


def unpickle(
    stream: BytesIO,
    calls: Mapping[str, Callable[..., Any]],
    load: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the object of one pickle, leaving `stream` at the byte after it.

    `calls` maps "module.name" to the function that is called in its place, `load` a persistent id
    to an object. Every other request of a pickle raises InputError; a malformed pickle raises
    ValueError, KeyError, IndexError, TypeError or OverflowError.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        name: str = opcode.name
        argument: Any
        if step == STEPS:
            raise InputError(f"has a pickle of more than {STEPS} steps")
        if name in _PUSH_ARGUMENT:
            stack.append(argument)
        elif name in _PUSH_NEW:
            stack.append(_PUSH_NEW[name]())
        elif name in _FROM_MARK:
            stack.append(_FROM_MARK[name](_pop_mark(stack)))
        elif name in _TUPLE:
            stack[-_TUPLE[name] :] = [tuple(stack[-_TUPLE[name] :])]
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            set_items(stack[-1], [key, value])
        elif name == "SETITEMS":
            items = _pop_mark(stack)
            set_items(stack[-1], items)
        elif name == "APPEND":
            value = stack.pop()
            _extend(stack[-1], [value])
        elif name == "APPENDS":
            items = _pop_mark(stack)
            _extend(stack[-1], items)
        elif name == "GLOBAL":
            stack.append(Global(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(Global(f"{module}.{attribute}" if isinstance(module, str) else "?"))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_call(function, arguments, calls))
        elif name == "BINPERSID" and load is not None:
            stack.append(load(stack.pop()))
        elif name == "BUILD" and type(stack[-2]) is Ordered:
            stack.pop()  # the `_metadata` of a state dict: versions of modules
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            names = [argument.replace(" ", ".", 1)] if isinstance(argument, str) else []
            names += [item.name for item in stack[-3:] if isinstance(item, Global)]
            raise InputError(f"asks for {printable(' '.join([name, *names]))}, which is refused")
    raise ValueError("a pickle without an end")
