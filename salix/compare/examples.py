"""Example regions of each concept: typical, diverse and from different images."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Integer

from salix.compare.concepts import Concepts


def example_regions(
    embedding: Float[np.ndarray, "regions d"],
    image: Integer[np.ndarray, " regions"],
    concepts: Concepts,
    *,
    count: int = 9,
) -> tuple[Integer[np.ndarray, " examples"], ...]:
    """Indices of at most `count` regions of each concept, at most one of an image.

    Each image takes part with its region nearest to the centre, and of these the nearest half, at
    least `count`. The first example is the nearest; each next one is the farthest from those before
    it (farthest-point sampling), so that the crops show the concept's variety without its fringe.
    Ties take the lower index. A concept of fewer images has fewer examples.

    Gonzalez (1985), doi:10.1016/0304-3975(85)90224-5.
    """
    distance = np.linalg.norm(embedding - concepts.centres[concepts.labels], axis=1)
    order = np.lexsort((distance, concepts.labels))
    bounds = np.cumsum([0, *concepts.sizes])
    return tuple(
        _diverse(embedding, image, order[start:stop], count) for start, stop in pairwise(bounds)
    )


def _diverse(
    embedding: np.ndarray, image: np.ndarray, nearest: np.ndarray, count: int
) -> np.ndarray:
    """Choose from the regions of one concept, which are sorted by distance to its centre."""
    _, first = np.unique(image[nearest], return_index=True)
    core = nearest[np.sort(first)]
    core = core[: max(count, (len(core) + 1) // 2)]
    chosen = [0]
    least = np.linalg.norm(embedding[core] - embedding[core[0]], axis=1)
    least[0] = -1
    while len(chosen) < min(count, len(core)):
        farthest = int(least.argmax())
        chosen.append(farthest)
        distance = np.linalg.norm(embedding[core] - embedding[core[farthest]], axis=1)
        least = np.where(least < 0, -1, np.minimum(least, distance))
        least[farthest] = -1
    return core[chosen]
