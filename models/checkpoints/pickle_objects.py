"""Stand-ins for the objects of a pickle, and the operations that a pickle has on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from salix.models.checkpoints.errors import printable
from salix.typing import InputError

__all__ = [
    "Global",
    "Opaque",
    "Ordered",
    "ScriptModule",
    "Stateful",
    "build",
    "call",
    "extend",
    "name_of",
    "new",
    "set_items",
]

_SCRIPT = "__torch__."  # the classes that TorchScript writes, none of which Python could import


@dataclass(frozen=True)
class Global:
    """A name that a pickle would import, kept as text."""

    name: str


@dataclass(eq=False)
class Opaque:
    """Mark in the place of an object that would have to be made by code; `name` is its maker's."""

    name: str
    module: bool = False  # its state is that of a `torch.nn.Module`


class Ordered(dict[Any, Any]):
    """Stand-in for a `collections.OrderedDict`; attributes that a pickle sets on it are dropped."""


class ScriptModule(dict[Any, Any]):
    """Stand-in for a module of a TorchScript archive: its attributes by name.

    Its code is in other members of the archive, which are not read.
    """

    def set_state(self, state: Any) -> None:
        """Move the attributes from `state`; the packed state of quantised layers is dropped.

        The dictionary is emptied, so that a pickle cannot have it copied many times.
        """
        if isinstance(state, dict) and state is not self:
            self.update(state)
            state.clear()


class Stateful(Protocol):
    """Stand-in that reads the state which a pickle sets on it."""

    def set_state(self, state: Any) -> None:
        """Read the state."""
        ...


def name_of(item: Any) -> str:
    """Return the name by which a pickle refers to an object."""
    return item.name if isinstance(item, Global | Opaque) else type(item).__name__


def new(class_: Any) -> Opaque | ScriptModule:
    """Return the stand-in for an object of a class: a mark, or a module of TorchScript."""
    name = name_of(class_)
    return ScriptModule() if name.startswith(_SCRIPT) else Opaque(name)


def set_items(target: Any, items: list[Any]) -> Any:
    """Set the pairs of a flat list in a dict and return it; keys other than text and integers drop.

    Such entries have no name as weights; nested tuples with shared members take a few bytes in a
    pickle and exponential time to hash. The items of an opaque mark are dropped.
    """
    if isinstance(target, Opaque):
        return target
    if not isinstance(target, dict):
        raise InputError(f"sets items of a {type(target).__name__}")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, str | int):
            target[key] = value
    return target


def extend(target: Any, items: list[Any]) -> None:
    """Append items to a list; those of an opaque mark are dropped."""
    if type(target) is list:
        target.extend(items)
    elif not isinstance(target, Opaque):
        raise InputError(f"appends to a {type(target).__name__}")


def call(function: Any, arguments: Any, calls: Mapping[str, Callable[..., Any]]) -> Any:
    """Return the result of a function of the table, and an opaque mark for any other."""
    if not isinstance(function, Global | Opaque):
        raise InputError(f"calls a {type(function).__name__}")
    if not isinstance(arguments, tuple):
        raise InputError(f"calls {printable(function.name)} without a tuple of arguments")
    if isinstance(function, Opaque) or function.name not in calls:
        return Opaque(function.name)
    return calls[function.name](*arguments)


def build(target: Any, state: Any) -> None:
    """Set the state of a stand-in; that of an opaque mark is dropped."""
    if isinstance(target, Opaque):
        state = state[0] if isinstance(state, tuple) and state else state
        if isinstance(state, dict) and {"_parameters", "_modules"} <= state.keys():
            target.module = True
    elif hasattr(target, "set_state"):
        target.set_state(state)
    elif not isinstance(target, Ordered | Global):  # of these: versions of a state dict's modules
        raise InputError(f"sets the state of a {type(target).__name__}")
