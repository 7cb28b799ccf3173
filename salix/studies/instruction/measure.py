"""Densities of instructions over prompts in two states, with resumable measurements."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.studies.instruction.attribution import AnswerAttribution
from salix.studies.instruction.densities import (
    THRESHOLD,
    instruction_density,
    sparsify,
    word_density,
)
from salix.studies.instruction.prompts import InstructionPrompt
from salix.studies.instruction.states import LanguageState, PromptTrial, measure_prompt
from salix.studies.trial_files import read_arrays, trial_digest, write_arrays
from salix.typing import InputError

VERSION = 1  # of measurements: raised where their numbers change
THRESHOLDS = (0, 3, 5, THRESHOLD, 9)
SCOPES = ("text", "prompt")  # tokens that levels are relative to: the user's, or all


@dataclass(frozen=True, eq=False)
class PromptRows:
    """Measured prompts in two states: their arrays, and those left out with the reason."""

    states: tuple[str, str]
    prompts: tuple[InstructionPrompt, ...]
    arrays: tuple[Mapping[str, np.ndarray], ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the states, and of the first with the answer of the second."""
        first, second = self.states
        has_third = bool(self.arrays) and "2 importance" in self.arrays[0]
        return (first, second, f"{first}, answer of {second}")[: 3 if has_third else 2]

    @property
    def groups(self) -> tuple[str, ...]:
        """Group of dependent prompts of each prompt."""
        return tuple(prompt.group for prompt in self.prompts)


def measure_prompts(
    out: Path,
    prompts: Sequence[InstructionPrompt],
    states: tuple[LanguageState, LanguageState],
    *,
    attribution: AnswerAttribution,
    tokens: int,
    log: Callable[[str], None],
) -> PromptRows:
    """Return the measurements of prompts in two states, those in `out` not made again.

    A prompt that cannot be measured is left out with the reason.
    """
    names = states[0].name, states[1].name
    digests = states[0].digest, states[1].digest
    measured, skipped, start, fresh = [], [], time.monotonic(), 0
    for i, prompt in enumerate(prompts):
        trial = PromptTrial(prompt=prompt, states=digests, attribution=attribution, tokens=tokens)
        path = out / "prompts" / f"{trial_digest(VERSION, trial)}.npz"
        arrays = read_arrays(path)
        if arrays is None:
            try:
                arrays = measure_prompt(trial, states)
            except InputError as error:
                skipped.append((prompt.text, str(error)))
                continue
            write_arrays(path, arrays)
            fresh += 1
            pace = (time.monotonic() - start) / fresh
            left = pace * (len(prompts) - i - 1)
            log(f"{names[0]} and {names[1]}: prompt {i + 1} of {len(prompts)}, {left:.0f} s left")
        measured.append((prompt, arrays))
    if not measured:
        reason = skipped[0][1] if skipped else "there is none"
        raise InputError(f"no prompt could be measured: {reason}")
    shown, arrays = zip(*measured, strict=True)
    return PromptRows(names, shown, arrays, tuple(skipped))


def condition_densities(
    rows: PromptRows, number: int, *, threshold: int = THRESHOLD, scope: str = "text"
) -> np.ndarray:
    """Return the density of each prompt's instruction in a condition.

    Levels are relative to the greatest importance among the tokens of the user's text, or among
    all tokens of the prompt for the scope "prompt".
    """
    return np.asarray([_density(arrays, number, threshold, scope) for arrays in rows.arrays])


def _density(arrays: Mapping[str, Any], number: int, threshold: int, scope: str) -> float:
    importance = arrays[f"{number} importance"]
    text, instruction = arrays[f"{number} text"], arrays[f"{number} instruction"]
    if scope == "text":
        importance, instruction = importance[text], np.searchsorted(text, instruction)
    density = word_density(sparsify(importance, threshold=threshold))
    return instruction_density(density, instruction)
