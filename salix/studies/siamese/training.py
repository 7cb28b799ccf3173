"""Training of an encoder whose shifted similarity agrees with the similarity before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from salix.models import TextEncoder
from salix.progress import Progress
from salix.studies.siamese.sentences import SentenceEncoder
from salix.typing import AnyArray, InputError


@dataclass(frozen=True, eq=False)
class Sentences:
    """Sentences as ids [n t], the ids of their references, and the mask of their tokens."""

    ids: Int[AnyArray, "n t"]
    references: Int[AnyArray, "n t"]
    mask: Bool[AnyArray, "n t"]

    def rows(self, index: np.ndarray) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Return the arrays of some of the sentences."""
        return self.ids[index], self.references[index], self.mask[index]


def encode_pairs(
    encoder: SentenceEncoder, pairs: Sequence[tuple[str, str]], length: int
) -> Sentences:
    """Return the sentences of pairs, two by two, of at most `length` tokens each.

    Longer ones are left out with their pair; references are padding.
    """
    encoded = [tuple(encoder.tokenizer(text) for text in pair) for pair in pairs]
    tokens = [t for pair in encoded if max(len(t.ids) for t in pair) <= length for t in pair]
    ids = np.full((len(tokens), length), encoder.tokenizer.pad)
    references, mask = ids.copy(), np.zeros(ids.shape, bool)
    for row, text in enumerate(tokens):
        count = len(text.ids)
        ids[row, :count], mask[row, :count] = text.ids, True
        references[row, :count] = np.where(text.special, text.ids, encoder.tokenizer.pad)
    return Sentences(ids, references, mask)


def shifted_cosines(
    module: TextEncoder, ids: AnyArray, references: AnyArray, mask: AnyArray
) -> Float[Array, "n n"]:
    """Return the cosines of all pairs of e(x) - e(r), by two passes of the encoder."""
    return _cosines(module(ids, mask) - module(references, mask))


def _cosines(embeddings: Array) -> Array:
    embeddings = embeddings / jnp.linalg.norm(embeddings, axis=1, keepdims=True)
    return jnp.matmul(embeddings, embeddings.T, precision="highest")


def train_shifted(
    encoder: SentenceEncoder,
    pairs: Sequence[tuple[str, str]],
    *,
    steps: int = 300,
    batch: int = 8,
    length: int = 24,
    rate: float = 5e-5,
    seed: int = 0,
    progress: bool = False,
) -> SentenceEncoder:
    r"""Return an encoder e' trained so that e'(x) - e'(r) has the cosines of e.

    Minimises the mean of $(\cos(e'(a) - e'(r_a), e'(b) - e'(r_b)) - \cos(e(a), e(b)))^2$ over all
    pairs of sentences in a batch, of `batch` pairs of similar ones, by Adam with a linear decay
    from `rate`. Without labels: e is the teacher. With `PairAttribution(shifted=True)` the
    attributions of e' sum to its score. Raises `InputError` for fewer than `batch` pairs of
    sentences of at most `length` tokens.

    After Moeller, Nikolaev and Pado (2023), EMNLP, sec. 3, who train it on labelled pairs.
    """
    sentences = encode_pairs(encoder, pairs, length)
    count = len(sentences.ids) // 2
    if count < batch:
        raise InputError(f"{count} pairs have at most {length} tokens a side: give {batch} or more")
    graph, params = nnx.split(encoder.encoder)
    optimiser = optax.adam(optax.linear_schedule(rate, 0.0, steps))

    def loss(state: Any, targets: Array, *arrays: AnyArray) -> Array:
        difference = shifted_cosines(nnx.merge(graph, state), *arrays) - targets
        return jnp.sum(difference**2) / (2 * batch * (2 * batch - 1))  # the diagonal is 0

    @jax.jit
    def step(state: Any, moments: Any, *arrays: AnyArray) -> Any:
        targets = _cosines(nnx.merge(graph, params)(arrays[0], arrays[2]))
        value, gradient = jax.value_and_grad(loss)(state, targets, *arrays)
        change, moments = optimiser.update(gradient, moments)
        return optax.apply_updates(state, change), moments, value

    generator, state = np.random.default_rng(seed), params
    moments = optimiser.init(state)
    with Progress("training", steps, show=progress, unit="steps") as bar:
        for _ in range(steps):
            chosen = generator.choice(count, batch, replace=False)
            index = (2 * chosen[:, None] + np.arange(2)).ravel()
            state, moments, value = step(state, moments, *sentences.rows(index))
            bar.numbers["loss"] = float(value)
            bar.advance(1)
    trained = nnx.merge(graph, state)
    return replace(encoder, encoder=trained, name=f"{encoder.name}, shifted")
