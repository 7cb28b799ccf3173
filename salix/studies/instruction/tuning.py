"""Training of small language models on text, and their tuning on pairs: five seeds at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from salix.models.decoder import Decoder, DecoderConfig
from salix.models.language_model import LanguageModel
from salix.models.language_tokens import LanguageTokenizer
from salix.studies.instruction.tuning_data import (
    TuningData,
    draw_pairs,
    pack_pairs,
    pack_texts,
    shuffle_answers,
    shuffle_instructions,
)
from salix.typing import AnyArray

BATCH, CHUNK = 32, 50  # texts of a step, and steps of one call
CONDITIONS = ("tuned", "shuffled instructions", "random answers", "more text")


@dataclass(frozen=True, kw_only=True)
class TuningSetting:
    """Sizes and steps of the small language models."""

    width: int = 64
    depth: int = 4
    heads: int = 4
    hidden: int = 160
    text_steps: int = 600
    tuning_steps: int = 300
    rate: float = 3e-3

    def config(self, vocabulary: int) -> DecoderConfig:
        """Return the configuration of a decoder of so many words."""
        return DecoderConfig(
            vocabulary=vocabulary,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            groups=self.heads // 2,
            head_width=self.width // self.heads,
            hidden=self.hidden,
            context=256,
            base=1e4,
        )


def answer_loss(decoder: Decoder, ids: AnyArray, mask: AnyArray) -> Float[Array, ""]:
    """Return the mean cross-entropy of the tokens under a mask, of texts [b n], in nats."""
    logits = jax.vmap(decoder)(ids)[:, :-1]
    scores = jax.nn.log_softmax(logits)
    chosen = jnp.take_along_axis(scores, ids[:, 1:, None], -1)[..., 0]
    counted = mask[:, 1:]
    count = jnp.maximum(counted.sum(dtype=jnp.float32), 1)
    return -jnp.sum(jnp.where(counted, chosen, 0)) / count


def train_seeds(
    graph: Any, params: Any, batches: Callable[[int], Any], steps: int, rate: float, log: Any
) -> Any:
    """Return parameters [seed ...] after `steps` of AdamW with a cosine schedule.

    `batches(step)` are ids and masks [seed b n].
    """
    optimiser = optax.adamw(optax.warmup_cosine_decay_schedule(0, rate, steps // 10, steps))
    state = jax.vmap(optimiser.init)(params)
    for start in range(0, steps, CHUNK):
        count = min(CHUNK, steps - start)
        data = [
            np.stack(part) for part in zip(*map(batches, range(start, start + count)), strict=True)
        ]
        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
            params, state, losses = _steps(graph, optimiser.update, params, state, *data)
        log(f"step {start + count} of {steps}, loss {float(losses[-1].mean()):.3f}")
    return params


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=(2, 3))
def _steps(graph: Any, update: Any, params: Any, state: Any, ids: Any, mask: Any) -> Any:
    def loss(params: Any, ids: Any, mask: Any) -> Array:
        return answer_loss(nnx.merge(graph, params), ids, mask)

    def one(params: Any, state: Any, ids: Any, mask: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(params, ids, mask)
        changes, state = update(gradient, state, params)
        return optax.apply_updates(params, changes), state, value

    def step(carried: Any, data: Any) -> Any:
        params, state, values = jax.vmap(one)(*carried, *data)
        return (params, state), values

    (params, state), losses = jax.lax.scan(step, (params, state), (ids, mask))
    return params, state, losses


@dataclass(frozen=True, eq=False)
class TunedModels:
    """Parameters [seed ...] of the models before tuning and after each condition of it."""

    graph: Any
    params: Any
    tokenizer: LanguageTokenizer

    def model(self, state: str, seed: int) -> LanguageModel:
        """Return the language model of a seed in a state, "before" or a condition."""
        values = jax.tree.map(lambda leaf: leaf[seed], self.params[state])
        return LanguageModel(nnx.merge(self.graph, values), self.tokenizer, f"{state} {seed}")


def tune_models(
    data: TuningData, setting: TuningSetting, *, seeds: int, log: Callable[[str], None]
) -> TunedModels:
    """Return models trained on glosses, and tuned from there in each of the conditions.

    The controls have the steps and texts of the tuning: instructions drawn at random, answers of
    other prompts, and glosses in place of pairs.
    """
    config = setting.config(data.tokenizer.fast.get_vocab_size())
    models = [Decoder(config, rngs=nnx.Rngs(seed)) for seed in range(seeds)]
    graph = nnx.split(models[0])[0]
    start = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(nnx.split(m)[1] for m in models))
    texts = pack_texts(data.texts, data.tokenizer)

    def text_batches(step: int, stage: int = 0) -> Any:
        return _stack([_rows(texts, (seed, step, stage)) for seed in range(seeds)])

    def pair_batches(change: Any, step: int) -> Any:
        parts = []
        for seed in range(seeds):
            rng = np.random.default_rng((seed, step, 1))
            pairs = change(draw_pairs(data.trained, BATCH, rng), rng)
            parts.append(pack_pairs(pairs, data.tokenizer))
        return _stack(parts)

    def train(name: str, params: Any, batches: Any, steps: int) -> Any:
        own = jax.tree.map(jnp.copy, params)  # the argument is donated
        return train_seeds(
            graph, own, batches, steps, setting.rate, lambda line: log(f"{name}: {line}")
        )

    before = train("text", start, text_batches, setting.text_steps)
    changes = (lambda pairs, rng: pairs, shuffle_instructions, shuffle_answers)
    params = {"before": before}
    for name, change in zip(CONDITIONS, changes, strict=False):
        batches = partial(pair_batches, change)
        params[name] = train(name, before, batches, setting.tuning_steps)
    again = partial(text_batches, stage=2)
    params[CONDITIONS[-1]] = train(CONDITIONS[-1], before, again, setting.tuning_steps)
    return TunedModels(graph, params, data.tokenizer)


def _rows(packed: Any, seed: tuple[int, ...]) -> Any:
    rows = np.random.default_rng(seed).integers(len(packed[0]), size=BATCH)
    return tuple(part[rows] for part in packed)


def _stack(parts: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    ids, masks = zip(*parts, strict=True)
    return np.stack(ids), np.stack(masks)
