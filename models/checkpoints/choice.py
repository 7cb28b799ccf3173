"""Choice of one network of a weight file that contains several, and what is left out of it."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from salix.models.checkpoints.errors import printable
from salix.models.checkpoints.heads import depth_in_common, is_dead, is_training_state
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.networks import FileNetwork, components, equal
from salix.typing import InputError

__all__ = ["choose", "left_out", "unknown"]

# Parts of names of an average of the weights over training
_AVERAGE = re.compile(r"(?:^|[^a-z])(?:ema|swa)(?:[^a-z]|$)|averaged|moving_average|polyak|shadow")


def _is_average(network: FileNetwork) -> bool:
    return any(_AVERAGE.search(part.lower()) for part in components(network.prefix))


def _title(network: FileNetwork) -> str:
    return repr(printable(network.name)) if network.prefix else "the names without a prefix"


def _titles(networks: Sequence[FileNetwork]) -> str:
    more = f" and {len(networks) - 8} more" if len(networks) > 8 else ""
    return ", ".join(map(_title, networks[:8])) + more


def _under(prefix: str, networks: Sequence[FileNetwork]) -> list[FileNetwork]:
    """Return the networks with a prefix, else those whose prefix contains it."""
    wanted = components(prefix)
    exact = [n for n in networks if components(n.prefix) == wanted]
    if exact or not wanted:
        return exact
    n = len(wanted)
    parts = [(network, components(network.prefix)) for network in networks]
    return [k for k, p in parts if any(p[i : i + n] == wanted for i in range(len(p)))]


def choose(
    networks: Sequence[FileNetwork],
    arrays: NamedArrays,
    path: Path | str,
    architecture: str,
    *,
    prefix: str | None = None,
    ema: bool | None = None,
) -> FileNetwork:
    """Return the only network, that under a prefix, or the averaged (`ema`) or the raw one.

    Networks with the same arrays are one, of the shortest prefix; one whose head can be read comes
    before those without. Raises InputError that lists the networks, and what chooses one, where
    none or several fit.
    """
    if prefix is not None and ema is not None:
        raise InputError("prefix and ema exclude each other: give one of --prefix, --ema, --raw")
    complete = [network for network in networks if network.complete] or list(networks)
    if prefix is not None:
        fitting = _under(prefix, complete) or _under(prefix, networks)
        option = f"under --prefix {printable(prefix)!r}"
    else:
        fitting = [n for n in complete if ema is None or _is_average(n) == ema]
        option = {
            True: "with an average of the weights (--ema)",
            False: "without an average (--raw)",
        }
        option = option[bool(ema)]
    if not fitting:
        raise InputError(f"{path}: no {architecture} {option}: it has {_titles(complete)}")
    different: list[FileNetwork] = []
    for network in sorted(fitting, key=lambda n: (len(n.prefix), n.prefix)):
        if not any(equal(network, other, arrays) for other in different):
            different.append(network)
    faults = [network.head.fault for network in different if network.head]
    if faults and all(faults):
        raise InputError(
            f"{path}: the trunk of {architecture} fits {_titles(different)}, but {faults[0]}; "
            "a head is read that is one linear layer, with a bias, on the trunk's features; where "
            "it was published alone, give the file of its head with --head-weights (Python: head=)"
        )
    if len(different) > 1:
        different.sort(key=lambda n: n.prefix)
        raise InputError(
            f"{path} contains {len(different)} networks that fit {architecture}, "
            f"{_titles(different)}: choose one {_options(different)}"
        )
    return different[0]


def _options(networks: Sequence[FileNetwork]) -> str:
    """Return what to type to choose one of several networks."""
    average = [n for n in networks if _is_average(n)]
    example = next((n for n in networks if n.prefix), networks[0])
    prefix = f"with --prefix {printable(example.name)} (Python: prefix={printable(example.name)!r})"
    if len(average) == 1 and len(networks) == 2:
        return f"with --ema or --raw (Python: ema=True or ema=False), or {prefix}"
    return prefix


def unknown(
    network: FileNetwork,
    networks: Sequence[FileNetwork],
    arrays: NamedArrays,
    unused: tuple[str, ...],
) -> tuple[NamedArrays, list[str]]:
    """Return the arrays of a network's module that it has no place for, and names of dead ones.

    The counters of PyTorch, the state of an optimiser and the arrays of other networks are neither.
    """
    scope = network.head.scope if network.head else network.prefix
    names, extra, dead = network.names, {}, []
    others = [n.prefix for n in networks if n is not network]
    for name, array in arrays.items():
        own = depth_in_common(name, network.prefix)
        if name in names or name.endswith("num_batches_tracked"):
            continue
        if any(depth_in_common(name, other) > own for other in others):
            continue
        rest = name.removeprefix(network.prefix)
        if rest.startswith(unused) or is_training_state(name):
            continue
        if is_dead(name[len(scope) :]) or not name.startswith(scope):
            if array.ndim:  # others are counters and best values of a training
                dead.append(name)
        else:
            extra[name] = array
    return extra, dead


def left_out(names: Sequence[str], scope: str) -> str:
    """Return the modules of arrays that are left out, and how many each has."""
    modules: Counter[str] = Counter()
    for name in sorted(names):  # in some formats the order of a file is random
        common = depth_in_common(name, scope)
        inside = name.startswith(scope)
        parts = re.split(r"[./]", name)
        modules[".".join(parts[common if inside else 0 : common + 1])] += 1
    shown = [f"{printable(m)} ({n} array{'s' * (n > 1)})" for m, n in list(modules.items())[:3]]
    return ", ".join(shown) + (f" and {len(modules) - 3} more" if len(modules) > 3 else "")
