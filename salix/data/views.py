"""Sources made of sources: several in a row, without labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix.data.content import source_identity
from salix.data.source import Source
from salix.typing import InputError


@dataclass(frozen=True)
class Joined:
    """Several sources in a row, each with a name that starts its ids.

    Raises `InputError` for ids that are the same in two sources, `a` with `b/1` and `a/b` with `1`.
    """

    sources: Mapping[str, Source]
    ids: Sequence[str] = field(init=False, repr=False)
    places: Sequence[tuple[Source, int]] = field(init=False, repr=False)

    def __post_init__(self):
        ids = [f"{name}/{i}" for name, source in self.sources.items() for i in source.ids]
        if len({*ids}) < len(ids):
            first = next(id for id, count in Counter(ids).items() if count > 1)
            raise InputError(f"{first!r} is in the data twice: give each folder once")
        places = [(s, i) for s in self.sources.values() for i in range(len(s.ids))]
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "places", places)

    @property
    def has_reference_masks(self) -> bool:
        """Whether any of the sources has them."""
        return any(s.has_reference_masks for s in self.sources.values())

    @property
    def labels(self) -> Sequence[str | int | None]:
        """The labels of each source."""
        return [label for s in self.sources.values() for label in s.labels]

    @property
    def groups(self) -> Sequence[str | None]:
        """The groups of each source: one name is one group, also in several sources."""
        return [group for s in self.sources.values() for group in s.groups]

    def read(self, index: int) -> Any:
        """Read from the source of the image."""
        source, i = self.places[index]
        return source.read(i)

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Reference mask from the source of the image."""
        source, i = self.places[index]
        return source.reference_mask(i)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of each source by its name."""
        return {"sources": {n: source_identity(s, full=full) for n, s in self.sources.items()}}


@dataclass(frozen=True)
class Unlabelled:
    """A source without its labels."""

    source: Source

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the source."""
        return self.source.ids

    @property
    def labels(self) -> Sequence[str | int | None]:
        """None for each."""
        return [None] * len(self.source.ids)

    @property
    def groups(self) -> Sequence[str | None]:
        """Groups of the source."""
        return self.source.groups

    @property
    def has_reference_masks(self) -> bool:
        """As the source."""
        return self.source.has_reference_masks

    def read(self, index: int) -> Any:
        """Read from the source."""
        return self.source.read(index)

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Reference mask from the source."""
        return self.source.reference_mask(index)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of the source."""
        return source_identity(self.source, full=full)
