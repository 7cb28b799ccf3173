"""Games of a few segments with known values, and their exact Shapley values."""

from itertools import combinations
from math import comb

import jax.numpy as jnp
import numpy as np

from salix.perturb.partition import Labels

LABELS = np.array([[0, 0, 1, 1], [2, 0, 1, 3], [2, 2, 4, 3]])
PARTITION = Labels(LABELS)
COUNT = 5
FIRST = tuple(np.array([np.argwhere(n == LABELS)[0] for n in range(COUNT)]).T)  # pixels
NULL = 3  # the segment that no score below reads
rng = np.random.default_rng(3)
IMAGE = rng.uniform(0.5, 1, (*LABELS.shape, 2))
FILL = rng.uniform(-0.5, 0, IMAGE.shape)
WEIGHTS = rng.normal(size=IMAGE.shape) * (LABELS != NULL)[..., None]


def linear(x):
    """Weighted sum of the pixels."""
    return (x * WEIGHTS.astype(x.dtype)).sum() + 1


def contributions(labels=LABELS):
    """Contribution of each segment to the linear score."""
    parts = (WEIGHTS * (IMAGE - FILL)).sum(-1)
    return np.array([parts[labels == n].sum() for n in range(labels.max() + 1)])


def curved(x):
    """A score with interactions of all orders, in which segments 0 and 1 play the same role."""
    means = [x[n == LABELS].mean() for n in (0, 1, 2, 4)]
    a, b = (m - FILL[n == LABELS].mean() for n, m in zip((0, 1), means, strict=False))
    a, b = (v / (IMAGE - FILL)[n == LABELS].mean() for n, v in ((0, a), (1, b)))
    xp = np if isinstance(x, np.ndarray) else jnp
    return xp.exp(a * b + 0.3 * (a + b)) + xp.tanh(a + b + 2 * means[2]) * means[3] ** 2


def remaining(present):
    """The image of which some segments remain."""
    return np.where(np.asarray(present)[LABELS][..., None], IMAGE, FILL)


def exact_shapley(score, count=COUNT):
    """Shapley values by the sum over all coalitions."""
    subsets = [frozenset(s) for k in range(count + 1) for s in combinations(range(count), k)]
    value = {s: float(score(remaining([n in s for n in range(count)]))) for s in subsets}
    return np.array(
        [
            sum(
                (value[s | {i}] - value[s]) / (count * comb(count - 1, len(s)))
                for s in subsets
                if i not in s
            )
            for i in range(count)
        ]
    )


def by_segment(map):
    """Values of a map that is constant on each segment."""
    map = np.asarray(map)[..., 0]
    values = np.array([map[n == LABELS][0] for n in range(COUNT)])
    np.testing.assert_array_equal(map, values[LABELS])
    return values
