"""Sentences as inputs of pair attribution: tokens at a layer of a text encoder."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from salix.models import TextEncoder, TokenisedText, Tokenizer, load_text_encoder, load_tokenizer
from salix.studies.siamese.attribution import IntegratedSide, PairAttribution, side_sums
from salix.studies.siamese.controls import inner_order
from salix.studies.siamese.items import Item
from salix.studies.siamese.reference import search_reference
from salix.typing import AnyArray, InputError

MULTIPLE = 8  # lengths of padded sentences: one program for each


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """Text encoder with its tokenizer, and the padded computation of a sentence's sums."""

    encoder: TextEncoder
    tokenizer: Tokenizer
    name: str = "encoder"
    shuffled = "shuffled words"

    @staticmethod
    def load(folder: str | Path) -> "SentenceEncoder":
        """Return the encoder in a folder of Hugging Face.

        Raises `InputError` as `load_text_encoder` and `load_tokenizer` do.
        """
        if not Path(folder).is_dir():
            raise InputError(
                f"{folder} is no folder: give one with config.json, model.safetensors and "
                "tokenizer.json"
            )
        encoder = load_text_encoder(folder)
        tokenizer = load_tokenizer(folder, encoder.config.positions)
        return SentenceEncoder(encoder, tokenizer, Path(folder).name)

    @cached_property
    def digest(self) -> str:
        """Digest of the weights, the sizes and the tokenizer."""
        digest = hashlib.sha256(repr(self.encoder.config).encode())
        digest.update(self.tokenizer.fast.to_str().encode())
        for leaf in jax.tree.leaves(self._split[1]):
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()

    def check(self, method: PairAttribution) -> None:
        """Raise `InputError` for a layer that the encoder lacks."""
        self.layer(method.layer)

    def content(self, name: str) -> str:
        """Return what decides the tokens of an item: the sentence."""
        return name

    def picture(self, name: str) -> str:
        """Return the picture of an item as a data address: none of a sentence."""
        return ""

    @cached_property
    def _split(self) -> tuple[Any, Any]:
        return nnx.split(self.encoder)

    def integrate(self, method: PairAttribution, text: str) -> Item:
        """Return the sums of each token of a sentence, computed on padding to a multiple of 8.

        Raises `InputError` for a text without words or longer than the encoder reads, and for a
        layer that the encoder lacks.
        """
        tokens = self.tokenizer(text)
        side = self.sums(method, tokens)
        words, names, spans = _words(tokens)
        return Item(text, tokens.tokens, words, names, side, spans)

    def sums(
        self, method: PairAttribution, tokens: TokenisedText, *, length: int | None = None
    ) -> IntegratedSide:
        """Return the sums of tokens, padded to `length`; the padding is cut off again."""
        layer, count = self.layer(method.layer), len(tokens.ids)
        size = min(-(-count // MULTIPLE) * MULTIPLE, self.encoder.config.positions)
        size = size if length is None else length
        graph, params = self._split
        ids, mask = np.full(size, self.tokenizer.pad), np.arange(size) < count
        ids[:count] = tokens.ids
        features = _layer(graph, layer, params, ids, mask)
        reference = self._reference(method.reference, layer, ids, mask, tokens.special, features)
        groups = np.where(mask, np.arange(size), -1)
        side = method.refine(
            partial(_sums, graph, layer, params, mask, features, reference, groups)
        )
        return replace(side, sums=side.sums[:count])

    def randomise(self, seed: int) -> "SentenceEncoder":
        """Return an encoder of the same sizes with random weights."""
        module = TextEncoder(self.encoder.config, rngs=nnx.Rngs(seed))
        return replace(self, encoder=module, name="random")

    def inner(self, item: Item) -> Bool[np.ndarray, " n"]:
        """Return the tokens of a sentence that are not special."""
        return ~self.tokenizer(item.name).special

    def shuffle(self, method: PairAttribution, text: str, generator: Any) -> IntegratedSide:
        """Return the sums of tokens in a random order, put back in the order of the sentence."""
        tokens = self.tokenizer(text)
        order = inner_order(~tokens.special, generator)
        side = self.sums(method, replace(tokens, ids=tokens.ids[order]))
        return replace(side, sums=np.asarray(side.sums)[np.argsort(order)])

    def embed(self, text: str) -> Float[Array, " d"]:
        """Return the embedding of a sentence, not normalised."""
        tokens = self.tokenizer(text)
        graph, params = self._split
        mask = np.ones(len(tokens.ids), bool)
        return _head(graph, 0, params, mask, _layer(graph, 0, params, tokens.ids, mask))

    def layer(self, layer: int | str) -> int:
        """Return the number of a layer, from 0 to the depth, of one that may be negative."""
        depth = self.encoder.config.depth
        if not isinstance(layer, int) or not -depth <= layer <= depth:
            raise InputError(
                f"layer is {layer!r}: the encoder has layers 0 to {depth}, or -{depth} to -1 from "
                "the end"
            )
        return layer + depth if layer < 0 else layer

    def _reference(
        self,
        name: str,
        layer: int,
        ids: np.ndarray,
        mask: np.ndarray,
        special: np.ndarray,
        features: Array,
    ) -> Array:
        """Return the features of the reference of a sentence, at a layer."""
        if name == "zeros":
            return 0 * features
        graph, params = self._split
        filler = self.tokenizer.mask if name == "mask" else self.tokenizer.pad
        others = ids.copy()
        others[: len(special)][~special] = filler
        start = _layer(graph, layer, params, others, mask)
        if name != "searched":
            return start
        return _search(graph, layer, params, mask, start)


def _words(tokens: TokenisedText) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Return the word of each token, and the texts and spans of words, special tokens as words."""
    starts = np.ones(len(tokens.ids), bool)
    starts[1:] = (tokens.words[1:] != tokens.words[:-1]) | tokens.special[1:]
    words, first = np.cumsum(starts) - 1, np.flatnonzero(starts)
    own, texts = tokens.word_spans, tokens.word_texts
    spans = [(0, 0) if tokens.special[i] else own[tokens.words[i]] for i in first]
    names = [tokens.tokens[i] if tokens.special[i] else texts[tokens.words[i]] for i in first]
    return words, tuple(names), np.asarray(spans)


@partial(jax.jit, static_argnums=(0, 1))
def _layer(graph: Any, layer: int, params: Any, ids: AnyArray, mask: AnyArray) -> Array:
    return nnx.merge(graph, params).layer(ids[None], mask[None], layer)[0]


@partial(jax.jit, static_argnums=(0, 1))
def _head(graph: Any, layer: int, params: Any, mask: AnyArray, features: Array) -> Array:
    return nnx.merge(graph, params).embed(features[None], mask[None], layer)[0]


@partial(jax.jit, static_argnums=(0, 1))
def _search(graph: Any, layer: int, params: Any, mask: AnyArray, start: Array) -> Array:
    return search_reference(partial(_head, graph, layer, params, mask), start)


@partial(jax.jit, static_argnums=(0, 1))
def _sums(graph: Any, layer: int, params: Any, mask: AnyArray, *arrays: AnyArray) -> IntegratedSide:
    head = partial(_head, graph, layer, params, mask)
    return side_sums(head, *arrays, count=mask.shape[0])  # pyright: ignore[reportArgumentType]
