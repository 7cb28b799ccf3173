"""Classes of the names that data sets give: `real=youtube,actors fake=*`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from salix.data.source import Source
from salix.data.texts import Categories
from salix.data.views import View
from salix.typing import InputError

SHOWN = 10  # names in a message


class ClassNames(NamedTuple):
    """Names and patterns that stand for one class."""

    name: str
    patterns: tuple[str, ...]


def parse_label_names(texts: Sequence[str]) -> tuple[ClassNames, ...]:
    """Parse `CLASS=NAME[,NAME…]`, one text for each class; `*` and `?` stand for any characters.

    Raises `InputError` for text of another form, and for a name that stands for two classes.
    """
    classes: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    for text in texts:
        name, equals, rest = (part.strip() for part in text.partition("="))
        patterns = [pattern for part in rest.split(",") if (pattern := part.strip())]
        if not (name and equals and patterns):
            raise InputError(
                f"--labels {text!r}: write CLASS=NAME,NAME, such as real=youtube,actors fake='*'"
            )
        for pattern in patterns:
            owner = owners.setdefault(pattern.casefold(), name)
            if owner != name:
                raise InputError(f"--labels: {pattern!r} is both {owner} and {name}: give it once")
        classes.setdefault(name, []).extend(patterns)
    return tuple(ClassNames(name, tuple(patterns)) for name, patterns in classes.items())


def class_of(name: str, classes: Sequence[ClassNames]) -> tuple[str, str] | None:
    """Return the class of a name and the pattern that names it, None where there is none.

    Names are compared without case. Whole names come before patterns, patterns in their order, and
    `*` alone last. The name of a class is a whole name of it, unless it is another's.
    """
    pairs = [(pattern, c.name) for c in classes for pattern in c.patterns]
    pairs += [(c.name, c.name) for c in classes]
    pairs.sort(key=lambda pair: (bool(re.search(r"[*?]", pair[0])), pair[0] == "*"))
    plain = name.strip().casefold()
    for pattern, cls in pairs:
        literal = pattern.casefold().replace("[", "[[]")
        if fnmatchcase(plain, literal):
            return cls, pattern
    return None


def relabel(sources: Sequence[Source], classes: Sequence[ClassNames]) -> list[Source]:
    """Return sources whose labels are the classes of their names.

    Raises `InputError` for names without a class, with all of them, and for a pattern other than
    `*` that no name matches.
    """
    if not sources:
        raise InputError("--labels: each --data has its CLASS already: leave --labels out")
    names = {str(name) for source in sources for name in _names(source) if name is not None}
    matches = {name: class_of(name, classes) for name in names}
    if missing := sorted(name for name, match in matches.items() if match is None):
        listed = ", ".join(missing[:SHOWN]) + ", …" * (len(missing) > SHOWN)
        raise InputError(
            f"--labels has no class for {listed}: add them to one, or '*' for all the rest, "
            f"{classes[-1].name}='*'"
        )
    used = {match[1] for match in matches.values() if match is not None}
    if unused := [p for c in classes for p in c.patterns if p not in used and p != "*"]:
        listed = ", ".join(sorted(names)[:SHOWN]) + ", …" * (len(names) > SHOWN)
        raise InputError(
            f"--labels: no image has the label {', '.join(unused)}: there are {listed}"
        )
    table = {name: match[0] for name, match in matches.items() if match is not None}
    return [Relabelled(source, tuple(sorted(table.items()))) for source in sources]


def _names(source: Source) -> Sequence[Any]:
    """Return the labels of a source as its files name them."""
    return getattr(source, "names", source.labels)


@dataclass(frozen=True)
class Relabelled(View):
    """A source whose labels are those of a table, by the names that its files give."""

    table: tuple[tuple[str, str], ...]  # pairs of a name and its class

    @property
    def labels(self) -> Sequence[str | None]:
        """Class of each name."""
        table = dict(self.table)
        return Categories(None if n is None else table[str(n)] for n in _names(self.source))
