"""Training of an attention decoder on rendered words, above the convolutions of `legere`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from salix.models.attention_reader import AttentionReader
from salix.models.checkpoints.module_state import arrays, filled
from salix.models.recognisers import WIDTH, Recogniser, load_recogniser, recogniser_of
from salix.progress import Progress
from salix.studies.pixels import signed_pixels
from salix.studies.strexp.words import WordImage, render_word
from salix.studies.trial_files import read_arrays, trial_digest, write_arrays
from salix.typing import AnyArray, Params

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
POSITIONS = 16  # of characters and of the end of a word
LENGTHS = (3, 9)  # of the strings of the training, in characters
CONDITIONS = ("plain", "noise", "background")
STRIDE = 4  # columns of a frame
VERSION = 1  # of the networks: raised where they change


@dataclass(frozen=True)
class DecoderSetting:
    """Strings of the training, and steps, batch and peak rate of Adam with a cosine decay."""

    strings: int = 3000
    steps: int = 900
    batch: int = 48
    learning_rate: float = 3e-3
    seed: int = 0


def position_loss(
    logits: Float[AnyArray, "b n k"], words: Int[AnyArray, "b n"]
) -> Float[Array, ""]:
    """Cross-entropy of the characters and of the end of each word, in nats, averaged.

    `words` are classes padded with 0, the end; positions behind the end do not count.
    """
    each = optax.softmax_cross_entropy_with_integer_labels(logits, words)
    used = jnp.arange(words.shape[1])[None] <= (words > 0).sum(1, keepdims=True)
    return jnp.where(used, each, 0).sum() / used.sum().astype(each.dtype)


def attention_loss(
    weights: Float[AnyArray, "b t n"], frames: Bool[AnyArray, "b t n"]
) -> Float[Array, ""]:
    """Minus the logarithm of a character's attention on its own frames, in nats, averaged.

    Positions without a frame do not count. Without this loss the decoder finds no character within
    the steps of a training of minutes.
    """
    own = jnp.where(frames, weights, 0).sum(1)
    used = frames.any(1)
    return jnp.where(used, -jnp.log(own + 1e-6), 0).sum() / used.sum().astype(own.dtype)


def draw_strings(count: int, *, seed: int) -> tuple[str, ...]:
    """Return random strings of letters and digits: a decoder of them has learned no words."""
    rng = np.random.default_rng([seed, 1])
    lengths = rng.integers(LENGTHS[0], LENGTHS[1] + 1, count)
    return tuple("".join(rng.choice(list(ALPHABET), n)) for n in lengths)


def train_decoder(
    weights: str | Path, setting: DecoderSetting, *, progress: Callable[[int], None]
) -> AttentionReader:
    """Return a reader trained on rendered random strings, its convolutions those of `legere`.

    The convolutions are fixed, so that the features of the strings are computed once.
    """
    legere, pretrained = load_recogniser("legere", weights)
    module = AttentionReader(len(ALPHABET) + 1, POSITIONS, nnx.Rngs(setting.seed))
    module.eval()
    _copy_layers(module, pretrained)
    features, words, frames = _material(legere, pretrained, setting)
    trunk = module.trunk
    del module.trunk  # not trained
    graph, params = nnx.split(module)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, setting.learning_rate, setting.steps // 10, setting.steps
    )
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    memory = optimiser.init(params)

    @jax.jit
    def step(params: Any, memory: Any, x: Any, y: Any, own: Any) -> Any:
        def loss(params: Any) -> Any:
            logits, attention = nnx.merge(graph, params).attend(x)
            return position_loss(logits, y) + attention_loss(attention, own)

        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
            slope = jax.grad(loss)(params)
            change, memory = optimiser.update(slope, memory, params)
            return optax.apply_updates(params, change), memory

    rng = np.random.default_rng(setting.seed)
    for _ in range(setting.steps):
        rows = rng.integers(0, len(words), setting.batch)
        params, memory = step(params, memory, features[rows], words[rows], frames[rows])
        progress(1)
    trained = nnx.merge(graph, params)
    trained.trunk = trunk
    return trained


def _copy_layers(module: AttentionReader, pretrained: Params) -> None:
    """Copy the convolutions and the recurrent layer of `legere`."""
    known = dict(nnx.to_flat_state(pretrained))
    target = nnx.to_flat_state(nnx.state(module))
    for path, leaf in target:
        source = known.get(path[1:] if path[0] == "trunk" else path)
        if source is not None and path[0] in ("trunk", "rnn") and source.shape == leaf.shape:
            leaf[...] = source[...]
    nnx.update(module, nnx.from_flat_state(target))


def _material(legere: Recogniser, params: Params, setting: DecoderSetting) -> tuple[Any, Any, Any]:
    """Return features [n 1 t 192], classes [n positions] and frames [n t positions] of strings."""
    strings = draw_strings(setting.strings, seed=setting.seed)
    compute = jax.jit(legere.features)
    words = np.zeros((len(strings), POSITIONS), np.int32)
    frames = np.zeros((len(strings), WIDTH // STRIDE, POSITIONS), bool)
    parts = []
    with Progress("rendering", len(strings), show=True, unit="strings") as progress:
        for first in range(0, len(strings), setting.batch):
            rows = np.arange(first, first + setting.batch) % len(strings)
            images = [_render(strings[i], int(i), setting.seed) for i in rows]
            for i, image in zip(rows, images, strict=True):
                count = len(image.truth)
                words[i, :count] = [ALPHABET.index(c) + 1 for c in image.truth]
                columns = image.extents.any(1).reshape(count, -1, STRIDE).any(2)
                frames[i, :, :count] = columns.T
            pixels = np.stack([i.pixels for i in images])[..., None]
            parts.append(np.asarray(compute(params, signed_pixels(pixels))))
            progress.advance(min(setting.batch, len(strings) - first))
    return np.concatenate(parts)[: len(strings)], words, frames


def _render(string: str, index: int, seed: int) -> WordImage:
    condition = CONDITIONS[index % len(CONDITIONS)]
    return render_word(string, condition, stretched=False, seed=seed)


def trained_decoder(
    out: Path, weights: str | Path, setting: DecoderSetting
) -> tuple[Recogniser, Params]:
    """Return a recogniser with an attention decoder, trained unless its file is in `out`."""
    path = out / "networks" / f"{trial_digest(VERSION, setting)}.npz"
    known = read_arrays(path)
    if known is None:
        with Progress("training", setting.steps, show=True, unit="steps") as progress:
            module = train_decoder(weights, setting, progress=progress.advance)
        write_arrays(path, arrays(nnx.state(module)))
    else:

        def build(rngs: nnx.Rngs) -> AttentionReader:
            return AttentionReader(len(ALPHABET) + 1, POSITIONS, rngs)

        module = filled(build, known, path, "the attention decoder")
    return recogniser_of("attention", ALPHABET, module, decoding="position")
