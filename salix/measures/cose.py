"""COSE, consistency and sensitivity of salience under geometric and photometric transforms."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from salix.hyperparameters import WINDOW, check_fields, choice, integer, several
from salix.metrics.comparison import ssim_where
from salix.metrics.explainer import as_explainer
from salix.metrics.resizing import enlarge
from salix.perturb.cose import (
    BINS,
    GEOMETRIC,
    MAXIMA,
    PHOTOMETRIC,
    TRANSFORMS,
    transform_magnitudes,
    transform_placements,
)
from salix.perturb.grey import grey_levels
from salix.perturb.warps import invert, valid_region, warp
from salix.typing import Column, Explain, Explanation, GridMap, Image, InputError, PRNGKey, Values


@dataclass(frozen=True)
class COSE:
    r"""Similarity of a map to the clean one under everyday image transforms, with the decisions.

    $\text{SSIM}(S(x), T^{-1} S(T(x)))$, each map of the class predicted on its own input, enlarged
    to the image's side. Windows have `window` pixels and lie where both maps are defined; L is the
    larger of the two ranges. `transforms` are geometric (TranslateX, TranslateY up to 32 pixels of
    224, Rotate up to 135 degrees, FlipLR, FlipUD; by the nearest pixel, black outside) or
    photometric, as Pillow's (Brightness, Color, Contrast, Sharpness by a factor of 1 +- up to 0.99;
    AutoContrast, Equalize, Blur, Smooth). Of those with a range each image draws `magnitudes` out
    of 60 (30 of either sign) without repetition; the others have one variant.

    Returns, each [variants]: `cose_similarity`, in [-1, 1], NaN where a map is constant or nothing
    overlaps; `cose_predicted`, the index of the predicted class; `cose_magnitude`, in pixels of
    224, degrees, or of the factor less 1, 0 without a range; `cose_constant_map`. Their
    interpretation depends on the image's label: `cose_scores` joins them. Images are square, of 1
    or 3 channels. Raises `InputError` for unknown or no transforms, and images that do not fit.

    Daroya, Sun and Maji (2023), arXiv:2309.10989. There pixel maps are clipped at their 99th
    percentile first, and CAMs enlarged bilinearly.
    """

    transforms: tuple[str, ...] = (*GEOMETRIC, *PHOTOMETRIC)
    magnitudes: int = 6
    window: int = 5

    def __post_init__(self):
        remedy = f"choose from {', '.join(TRANSFORMS)}, each once"
        check_fields(
            self,
            transforms=several(choice(TRANSFORMS), remedy=remedy, unique=True),
            magnitudes=integer(1, 2 * (BINS - 1)),
            window=WINDOW,
        )

    @property
    def variants(self) -> tuple[str, ...]:
        """The transform of each variant, in the order of the columns."""
        return tuple(name for name in self.transforms for _ in range(self._count(name)))

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        meaning = (
            "Map of a changed image, brought back, against the clean one; each of the class "
            "predicted on its own input (Daroya, Sun and Maji, 2023, arXiv:2309.10989)."
        )
        coordinates = tuple(
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
        axis = "transform"
        return tuple(
            Column(f"cose_{name}", f"COSE: {title}", meaning, low, high, "", axis, coordinates)
            for name, title, low, high in columns
        )

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        side, explainer = self._check(image, clean.map), as_explainer(explain)
        levels = grey_levels(explainer.pixels(image))
        expected, has_contrast = enlarge(clean.map, side), clean.map.max() > 0
        functions = list(dict.fromkeys(TRANSFORMS[name] for name in self.transforms))
        function = jnp.array([functions.index(TRANSFORMS[name]) for name in self.variants])
        placements = np.stack([transform_placements(name, side) for name in self.variants])
        tables = (
            np.stack([transform_magnitudes(name) for name in self.variants]),
            placements,
            invert(placements),
        )
        rows, drawn = jnp.arange(len(self.variants)), self._draw(key)
        magnitude, forward, back = (jnp.asarray(t, jnp.float32)[rows, drawn] for t in tables)

        def measure_variant(i: Any) -> Values:
            changed = jax.lax.switch(function[i], functions, levels, forward[i], magnitude[i])
            explanation = explainer(explainer.image(changed / 255))
            constant_map = explanation.map.max() <= 0
            map = enlarge(explanation.map, side)
            similarity = ssim_where(
                expected, warp(map, back[i]), valid_region((side, side), back[i]),
                window=self.window, data_range=jnp.maximum(jnp.ptp(expected), jnp.ptp(map)),
            )  # fmt: skip
            return {
                "similarity": jnp.where(has_contrast & ~constant_map, similarity, jnp.nan),
                "predicted": jnp.argmax(explanation.logits).astype(jnp.float32),
                "constant_map": constant_map.astype(jnp.float32),
            }

        values = jax.lax.map(measure_variant, rows) | {"magnitude": magnitude}
        return {f"cose_{name}": value for name, value in values.items()}

    def _count(self, name: str) -> int:
        return self.magnitudes if name in MAXIMA else 1

    def _draw(self, key: PRNGKey) -> Int[Array, " variants"]:
        """Return the index of each variant's magnitude, independent of the other transforms."""
        # The largest of as many uniform numbers as there are magnitudes are a draw without
        # repetition; a key for each transform makes its draw independent of the others.
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(len(TRANSFORMS)))
        uniform = jax.vmap(lambda key: jax.random.uniform(key, (2 * (BINS - 1),)))(keys)
        chosen = jax.lax.top_k(uniform, self.magnitudes)[1].astype(jnp.int32)
        known = tuple(TRANSFORMS)
        return jnp.concatenate(
            [chosen[known.index(name), : self._count(name)] for name in self.transforms]
        )

    def _check(self, image: Image, map: GridMap) -> int:
        if image.ndim != 3 or image.shape[0] != image.shape[1] or image.shape[2] not in (1, 3):
            raise InputError(
                f"an image of shape {image.shape} cannot be transformed: let the model's "
                "preprocessing make it square, of 1 or 3 channels"
            )
        if map.ndim != 2 or max(map.shape) > (side := image.shape[0]) or side < self.window:
            raise InputError(
                f"a map of shape {map.shape} of an image of side {image.shape[0]} cannot be "
                f"enlarged to it and compared in windows of {self.window}"
            )
        return side
