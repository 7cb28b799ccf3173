"""Consistency and sensitivity of salience: how it follows changes of the image, if it should."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Num

from salix.metrics.comparison import enlarge
from salix.metrics.masked_comparison import ssim_where
from salix.perturb.corruptions import grey_levels
from salix.perturb.cose import (
    BINS,
    CHANGES,
    GEOMETRIC,
    MOST,
    PHOTOMETRIC,
    magnitudes_of,
    placements_of,
)
from salix.perturb.geometric import Placement, covered, inverse, warp
from salix.typing import (
    AnyArray,
    Column,
    Explain,
    Explanation,
    Image,
    InputError,
    Map,
    PRNGKey,
    Scalar,
    Values,
    as_explainer,
)


@dataclass(frozen=True)
class COSE:
    r"""Similarity of a map to the clean one under everyday changes of its image, with its decision.

    $\text{SSIM}(S(x), T^{-1} S(T(x)))$, each map of the class predicted on its own input, enlarged
    to the image's side. Windows have `window` pixels and lie wholly where both maps are defined; L
    is the larger of the two ranges. `transforms` are geometric (TranslateX, TranslateY up to 32
    pixels of 224, Rotate up to 135 degrees, FlipLR, FlipUD; by the nearest pixel, black outside) or
    photometric, as Pillow's (Brightness, Color, Contrast, Sharpness by a factor of 1 +- up to 0.99;
    AutoContrast, Equalize, Blur, Smooth). Of those with a range each image draws `magnitudes` out
    of 60 (30 of either sign) without repetition; the others have one variant.

    Returns, each [variants]: `cose_similarity`, in [-1, 1], NaN where a map is constant or nothing
    overlaps; `cose_predicted`, the index of the predicted class; `cose_magnitude`, in pixels of
    224, degrees, or of the factor less 1, 0 without a range; `cose_constant_map`. What they say depends on
    the image's label: `cose_scores` joins them. Images are square, of 1 or 3 channels. Raises
    `InputError` for unknown or no transforms, and images that do not fit.

    Daroya, Sun and Maji (2023), arXiv:2309.10989. There pixel maps are clipped at their 99th
    percentile first, and CAMs enlarged bilinearly.
    """

    transforms: tuple[str, ...] = (*GEOMETRIC, *PHOTOMETRIC)
    magnitudes: int = 6
    window: int = 5

    def __post_init__(self):
        known = tuple(CHANGES)
        unknown = [name for name in self.transforms if name not in CHANGES]
        if unknown:
            raise InputError(f"unknown transform {unknown[0]!r}: choose from {', '.join(known)}")
        if not self.transforms:
            raise InputError(f"no transform is given: choose from {', '.join(known)}")
        if not 1 <= self.magnitudes <= 2 * (BINS - 1):
            raise InputError(f"magnitudes is {self.magnitudes}: give from 1 to {2 * (BINS - 1)}")
        if self.window < 2:
            raise InputError(f"window is {self.window}: give at least 2 pixels")

    @property
    def variants(self) -> tuple[str, ...]:
        """The transform of each variant, in the order of the columns."""
        return tuple(name for name in self.transforms for _ in range(self._count(name)))

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the numbers mean."""
        about = (
            "Map of a changed image, brought back, against the clean one; each of the class "
            "predicted on its own input (Daroya, Sun and Maji, 2023, arXiv:2309.10989)."
        )
        at = tuple(
            name if self._count(name) == 1 else f"{name} {number + 1}"
            for name in self.transforms
            for number in range(self._count(name))
        )
        columns = (
            ("similarity", "similarity of the map, target re-predicted", -1, 1),
            ("predicted", "predicted class", 0, None),
            ("magnitude", "magnitude of the change", None, None),
            ("constant_map", "constant maps", 0, 1),
        )
        return tuple(
            Column(f"cose_{name}", f"COSE: {title}", about, low, high, "", "transform", at)
            for name, title, low, high in columns
        )

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        side, explainer = self._check(image, clean.map), as_explainer(explain)
        levels = grey_levels(explainer.pixels(image))
        expected, alive = enlarge(clean.map, side), clean.map.max() > 0
        changes = list(dict.fromkeys(CHANGES[name] for name in self.transforms))
        change = jnp.array([changes.index(CHANGES[name]) for name in self.variants])
        placements = np.stack([placements_of(name, side) for name in self.variants])
        tables = (
            np.stack([magnitudes_of(n) for n in self.variants]),
            placements,
            inverse(placements),
        )
        rows, drawn = jnp.arange(len(self.variants)), self._draw(key)
        magnitude, forth, back = (jnp.asarray(t, jnp.float32)[rows, drawn] for t in tables)

        def one(i: Any) -> dict[str, Any]:
            changed = jax.lax.switch(change[i], changes, levels, forth[i], magnitude[i])
            found = explainer(explainer.image(changed / 255))
            constant_map = found.map.max() <= 0
            similarity = self._compare(expected, enlarge(found.map, side), back[i])
            return {
                "similarity": jnp.where(alive & ~constant_map, similarity, jnp.nan),
                "predicted": jnp.argmax(found.logits).astype(jnp.float32),
                "constant_map": constant_map.astype(jnp.float32),
            }

        columns = jax.lax.map(one, rows) | {"magnitude": magnitude}
        return {f"cose_{name}": column for name, column in columns.items()}

    def _count(self, name: str) -> int:
        return self.magnitudes if name in MOST else 1

    def _draw(self, key: PRNGKey) -> Int[Array, " variants"]:
        """Return which magnitude each variant takes, whatever other transforms there are."""
        # The greatest of as many uniform numbers as there are magnitudes are a draw without
        # repetition; a key for each change keeps it the same beside others.
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(len(CHANGES)))
        uniform = jax.vmap(lambda key: jax.random.uniform(key, (2 * (BINS - 1),)))(keys)
        chosen = jax.lax.top_k(uniform, self.magnitudes)[1].astype(jnp.int32)
        known = tuple(CHANGES)
        return jnp.concatenate(
            [chosen[known.index(name), : self._count(name)] for name in self.transforms]
        )

    def _compare(self, expected: Map, found: Map, back: Placement) -> Scalar:
        widest = jnp.maximum(jnp.ptp(expected), jnp.ptp(found))
        valid = covered((found.shape[0], found.shape[1]), back)
        return ssim_where(expected, warp(found, back), valid, self.window, widest)

    def _check(self, image: Image, map: Num[AnyArray, "*grid"]) -> int:
        if image.ndim != 3 or image.shape[0] != image.shape[1] or image.shape[2] not in (1, 3):
            raise InputError(
                f"an image of shape {image.shape} cannot be changed: let the model's preprocessing "
                "make it square, of 1 or 3 channels"
            )
        if map.ndim != 2 or max(map.shape) > (side := image.shape[0]) or side < self.window:
            raise InputError(
                f"a map of shape {map.shape} of an image of side {image.shape[0]} cannot be "
                f"enlarged to it and compared in windows of {self.window}"
            )
        return side
