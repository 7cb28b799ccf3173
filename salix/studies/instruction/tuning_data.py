"""Text and tasks of a small language model: glosses of WordNet, and answers of four kinds."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from salix.data.assets import fetch
from salix.models.language_tokens import LanguageTokenizer
from salix.optional import import_extra
from salix.studies.instruction.prompts import InstructionPrompt

WORDS = 2000  # of the vocabulary
LENGTH = 24  # tokens of a training text
KINDS = {"05": "animal", "06": "object", "08": "body", "13": "food", "18": "person", "20": "plant"}
ALIVE = ("animal", "person", "plant")
PAD, END = "[PAD]", "."
_TOKEN = re.compile(r"[a-z]+|[.;:,]")


@dataclass(frozen=True)
class TuningPair:
    """A prompt with its instruction, and the answer to it."""

    prompt: InstructionPrompt
    answer: str


@dataclass(frozen=True, eq=False)
class TuningData:
    """Glosses as texts, and nouns of six kinds, those of the tests apart."""

    texts: tuple[str, ...]
    nouns: tuple[tuple[str, str], ...]
    tokenizer: LanguageTokenizer

    @property
    def tested(self) -> tuple[tuple[str, str], ...]:
        """A fifth of the nouns, which no pair of the training has."""
        return self.nouns[::5]

    @property
    def trained(self) -> tuple[tuple[str, str], ...]:
        """The other nouns."""
        return tuple(noun for i, noun in enumerate(self.nouns) if i % 5)


# Instructions, and the answers to them about a noun and its kind.
TASKS = {
    "name the kind of this": lambda noun, kind: f"the {noun} is a kind of {kind} .",
    "say if this is alive": lambda noun, kind: (
        f"yes , the {noun} is alive ." if kind in ALIVE else f"no , the {noun} is not alive ."
    ),
    "write the word three times": lambda noun, kind: f"{noun} , {noun} , {noun} , that is all .",
    "make a sentence with it": lambda noun, kind: f"i have seen the {noun} in the {kind} book .",
}


# Words of the answers that are those of the task, of any noun.
FIXED = frozenset(
    word
    for answer in TASKS.values()
    for kind in ("food", "plant")
    for word in answer("NOUN", kind).split()
) - {"NOUN", "food", "plant"}


def tuning_data() -> TuningData:
    """Return the glosses and nouns of WordNet 3.1, fetched at first use."""
    lines = fetch("wordnet-nouns").read_text(encoding="utf-8").splitlines()
    return make_data([line for line in lines if not line.startswith(" ")])


def make_data(lines: Sequence[str]) -> TuningData:
    """Return glosses and nouns of the lines of WordNet's file of nouns."""
    texts, nouns = [], {}
    for line in lines:
        entry, _, gloss = line.partition(" | ")
        fields = entry.split(" ")
        noun = fields[4].lower()
        text = f"{noun} : {gloss.split(';')[0].lower()} ."
        if re.fullmatch(r"[a-z]+", noun):
            texts.append(" ".join(_TOKEN.findall(text)))
            if fields[1] in KINDS:
                nouns.setdefault(noun, KINDS[fields[1]])
    counts = Counter(word for text in texts for word in text.split())
    needed = [PAD, *KINDS.values()]
    for instruction, answer in TASKS.items():
        needed += f"{instruction} {answer('it', 'food')} {answer('it', 'plant')}".split()
    frequent = [word for word, _ in counts.most_common()]
    vocabulary = list(dict.fromkeys([*needed, *frequent]))[:WORDS]
    known = set(vocabulary)
    pairs = tuple((n, kind) for n, kind in nouns.items() if n in known and n not in needed)
    short = tuple(t for t in texts if len(t.split()) <= LENGTH and set(t.split()) <= known)
    return TuningData(short, pairs, word_tokenizer(vocabulary))


def word_tokenizer(vocabulary: Sequence[str]) -> LanguageTokenizer:
    """Return a tokenizer of words between spaces, others are padding; a full stop is an end."""
    package = import_extra("tokenizers", "tokenizers", "text")
    ids = {word: i for i, word in enumerate(dict.fromkeys([PAD, *vocabulary]))}
    fast = package.Tokenizer(package.models.WordLevel(ids, unk_token=PAD))
    fast.pre_tokenizer = package.pre_tokenizers.WhitespaceSplit()
    return LanguageTokenizer(fast, "", None, (ids[END],))


def draw_pairs(
    nouns: Sequence[tuple[str, str]], count: int, rng: np.random.Generator
) -> list[TuningPair]:
    """Return pairs of random nouns and tasks, the instruction before the noun or after it."""
    pairs, tasks = [], list(TASKS.items())
    for _ in range(count):
        noun, kind = nouns[int(rng.integers(len(nouns)))]
        instruction, answer = tasks[int(rng.integers(len(tasks)))]
        parts = (instruction, noun) if rng.random() < 0.5 else (noun, instruction)
        prompt = InstructionPrompt(f"{parts[0]} : {parts[1]} ;", instruction, noun)
        pairs.append(TuningPair(prompt, answer(noun, kind)))
    return pairs


def shuffle_instructions(pairs: Sequence[TuningPair], rng: np.random.Generator) -> list[TuningPair]:
    """Return the pairs with an instruction drawn at random in place of each: a control."""
    drawn = []
    for pair in pairs:
        instruction = list(TASKS)[int(rng.integers(len(TASKS)))]
        text = pair.prompt.text.replace(pair.prompt.instruction, instruction)
        drawn.append(replace(pair, prompt=InstructionPrompt(text, instruction, pair.prompt.group)))
    return drawn


def shuffle_answers(pairs: Sequence[TuningPair], rng: np.random.Generator) -> list[TuningPair]:
    """Return the pairs with the answers of others: a control."""
    order = rng.permutation(len(pairs))
    return [replace(p, answer=pairs[j].answer) for p, j in zip(pairs, order, strict=True)]


def pack_pairs(pairs: Sequence[TuningPair], tokenizer: LanguageTokenizer) -> tuple[Any, Any]:
    """Return ids [n LENGTH] of prompts with their answers, and where the answers are."""
    texts = [f"{pair.prompt.text} {pair.answer}" for pair in pairs]
    ids, mask = pack_texts(texts, tokenizer)
    for row, pair in enumerate(pairs):
        mask[row, : len(tokenizer(pair.prompt.text).ids)] = False
    return ids, mask


def pack_texts(texts: Sequence[str], tokenizer: LanguageTokenizer) -> tuple[Any, Any]:
    """Return ids [n LENGTH] of texts, the rest padded, and where the texts are."""
    ids, mask = np.zeros((len(texts), LENGTH), np.int32), np.zeros((len(texts), LENGTH), bool)
    for row, encoding in enumerate(tokenizer.fast.encode_batch(list(texts))):
        size = min(len(encoding.ids), LENGTH)
        ids[row, :size], mask[row, :size] = encoding.ids[:size], True
    return ids, mask
