"""Head of a network in a weight file: one linear layer on the trunk's features, of any name."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from salix.models.checkpoints.errors import printable
from salix.models.checkpoints.naming import NamedArrays, Shapes, WeightTable

__all__ = ["HeadLayer", "depth_in_common", "find_head", "is_dead", "is_training_state"]

# Layers that a checkpoint contains and that the classifier of the trunk does not run
_DEAD = re.compile(
    r"adjust_channel|aux\w*|\w+_aux|projectors?|projection(_head)?|proj_head|predictor|prototypes"
    r"|queue\w*|criterion\w*|loss\w*|\w+_loss|n_averaged|num_updates|decay|(\w+_)?ema(_\w+)?|shadow\w*",
    re.IGNORECASE,
)
# State of an optimiser, whose moments have the shapes of the weights
_OPTIMIZER = re.compile(
    r"\w*optim\w*|opt_state\w*|exp_avg(_sq)?|max_exp_avg_sq|momentum_buffer|mu|nu|\w*scheduler\w*"
    r"|\w*scaler|callbacks|loops|epoch|step|\w*rng_state\w*",
    re.IGNORECASE,
)
_HEADS = re.compile(r"_?(fc|head|classifier|cls(_head)?|last_(layer|linear)|logits?|linear|output)")
_SEPARATOR = re.compile(r"[./]")


@dataclass(frozen=True)
class HeadLayer:
    """The last layer of a network in a file, or the reason why it has none that can be read."""

    rows: WeightTable  # our names -> names in the file, and layouts
    name: str = ""  # of the layer in the file, where it is not the published one
    scope: str = ""  # the prefix of its module
    fault: str = ""
    note: str = ""


def is_dead(name: str) -> bool:
    """Return whether a name is that of a branch known to have no part in the classification."""
    return any(_DEAD.fullmatch(part) for part in _SEPARATOR.split(name))


def is_training_state(name: str) -> bool:
    """Return whether a name is of an optimiser's, a schedule's or a random generator's state."""
    return any(_OPTIMIZER.fullmatch(part) for part in _SEPARATOR.split(name))


def depth_in_common(a: str, b: str) -> int:
    """Return the number of first parts that two names share."""
    pairs = zip(_SEPARATOR.split(a), _SEPARATOR.split(b), strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), 0)


def _levels(prefix: str) -> Iterator[str]:
    """Yield a prefix and those of its parents, "" last."""
    yield prefix
    while prefix:
        parent = [match.end() for match in _SEPARATOR.finditer(prefix[:-1])]
        prefix = prefix[: parent[-1]] if parent else ""
        yield prefix


def find_head(
    prefix: str,
    table: WeightTable,
    shapes: Shapes,
    arrays: NamedArrays,
    *,
    used: Collection[str],
    others: Sequence[str],
) -> HeadLayer:
    """Return the head of the network with a prefix.

    `table` has the published names of its kernel and bias. Where these are absent, it is the only
    linear layer on the features that stands beside the trunk or around it: within the prefix, else
    in the nearest module around. `used` are the names of all trunks, `others` the prefixes of other
    networks. A module with more than one layer is deeper than a linear head, and a fault.
    """
    (kernel, (kernel_name, layout)), (bias, (bias_name, bias_layout)) = sorted(
        table.items(), key=lambda row: row[0].endswith("bias")
    )
    features = shapes[kernel].shape[0]

    def linear(weight: str, offset: str) -> bool:
        if weight not in arrays or offset not in arrays:
            return False
        w, b = arrays[weight], arrays[offset]
        return w.ndim == 2 and b.ndim == 1 and layout(w).shape == (features, b.size) and b.size > 0

    def rows(weight: str, offset: str) -> WeightTable:
        return MappingProxyType({kernel: (weight, layout), bias: (offset, bias_layout)})

    if linear(prefix + kernel_name, prefix + bias_name):
        return HeadLayer(rows(prefix + kernel_name, prefix + bias_name), scope=prefix)
    published = {o: (prefix + n, shape) for o, (n, shape) in table.items() if prefix + n in arrays}
    if published:  # incomplete or of another shape, which the check of all shapes reports
        return HeadLayer(MappingProxyType(published), scope=prefix)
    parts = [_SEPARATOR.split(name)[-1] for name in (kernel_name, bias_name)]
    trunk = {_SEPARATOR.split(n[len(prefix) :])[0] for n in used if n.startswith(prefix)}
    for scope in _levels(prefix):
        modules: dict[str, list[str]] = {}
        for name in arrays:
            if not name.startswith(scope) or name in used or name.endswith("num_batches_tracked"):
                continue
            own = depth_in_common(name, prefix)
            if any(depth_in_common(name, other) > own for other in others):
                continue
            module = _SEPARATOR.split(name[len(scope) :])[0]
            inner = scope == prefix and module in trunk  # another layer of the trunk, no head
            if not (inner or is_dead(name[len(scope) :]) or is_training_state(name)):
                modules.setdefault(module, []).append(name)
        plain: dict[str, HeadLayer] = {}
        deep: dict[str, list[str]] = {}
        for module, names in modules.items():
            layer = names[0][: -len(_SEPARATOR.split(names[0])[-1])]
            weight, offset = layer + parts[0], layer + parts[1]
            if set(names) == {weight, offset} and linear(weight, offset):
                name = layer[len(scope) : -1]
                note = f"its head is {printable(layer[:-1])!r}"
                plain[module] = HeadLayer(rows(weight, offset), name, scope, note=note)
            elif any(features in arrays[name].shape[:2] for name in names if arrays[name].ndim > 1):
                deep[module] = names
        choice = [m for m in plain if _HEADS.fullmatch(m)] if len(plain) > 1 else list(plain)
        if len(choice) == 1:
            return plain[choice[0]]
        if plain:
            return HeadLayer({}, scope=scope, fault=f"several heads: {', '.join(sorted(plain))}")
        if deep:
            return HeadLayer({}, scope=scope, fault=_deep(deep, scope, arrays))
    return HeadLayer({}, scope=prefix, fault=f"no head: no {prefix + kernel_name!a}")


def _deep(modules: dict[str, list[str]], scope: str, arrays: NamedArrays) -> str:
    """Return the description of heads of several layers."""
    names = sorted(name for module in modules.values() for name in module)
    shown = [
        f"{printable(name[len(scope) :])} [{' '.join(map(str, arrays[name].shape))}]"
        for name in names[:3]
    ]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    heads = " and ".join(repr(printable(scope + module)) for module in sorted(modules))
    return f"the head {heads} is not one linear layer: {', '.join(shown)}{more}"
