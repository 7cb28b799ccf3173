"""Words of a language model's vocabulary, verbs, and vectors of words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from salix.data.assets import fetch
from salix.models.checkpoints.errors import existing_file, input_errors
from salix.models.language_model import LanguageModel
from salix.typing import InputError

COUNT = 3000  # words of a view
INSTRUCTION_VERBS = (
    "add", "analyze", "answer", "calculate", "change", "choose", "classify", "compare", "compose",
    "convert", "create", "define", "describe", "design", "develop", "discuss", "edit", "evaluate",
    "explain", "express", "find", "generate", "give", "identify", "list", "make", "name", "output",
    "predict", "provide", "rewrite", "say", "select", "show", "suggest", "summarize", "tell",
    "translate", "use", "write",
)  # fmt: skip
_WORD = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words that are each one token of a model, with the input and output embedding of each."""

    words: tuple[str, ...]
    inputs: Float[np.ndarray, "v w"]
    outputs: Float[np.ndarray, "v w"]

    def among(self, words: Sequence[str]) -> Bool[np.ndarray, " v"]:
        """Return whether each word is one of `words`."""
        return np.isin(self.words, list(words))


def model_vocabulary(model: LanguageModel, *, count: int = COUNT) -> Vocabulary:
    """Return the first `count` words of a vocabulary, the most frequent ones of byte pairs.

    A word has at least three small letters and begins after a space. Raises InputError for a
    vocabulary without words.
    """
    fast, decoder = model.tokenizer.fast, model.decoder
    size = min(fast.get_vocab_size(), decoder.config.vocabulary)
    texts = [fast.id_to_token(i) or "" for i in range(size)]
    spaced = any(text.startswith(("Ġ", "▁")) for text in texts)
    words: dict[str, int] = {}
    for i, text in enumerate(texts):
        word = text.lstrip("Ġ▁")
        if _WORD.fullmatch(word) and (word != text or not spaced):
            words.setdefault(word, i)
    chosen = dict(sorted(words.items(), key=lambda pair: pair[1])[:count])
    if not chosen:
        raise InputError(f"{model.name} has no word of one token: its vocabulary is not of English")
    table = np.asarray(decoder.words[...])
    ids = np.asarray(list(chosen.values()))
    outputs = table if decoder.head is None else np.asarray(decoder.head[...]).T
    return Vocabulary(tuple(chosen), table[ids], outputs[ids])


def wordnet_verbs() -> frozenset[str]:
    """Return the verbs of WordNet 3.1 of one word, fetched at first use."""
    lines = fetch("wordnet-verbs").read_text(encoding="utf-8").splitlines()
    verbs = (line.split(" ", 1)[0] for line in lines if not line.startswith(" "))
    return frozenset(verb for verb in verbs if _WORD.fullmatch(verb))


def read_vectors(path: Path, words: Sequence[str]) -> Float[np.ndarray, "v d"]:
    """Return vectors of words from a text file of lines "word number number ...", as GloVe's.

    Words without a vector have zeros. Raises InputError for a file of another content, and for one
    without a vector of any of the words.
    """
    vectors: dict[str, np.ndarray] = {}
    wanted = set(words)
    with (
        input_errors(existing_file(path), "a file of word vectors", OSError, ValueError),
        path.open(encoding="utf-8") as lines,
    ):
        for line in lines:
            word, _, numbers = line.rstrip().partition(" ")
            if word in wanted:
                vectors[word] = np.asarray(numbers.split(), np.float32)
        if not vectors:
            raise InputError("has a vector of none of the words: expected lines 'word 0.1 0.2 ...'")
        sizes = {len(vector) for vector in vectors.values()}
        if len(sizes) > 1:
            raise InputError(f"has vectors of several sizes, {sorted(sizes)}")
        nothing = np.zeros(sizes.pop(), np.float32)
    return np.stack([vectors.get(word, nothing) for word in words])


def encoder_vectors(words: Sequence[str]) -> Float[np.ndarray, "v d"]:
    """Return embeddings of words by all-MiniLM-L6-v2, fetched at first use."""
    import jax
    from flax import nnx

    from salix.models import load_text_encoder, load_tokenizer

    folder = fetch("minilm")
    encoder = load_text_encoder(folder)
    tokens = [load_tokenizer(folder, encoder.config.positions)] * len(words)
    ids = [tokenizer(word).ids for tokenizer, word in zip(tokens, words, strict=True)]
    length, batch = max(map(len, ids)), 500
    padded = np.zeros((-(-len(ids) // batch) * batch, length), np.int32)
    mask = np.zeros(padded.shape, bool)
    mask[:, 0] = True
    for row, word in enumerate(ids):
        padded[row, : len(word)], mask[row, : len(word)] = word, True
    graph, params = nnx.split(encoder)
    embed = jax.jit(lambda params, ids, mask: nnx.merge(graph, params)(ids, mask))
    parts = [
        np.asarray(embed(params, padded[i : i + batch], mask[i : i + batch]))
        for i in range(0, len(padded), batch)
    ]
    return np.concatenate(parts)[: len(words)]


def related_words(vectors: Float[np.ndarray, "v d"]) -> Bool[np.ndarray, "v v"]:
    r"""Return whether two words occur together, by the cosine of their vectors.

    It exceeds, for both words, the mean + 1.96 standard deviations of the word's cosines with all
    words. Words with a vector of zeros are related to none, and none to itself.

    Wu et al. (2024), arXiv:2310.00492, sec. 4.1.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms > 0, norms, 1)
    cosines = unit @ unit.T
    limits = cosines.mean(1) + 1.96 * cosines.std(1)
    related = (cosines > limits[:, None]) & (cosines > limits[None])
    known = norms[:, 0] > 0
    np.fill_diagonal(related, False)
    return related & known[:, None] & known[None]
