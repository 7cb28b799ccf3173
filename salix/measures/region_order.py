"""Order of an image's segments by salience, after XRAI."""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Integer

from salix.measures.region_sums import segment_sums
from salix.typing import Flag

LEAST = 0.001  # of the image's pixels: 50 of 224 x 224, as XRAI


def greedy_order(
    mass: Float[Array, "h w"],
    segments: Integer[Array, "levels h w"],
    count: int,
    cover: float,
    defined: Flag,
) -> Int[Array, " count"]:
    r"""Return the place of each segment in XRAI's greedy order, from 1; 0 where it is not picked.

    The next segment is the one of the greatest density $\sum_{p \in s \setminus M} m_p / |s
    \setminus M|$ over the pixels that no picked one covers, M; of equal ones, the first. Segments
    with fewer than a thousandth of the image's pixels outside M are left out. It ends when the
    share `cover` of the image is covered, or no segment is left; no segment is picked unless
    `defined`.

    Kapishnikov et al. (2019), arXiv:1906.02825, algorithm 1.
    """
    weights = jnp.stack([mass, jnp.ones_like(mass)], -1)
    least = max(1, LEAST * mass.size)
    names = jnp.arange(1, count + 1, dtype=segments.dtype)

    def densities(covered: Array, rank: Array) -> Array:
        outside = jnp.where(covered[..., None], 0, weights)  # summed anew: no rounding adds up
        masses, areas = segment_sums(outside, segments, count).T
        usable = (areas >= least) & (rank == 0)
        return jnp.where(usable, masses / jnp.maximum(areas, 1), -jnp.inf)

    def unfinished(state: tuple[Array, Array, Array, Array]) -> Any:
        _, covered, density, _ = state
        return defined & (covered.mean(dtype=jnp.float32) < cover) & (density.max() > -jnp.inf)

    def pick(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        place, covered, density, rank = state
        best = jnp.argmax(density)
        covered = jnp.logical_or(covered, (segments == names[best]).any(0))
        rank = rank.at[best].set(place)
        return place + 1, covered, densities(covered, rank), rank

    covered, rank = jnp.zeros(mass.shape, bool), jnp.zeros(count, jnp.int32)
    start = jnp.int32(1), covered, densities(covered, rank), rank
    return lax.while_loop(unfinished, pick, start)[-1]
