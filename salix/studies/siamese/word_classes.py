"""Classes of English words by part of speech, with the tagger of a published package."""

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from salix.data.assets import fetch
from salix.models.checkpoints.errors import input_errors
from salix.typing import InputError

CLASSES = ("noun", "verb", "adjective", "adverb", "other word", "mark")
_OF_TAG = {"NOUN": 0, "PROPN": 0, "VERB": 1, "ADJ": 2, "ADV": 3}
_OTHER, _MARK = 4, 5
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_ENDING = re.compile(r"(n['’]t|['’](?:s|m|d|re|ve|ll))$", re.IGNORECASE)
_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError)


class Tagger:
    """Averaged perceptron of universal parts of speech, of one sentence from left to right.

    Features of a word are its ends, its neighbours and the two tags before it. The published
    model, trained on UD English-EWT 2.18, is right for 93 % of the words of its test split.

    Collins (2002), EMNLP, sec. 2 (averaged parameters); features after M. Honnibal.
    """

    def __init__(self, weights: Mapping[str, Mapping[str, float]], frequent: Mapping[str, str]):
        self.weights, self.frequent = weights, frequent

    @staticmethod
    def load(path: str | Path | None = None) -> "Tagger":
        """Return the tagger in a file, by default the published one, fetched at first use."""
        path = Path(fetch("english-tagger") if path is None else path)
        with input_errors(path, "a tagger", *_DAMAGE):
            content = json.loads(gzip.decompress(path.read_bytes()))
            weights, frequent = content["weights"], content["tagdict"]
            if not (isinstance(weights, dict) and isinstance(frequent, dict)):
                raise InputError("has no tables of weights and frequent words")
        return Tagger(weights, frequent)

    def __call__(self, words: Sequence[str]) -> list[str]:
        """Return the tag of each word, "NOUN" or "VERB"."""
        labels = ["<s>", "<s>"]
        for index, word in enumerate(words):
            label = self.frequent.get(word.lower())
            labels.append(label or self._best(_features(words, index, labels[-1], labels[-2])))
        return [label.partition("|")[0] for label in labels[2:]]

    def _best(self, features: Sequence[str]) -> str:
        scores: dict[str, float] = {}
        for feature in features:
            for label, weight in self.weights.get(feature, {}).items():
                scores[label] = scores.get(label, 0.0) + weight
        return max(scores, key=lambda label: (scores[label], label), default="X")


def _features(words: Sequence[str], index: int, before: str, before2: str) -> list[str]:
    def lower(i: int) -> str:
        return words[i].lower() if 0 <= i < len(words) else ("<s>" if i < 0 else "</s>")

    word = lower(index)
    shape = "X" if words[index][:1].isupper() else "x"
    shape += "d" * any(character.isdigit() for character in word)
    ends = [f"suf{n} {word[-n:]}" for n in (3, 2, 1)]
    near = [f"w{n:+d} {lower(index + n)}" for n in (-1, -2, 1, 2)]
    tags = [
        f"t-1 {before}",
        f"t-2 {before2}",
        f"t-1t-2 {before} {before2}",
        f"t-1 w {before} {word}",
    ]
    return ["bias", *ends, f"pre1 {word[:1]}", f"shape {shape}", f"w {word}", *tags, *near]


@lru_cache(maxsize=1)
def published_tagger() -> Tagger:
    """Return the published tagger, read once."""
    return Tagger.load()


def word_classes(
    text: str, spans: Int[np.ndarray, "w 2"], tagger: Tagger | None = None
) -> Int[np.ndarray, " w"]:
    """Return the number in `CLASSES` of each word of an English text, given by its characters.

    Words of the tagger are runs of letters and digits, without the endings n't, 's, 'm, 'd, 're,
    've and 'll, which are words; an encoder's word has the class of that at its first character.
    "mark" are special tokens, of an empty span, and characters outside words; "other word" are
    auxiliaries, pronouns, determiners, prepositions, conjunctions, particles and numbers.
    """
    places = [place for match in _WORD.finditer(text) for place in _split(match)]
    tags = (tagger or published_tagger())([text[first:last] for first, last in places])
    of_character = np.full(len(text) + 1, _MARK)
    for (first, last), tag in zip(places, tags, strict=True):
        of_character[first:last] = _OF_TAG.get(tag, _OTHER)
    classes = of_character[spans[:, 0]]
    return np.where(spans[:, 0] < spans[:, 1], classes, _MARK)


def _split(match: re.Match[str]) -> list[tuple[int, int]]:
    """Return the characters of a word, and of its ending."""
    first, last = match.span()
    ending = _ENDING.search(match[0])
    if ending is None or ending.start() == 0:
        return [(first, last)]
    cut = first + ending.start()
    return [(first, cut), (cut, last)]


def class_counts(classes: Any) -> Int[np.ndarray, " c"]:
    """Return the number of words of each class."""
    return np.bincount(classes, minlength=len(CLASSES))
