"""Sentences as tokens: ids in a vocabulary, texts of the tokens, and their words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from salix.models.checkpoints.errors import existing_file, input_errors
from salix.optional import import_extra
from salix.typing import InputError

__all__ = ["TokenisedText", "Tokenizer", "load_tokenizer"]

_PADDING, _MASK, _UNKNOWN = ("[PAD]", "<pad>"), ("[MASK]", "<mask>"), ("[UNK]", "<unk>")


@dataclass(frozen=True, eq=False)
class TokenisedText:
    """Tokens of a sentence, the special ones at both ends among them.

    `words` has the number of the word that a token is part of, -1 for special tokens; `spans` are
    the first character of a token in the text and the one after its last.
    """

    text: str
    ids: Int[np.ndarray, " n"]
    tokens: tuple[str, ...]
    words: Int[np.ndarray, " n"]
    special: Bool[np.ndarray, " n"]
    spans: Int[np.ndarray, "n 2"]

    @property
    def word_spans(self) -> Int[np.ndarray, "w 2"]:
        """First character of each word in the text, and the one after its last."""
        count = int(self.words.max(initial=-1)) + 1
        tokens = [self.spans[self.words == i] for i in range(count)]
        return np.asarray([(t[:, 0].min(), t[:, 1].max()) for t in tokens]).reshape(-1, 2)

    @property
    def word_texts(self) -> tuple[str, ...]:
        """Words as they stand in the text, [UNK] after those that the vocabulary lacks."""
        unknown = {int(w) for w, t in zip(self.words, self.tokens, strict=True) if t in _UNKNOWN}
        texts = [self.text[first:last].strip() for first, last in self.word_spans]
        return tuple(t + " [UNK]" * (i in unknown) for i, t in enumerate(texts))


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """Tokenizer of a text encoder; `limit` is the number of tokens that the encoder can read.

    `pad` and `mask` are the ids of the padding and of the masked token.
    """

    fast: Any
    pad: int
    limit: int
    mask: int = 0

    def __call__(self, text: str) -> TokenisedText:
        """Return the tokens of a sentence.

        Raises InputError for an empty text, for one of more tokens than the encoder can read, and
        for one with halves of characters, as a command line has them of other encodings.
        """
        shown = text if len(text) <= 40 else f"{text[:37]}..."
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"the text {shown!r} has {text[error.start]!r}, which is no character: give UTF-8"
            ) from None
        encoding = self.fast.encode(text)
        special, count = np.asarray(encoding.special_tokens_mask, bool), len(encoding.ids)
        if special.all():
            raise InputError(f"the text {shown!r} has no words: give a sentence")
        if count > self.limit:
            raise InputError(
                f"the text {shown!r} has {count} tokens, the encoder reads {self.limit}: shorten "
                "it, or split it into sentences"
            )
        words = np.asarray([-1 if w is None else w for w in encoding.word_ids])
        words[special] = -1
        # Numbers of words without gaps: some tokenizers count spaces as words.
        words[~special] = np.unique(words[~special], return_inverse=True)[1]
        ids, spans = np.asarray(encoding.ids), np.asarray(encoding.offsets)
        return TokenisedText(text, ids, tuple(encoding.tokens), words, special, spans)


def load_tokenizer(folder: str | Path, limit: int) -> Tokenizer:
    """Return the tokenizer in a folder of Hugging Face, the file tokenizer.json.

    Needs the package tokenizers: Raises InputError, naming the extra `text`, where it is missing,
    and for a folder without a tokenizer.
    """
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise InputError(
            f"{folder} has no tokenizer.json: give a folder with config.json, model.safetensors "
            "and tokenizer.json"
        )
    package = import_extra("tokenizers", "tokenizers", "text")
    with input_errors(existing_file(path), "a tokenizer", Exception):
        fast = package.Tokenizer.from_file(str(path))
    fast.no_truncation()  # a sentence is refused rather than cut
    fast.no_padding()
    pads, masks = (
        [i for i in map(fast.token_to_id, names) if i is not None] for names in (_PADDING, _MASK)
    )
    if not pads:
        raise InputError(f"{path}: has no padding token, {' or '.join(_PADDING)}")
    return Tokenizer(fast, pads[0], limit, (masks or pads)[0])
