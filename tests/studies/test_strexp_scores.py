"""Scores of words and characters by CTC against sums over all alignments."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from salix.models.recognisers import Recogniser
from salix.studies.strexp.alignment import align, align_positions, reads
from salix.studies.strexp.scores import (
    path_score,
    position_score,
    positions_score,
    reads_positions,
    substitution_score,
    substitutions,
    word_score,
)
from salix.typing import InputError

FRAMES, CLASSES = 5, 4


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(0).normal(0, 2, (FRAMES, CLASSES)).astype(np.float32)


def spell(path):
    return tuple(c for c, p in zip(path, (0, *path), strict=False) if c not in (0, p))


def paths(logits):
    """All paths, by the word that they spell, with their log-probabilities."""
    logs, result = log_softmax(logits.astype(np.float64), 1), {}
    for path in product(range(CLASSES), repeat=FRAMES):
        value = logs[np.arange(FRAMES), path].sum()
        result.setdefault(spell(path), []).append((value, path))
    return result


def likelihoods(logits):
    return {word: logsumexp([v for v, _ in group]) for word, group in paths(logits).items()}


def padded(word, length=4):
    return np.array([*word, *[0] * (length - len(word))], np.int32)


@pytest.mark.parametrize("word", [(1,), (1, 2), (2, 2), (3, 1, 3), (1, 1, 2)])
@pytest.mark.slow
def test_scores_are_sums_over_alignments(logits, word):
    every = likelihoods(logits)
    assert np.isclose(word_score(logits, padded(word)), every[word], atol=1e-4)
    for at in range(len(word)):
        others = [(*word[:at], a, *word[at + 1 :]) for a in range(1, CLASSES)]
        expected = np.array([every.get(other, -1e9) for other in others])
        actual = np.asarray(jax.jit(substitutions)(logits, padded(word), np.int32(at)))
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4)
        score = substitution_score(logits, padded(word), np.int32(at))
        assert np.isclose(score, every[word] - logsumexp(expected), atol=1e-4)


@pytest.mark.slow
def test_gradients_are_those_of_differences(logits):
    score = jax.jit(lambda x: substitution_score(x, padded((1, 2)), np.int32(1)))
    slope = np.random.default_rng(1).normal(size=logits.shape).astype(np.float32)
    step = 1e-2
    expected = (score(logits + step * slope) - score(logits - step * slope)) / (2 * step)
    assert np.isclose((jax.grad(score)(jnp.asarray(logits)) * slope).sum(), expected, atol=2e-3)


@pytest.mark.parametrize("word", [(1, 2), (2, 2), (3, 1, 3)])
def test_alignment_is_the_most_probable_path(logits, word):
    logs = log_softmax(logits.astype(np.float64), 1)
    _, best = max(paths(logits)[word])
    frames = align(logs, np.array(word))
    emitted = np.zeros(FRAMES, int)
    for place, flags in enumerate(frames):
        emitted[flags] = word[place]
    assert tuple(emitted) == best
    expected = logs[frames[1], word[1]].mean()
    assert np.isclose(path_score(logits, padded(word), frames[1], np.int32(1)), expected, atol=1e-5)


def test_reading_is_that_of_the_best_path():
    rng = np.random.default_rng(2)
    check = jax.jit(reads)
    for _ in range(30):
        logits = rng.normal(size=(FRAMES, CLASSES)).astype(np.float32)
        word = spell(logits.argmax(1))
        assert check(logits, padded(word, 5))
        assert not check(logits, padded((*word, 1)[:5] if len(word) < 5 else word[:4], 5))
        assert not check(logits, padded(word[:-1], 5)) or not word


def test_scores_by_position_and_words_that_do_not_fit():
    logits = np.log(np.array([[0.2, 0.8], [0.6, 0.4]], np.float32))
    assert np.isclose(position_score(logits, np.array([1, 0], np.int32), np.int32(1)), np.log(0.6))
    assert align_positions(3, np.array([2, 1])).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(InputError, match="4 characters needs as many positions, not 3"):
        align_positions(3, np.array([1, 1, 1, 1]))
    with pytest.raises(InputError, match="needs 5 frames, not 4"):
        align(np.zeros((4, 3)), np.array([1, 1, 1]))


def test_likelihoods_of_all_words_by_position_add_up_to_one():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (3, 4)).astype(np.float32)
    reader = Recogniser("reader", "abc", np.add, np.add, "position")
    predicted = reader.decode(logits.argmax(-1).tolist())
    words = [w for n in range(4) for w in product(range(1, 4), repeat=n)]
    both = jax.jit(jax.vmap(lambda w: (positions_score(logits, w), reads_positions(logits, w))))
    scores, flags = both(np.stack([padded(w) for w in words]))
    assert np.exp(np.asarray(scores)).sum() == pytest.approx(1, rel=1e-5)
    read = [w for w, flag in zip(words, flags, strict=True) if flag]
    assert ["".join("abc"[c - 1] for c in w) for w in read] == [predicted]
    assert [reader.decode(c) for c in ([0, 1, 2], [2, 0, 1], [1, 1, 3])] == ["", "b", "aac"]
