"""Scores of a word and of its characters from the logits of a recogniser's frames.

Logits are [frames classes], class 0 the blank of CTC. Words are classes padded with 0.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from salix.typing import AnyArray, Index, Scalar

NEVER = -1e9  # log-probability of the impossible: finite, so that gradients are
FrameLogits = Float[AnyArray, "t k"]
Word = Int[AnyArray, " n"]


def word_score(logits: FrameLogits, word: Word) -> Scalar:
    r"""Log-likelihood of a word by CTC, $\log \sum_\pi \prod_t p_t(\pi_t)$ over its alignments.

    In nats, at most 0.

    Graves et al. (2006), doi:10.1145/1143844.1143891, eq. 3, by optax.
    """
    import optax

    logits, word = jnp.asarray(logits), jnp.asarray(word)
    frames = jnp.zeros((1, len(logits)), logits.dtype)
    padding = (word == 0).astype(logits.dtype)
    return -optax.ctc_loss(logits[None], frames, word[None], padding[None])[0]


def path_score(logits: FrameLogits, word: Word, frames: Bool[AnyArray, " t"], at: Index) -> Scalar:
    r"""Mean log-probability of character `at` in the flagged frames of its alignment.

    In nats, at most 0; 0 for a character without a frame.
    """
    logs = jax.nn.log_softmax(jnp.asarray(logits))[:, jnp.asarray(word)[at]]
    flags = jnp.asarray(frames).astype(logs.dtype)
    return (logs * flags).sum() / jnp.maximum(flags.sum(), 1)


def position_score(logits: FrameLogits, word: Word, at: Index) -> Scalar:
    """Log-probability of character `at` at its position, for decoders of one output a character.

    In nats, at most 0; among all characters and the end, with the others fixed.
    """
    return jax.nn.log_softmax(jnp.asarray(logits)[at])[jnp.asarray(word)[at]]


def positions_score(logits: FrameLogits, word: Word) -> Scalar:
    """Log-probability of a word by a decoder of one output a character, with the end behind it.

    In nats, at most 0; the sum over characters and the end, where there is a position for it.
    """
    logs = jax.nn.log_softmax(jnp.asarray(logits))
    classes, used = positions_of(word, len(logs))
    each = jnp.take_along_axis(logs, classes[:, None], 1)[:, 0]
    return jnp.where(used, each, 0).sum()


def reads_positions(logits: FrameLogits, word: Word) -> Bool[Array, ""]:
    """Return whether the greatest logits of the positions spell a word, with its end."""
    classes, used = positions_of(word, len(logits))
    best = jnp.asarray(logits).argmax(-1).astype(classes.dtype)
    return ((best == classes) | ~used).all()


def positions_of(word: Word, count: int) -> tuple[Int[Array, " t"], Bool[Array, " t"]]:
    """Return the class of each of `count` positions, 0 behind the word, and the positions used."""
    word = jnp.asarray(word)
    classes = jnp.concatenate([word, jnp.zeros(count, word.dtype)])[:count]
    return classes, jnp.arange(count) <= (word > 0).sum()


def substitution_score(logits: FrameLogits, word: Word, at: Index) -> Scalar:
    r"""Log-probability of character `at` among all that could stand there, the others fixed.

    $\log P(w) - \log \sum_a P(w \text{ with } a \text{ at the place})$ by CTC, over all characters
    a of the alphabet. In nats, at most 0; it has no frame of its own, so that it needs no
    alignment. One forward and one backward pass serve all characters a.
    """
    scores = substitutions(logits, word, at)
    return scores[jnp.asarray(word)[at] - 1] - jax.nn.logsumexp(scores)


def substitutions(logits: FrameLogits, word: Word, at: Index) -> Float[Array, " a"]:
    r"""Log-likelihoods of a word with each character of the alphabet at one place.

    With forward $\alpha$ and backward $\beta$ of the rest of the word, character a lasts from the
    frame at which it can start to the one at which it can end: $m_t = p_t(a) (m_{t-1} + in_t)$
    and $P_a = \sum_t m_t \, out_t$. In nats.
    """
    logs = jax.nn.log_softmax(jnp.asarray(logits))
    word = jnp.asarray(word)
    length = (word > 0).sum()
    spelled = jnp.concatenate([jnp.zeros(1, word.dtype), word, jnp.zeros(1, word.dtype)])
    before, after = spelled[at], spelled[at + 2]
    blanks, characters = _forward(logs, word)
    later_blanks, later_characters = _backward(logs, word, length)
    n = len(word)
    start_blank = blanks[:-1, at]  # of the frame before
    start_character = jnp.where(at > 0, characters[:-1, jnp.maximum(at - 1, 0)], NEVER)
    end_blank = later_blanks[1:, at + 1]
    last = at + 1 >= length
    end_character = jnp.where(last, NEVER, later_characters[1:, jnp.minimum(at + 1, n - 1)])
    letters = jnp.arange(1, logs.shape[1], dtype=word.dtype)
    start = _either(start_blank, start_character, letters, before)
    end = _either(end_blank, end_character, letters, after)

    def advance(total: Array, frame: tuple[Array, Array]) -> tuple[Array, Array]:
        log, entry = frame
        total = log + jnp.logaddexp(total, entry)
        return total, total

    initial = jnp.full(len(letters), NEVER, logs.dtype)
    _, inside = lax.scan(advance, initial, (logs[:, 1:], start))
    return jax.nn.logsumexp(inside + end, axis=0)


def _either(blank: Array, character: Array, letters: Array, neighbour: Array) -> Array:
    """Return log sums [t a]: a letter does not follow itself without a blank between."""
    both = jnp.logaddexp(blank, character)
    return jnp.where(letters[None] == neighbour, blank[:, None], both[:, None])


def _forward(logs: Array, word: Array) -> tuple[Array, Array]:
    """Return the log sums of the paths that end at a blank [t+1 n+1] or at a character [t+1 n].

    The first row is before the first frame; column i of the blanks is after i characters.
    """
    n, dtype = len(word), logs.dtype
    never = jnp.full(1, NEVER, dtype)
    repeats = jnp.concatenate([jnp.ones(1, bool), word[1:] == word[:-1]])

    def advance(state: tuple[Array, Array], log: Array) -> tuple[tuple[Array, Array], None]:
        blanks, characters = state
        previous = jnp.concatenate([never, characters])
        skipped = jnp.where(repeats, NEVER, previous[:-1])
        entered = jnp.logaddexp(blanks[:-1], skipped)
        new = log[word] + jnp.logaddexp(characters, entered)
        return (log[0] + jnp.logaddexp(blanks, previous), new), None

    def step(state: tuple[Array, Array], log: Array) -> tuple[tuple[Array, Array], tuple]:
        state, _ = advance(state, log)
        return state, state

    first = (jnp.full(n + 1, NEVER, dtype).at[0].set(0), jnp.full(n, NEVER, dtype))
    _, rows = lax.scan(step, first, logs)
    return tuple(  # pyright: ignore[reportReturnType]
        jnp.concatenate([a[None], b]) for a, b in zip(first, rows, strict=True)
    )


def _backward(logs: Array, word: Array, length: Array) -> tuple[Array, Array]:
    """Return the log sums of the paths from a frame on, [t+1 n+1] and [t+1 n] as `_forward`.

    The last row is after the last frame, where the word must be complete.
    """
    n, dtype = len(word), logs.dtype
    never = jnp.full(1, NEVER, dtype)
    repeats = jnp.concatenate([word[1:] == word[:-1], jnp.ones(1, bool)])
    inside = jnp.arange(n) < length

    def step(state: tuple[Array, Array], log: Array) -> tuple[tuple[Array, Array], tuple]:
        blanks, characters = state
        following = jnp.where(repeats, NEVER, jnp.concatenate([characters[1:], never]))
        left = jnp.logaddexp(blanks[1:], following)
        new = log[word] + jnp.logaddexp(characters, left)
        new = jnp.where(inside, new, NEVER)
        blank = log[0] + jnp.logaddexp(blanks, jnp.concatenate([characters, never]))
        return (blank, new), (blank, new)

    last = (
        jnp.where(jnp.arange(n + 1) == length, 0, NEVER).astype(dtype),
        jnp.full(n, NEVER, dtype),
    )
    _, rows = lax.scan(step, last, logs, reverse=True)
    return tuple(  # pyright: ignore[reportReturnType]
        jnp.concatenate([b, a[None]]) for a, b in zip(last, rows, strict=True)
    )
