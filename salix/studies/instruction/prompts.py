"""Prompts with their instructions: 64 of the study, or those of a user's file."""

import json
from dataclasses import dataclass
from pathlib import Path

from salix.models.checkpoints.errors import existing_file, input_errors
from salix.typing import InputError


@dataclass(frozen=True)
class InstructionPrompt:
    """A prompt, the part of it that is its instruction, and the group of dependent prompts."""

    text: str
    instruction: str
    group: str

    def span(self) -> tuple[int, int]:
        """Return the characters [start, end) of the instruction.

        Raises InputError where it is empty or not a part of the prompt.
        """
        start = self.text.find(self.instruction)
        if start < 0 or not self.instruction:
            shown = (
                self.instruction if len(self.instruction) <= 60 else self.instruction[:57] + "..."
            )
            raise InputError(
                f"the instruction {shown!r} is not in its prompt: repeat its words exactly"
            )
        return start, start + len(self.instruction)


# An instruction, and four materials for it.
_MATERIALS = {
    "Translate the following word into French.": ("cheese", "winter", "window", "teacher"),
    "Give three synonyms for this word.": ("happy", "large", "quick", "brave"),
    "Explain in simple words what this is.": ("gravity", "inflation", "a vaccine", "osmosis"),
    "Write a short poem about the topic.": ("the sea", "an old tree", "first snow", "a train"),
    "List the main ingredients of this dish.": ("pizza", "pancakes", "tomato soup", "apple pie"),
    "Correct the grammar of the sentence.": (
        "She go to school every day.", "They was late yesterday.",
        "He have two brother.", "I has seen this film before.",
    ),
    "Name the capital city of the country.": ("Italy", "Japan", "Canada", "Egypt"),
    "Summarise the text in one sentence.": (
        "The ship left at dawn. A storm broke its mast, and it came back at night.",
        "Bees visit flowers for nectar. On the way they carry pollen, and plants make seeds.",
        "The shop sold bread for a century. Its last baker retired, and no one bought it.",
        "Rain fell for a week. The river rose over its banks, and the bridge was closed.",
    ),
    "Turn the statement into a question.": (
        "The train leaves at nine.", "Water boils when it is hot.",
        "Her brother lives in Spain.", "The museum is closed today.",
    ),
    "Decide whether the review is positive or negative.": (
        "The food was cold and the waiter was rude.", "I loved every minute of this film.",
        "A wonderful hotel with a kind host.", "The phone broke after two days.",
    ),
    "Write a polite email about the matter below.": (
        "asking for a day off", "moving a meeting to Friday",
        "thanking a colleague", "reporting a broken printer",
    ),
    "Suggest a title for the story.": (
        "A fox learns to share its food.", "Two sisters build a boat to find their father.",
        "A robot plants a garden on the moon.", "A boy hears music from an empty house.",
    ),
    "Continue the story with one more sentence.": (
        "The door opened by itself.", "Anna had never flown before.",
        "At midnight the lights went out.", "The dog looked at the empty bowl.",
    ),
    "Give two arguments for this opinion.": (
        "Cities need more trees.", "Children should learn to cook.",
        "Shops should close on Sundays.", "Everyone should learn an instrument.",
    ),
    "Write a Python function for the task.": (
        "add two numbers", "reverse a string", "find the largest of a list", "count the vowels",
    ),
    "Compute the result and show each step.": ("12 + 30 - 5", "7 * 8", "100 / 4", "3 * (4 + 5)"),
}  # fmt: skip


def study_prompts() -> tuple[InstructionPrompt, ...]:
    """Return the 64 prompts of the study, in turn of every instruction.

    The instruction comes first for two of its materials, and last for the others.
    """
    prompts = []
    for i in range(4):
        for instruction, materials in _MATERIALS.items():
            parts = (instruction, materials[i]) if i % 2 == 0 else (materials[i], instruction)
            prompts.append(InstructionPrompt("\n".join(parts), instruction, instruction))
    return tuple(prompts)


def read_prompts(path: Path) -> tuple[InstructionPrompt, ...]:
    """Return the prompts of a JSON file: a list of objects with `prompt` and `instruction`.

    `group` names prompts that depend on each other, by default those of one instruction. Raises
    InputError, naming the file, for another content.
    """
    with input_errors(existing_file(path), "a list of prompts", OSError, ValueError):
        entries = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list) or not entries:
            raise InputError('is no list of objects such as {"prompt": ..., "instruction": ...}')
        prompts = []
        for i, entry in enumerate(entries):
            texts = [entry.get(k) if isinstance(entry, dict) else None for k in _KEYS]
            if not all(isinstance(text, str) for text in texts):
                raise InputError(f"entry {i} lacks one of the texts {' and '.join(_KEYS)}")
            text, instruction = map(str, texts)
            group = str(entry.get("group", instruction))
            prompts.append(InstructionPrompt(text, instruction, group))
    return tuple(prompts)


_KEYS = ("prompt", "instruction")
