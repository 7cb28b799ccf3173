"""Text recognisers by name: alphabet, network, published weights and reading by CTC."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from salix.models import compact_crnn, crnn
from salix.models.checkpoints.formats import read
from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import WeightTable, convert
from salix.typing import AnyArray, InputError, Params

Decoding = Literal["ctc", "position"]
HEIGHT, WIDTH = 32, 128  # of the images that recognisers read
BLANK = 0


@dataclass(frozen=True)
class RecogniserArchitecture:
    """A published recogniser: its characters in order, its network and the names of its weights."""

    alphabet: str
    network: Callable[[int, nnx.Rngs], Any]
    table: WeightTable = field(repr=False)
    asset: str


_LETTERS, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
_ACCENTS = "áàâãçéêíóôõúü"
_MARKS = " .,;:!?'\"()[]{}%$#@&*+-=/\\_<>|°ºª"
RECOGNISERS: Mapping[str, RecogniserArchitecture] = MappingProxyType(
    {
        "nano-ocr": RecogniserArchitecture(
            _DIGITS + _LETTERS + _LETTERS.upper() + ".- ", crnn.CRNN, crnn.TORCH, "nano-ocr"
        ),
        "legere": RecogniserArchitecture(
            _LETTERS + _LETTERS.upper() + _DIGITS + _ACCENTS + _ACCENTS.upper() + _MARKS,
            compact_crnn.CompactCRNN,
            compact_crnn.TORCH,
            "legere",
        ),
    }
)


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A recogniser of words: class i is the i-th character of the alphabet.

    `features(params, images)` and `classify(params, features)` are the two parts of the network;
    images are [b 32 w 1] in [-1, 1], logits [b frames classes]. With the `decoding` "ctc" class 0
    is the blank between the characters of frames; with "position" frame i has character i of the
    word, and class 0 ends it.
    """

    name: str
    alphabet: str
    features: Callable[[Params, Any], Any]
    classify: Callable[[Params, Any], Any]
    decoding: Decoding = "ctc"

    def logits(
        self, params: Params, images: Float[AnyArray, "b h w 1"]
    ) -> Float[Array, "b t classes"]:
        """Return the logits of each frame of images."""
        return self.classify(params, self.features(params, images))

    def encode(self, word: str) -> Int[np.ndarray, " n"]:
        """Return the classes of a word's characters.

        Raises `InputError` for an empty word, and for characters that the alphabet lacks.
        """
        missing = [c for c in dict.fromkeys(word) if c not in self.alphabet]
        if missing:
            raise InputError(
                f"{word!r} has {', '.join(map(repr, missing))}, which {self.name} cannot read: its "
                f"characters are {self.alphabet!r}"
            )
        if not word:
            raise InputError("an empty word has no characters to explain: give a word")
        return np.array([self.alphabet.index(c) + 1 for c in word], np.int32)

    def decode(self, classes: Sequence[int]) -> str:
        """Return the word of the classes of frames: up to the end, or without repeats and blanks.

        Graves et al. (2006), doi:10.1145/1143844.1143891, sec. 3.2, best path decoding.
        """
        if self.decoding == "position":
            ended = [*classes, BLANK].index(BLANK)
            return "".join(self.alphabet[c - 1] for c in classes[:ended])
        previous = [BLANK, *classes][:-1]
        pairs = zip(classes, previous, strict=True)
        return "".join(self.alphabet[c - 1] for c, p in pairs if c not in (BLANK, p))


def load_recogniser(
    name: str, weights: str | Path | None = None, *, seed: int = 0
) -> tuple[Recogniser, Params]:
    """Return a recogniser by name and its parameters, read from a file or initialised with `seed`.

    `weights` is the file of `salix.data.assets.fetch(name)`. Raises `InputError` for an unknown
    name, and for a file that does not fit.
    """
    if name not in RECOGNISERS:
        raise InputError(f"no recogniser {name!r}: choose one of {', '.join(RECOGNISERS)}")
    architecture = RECOGNISERS[name]
    classes = len(architecture.alphabet) + 1

    def build(rngs: nnx.Rngs) -> Any:
        return architecture.network(classes, rngs)

    if weights is None:
        module = build(nnx.Rngs(seed))
        module.eval()
    else:
        module = filled(build, convert(architecture.table, read(weights)), weights, name)
    return recogniser_of(name, architecture.alphabet, module)


def recogniser_of(
    name: str, alphabet: str, module: Any, *, decoding: Decoding = "ctc"
) -> tuple[Recogniser, Params]:
    """Return the recogniser of a module with `features` and `classify`, and its parameters."""
    graph, params = nnx.split(module)

    def features(params: Params, images: Any) -> Array:
        return nnx.merge(graph, params).features(jnp.asarray(images))

    def classify(params: Params, features: Any) -> Array:
        return nnx.merge(graph, params).classify(features)

    return Recogniser(name, alphabet, features, classify, decoding), params


def read_words(
    recogniser: Recogniser, params: Params, images: Float[AnyArray, "b h w 1"]
) -> tuple[str, ...]:
    """Return the words of images, by the class of the greatest logit of each frame."""
    best = jax.jit(lambda p, x: recogniser.logits(p, x).argmax(-1))(params, images)
    return tuple(recogniser.decode(row.tolist()) for row in np.asarray(best))
