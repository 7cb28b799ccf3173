"""Classes of words: a perceptron of few weights by hand, spans, endings, and the published one."""

import gzip
import json

import numpy as np
import pytest

from salix.studies.siamese.word_classes import CLASSES, Tagger, word_classes
from salix.typing import InputError

WEIGHTS = {
    "bias": {"NOUN|-": 1.0, "VERB|Fin": 0.5},
    "t-1 NOUN|-": {"VERB|Fin": 1.0},
    "suf2 ly": {"ADV|-": 3.0},
    "w+1 house": {"ADJ|-": 2.0},
    "shape Xd": {"PROPN|-": 9.0},
}
TAGGER = Tagger(WEIGHTS, {"the": "DET|-", "n't": "PART|-"})


def spans(text, *words):
    starts = [text.index(word) for word in words]
    return np.array([(s, s + len(w)) for s, w in zip(starts, words, strict=True)])


def test_tags_are_those_of_the_greatest_sum_of_weights():
    # dogs: bias; run: NOUN 1 < VERB 0.5 + 1 after a noun; red: 2 before house
    words = ["The", "dogs", "run", "quickly", "red", "house", "B2"]
    expected = ["DET", "NOUN", "VERB", "ADV", "ADJ", "NOUN", "PROPN"]
    assert TAGGER(words) == expected
    assert Tagger({}, {})(["unknown"]) == ["X"]
    assert TAGGER([]) == []


def test_words_of_an_encoder_have_the_class_at_their_first_character():
    text = "The dogs don't run, quickly."
    words = spans(text, "The", "dogs", "don", "'", "t run", ",", "quickly", ".")
    words[4] = words[4][0], words[4][0] + 1
    names = [CLASSES[c] for c in word_classes(text, np.vstack([[[0, 0]], words]), TAGGER)]
    # [CLS] The dogs don ' t , quickly . : do is a verb after a noun, its n't is a particle
    assert names[:4] == ["mark", "other word", "noun", "verb"]
    assert names[4:6] == ["other word", "other word"]
    assert names[6:] == ["mark", "adverb", "mark"]


def test_unusable_taggers_are_refused(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"no archive")
    (tmp_path / "b.gz").write_bytes(
        gzip.compress(json.dumps({"weights": 1, "tagdict": {}}).encode())
    )
    for name in ("a.gz", "b.gz"):
        with pytest.raises(InputError, match=name):
            Tagger.load(tmp_path / name)


@pytest.mark.assets
def test_the_published_tagger_reads_english(asset):
    tagger = Tagger.load(asset("english-tagger"))
    words = ["The", "quick", "dog", "does", "n't", "bark", "loudly", "in", "the", "old", "garden"]
    expected = ["DET", "ADJ", "NOUN", "AUX", "PART", "VERB", "ADV", "ADP", "DET", "ADJ", "NOUN"]
    assert tagger(words) == expected
