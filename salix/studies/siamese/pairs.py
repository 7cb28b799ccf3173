"""Similarity of a pair with its attributions: words, strongest pairs, and one line for each."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from salix.data.assets import fetch
from salix.studies.siamese.attribution import (
    PairAttribution,
    PairScores,
    pairs_to_explain,
    sum_groups,
)
from salix.studies.siamese.items import Item
from salix.studies.siamese.sentences import SentenceEncoder

SHARES = (0.5, 0.8, 0.95)  # of the attributions, explained by the strongest pairs


@dataclass(frozen=True, eq=False)
class ExplainedPair:
    """Attributions of the similarity of two items.

    `tokens` is the matrix between the tokens of the items, `words` its sums over the tokens of each
    pair of words; both have the same total.
    """

    a: Item
    b: Item
    scores: PairScores

    @property
    def tokens(self) -> Float[np.ndarray, "a b"]:
        """Attributions of pairs of tokens."""
        return np.asarray(self.scores.matrix)

    @cached_property
    def words(self) -> Float[np.ndarray, "g h"]:
        """Attributions of pairs of words, sums over their tokens."""
        return sum_groups(self.tokens, self.a.words, self.b.words)

    def strongest(self, count: int) -> list[tuple[str, str, float]]:
        """Return the word pairs of largest |A|, the strongest first."""
        words = self.words
        order = np.argsort(-np.abs(words), axis=None)[:count]
        places = zip(*np.unravel_index(order, words.shape), strict=True)
        names = self.a.word_names, self.b.word_names
        return [(names[0][i], names[1][j], float(words[i, j])) for i, j in places]

    def explaining(self, share: float) -> int:
        """Return how many word pairs, the strongest first, have a share of all |A|."""
        return pairs_to_explain(self.words, share)

    def drawing(self) -> dict[str, Any]:
        """Return the names of the words and the matrix of their attributions."""
        names = {"rows": self.a.word_names, "columns": self.b.word_names}
        return names | {"matrix": self.words.tolist()}

    def row(self) -> dict[str, Any]:
        """Return the numbers of the pair: terms, residual, and pairs that explain shares of it."""
        terms = ("score", "a_reference", "reference_b", "references", "residual")
        values = {name: float(getattr(self.scores, name)) for name in terms}
        pairs = {f"pairs_{100 * share:g}": self.explaining(share) for share in SHARES}
        total = {"sum": float(self.tokens.sum(dtype=np.float64)), "pairs": self.words.size}
        return {"a": self.a.name, "b": self.b.name} | values | total | pairs


def similarity(method: PairAttribution, a: Item, b: Item) -> ExplainedPair:
    """Return the attributions of a pair from the sums of its items."""
    return ExplainedPair(a, b, method.combine(a.side, b.side))


def attribute(
    a: str,
    b: str,
    *,
    encoder: SentenceEncoder | str | Path | None = None,
    method: PairAttribution | None = None,
) -> ExplainedPair:
    """Return why two sentences are similar: attributions of pairs of their words.

    `encoder` is a folder of Hugging Face with config.json, model.safetensors and tokenizer.json, or
    a `SentenceEncoder`; None is all-MiniLM-L6-v2, fetched at first use. `method` is by default
    `PairAttribution()`. Raises `InputError` for a text without words or longer than the encoder
    reads, and for an unusable folder.
    """
    method = method or PairAttribution()
    chosen = encoder if isinstance(encoder, SentenceEncoder) else load_encoder(encoder)
    return similarity(method, chosen.integrate(method, a), chosen.integrate(method, b))


@lru_cache(maxsize=2)
def load_encoder(folder: str | Path | None) -> SentenceEncoder:
    """Return the sentence encoder of a folder, of MiniLM for None; loaded once."""
    return SentenceEncoder.load(fetch("minilm") if folder is None else folder)
