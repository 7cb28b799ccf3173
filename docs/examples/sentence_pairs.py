"""Padded sentence pairs as a problem: python docs/examples/sentence_pairs.py OUT."""

import sys
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from salix.attribution import InputXGradient
from salix.data import id_hash
from salix.engine import run_problem
from salix.store import describe, digest
from salix.typing import Column, Method

LENGTH, VOCABULARY, WIDTH = 8, 512, 16


def similarity(embedded, mask):
    """Return the cosine of two sentences' mean embeddings, [2 length width] to a scalar."""
    mask = mask[..., None].astype(embedded.dtype)
    a, b = (embedded * mask).sum(1) / jnp.maximum(mask.sum(1), 1)
    return (a @ b) / jnp.sqrt((a @ a) * (b @ b) + 1e-12)


@dataclass(frozen=True)
class Pairs:
    """The examples: token numbers and a mask, both padded to LENGTH; the text stays on the host."""

    texts: tuple[tuple[str, str], ...]
    columns = (Column("text", "Text", "Both sentences.", dtype="string"),)

    @property
    def ids(self):
        return tuple(f"pair-{i}" for i in range(len(self.texts)))

    def load(self, index):
        tokens = np.zeros((2, LENGTH), np.int32)
        mask = np.zeros((2, LENGTH), bool)
        for side, text in enumerate(self.texts[index]):
            words = text.lower().split()[:LENGTH]
            tokens[side, : len(words)] = [id_hash(word) % VOCABULARY for word in words]
            mask[side, : len(words)] = True
        return {"tokens": tokens, "mask": mask}

    def describe(self, index, example):
        return {"text": " | ".join(self.texts[index])}

    def identity(self):
        return {"texts": digest(self.texts)}


@dataclass(frozen=True)
class SentencePairs:
    """The problem: similarity, relevance of each word, and the similarity with a word dropped."""

    method: Method
    columns = (
        Column("similarity", "Similarity", "Cosine of the mean embeddings.", -1, 1),
        Column("relevance", "Relevance of words", dims=("sentence", "word")),
        Column("dropped", "Similarity, a random word dropped", "", -1, 1),
    )

    @property
    def example(self):
        shape = jax.ShapeDtypeStruct
        return {"tokens": shape((2, LENGTH), np.int32), "mask": shape((2, LENGTH), bool)}

    def row(self, params, example, key):
        embedded, mask = params[example["tokens"]], example["mask"]
        relevance = self.method(lambda x: similarity(x, mask), embedded, key).sum(-1)
        word = jax.random.categorical(key, jnp.where(mask[0], 0.0, -jnp.inf))
        dropped = jnp.stack([jnp.arange(LENGTH) == word, jnp.zeros(LENGTH, bool)])
        return {
            "similarity": similarity(embedded, mask),
            "relevance": jnp.where(mask, relevance, jnp.nan),  # padding has none
            "dropped": similarity(embedded, mask & ~dropped),
        }

    def identity(self):
        model, method = describe(similarity), describe(self.method)
        return {"problem": "sentence pairs", "model": model, "method": method}


def pairs(count=40):
    """Return made-up sentences of 2 to 8 words."""
    words, draw = ("the", "red", "old", "cat", "dog", "house", "sees"), np.random.default_rng(0)
    lengths = draw.integers(2, LENGTH + 1, (count, 2))
    return Pairs(tuple(tuple(" ".join(draw.choice(words, n)) for n in pair) for pair in lengths))


def parameters():
    """Return random embeddings [vocabulary width]."""
    return np.random.default_rng(1).normal(size=(VOCABULARY, WIDTH)).astype(np.float32)


if __name__ == "__main__":
    run = run_problem(
        SentencePairs(InputXGradient()), parameters(), pairs(), out=sys.argv[1], name="pairs"
    )
    columns = run.read(["text", "similarity"])
    best = int(columns["similarity"].argmax())
    print(f"most similar: {columns['text'][best]} ({columns['similarity'][best]:.3f})")
