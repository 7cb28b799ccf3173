"""States of language models that are compared, and the attributions of a prompt in each."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from salix.models.language_model import LanguageModel
from salix.models.language_tokens import EncodedText
from salix.studies.instruction.attribution import AnswerAttribution
from salix.studies.instruction.prompts import InstructionPrompt

SHORTEST = 8  # tokens of an answer at least: a few have no density


@dataclass(frozen=True, eq=False)
class LanguageState:
    """A language model, with its chat template around each prompt or without.

    Answers have at least `shortest` tokens.
    """

    name: str
    model: LanguageModel
    template: bool = False
    shortest: int = SHORTEST

    def encode(self, prompt: InstructionPrompt) -> tuple[EncodedText, int]:
        """Return the tokens of a prompt as the model reads it, and where the user's text begins."""
        tokenizer = self.model.tokenizer
        text = tokenizer.conversation(prompt.text) if self.template else prompt.text
        return tokenizer(text), text.rindex(prompt.text)

    @cached_property
    def digest(self) -> str:
        """Digest of weights, sizes, tokenizer and template."""
        model = self.model
        parts = self.name, self.template, self.shortest, model.decoder.config
        texts = repr((*parts, model.tokenizer.template))
        digest = hashlib.sha256(texts.encode() + model.tokenizer.fast.to_str().encode())
        for leaf in jax.tree.leaves(model.split[1]):
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()[:20]


@dataclass(frozen=True, kw_only=True)
class PromptTrial:
    """Parts of a measurement that decide its numbers."""

    prompt: InstructionPrompt
    states: tuple[str, str]  # digests
    attribution: AnswerAttribution
    tokens: int


def measure_prompt(
    trial: PromptTrial, states: tuple[LanguageState, LanguageState]
) -> Mapping[str, np.ndarray]:
    """Return the arrays of a prompt in two states, under "0 name", "1 name" and "2 name".

    Number 2 is the first state with the answer of the second, left out where the two have
    different tokenizers. `importance` [n m] is that of the tokens of the prompt, a token at the
    beginning left out; `text` and `instruction` are indices of its rows; `rows` and `columns` the
    texts of tokens; `chances` the probabilities of the answer's. Raises InputError for an
    instruction that is not in the prompt, and for a prompt beyond the context.
    """
    trial.prompt.span()  # an instruction that is not in the prompt is refused before any answer
    arrays: dict[str, np.ndarray] = {}
    answers = []
    for number, state in enumerate(states):
        encoded, _ = state.encode(trial.prompt)
        answer = state.model.answer(encoded.ids, tokens=trial.tokens, shortest=state.shortest)
        answers.append(answer)
        arrays |= _attribute(number, state, trial, answer)
    first, second = (state.model.tokenizer.fast for state in states)
    if first is second or first.to_str() == second.to_str():
        arrays |= _attribute(2, states[0], trial, answers[1])
    return arrays


def _attribute(
    number: int, state: LanguageState, trial: PromptTrial, answer: Int[np.ndarray, " m"]
) -> dict[str, Any]:
    start, end = trial.prompt.span()
    encoded, offset = state.encode(trial.prompt)
    importance, chances = trial.attribution(state.model, encoded.ids, answer)
    # The token at the beginning is before the first character.
    shown = np.flatnonzero(encoded.ranges[:, 1] > 0) if state.model.tokenizer.begin else ...
    rows = np.arange(len(encoded.ids))[shown]
    text = encoded.overlapping(offset, offset + len(trial.prompt.text))
    instruction = encoded.overlapping(offset + start, offset + end)
    arrays = {
        "importance": importance[rows],
        "text": np.searchsorted(rows, text),
        "instruction": np.searchsorted(rows, instruction),
        "rows": np.asarray(encoded.tokens)[rows],
        "columns": np.asarray([state.model.tokenizer.decode([int(i)]) for i in answer]),
        "chances": chances,
    }
    return {f"{number} {name}": array for name, array in arrays.items()}
