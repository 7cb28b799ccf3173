"""Tokenizers of language models: texts, ids, character ranges, and the chat template."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from salix.models.checkpoints.errors import existing_file, input_errors
from salix.optional import import_extra
from salix.typing import InputError

__all__ = ["EncodedText", "LanguageTokenizer"]

PRE_TOKENIZERS = ("default", "gpt-2", "smollm")  # of GGUF files: bytes, with single digits or not
_SPECIAL = (3, 4)  # types of tokens: control, and defined by the user


@dataclass(frozen=True, eq=False)
class EncodedText:
    """Tokens of a text: ids, texts, and the characters [start, end) of each."""

    text: str
    ids: Int[np.ndarray, " n"]
    tokens: tuple[str, ...]
    ranges: Int[np.ndarray, "n 2"]

    def overlapping(self, start: int, end: int) -> Int[np.ndarray, " k"]:
        """Return the indices of the tokens with a character in [start, end)."""
        return np.flatnonzero((self.ranges[:, 0] < end) & (self.ranges[:, 1] > start))


@dataclass(frozen=True, eq=False)
class LanguageTokenizer:
    """Tokenizer of a language model.

    `template` is the Jinja template of a conversation, "" without one; `begin` the token that is
    put before each text, None where the model has none; `ends` are those that end an answer.
    """

    fast: Any
    template: str
    begin: str | None
    ends: tuple[int, ...]

    def __call__(self, text: str) -> EncodedText:
        """Return the tokens of a text, special ones where they are written in it.

        Raises InputError for an empty text.
        """
        if not text:
            raise InputError("the prompt is empty: give a text")
        lead = self.begin or ""
        encoding = self.fast.encode(lead + text, add_special_tokens=False)
        ranges = np.asarray(encoding.offsets).reshape(-1, 2) - len(lead)
        tokens = tuple(self.fast.decode([i], skip_special_tokens=False) for i in encoding.ids)
        return EncodedText(text, np.asarray(encoding.ids), tokens, ranges)

    def decode(self, ids: Sequence[int] | Int[np.ndarray, " n"]) -> str:
        """Return the text of ids."""
        return self.fast.decode([int(i) for i in ids], skip_special_tokens=False)

    def conversation(self, text: str) -> str:
        """Return a user's text in the chat template, up to where the answer begins.

        Raises InputError for a tokenizer without a template, and for a template that fails.
        """
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        if not self.template:
            raise InputError("the model has no chat template: compare it without one")
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        messages = [{"role": "user", "content": text}]
        # The token at the beginning is added to every text: a template must not repeat it.
        values = {"messages": messages, "add_generation_prompt": True, "bos_token": ""}
        try:
            return environment.from_string(self.template).render(eos_token="", **values)
        except TemplateError as error:
            raise InputError(f"the chat template of the model fails: {error}") from None

    @staticmethod
    def of_gguf(path: Path, metadata: Mapping[str, Any]) -> "LanguageTokenizer":
        """Return the tokenizer in the metadata of a GGUF file.

        Raises InputError for one that is not of byte pairs, and where a token at the beginning is
        asked for but not named.
        """
        with input_errors(path, "a GGUF file with a tokenizer", KeyError, TypeError, Exception):
            return _of_metadata(metadata)

    @staticmethod
    def of_folder(folder: Path) -> "LanguageTokenizer":
        """Return the tokenizer of tokenizer.json and tokenizer_config.json in a folder."""
        package = import_extra("tokenizers", "tokenizers", "text")
        path = existing_file(folder / "tokenizer.json")
        settings_path = existing_file(folder / "tokenizer_config.json")
        with input_errors(path, "a tokenizer", Exception):
            fast = package.Tokenizer.from_file(str(path))
        fast.no_truncation()
        fast.no_padding()
        with input_errors(settings_path, "settings of a tokenizer", Exception):
            settings = json.loads(settings_path.read_bytes())
            names = {n: _token_text(settings.get(f"{n}_token")) for n in ("bos", "eos")}
            begin = names["bos"] if settings.get("add_bos_token") else None
            if settings.get("add_bos_token") and begin is None:
                raise InputError(_NO_BEGIN)
            ends = [i for i in [fast.token_to_id(names["eos"] or "")] if i is not None]
            template = settings.get("chat_template") or ""
        if not isinstance(template, str):
            raise InputError(f"{settings_path}: has several chat templates: leave one")
        return LanguageTokenizer(fast, template, begin, tuple(ends))


_NO_BEGIN = "asks for a token at the beginning of a text (BOS) and names none"


def _token_text(token: Any) -> str | None:
    return token["content"] if isinstance(token, dict) else token


def _of_metadata(metadata: Mapping[str, Any]) -> LanguageTokenizer:
    package = import_extra("tokenizers", "tokenizers", "text")
    values = {k.removeprefix("tokenizer.ggml."): v for k, v in metadata.items()}
    kind, pre = values.get("model"), values.get("pre", "default")
    if kind != "gpt2" or pre not in PRE_TOKENIZERS:
        raise InputError(
            f"has a tokenizer {kind!r} with pre-tokenizer {pre!r}: 'gpt2' with one of "
            f"{', '.join(PRE_TOKENIZERS)} is read; give a folder with tokenizer.json"
        )
    tokens = values["tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in values["merges"]]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    fast = package.Tokenizer(package.models.BPE(vocab=vocabulary, merges=merges))
    split = package.pre_tokenizers
    steps = [split.ByteLevel(add_prefix_space=False)]
    steps = [split.Digits(individual_digits=True), *steps] if pre == "smollm" else steps
    fast.pre_tokenizer = split.Sequence(steps)
    fast.decoder = package.decoders.ByteLevel()
    kinds = values.get("token_type", [1] * len(tokens))
    special = [t for t, kind in zip(tokens, kinds, strict=True) if kind in _SPECIAL]
    fast.add_special_tokens([package.AddedToken(t, normalized=False) for t in special])
    begin = None
    if values.get("add_bos_token"):
        if "bos_token_id" not in values:
            raise InputError(_NO_BEGIN)
        begin = tokens[values["bos_token_id"]]
    ends = [values["eos_token_id"]] if "eos_token_id" in values else []
    template = metadata.get("tokenizer.chat_template", "")
    return LanguageTokenizer(fast, template, begin, tuple(ends))
