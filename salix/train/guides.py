"""Guides of a training: files beside the images, and whether a loss needs any."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.data import Source
from salix.data.files import match_guides, read_guide
from salix.train.losses import Loss


@dataclass(frozen=True)
class Guided:
    """A source whose guides are the grey images of a folder, each under the id of its image.

    Suffixes may differ: `fake/a.jpg` is guided by `fake/a.png`. An image may have none. Raises
    `InputError` for a folder without guides, or a guide without its image.
    """

    source: Source
    root: Path
    files: Sequence[Path | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        files = match_guides(Path(self.root), self.source.ids)
        object.__setattr__(self, "files", files)

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the source."""
        return self.source.ids

    @property
    def labels(self) -> Sequence[str | None]:
        """Labels of the source."""
        return self.source.labels

    @property
    def guided(self) -> bool:
        """Return True."""
        return True

    def read(self, index: int) -> Any:
        """Read from the source."""
        return self.source.read(index)

    def guide(self, index: int) -> np.ndarray | None:
        """Decode the guide of one image, None if it has none; raises `Unreadable`."""
        file = self.files[index]
        return None if file is None else read_guide(file)


def uses_guides(loss: Loss) -> bool:
    """Whether a loss depends on the guide: two opposite ones are tried on made-up features."""
    features = jnp.arange(18, dtype=jnp.float32).reshape(3, 3, 2) / 18

    def value(guide: Any) -> Any:
        parts = loss(lambda f: f.mean((0, 1)), features, features**2, jnp.int32(1), guide)
        return loss.combine(jax.tree.map(lambda a: a[None], parts))

    guide = features[..., 0]
    return bool(jax.jit(lambda a, b: value(a) != value(b))(guide, 1 - guide))
