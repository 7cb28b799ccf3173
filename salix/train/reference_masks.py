"""Reference masks for training: a folder of mask files, and whether a loss depends on masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.data.content import files_digest, source_identity
from salix.data.reference_masks import match_reference_masks, read_reference_mask
from salix.data.views import View
from salix.train.losses import Loss


@dataclass(frozen=True)
class WithReferenceMasks(View):
    """A source with reference masks from a folder of grey images, each named by its image's id.

    Suffixes may differ: `fake/a.png` is the mask of `fake/a.jpg`. An image may have none. Raises
    `InputError` for a folder without reference masks, or a reference mask without its image.
    """

    root: Path
    files: Sequence[Path | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        files = match_reference_masks(Path(self.root), self.source.ids)
        object.__setattr__(self, "files", files)

    @property
    def has_reference_masks(self) -> bool:
        """Return True."""
        return True

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Return the decoded reference mask of one image, or None; raises `Unreadable`."""
        file = self.files[index]
        return None if file is None else read_reference_mask(file)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of the source, with the content of these reference masks."""
        masks = {"reference_masks": files_digest(self.files, full=full)}
        return source_identity(self.source, full=full) | masks


def uses_reference_masks(loss: Loss) -> bool:
    """Whether a loss depends on the reference mask, by evaluating it on two opposite ones."""
    features = jnp.arange(18, dtype=jnp.float32).reshape(3, 3, 2) / 18

    def value(reference_mask: Any) -> Any:
        parts = loss(lambda f: f.mean((0, 1)), features, features**2, jnp.int32(1), reference_mask)
        return loss.combine(jax.tree.map(lambda a: a[None], parts))

    reference_mask = features[..., 0]
    return bool(jax.jit(lambda a, b: value(a) != value(b))(reference_mask, 1 - reference_mask))
