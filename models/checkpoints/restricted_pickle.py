"""Restricted unpickler: a stack machine that imports nothing and calls only allow-listed functions.

`pickle` imports and calls any function that a file names. Here a name stays text, a call of a
function in the caller's table is looked up there, a module of TorchScript is the dictionary of its
attributes, and any other object is an opaque mark: what the file says of its making is parsed and
dropped. Opcodes as in the standard library's `pickletools`.
"""

import pickletools
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from salix.models.checkpoints.pickle_objects import (
    Global,
    Opaque,
    build,
    call,
    extend,
    name_of,
    new,
    set_items,
)
from salix.typing import InputError

__all__ = ["unpickle"]

STEPS = 2_000_000  # opcodes in one pickle; a checkpoint of 10,000 tensors has about 300,000

_MARK = object()
_PUSH_ARGUMENT = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    "BYTEARRAY8",
}
_PUSH_NEW: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": lambda: Opaque("set"),
    "MARK": lambda: _MARK,
}
_FROM_MARK: Mapping[str, Callable[[list[Any]], Any]] = {
    "LIST": list,
    "TUPLE": tuple,
    "DICT": lambda items: set_items({}, items),
    "FROZENSET": lambda items: Opaque("frozenset"),
    "OBJ": lambda items: Opaque(name_of(items[0])),
}
_TUPLE = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NEW = {"NEWOBJ": 2, "NEWOBJ_EX": 3}  # items on the stack: class and arguments


def _pop_mark(stack: list[Any]) -> list[Any]:
    """Remove the items above the last mark, and the mark, and return the items."""
    mark = len(stack) - 1
    while stack[mark] is not _MARK:  # IndexError where there is none
        mark -= 1
    items = stack[mark + 1 :]
    del stack[mark:]
    return items


def unpickle(
    stream: BytesIO,
    calls: Mapping[str, Callable[..., Any]],
    load: Callable[[Any], Any] | None = None,
    *,
    marks: set[str] | None = None,
) -> Any:
    """Return the object of one pickle, leaving `stream` at the byte after it.

    `calls` maps "module.name" to the function that is called in its place, `load` a persistent id
    to an object. Other objects are `Opaque`, their names added to `marks`. A pickle that makes no
    sense raises InputError, ValueError, KeyError, IndexError, TypeError or OverflowError.
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
            extend(stack[-1], [value])
        elif name in ("APPENDS", "ADDITEMS"):
            items = _pop_mark(stack)
            extend(stack[-1], items)
        elif name == "GLOBAL":
            stack.append(Global(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            texts = isinstance(module, str) and isinstance(attribute, str)
            stack.append(Global(f"{module}.{attribute}" if texts else "?"))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(call(function, arguments, calls))
        elif name in _NEW:
            stack[-_NEW[name] :] = [new(stack[-_NEW[name]])]
        elif name == "INST":
            _pop_mark(stack)
            stack.append(Opaque(argument.replace(" ", ".", 1)))
        elif name in ("EXT1", "EXT2", "EXT4"):
            stack.append(Opaque(f"extension {argument}"))
        elif name == "BINPERSID" and load is not None:
            stack.append(load(stack.pop()))
        elif name == "BUILD":
            state = stack.pop()
            build(stack[-1], state)
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            _pop_mark(stack)
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise InputError(f"asks for {name}, which is refused")
        if marks is not None and stack and isinstance(stack[-1], Opaque) and len(marks) < 8:
            marks.add(stack[-1].name)
    raise ValueError("a pickle without an end")
