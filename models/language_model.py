"""Language models: a decoder with its tokenizer, and greedy answers with a cache."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Int

from salix.models.checkpoints.gguf import read_gguf
from salix.models.decoder import Decoder, KeyValueCache
from salix.models.decoder_files import decoder_of_gguf, load_decoder
from salix.models.language_tokens import LanguageTokenizer
from salix.typing import AnyArray, InputError

__all__ = ["LanguageModel", "load_language_model", "padded_length"]

MULTIPLE = 16  # lengths of padded texts: one program for each


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """Decoder and tokenizer of a language model."""

    decoder: Decoder
    tokenizer: LanguageTokenizer
    name: str = "model"

    @cached_property
    def split(self) -> tuple[Any, Any]:
        """Graph and parameters of the decoder."""
        return nnx.split(self.decoder)

    def answer(
        self, ids: Int[AnyArray, " n"], *, tokens: int, shortest: int = 0
    ) -> Int[np.ndarray, " m"]:
        """Return at most `tokens` most likely tokens after a prompt, those of an end left out.

        Ends are not chosen among the first `shortest` tokens.

        Raises InputError for a prompt that does not fit the model's context with its answer.
        """
        self.check_length(len(ids), tokens)
        size = padded_length(len(ids))
        padded = np.zeros(size, np.int32)
        padded[: len(ids)] = ids
        graph, params = self.split
        ends = jnp.asarray(self.tokenizer.ends or (self.decoder.config.vocabulary,), jnp.int32)
        least = np.int32(shortest)
        # Rounded up, that answers of any length share a program.
        room = padded_length(tokens)
        written = np.asarray(_answer(graph, room, params, padded, np.int32(len(ids)), ends, least))
        written = written[:tokens]
        stops = np.flatnonzero(np.isin(written, self.tokenizer.ends) | (written < 0))
        return written[: stops[0] if len(stops) else None]

    def check_length(self, prompt: int, answer: int) -> None:
        """Raise InputError where a prompt with its answer is beyond the context."""
        limit = self.decoder.config.context
        if prompt + answer > limit:
            raise InputError(
                f"the prompt has {prompt} tokens, and {answer} are to be answered: {self.name} "
                f"reads {limit}; shorten the prompt, or ask for fewer tokens"
            )


def padded_length(count: int) -> int:
    """Return the next multiple of 16."""
    return -(-count // MULTIPLE) * MULTIPLE


@partial(jax.jit, static_argnums=(0, 1))
def _answer(
    graph: Any,
    room: int,
    params: Any,
    ids: AnyArray,
    length: AnyArray,
    ends: AnyArray,
    least: AnyArray,
) -> Int[Array, " m"]:
    """Return `room` tokens after the first `length` ids, -1 beyond an end."""
    decoder: Decoder = nnx.merge(graph, params)
    config, size = decoder.config, len(ids)
    shape = config.depth, size + room, config.groups, config.head_width
    cache = KeyValueCache(*2 * (jnp.zeros(shape, jnp.float32),))
    # Keys of the padding are replaced before a query may see them.
    outputs, cache = decoder.extend(decoder.embed(ids), cache, 0)

    def choose(output: Array, written: Any) -> Array:
        logits = decoder.logits(output[None])[0]
        ended = logits.at[ends].set(-jnp.inf, mode="drop")
        return jnp.argmax(jnp.where(written < least, ended, logits)).astype(jnp.int32)

    def unfinished(state: Any) -> Array:
        written, token, _ = state[:3]
        return (written < room) & ~jnp.any(token == ends)

    def step(state: Any) -> Any:
        written, token, tokens, cache = state
        tokens = tokens.at[written].set(token)
        output, cache = decoder.extend(decoder.embed(token[None]), cache, length + written)
        return written + 1, choose(output[0], written + 1), tokens, cache

    first = choose(outputs[length - 1], jnp.int32(0))
    tokens = jnp.full(room, -1, jnp.int32)
    return jax.lax.while_loop(unfinished, step, (jnp.int32(0), first, tokens, cache))[2]


def load_language_model(path: str | Path) -> LanguageModel:
    """Return the language model in a GGUF file or in a folder of Hugging Face.

    Raises InputError as `load_decoder` does, and for tokenizers that are not of byte pairs.
    """
    path = Path(path)
    if path.is_dir():
        decoder = load_decoder(path)
        return LanguageModel(decoder, LanguageTokenizer.of_folder(path), path.name)
    file = read_gguf(path)
    tokenizer = LanguageTokenizer.of_gguf(path, file.metadata)
    decoder = decoder_of_gguf(path, file)
    if len(file.metadata["tokenizer.ggml.tokens"]) > decoder.config.vocabulary:
        raise InputError(f"{path} has more tokens than embeddings: it is damaged")
    return LanguageModel(decoder, tokenizer, path.stem)
