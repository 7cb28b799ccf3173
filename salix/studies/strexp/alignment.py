"""Most probable alignment of a word with a recogniser's frames, and reading by the best path."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from salix.typing import AnyArray, InputError


def align(logs: Float[np.ndarray, "t k"], word: Int[np.ndarray, " n"]) -> Bool[np.ndarray, "n t"]:
    """Return the frames of each character on the most probable path of CTC that spells a word.

    `logs` are log-probabilities, `word` classes without padding. Raises `InputError` for a word
    that needs more frames than there are.

    Viterbi's algorithm on the states of Graves et al. (2006), sec. 4.1.
    """
    states = np.zeros(2 * len(word) + 1, np.int64)
    states[1::2] = word
    repeats = 1 + len(word) + int((word[1:] == word[:-1]).sum()) - 1
    if repeats > len(logs):
        raise InputError(
            f"a word of {len(word)} characters needs {repeats} frames, not {len(logs)}"
        )
    skips = np.zeros(len(states), bool)  # the blank before a state may be left out
    skips[3::2] = word[1:] != word[:-1]
    best = np.full(len(states), -np.inf)
    best[:2] = logs[0, states[:2]]
    choices = np.zeros((len(logs), len(states)), np.int64)
    for t in range(1, len(logs)):
        back_one = np.concatenate([[-np.inf], best[:-1]])
        back_two = np.where(skips, np.concatenate([[-np.inf, -np.inf], best[:-2]]), -np.inf)
        options = np.stack([best, back_one, back_two])
        choices[t] = options.argmax(0)
        best = options.max(0) + logs[t, states]
    state = len(states) - 1 if best[-1] > best[-2] else len(states) - 2
    frames = np.zeros((len(word), len(logs)), bool)
    for t in range(len(logs) - 1, -1, -1):
        if state % 2:
            frames[state // 2, t] = True
        state -= choices[t, state]
    return frames


def align_positions(count: int, word: Int[np.ndarray, " n"]) -> Bool[np.ndarray, "n t"]:
    """Return the frames of characters of a decoder whose frame i has character i.

    Raises `InputError` for a word of more characters than positions.
    """
    if len(word) > count:
        raise InputError(f"a word of {len(word)} characters needs as many positions, not {count}")
    return np.eye(len(word), count, dtype=bool)


def reads(logits: Float[AnyArray, "t k"], word: Int[AnyArray, " n"]) -> Bool[Array, ""]:
    """Return whether the best path of CTC spells a word of classes padded with 0."""
    word = jnp.asarray(word)
    best = jnp.asarray(logits).argmax(-1).astype(word.dtype)
    previous = jnp.concatenate([jnp.zeros(1, best.dtype), best[:-1]])
    emitted = (best > 0) & (best != previous)
    places = jnp.where(emitted, jnp.cumsum(emitted) - 1, len(word))
    spelled = jnp.zeros(len(word), word.dtype).at[places].set(best, mode="drop")
    return (spelled == word).all() & (emitted.sum() == (word > 0).sum())
