"""Networks of one architecture among the arrays of a weight file, found by their trunks.

A checkpoint may contain a network under a prefix ("module.", "state_dict.model."), with a head of
another name, and several networks: of an average of the weights, of a second encoder.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from salix.models.checkpoints.heads import HeadLayer, find_head, is_training_state
from salix.models.checkpoints.naming import Layout, NamedArrays, Shapes, WeightTable, WeightTables
from salix.typing import InputError

__all__ = ["FileNetwork", "best_partial", "components", "equal", "find_networks"]

MOST = 32  # networks in a file: they are compared with one another


@dataclass(frozen=True)
class FileNetwork:
    """A trunk of the architecture, complete, and what there is of its head.

    `rows` maps our names to the names in the file, with their prefix, and the layouts there.
    """

    prefix: str  # "" or with its separator at the end
    origin: str
    rows: WeightTable
    head: HeadLayer | None

    @property
    def name(self) -> str:
        """The prefix without its separator."""
        return self.prefix[:-1]

    @property
    def complete(self) -> bool:
        """Whether the head can be read too."""
        return self.head is None or not self.head.fault

    @property
    def names(self) -> set[str]:
        """The names in the file."""
        return {name for name, _ in self.rows.values()}


def components(name: str) -> list[str]:
    """Return the parts of a name or prefix between dots and slashes."""
    return [part for part in re.split(r"[./]", name) if part]


def _prefixes(name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the divisions of a name into a prefix and a rest of at most `depth` parts."""
    ends = [match.end() for match in re.finditer(r"[./]", name)]
    for end in [0, *ends][-depth:]:
        yield name[:end], name[end:]


def fits(array: np.ndarray, layout: Layout, shape: tuple[int, ...]) -> bool:
    """Return whether an array has a shape in our layout."""
    try:
        return layout(array).shape == shape
    except ValueError:
        return False


def _count_names(table: WeightTable, names: Collection[str]) -> Counter[str]:
    """Return how many names of a table there are by prefix."""
    known = {theirs for theirs, _ in table.values()}
    lasts = {components(theirs)[-1] for theirs in known}
    depth = max(len(components(theirs)) for theirs in known)
    counts: Counter[str] = Counter()
    for name in names:
        if re.split(r"[./]", name)[-1] in lasts:
            counts.update(prefix for prefix, rest in _prefixes(name, depth) if rest in known)
    return counts


def find_networks(
    tables: WeightTables,
    shapes: Shapes,
    head: str,
    arrays: NamedArrays,
    *,
    optional: Collection[str] = (),
) -> list[FileNetwork]:
    """Return the networks whose trunk is complete, in the order of their prefixes.

    `head` is our name of the last layer, "" for a network without another head. The parameters
    `optional` need not be in a file, but half of a trunk must be. A trunk that fits two tables is
    one network: of the table that has its head, else of the first. The state of an optimiser is no
    network. Raises InputError for more than 32 networks.
    """
    trunks: dict[frozenset[str], list[tuple[str, str, WeightTable]]] = {}
    for origin, table in tables.items():
        trunk = {ours: row for ours, row in table.items() if not (head and _below(ours, head))}
        number = len({theirs for theirs, _ in trunk.values()})  # one may have several of ours
        required = {theirs for ours, (theirs, _) in trunk.items() if ours not in optional}
        for prefix, count in _count_names(trunk, arrays).items():
            if 2 * count < number or is_training_state(prefix):
                continue
            if not all(prefix + theirs in arrays for theirs in required):
                continue
            rows = {
                ours: (prefix + theirs, layout)
                for ours, (theirs, layout) in trunk.items()
                if prefix + theirs in arrays
            }
            if all(fits(arrays[n], layout, shapes[o].shape) for o, (n, layout) in rows.items()):
                names = frozenset(name for name, _ in rows.values())
                trunks.setdefault(names, []).append((prefix, origin, rows))
    if optional:  # a part of another reading is none of its own
        trunks = {n: trunk for n, trunk in trunks.items() if not any(n < other for other in trunks)}
    if len(trunks) > MOST:
        raise InputError(f"contains {len(trunks)} networks, more than {MOST}: save one alone")
    prefixes = [prefix for fitting in trunks.values() for prefix, *_ in fitting]
    used = frozenset().union(*trunks)
    networks: list[FileNetwork] = []
    for fitting in trunks.values():
        choices: list[FileNetwork] = []
        for prefix, origin, rows in fitting:
            last_layer = None
            if head:
                last = {o: row for o, row in tables[origin].items() if _below(o, head)}
                others = [other for other in prefixes if other not in [p for p, *_ in fitting]]
                last_layer = find_head(prefix, last, shapes, arrays, used=used, others=others)
                if last_layer.fault and last.keys() <= set(optional):
                    last_layer = replace(last_layer, fault="")
                if not last_layer.fault:
                    rows = {**rows, **last_layer.rows}
            choices.append(FileNetwork(prefix, origin, MappingProxyType(rows), last_layer))
        networks.append(min(choices, key=_rank))
    return sorted(networks, key=lambda network: network.prefix)


def _rank(network: FileNetwork) -> tuple[bool, int, bool]:
    """Return the order of several readings of a trunk: best with a head of a published name."""
    return not network.complete, -len(network.rows), bool(network.head and network.head.note)


def _below(ours: str, layer: str) -> bool:
    return ours.startswith(f"{layer}.")


def best_partial(tables: WeightTables, arrays: NamedArrays) -> tuple[WeightTable, str]:
    """Return the table and the prefix with the most names in a file, the first of equals."""
    best = next(iter(tables.values())), ""
    most = 0
    for table in tables.values():
        counts = _count_names(table, arrays)
        for prefix in sorted(counts):
            if counts[prefix] > most and not is_training_state(prefix):
                best, most = (table, prefix), counts[prefix]
    return best


def equal(a: FileNetwork, b: FileNetwork, arrays: NamedArrays) -> bool:
    """Return whether two networks have the same arrays."""
    if a.rows.keys() != b.rows.keys():
        return False
    pairs = ((arrays[a.rows[ours][0]], arrays[b.rows[ours][0]]) for ours in a.rows)
    return all(x is y or np.array_equal(x, y) for x, y in pairs)
