"""Word pairs of self-attention: words that a neuron of a head brings together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from salix.models.decoder import Decoder
from salix.studies.instruction.words import Vocabulary

TOP, LAYERS = 100, 8  # words of a neuron, and layers of a group, as published


def head_pairs(
    queries: Float[np.ndarray, "v d"],
    keys: Float[np.ndarray, "v d"],
    related: Bool[np.ndarray, "v v"],
    *,
    top: int = TOP,
) -> Int[np.ndarray, "p 2"]:
    """Return the pairs (query word, key word) of a head, of the activations of its neurons.

    A neuron has the pairs of its `top` query and key words by absolute activation whose activations
    have one sign and that occur together by `related`. Those of the head are in several neurons.

    Wu et al. (2024), arXiv:2310.00492, sec. 4.1.
    """
    count, neurons = queries.shape
    top = min(top, count)
    numbers = []
    for neuron in range(neurons):
        q, k = queries[:, neuron], keys[:, neuron]
        first, second = (np.argpartition(-np.abs(x), top - 1)[:top] for x in (q, k))
        alike = (q[first] > 0)[:, None] == (k[second] > 0)[None]
        rows, columns = np.nonzero(alike & related[np.ix_(first, second)])
        numbers.append(first[rows] * count + second[columns])
    pairs, neurons_of_pair = np.unique(np.concatenate(numbers), return_counts=True)
    return np.stack(np.divmod(pairs[neurons_of_pair > 1], count), -1)


def layer_pairs(
    decoder: Decoder, vocabulary: Vocabulary, related: Bool[np.ndarray, "v v"], layer: int
) -> list[Int[np.ndarray, "p 2"]]:
    """Return the pairs of each head of a layer; heads of a group share its keys."""
    config, weights = decoder.config, decoder.weights(layer)
    inputs = vocabulary.inputs * np.asarray(weights["norm1"])
    queries, keys = (
        (inputs @ np.asarray(weights[name])).reshape(len(inputs), heads, -1)
        for name, heads in (("query", config.heads), ("key", config.groups))
    )
    share = config.heads // config.groups
    return [head_pairs(queries[:, h], keys[:, h // share], related) for h in range(config.heads)]


def word_counts(pairs: Sequence[Int[np.ndarray, "p 2"]], count: int) -> Int[np.ndarray, "h v"]:
    """Return in how many pairs of each head each of `count` words is."""
    return np.stack([np.bincount(of_head.ravel(), minlength=count) for of_head in pairs])


def rising_share(
    before: Int[np.ndarray, "h v"], after: Int[np.ndarray, "h v"]
) -> Float[np.ndarray, " v"]:
    """Return for each word the share of heads in which its count rises, of those that change.

    NaN for a word whose count changes in no head.

    Wu et al. (2024), arXiv:2310.00492, sec. 4.2.
    """
    changed = (before != after).sum(0)
    return np.where(changed > 0, (after > before).sum(0) / np.maximum(changed, 1), np.nan)


def compare_words(
    shares: Float[np.ndarray, " v"], first: Bool[np.ndarray, " v"], second: Bool[np.ndarray, " v"]
) -> tuple[float, float, float]:
    """Return the means of two groups of words and the p-value of Welch's t-test between them."""
    a, b = (shares[group & np.isfinite(shares)] for group in (first, second))
    if min(len(a), len(b)) < 2:
        return np.nan, np.nan, np.nan
    p = np.asarray(stats.ttest_ind(a, b, equal_var=False))[1]
    return float(a.mean()), float(b.mean()), float(p)
