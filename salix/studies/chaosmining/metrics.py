"""Scores of attributions whose relevant features are the first columns."""

from typing import Any

import numpy as np
from jaxtyping import Float

from salix.typing import InputError

Attributions = Float[np.ndarray, "rows features"]


def functional_precision(attributions: Attributions, relevant: int) -> float:
    r"""Mean share of the k features of greatest |attribution| that are among the k relevant ones.

    In [0, 1], higher is better; k / features by chance. Of equal attributions the later feature is
    first, so that a constant attribution earns nothing. Rows that are not finite score 0. Raises
    `InputError` for more relevant features than columns.
    """
    top = top_features(attributions, relevant)
    defined = np.isfinite(attributions).all(1)
    return float(((top < relevant).mean(1) * defined).mean())


def top_features(attributions: Attributions, count: int) -> Any:
    """Return the indices of the greatest |attributions| of each row [rows count], greatest first.

    Of equal ones the later is first. Raises `InputError` for a count beyond 1 to the columns.
    """
    columns = attributions.shape[1]
    if not 1 <= count <= columns:
        raise InputError(
            f"{count} relevant features of {columns} columns: give 1 to {columns}, the relevant "
            "features are among the columns"
        )
    order = np.argsort(np.abs(attributions), axis=1, kind="stable")
    return order[:, ::-1][:, :count]


def uniform_score(a: Any, b: Any, *, signed: bool = True) -> float:
    r"""U-Score of two arrays, the mean over entries of $1 - |a - b| / (|a| + |b| + 10^{-7})$.

    In [0, 1], 1 where they are equal; entries of opposite signs score 0. With `signed` False, |a|
    is compared with b: the released score of saliency, in which negative entries of b score 0.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    a = a if signed else np.abs(a)
    return float((1 - np.abs(a - b) / (np.abs(a) + np.abs(b) + 1e-7)).mean())


def attribution_score(
    attributions: Attributions, truth: Float[np.ndarray, "rows k"], *, signed: bool = True
) -> float:
    """U-Score of attributions with true ones of the first k features, both of L1 norm 1.

    Attributions have norm 1 over all features, noise included; truths over the relevant ones.
    """
    relevant = truth.shape[1]
    if relevant > attributions.shape[1]:
        raise InputError(
            f"{relevant} relevant features of {attributions.shape[1]} columns: the truth has more "
            "features than the attributions"
        )
    shares = normalise(np.asarray(attributions, np.float64))[:, :relevant]
    return uniform_score(shares, normalise(truth), signed=signed)


def normalise(attributions: Attributions) -> Attributions:
    """Divide each row by its L1 norm; a row of zeros stays."""
    norm = np.abs(attributions).sum(1, keepdims=True)
    return attributions / np.where(norm > 0, norm, 1)


def consistency(attributions: Attributions, count: int) -> float:
    """Mean overlap of each row's top features with those of the mean |attribution|, in [0, 1]."""
    common = top_features(np.abs(attributions).mean(0, keepdims=True), count)[0]
    return float(np.isin(top_features(attributions, count), common).mean())


def convergence(attributions: Attributions, final: Attributions, count: int) -> float:
    """Mean overlap of each row's top features with those of the `final` attributions, in [0, 1]."""
    pairs = top_features(attributions, count)[:, :, None] == top_features(final, count)[:, None]
    return float(pairs.any(2).mean())
