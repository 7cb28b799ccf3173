"""Concepts of feed-forward layers: singular vectors of the down projections, as words."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from salix.models.decoder import Decoder
from salix.studies.instruction.words import Vocabulary

COMPONENTS, TOP = 300, 50  # of a layer, and words of a component, as published


@dataclass(frozen=True, eq=False)
class LayerConcepts:
    """Components of a feed-forward layer: explained shares, directions and top words' indices."""

    shares: Float[np.ndarray, " r"]
    directions: Float[np.ndarray, "r w"]
    words: Int[np.ndarray, "r t"]


def layer_concepts(
    decoder: Decoder, vocabulary: Vocabulary, layer: int, *, components: int = COMPONENTS
) -> LayerConcepts:
    r"""Return the components of a layer's down projection [f w], its column mean removed.

    Shares are $s_r^2 / \sum s^2$ of all singular values; the words of a component v are those of
    the greatest $|v \cdot e|$ with their normalised output embeddings e.

    Wu et al. (2024), arXiv:2310.00492, sec. 5.
    """
    matrix = np.asarray(decoder.weights(layer)["down"], np.float64)
    matrix = matrix - matrix.mean(0, keepdims=True)
    # Right singular vectors only: of the smaller Gram matrix, in double precision.
    squares, vectors = np.linalg.eigh(matrix.T @ matrix)
    squares, directions = np.maximum(squares[::-1], 0), vectors.T[::-1]
    count = min(components, len(squares))
    norms = np.linalg.norm(vocabulary.outputs, axis=1, keepdims=True)
    unit = vocabulary.outputs / np.where(norms > 0, norms, 1)
    scores = np.abs(directions[:count].astype(np.float32) @ unit.T)
    top = min(TOP, scores.shape[1])
    words = np.argpartition(-scores, top - 1, 1)[:, :top]
    order = np.argsort(-np.take_along_axis(scores, words, 1), 1)
    total = squares.sum() or 1
    return LayerConcepts(
        squares[:count] / total, directions[:count], np.take_along_axis(words, order, 1)
    )


def coherence(
    concepts: LayerConcepts, vectors: Float[np.ndarray, "v d"], *, top: int = 10
) -> Float[np.ndarray, " r"]:
    """Return the mean cosine between the first `top` words of each component, less that of all.

    Cosines are of vectors that are not the model's: 0 of words taken at random.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms > 0, norms, 1)
    chosen = unit[concepts.words[:, :top]]
    size = chosen.shape[1]
    sums = (chosen.sum(1) ** 2).sum(-1)
    inner = (chosen**2).sum((1, 2))
    everywhere = (unit.sum(0) ** 2).sum() - (unit**2).sum()
    return (sums - inner) / (size * (size - 1)) - everywhere / (len(unit) * (len(unit) - 1))


def subspace_overlap(first: LayerConcepts, second: LayerConcepts, *, top: int = 10) -> float:
    r"""Return $\|A B^T\|_F^2 / k$ of the first k directions of two states, in [0, 1].

    1 where they span the same space; of random spaces k / w is expected.
    """
    a, b = first.directions[:top], second.directions[:top]
    return float(((a @ b.T) ** 2).sum() / len(a))
