"""Selectivity of a ranking of segments: curves of a recogniser's reading as they are removed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from salix.attribution.chunks import map_chunks
from salix.models.recognisers import Recogniser
from salix.perturb.fills import fill_image
from salix.perturb.segment_masks import apply_mask
from salix.studies.strexp.alignment import reads
from salix.studies.strexp.maps import ReadWord, background, word_score_of
from salix.studies.strexp.scores import reads_positions
from salix.studies.strexp.segments import COUNT
from salix.typing import Params, PRNGKey

# Segments removed at each step: one by one at first, where words are lost.
STEPS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 14, 20, COUNT])
FILLS = ("background", "grey", "blur")
CHUNK = 16  # images in one batch


def segment_means(
    map: Float[Array, "*space"], labels: Int[Array, "*space"]
) -> Float[Array, " segments"]:
    """Return the mean of a map over each segment, minus infinity for a segment without pixels."""
    sizes = jax.ops.segment_sum(jnp.ones(map.size, map.dtype), labels.ravel(), COUNT)
    sums = jax.ops.segment_sum(map.ravel(), labels.ravel(), COUNT)
    return jnp.where(sizes > 0, sums / jnp.maximum(sizes, 1), -jnp.inf)


def rank_of(values: Float[Array, " segments"], key: PRNGKey) -> Int[Array, " segments"]:
    """Return the place of each segment, the highest value first; equal values in random order."""
    order = jnp.lexsort((jax.random.uniform(key, values.shape), -values))
    return jnp.zeros(len(values), jnp.int32).at[order].set(jnp.arange(len(values), dtype=jnp.int32))


def fill_images(image: Float[Array, "h w 1"], key: PRNGKey) -> Float[Array, "fills h w 1"]:
    """Return the images that replace removed segments, in the order of `FILLS`.

    The level of the background, mid-grey (0, the released value), and the blurred image.
    """
    blur = jnp.asarray(fill_image(image, key, "blur"))
    return jnp.stack([background(image), jnp.zeros_like(image), blur])


def removal_curves(
    recogniser: Recogniser,
    params: Params,
    read: ReadWord,
    ranks: Int[Array, "rankings segments"],
    key: PRNGKey,
) -> tuple[Float[Array, "rankings fills steps"], Float[Array, "rankings fills steps"]]:
    """Return the accuracy and the confidence after each step of removal of ranked segments.

    Accuracy is 1 where the image still reads as the explained word, upper and lower case apart;
    confidence is the word's likelihood. One scorer for every ranking; all channels of a
    segment are filled.
    """
    image, word = jnp.asarray(read.image), jnp.asarray(read.word)
    spells = reads_positions if recogniser.decoding == "position" else reads
    fills = fill_images(image, key)
    steps = jnp.asarray(STEPS, jnp.int32)

    def measure(index: Array) -> tuple[Array, Array]:
        step, rest = index % len(STEPS), index // len(STEPS)
        fill, ranking = rest % len(FILLS), rest // len(FILLS)
        present = ranks[ranking] >= steps[step]
        logits = recogniser.logits(
            params, apply_mask(image, fills[fill], read.labels, present)[None]
        )
        is_read = spells(logits[0], word).astype(image.dtype)
        return is_read, jnp.exp(word_score_of(recogniser, logits[0], word))

    shape = (len(ranks), len(FILLS), len(STEPS))
    indices = jnp.arange(int(np.prod(shape)), dtype=jnp.int32)
    accuracy, confidence = map_chunks(measure, indices, chunk=CHUNK)
    return accuracy.reshape(shape), confidence.reshape(shape)


def area(curve: Any, segments: Any) -> Any:
    r"""Return the area under curves [... steps] over the share of segments removed, in [0, 1].

    By trapezoids, up to the image's own number of `segments`, where all are removed; lower is
    better. A curve that stays 1 has the area 1.
    """
    count = jnp.asarray(segments, jnp.float32)[..., None]
    steps = jnp.asarray(STEPS, jnp.float32).reshape((1,) * (count.ndim - 1) + (-1,))
    widths = jnp.diff(jnp.minimum(steps, count) / count)
    widths = widths.reshape((1,) * (curve.ndim - widths.ndim) + widths.shape)
    return (widths * (curve[..., 1:] + curve[..., :-1]) / 2).sum(-1)
