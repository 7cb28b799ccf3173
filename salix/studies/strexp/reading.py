"""Words to explain: what a recogniser reads on images, aligned, and the words left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

from salix.models.recognisers import Recogniser
from salix.studies.pixels import signed_pixels
from salix.studies.strexp.alignment import align, align_positions
from salix.studies.strexp.maps import ReadWord
from salix.studies.strexp.words import WordImage
from salix.typing import InputError, Params

Explained = Literal["prediction", "truth"]
BATCH = 16  # images that are read at once
_EMPTY: dict[Explained, str] = {
    "prediction": "the prediction is empty: nothing to explain",
    "truth": "the true word is not known: give it in words.csv, or explain the prediction",
}


@dataclass(frozen=True, eq=False)
class ReadImages:
    """Images with the word that is read and the one that is explained; `skipped` with a reason."""

    images: tuple[WordImage, ...]
    predictions: tuple[str, ...]
    words: tuple[str, ...]
    reads: ReadWord
    extents: Any
    skipped: tuple[tuple[str, str], ...]


def read_images(
    recogniser: Recogniser,
    params: Params,
    images: Sequence[WordImage],
    segment: Callable[[Any], Any],
    *,
    explained: Explained = "prediction",
) -> ReadImages:
    """Return images that can be explained, with the alignment of the explained word.

    Left out, with a reason: an empty prediction, a truth that is not known or that the recogniser
    cannot spell, and a word that needs more frames than there are. Raises `InputError` where
    nothing is left.
    """
    pixels = signed_pixels(np.stack([i.pixels for i in images])[..., None])
    logs = _log_probabilities(recogniser, params, pixels)
    rows, skipped = [], []
    for index, (image, log) in enumerate(zip(images, logs, strict=True)):
        prediction = recogniser.decode(log.argmax(-1).tolist())
        word = prediction if explained == "prediction" else image.truth
        try:
            if not word:
                raise InputError(_EMPTY[explained])
            classes = recogniser.encode(word)
            by_position = recogniser.decoding == "position"
            frames = align_positions(len(log), classes) if by_position else align(log, classes)
            rows.append((index, prediction, word, classes, frames))
        except InputError as error:
            skipped.append((image.name, str(error)))
    if not rows:
        raise InputError(
            f"no word of {len(images)} images can be explained; the first: {skipped[0][1]}"
        )
    indices, predictions, words, classes, frames = zip(*rows, strict=True)
    longest = max(map(len, words))
    padded = np.stack([np.pad(c, (0, longest - len(c))) for c in classes])
    flags = np.stack([np.pad(f, ((0, longest - len(f)), (0, 0))) for f in frames])
    chosen = pixels[list(indices)]
    labels = np.stack([segment(image) for image in chosen]).astype(np.int32)
    extents = np.zeros((len(rows), longest, *chosen.shape[1:3]), bool)
    for row, (index, word) in enumerate(zip(indices, words, strict=True)):
        known = images[index].extents
        # Characters have an extent where the word has as many as the truth.
        if known is not None and len(known) == len(word):
            extents[row, : len(word)] = known
    return ReadImages(
        tuple(images[i] for i in indices),
        predictions,
        words,
        ReadWord(chosen, padded, flags, labels),
        extents,
        tuple(skipped),
    )


def _log_probabilities(recogniser: Recogniser, params: Params, pixels: Any) -> np.ndarray:
    @jax.jit
    def read(params: Params, images: Any) -> Any:
        return jax.nn.log_softmax(recogniser.logits(params, images))

    missing = -len(pixels) % BATCH  # one program for every batch
    padded = np.concatenate([pixels, np.repeat(pixels[-1:], missing, 0)])
    parts = [read(params, padded[i : i + BATCH]) for i in range(0, len(padded), BATCH)]
    return np.concatenate([np.asarray(p, np.float64) for p in parts])[: len(pixels)]
