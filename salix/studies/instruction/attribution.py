"""Attribution of the tokens of an answer to the tokens of its prompt, all in one program."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from salix.models.decoder import Decoder
from salix.models.language_model import LanguageModel, padded_length
from salix.typing import AnyArray, InputError

CHUNK = 8  # gradients of one batch: more of them leave the cache of a CPU


@dataclass(frozen=True, kw_only=True)
class AnswerAttribution:
    r"""Input times gradient of the probability of each token of an answer.

    $I_{nm} = e_n \cdot \partial p(y_m \mid x, y_{<m}) / \partial e_n$ of prompt embeddings e_n.
    With `steps`, the gradients are the mean over as many midpoints of the path from zero
    embeddings of the prompt: $\sum_n I_{nm} = p_m(e) - p_m(0)$ up to $O(steps^{-2})$.

    The network is read once for all tokens. Derivatives go through it once for each token of the
    answer (backward), or once for each token of the prompt where those are fewer (forward): both
    give the same numbers.

    Wu et al. (2024), arXiv:2310.00492, sec. 3; Sundararajan et al. (2017), arXiv:1703.01365.
    """

    steps: int = 0
    mode: Literal["fewer", "backward", "forward"] = "fewer"

    def __call__(
        self, model: LanguageModel, prompt: Int[AnyArray, " n"], answer: Int[AnyArray, " m"]
    ) -> tuple[Float[np.ndarray, "n m"], Float[np.ndarray, " m"]]:
        """Return the attributions, and the probability of each token of the answer.

        Raises InputError for an empty prompt or answer, and for one beyond the context.
        """
        n, m = len(prompt), len(answer)
        if not n or not m:
            raise InputError("the prompt or the answer is empty: there is nothing to attribute")
        model.check_length(n, m)
        size, outputs = padded_length(n + m), -(-m // CHUNK) * CHUNK
        ids, targets = np.zeros(size, np.int32), np.zeros(outputs, np.int32)
        ids[: n + m] = [*prompt, *answer]
        targets[:m] = answer
        # Padded outputs repeat the first place, and padded inputs the first token.
        places = np.zeros(outputs, np.int32)
        places[:m] = n - 1 + np.arange(m)
        forward = self.mode == "forward" or (self.mode == "fewer" and n < m)
        inputs = np.zeros(-(-n // CHUNK) * CHUNK if forward else size, np.int32)
        inputs[:n] = np.arange(n)
        sizes = forward, self.steps
        graph, params = model.split
        values, chances = _attribute(
            graph, sizes, params, ids, np.int32(n), inputs, places, targets
        )
        return np.asarray(values)[:n, :m], np.asarray(chances)[:m]


@partial(jax.jit, static_argnums=(0, 1))
def _attribute(
    graph: Any, sizes: tuple[bool, int], params: Any, ids: Any, n: Any, *indices: AnyArray
) -> tuple[Float[Array, "k m"], Float[Array, " m"]]:
    decoder: Decoder = nnx.merge(graph, params)
    forward, steps = sizes
    inputs, places, targets = map(jnp.asarray, indices)
    tokens = decoder.embed(ids)
    prompt = (jnp.arange(len(ids)) < n)[:, None]
    derive = _forward if forward else _backward

    def gradients(scale: Array) -> tuple[Array, Array]:
        scaled = jnp.where(prompt, scale * tokens, tokens)
        return derive(decoder, scaled, tokens, inputs, places, targets)

    if not steps:
        return gradients(jnp.float32(1))
    outputs = decoder.read(tokens)[places]
    chances = jax.vmap(partial(_chance, decoder))(outputs, targets)
    nodes = (jnp.arange(steps, dtype=jnp.float32) + 0.5) / steps
    return jax.lax.map(lambda node: gradients(node)[0], nodes).mean(0), chances


def _chance(decoder: Decoder, output: Array, target: Array) -> Array:
    return jax.nn.softmax(decoder.logits(output[None])[0])[target]


def _heads(decoder: Decoder, outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Return each token's probability with its gradient by the output at its place."""
    return jax.vmap(jax.value_and_grad(partial(_chance, decoder)))(outputs, targets)


def _backward(decoder: Decoder, at: Array, tokens: Array, inputs: Any, places: Any, targets: Any):
    outputs, pull = jax.vjp(decoder.read, at)
    chances, heads = _heads(decoder, outputs[places], targets)

    def attribute(head: Array, place: Array) -> Array:
        (gradient,) = pull(jnp.zeros_like(outputs).at[place].set(head))
        return jnp.sum(gradient * tokens, -1)

    parts = heads.reshape(-1, CHUNK, heads.shape[1]), places.reshape(-1, CHUNK)
    values = jax.lax.map(lambda part: jax.vmap(attribute)(*part), parts)
    return values.reshape(len(places), -1).T[inputs], chances


def _forward(decoder: Decoder, at: Array, tokens: Array, inputs: Any, places: Any, targets: Any):
    outputs, push = jax.linearize(decoder.read, at)
    chances, heads = _heads(decoder, outputs[places], targets)

    def attribute(place: Array) -> Array:
        changes = push(jnp.zeros_like(tokens).at[place].set(tokens[place]))
        return jnp.sum(heads * changes[places], -1)

    values = jax.lax.map(jax.vmap(attribute), inputs.reshape(-1, CHUNK))
    return values.reshape(len(inputs), -1), chances
