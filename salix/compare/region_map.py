"""Two-dimensional map of regions by t-SNE."""

import numpy as np
from jaxtyping import Float

from salix.typing import InputError


def region_map(
    embedding: Float[np.ndarray, "regions d"],
    *,
    most: int = 2000,
    seed: int = 0,
    perplexity: float = 30.0,
    iterations: int = 500,
) -> Float[np.ndarray, "regions 2"]:
    """Positions of regions in the plane, near where their embeddings are near.

    t-SNE of at most `most` regions drawn by `seed`; the positions of all others are NaN. Each axis
    is scaled so that the largest absolute value of both is 1. Starts from the first two principal
    components, so that the same regions have the same map. Distances between far groups and sizes
    of groups mean nothing. Fewer than 5 different regions: the principal components themselves.

    van der Maaten and Hinton (2008), JMLR 9; van der Maaten (2014), JMLR 15.
    """
    if not len(embedding):
        raise InputError("no regions to draw: sweep with --measures regions")
    sample = np.sort(np.random.default_rng(seed).permutation(len(embedding))[:most])
    values = np.asarray(embedding[sample], np.float64)
    values -= values.mean(0)
    start = _principal(values)
    positions = start
    if len(np.unique(values, axis=0)) >= 5:
        positions = _tsne(values, start, seed, perplexity, iterations)
    scale = np.abs(positions).max()
    result = np.full((len(embedding), 2), np.nan, np.float32)
    result[sample] = positions / (scale if scale > 0 else 1)
    return result


def _principal(values: np.ndarray) -> np.ndarray:
    """Return the first two principal components; zeros where there are fewer."""
    _, _, axes = np.linalg.svd(values.T @ values)
    axes = axes[:2]
    largest = np.abs(axes).argmax(1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]  # signs are arbitrary
    return np.pad(values @ axes.T, ((0, 0), (0, 2 - len(axes))))


def _tsne(
    values: np.ndarray, start: np.ndarray, seed: int, perplexity: float, iterations: int
) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    model = TSNE(
        perplexity=min(perplexity, (len(values) - 1) / 3),
        init=(start / max(start[:, 0].std(), 1e-12) * 1e-4).astype(np.float32),
        learning_rate="auto",
        max_iter=iterations,
        random_state=seed,
    )
    with threadpool_limits(1):  # sums of several threads are added in an order that varies
        return model.fit_transform(values.astype(np.float32))
