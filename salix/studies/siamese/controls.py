"""Controls of a pair's attributions: shuffled words, a random encoder, a shuffled matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flax import nnx

from salix.models import TextEncoder, TokenisedText
from salix.studies.siamese.attribution import IntegratedSide, PairAttribution
from salix.studies.siamese.sentences import SentenceEncoder

CONTROLS = ("shuffled words", "random encoder", "shuffled matrix")


@dataclass(frozen=True)
class Control:
    """Mean correlation of the attributions of pairs with those of a control, and its range."""

    name: str
    mean: float
    low: float
    high: float
    score: float  # mean similarity under the control, NaN where it has none


def run_controls(
    method: PairAttribution,
    encoder: SentenceEncoder,
    pairs: Sequence[tuple[str, str]],
    *,
    seed: int = 0,
) -> list[Control]:
    """Return the controls of sentence pairs, by Pearson's correlation of token matrices.

    Special tokens are left out: their small attributions alone would correlate with any control.
    "shuffled words" permutes the tokens of both sentences between the special ones, and puts the
    attributions back in their order: what remains does not depend on the order of the words.
    "random encoder" has the same sizes and random weights: what remains comes from the sentences'
    lengths and repeated tokens. "shuffled matrix" permutes the rows and columns: it is about 0.
    """
    generator = np.random.default_rng(seed)
    config = encoder.encoder.config
    random = replace(encoder, encoder=TextEncoder(config, rngs=nnx.Rngs(seed)), name="random")
    values: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTROLS}
    for pair in pairs:
        tokens = [encoder.tokenizer(text) for text in pair]
        orders = [_order(t, generator) for t in tokens]
        own = _matrix(method, *(encoder.sums(method, t) for t in tokens))[0]
        shuffled = [
            _restored(encoder.sums(method, replace(t, ids=t.ids[order])), order)
            for t, order in zip(tokens, orders, strict=True)
        ]
        drawn = [random.sums(method, t) for t in tokens]
        others = (_matrix(method, *shuffled), _matrix(method, *drawn))
        permuted = own[orders[0]][:, orders[1]], float("nan")
        inner = np.ix_(*(~t.special for t in tokens))
        for name, (matrix, score) in zip(CONTROLS, (*others, permuted), strict=True):
            correlation = np.corrcoef(own[inner].ravel(), matrix[inner].ravel())[0, 1]
            values[name].append((float(correlation), score))
    return [_summary(name, np.asarray(rows)) for name, rows in values.items()]


def _order(tokens: TokenisedText, generator: Any) -> np.ndarray:
    """Return a random order of tokens that leaves the special ones in place."""
    order, inner = np.arange(len(tokens.ids)), np.flatnonzero(~tokens.special)
    order[inner] = generator.permutation(inner)
    return order


def _restored(side: IntegratedSide, order: np.ndarray) -> IntegratedSide:
    return replace(side, sums=np.asarray(side.sums)[np.argsort(order)])


def _matrix(
    method: PairAttribution, a: IntegratedSide, b: IntegratedSide
) -> tuple[np.ndarray, float]:
    scores = method.combine(a, b)
    return np.asarray(scores.matrix), float(scores.score)


def _summary(name: str, rows: np.ndarray) -> Control:
    correlations = rows[:, 0]
    low, high = float(correlations.min()), float(correlations.max())
    return Control(name, float(correlations.mean()), low, high, float(rows[:, 1].mean()))
