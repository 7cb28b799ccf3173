"""Sources made of sources: several in a row, views of one, without labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix.data.content import source_identity
from salix.data.source import Source
from salix.data.texts import Categories, Chained, Mapped, repeated
from salix.typing import InputError


@dataclass(frozen=True)
class Joined:
    """Several sources in a row, each with a name that starts its ids.

    Raises `InputError` for ids that are the same in two sources, `a` with `b/1` and `a/b` with `1`.
    """

    sources: Mapping[str, Source]
    ids: Chained = field(init=False, repr=False)

    def __post_init__(self):
        ids = Chained(
            Mapped(f"{name}/{{}}".format, source.ids) for name, source in self.sources.items()
        )
        if (first := repeated(ids)) is not None:
            raise InputError(f"{first!r} is in the data twice: give each folder once")
        object.__setattr__(self, "ids", ids)

    @property
    def has_reference_masks(self) -> bool:
        """Whether any of the sources has them."""
        return any(s.has_reference_masks for s in self.sources.values())

    @property
    def labels(self) -> Sequence[str | int | None]:
        """The labels of each source."""
        return Chained(s.labels for s in self.sources.values())

    @property
    def groups(self) -> Sequence[str | None]:
        """The groups of each source: one name is one group, also in several sources."""
        return Chained(s.groups for s in self.sources.values())

    def read(self, index: int) -> Any:
        """Read from the source of the image."""
        source, i = self._place(index)
        return source.read(i)

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Reference mask from the source of the image."""
        source, i = self._place(index)
        return source.reference_mask(i)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of each source by its name."""
        return {"sources": {n: source_identity(s, full=full) for n, s in self.sources.items()}}

    def _place(self, index: int) -> tuple[Source, int]:
        part, i = self.ids.place(index)
        return list(self.sources.values())[part], i


@dataclass(frozen=True)
class View:
    """The base of views of another source: subclasses replace some of its parts."""

    source: Source

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the source."""
        return self.source.ids

    @property
    def labels(self) -> Sequence[str | int | None]:
        """Labels of the source."""
        return self.source.labels

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


@dataclass(frozen=True)
class Unlabelled(View):
    """A source without its labels."""

    @property
    def labels(self) -> Sequence[str | int | None]:
        """None for each."""
        return Categories.constant(None, len(self.source.ids))
