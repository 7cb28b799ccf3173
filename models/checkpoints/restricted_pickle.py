"""A stack machine for pickles that calls nothing but what it is given.

`pickle` imports and calls whatever a file names. Here a name stays a name, and is called only if
it stands in the caller's table. Opcodes as in the standard library's `pickletools`.
"""

import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from salix.typing import InputError

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
_OF_MARK: Mapping[str, Callable[[list[Any]], Any]] = {
    "LIST": list,
    "TUPLE": tuple,
    "DICT": lambda items: fill({}, items),
}
_TUPLE = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Global:
    """A name that a pickle would import, kept as text."""

    name: str


class Ordered(dict[Any, Any]):
    """What stands for a `collections.OrderedDict`; the attributes it was given are dropped."""


def shown(text: str) -> str:
    """Return text from a file as one short printable line."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")[1:-1]


def fill(target: Any, items: list[Any]) -> Any:
    """Set the pairs of a flat list in a dict and return it; keys must be text or whole numbers.

    A tuple of tuples of the same tuples is a few bytes in a pickle and takes forever to hash.
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


def _to_mark(stack: list[Any]) -> list[Any]:
    """Cut and return what lies above the last mark."""
    at = len(stack) - 1
    while stack[at] is not _MARK:  # IndexError where there is none
        at -= 1
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _call(function: Any, arguments: Any, calls: Mapping[str, Callable[..., Any]]) -> Any:
    if not isinstance(function, Global):
        raise InputError(f"calls a {type(function).__name__}")
    if function.name not in calls:
        raise InputError(
            f"asks to run {shown(function.name)}, which is refused: only tensors in plain "
            "containers are read (save the state dict alone)"
        )
    if not isinstance(arguments, tuple):
        raise InputError(f"calls {shown(function.name)} without a tuple of arguments")
    return calls[function.name](*arguments)


def _opcodes(stream: BytesIO) -> Iterator[tuple[str, Any]]:
    for opcode, argument, _ in pickletools.genops(stream):
        yield opcode.name, argument


def execute(
    stream: BytesIO,
    calls: Mapping[str, Callable[..., Any]],
    load: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the object of one pickle, leaving `stream` at the byte after it.

    `calls` maps "module.name" to what is called in its stead, `load` turns a persistent id into an
    object. Anything else that a pickle can ask for raises InputError; a malformed pickle raises
    ValueError, KeyError, IndexError, TypeError or OverflowError.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for step, (name, argument) in enumerate(_opcodes(stream)):
        if step == STEPS:
            raise InputError(f"has a pickle of more than {STEPS} steps")
        if name in _PUSH_ARGUMENT:
            stack.append(argument)
        elif name in _PUSH_NEW:
            stack.append(_PUSH_NEW[name]())
        elif name in _OF_MARK:
            stack.append(_OF_MARK[name](_to_mark(stack)))
        elif name in _TUPLE:
            stack[-_TUPLE[name] :] = [tuple(stack[-_TUPLE[name] :])]
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            fill(stack[-1], [key, value])
        elif name == "SETITEMS":
            items = _to_mark(stack)
            fill(stack[-1], items)
        elif name == "APPEND":
            value = stack.pop()
            _extend(stack[-1], [value])
        elif name == "APPENDS":
            items = _to_mark(stack)
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
            raise InputError(f"asks for {_asked(name, argument, stack)}, which is refused")
    raise ValueError("a pickle without an end")


def _asked(name: str, argument: Any, stack: list[Any]) -> str:
    """Return the opcode with the names that it would import, for a message."""
    names = [argument.replace(" ", ".", 1)] if isinstance(argument, str) else []
    names += [item.name for item in stack[-3:] if isinstance(item, Global)]
    return shown(" ".join([name, *names]))
