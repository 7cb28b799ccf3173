"""Curves of a score while regions are replaced in order of their relevance, and their areas."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from salix.hyperparameters import check_value, integer
from salix.metrics.faithfulness.curves import Curve
from salix.metrics.faithfulness.ranking import is_ranked
from salix.metrics.faithfulness.replacement import Replacement, replacement_image
from salix.metrics.faithfulness.segments import label_segments, order_segments, scan_batches
from salix.metrics.presets import choose_options
from salix.perturb.partition import Partition, Patches
from salix.precision import widen
from salix.typing import GridMap, Image, PRNGKey, Scalar, ScoreLike

ALL = 2**31 - 1  # steps: as many as there are regions
# Samek et al., sec. III-B: 100 regions of 9 x 9 pixels, of uniform noise. Quantus: by the lowest
# value of the image, regions of 8 x 8 pixels (RegionPerturbation) or each pixel (PixelFlipping).
REGIONS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Patches(9), "steps": 100, "per_step": 1, "fill": "uniform"},
    "quantus": {"partition": Patches(8), "steps": 100, "per_step": 1, "fill": "minimum"},
    "pixel_flipping": {"partition": Patches(1), "steps": ALL, "per_step": 1, "fill": "minimum"},
}


def morf(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    steps: int | None = None,
    per_step: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Curve:
    r"""Curve of a score while the most relevant regions are replaced first (MoRF).

    $v_k = f(x^{(k)})$, k = 0 … L: `per_step` regions of the `partition` more are replaced by `fill`
    in each of `steps` steps, in falling order of the map's mean over the region; L is less where
    the regions are used up. `fractions` are shares of the regions, and the area is the mean of the
    curve over them by the trapezoid rule, in units of the score: lower for a better map. The
    explained score, unbounded. A map of a smaller grid is enlarged linearly.

    `preset` "paper": 100 regions of 9 x 9 pixels, each pixel replaced by uniform noise; "quantus":
    of 8 x 8 pixels, by the lowest value of the image; "pixel_flipping": each pixel by that value,
    as many passes as pixels. Options override it; `fill` as `replacement_image`. Passes: L + 1,
    scanned, `chunk` of them in one batch. NaN where the map is constant or not finite. Raises
    `InputError` for unusable options and a map that does not fit.

    Samek et al. (2017), arXiv:1509.06321, sec. III.
    """
    chosen = choose_options(
        "morf", preset, REGIONS, partition=partition, steps=steps, per_step=per_step, fill=fill
    )
    return remove_regions(score, image, map, key, "most", chunk=chunk, **chosen)


def lerf(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    steps: int | None = None,
    per_step: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Curve:
    """Curve of a score while the least relevant regions are replaced first (LeRF).

    As `morf`, in rising order of the map's mean over the region: a higher area is a better map.

    Samek et al. (2017), arXiv:1509.06321, sec. III.
    """
    chosen = choose_options(
        "lerf", preset, REGIONS, partition=partition, steps=steps, per_step=per_step, fill=fill
    )
    return remove_regions(score, image, map, key, "least", chunk=chunk, **chosen)


def aopc(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    steps: int | None = None,
    per_step: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Scalar:
    r"""Area over the perturbation curve: the mean fall of a score along `morf`.

    $\frac{1}{L + 1} \sum_{k=0}^{L} f(x) - f(x^{(k)})$, in units of the explained score; higher for
    a better map, unbounded. Options, presets, passes, NaN and errors as `morf`.

    Samek et al. (2017), arXiv:1509.06321, sec. III.
    """
    chosen = choose_options(
        "aopc", preset, REGIONS, partition=partition, steps=steps, per_step=per_step, fill=fill
    )
    curve = remove_regions(score, image, map, key, "most", chunk=chunk, **chosen)
    return (curve.values[0] - curve.values).mean()


def abpc(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    steps: int | None = None,
    per_step: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Scalar:
    """Area between the perturbation curves: that of `lerf` minus that of `morf`.

    In units of the explained score; higher for a better map, 0 on average for a random one, of
    opposite sign for the negated map. Passes: 2 (L + 1). Options, presets, NaN and errors as
    `morf`.

    Samek et al. (2017), arXiv:1509.06321; Li et al. (2023), M4, NeurIPS, by that name.
    """
    chosen = choose_options(
        "abpc", preset, REGIONS, partition=partition, steps=steps, per_step=per_step, fill=fill
    )
    least, most = (
        remove_regions(score, image, map, key, order, chunk=chunk, **chosen).area
        for order in ("least", "most")
    )
    return least - most


def remove_regions(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    order: str,
    *,
    partition: Partition,
    steps: int,
    per_step: int,
    fill: Replacement,
    chunk: int,
) -> Curve:
    """Return the curve of a score while segments are replaced in the order of their means."""
    labels, count = label_segments(image, partition)
    length = count_steps(count, steps, per_step)
    replacement = replacement_image(fill, score, image, key)
    places, sizes = order_segments(map, labels, count, order, key)
    segments = (sizes > 0).sum(dtype=jnp.int32)
    removed = jnp.minimum(per_step * jnp.arange(length + 1, dtype=jnp.int32), segments)
    place_of_pixel = places[labels]

    def evaluate(number: jax.Array) -> Scalar:
        return widen(score(jnp.where((place_of_pixel < number)[..., None], replacement, image)))

    values = scan_batches(evaluate, removed, chunk)
    values = jnp.where(is_ranked(map), values, jnp.nan)
    fractions = removed.astype(values.dtype) / segments.astype(values.dtype)
    gaps = jnp.diff(fractions)
    area = ((values[1:] + values[:-1]) * gaps).sum() / (2 * gaps.sum())
    return Curve(fractions, values, area)


def count_steps(count: int, steps: int, per_step: int) -> int:
    """Return the steps until `steps`, or until no segment is left."""
    check_value("steps", steps, integer(1))
    return min(steps, math.ceil(count / check_value("per_step", per_step, integer(1))))
