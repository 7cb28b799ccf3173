"""Words as a problem of the engine: one row of measurements for each image."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np

from salix.data import Unreadable
from salix.data.notes import printable
from salix.models.recognisers import Recogniser
from salix.studies.strexp.maps import CharacterScore, ReadWord
from salix.studies.strexp.measure import LOCALISED, measure_word, ranking_names
from salix.studies.strexp.reading import ReadImages
from salix.studies.strexp.selectivity import FILLS, STEPS
from salix.typing import Column, Method, Params, PRNGKey, Values

SOURCE = "Ty and Atienza (2023), ICIP"


@dataclass(frozen=True, eq=False)
class WordProblem:
    """The measurements of one word by each method.

    `example` has shapes and types of an image, its word, its alignment, its segments and extents.
    """

    recogniser: Recogniser
    methods: Mapping[str, Method]
    example: Any = field(repr=False)
    score: CharacterScore = "substitution"
    runs: bool = True

    @property
    def columns(self) -> tuple[Column, ...]:
        """Description of the measurements."""
        rankings = f"Rankings: {'; '.join(ranking_names(self.methods, runs=self.runs))}."
        fills = f"Fills: {', '.join(FILLS)}."
        curve, area = ("ranking", "fill", "step"), ("ranking", "fill")
        steps = f"Segments removed: {', '.join(map(str, STEPS.tolist()))}."
        located = f"Methods: {', '.join(self.methods)}. Values: {', '.join(LOCALISED)}."
        meanings = {
            "accuracy_area": ("Accuracy area", f"Area under accuracy. {SOURCE}.", area),
            "confidence_area": ("Confidence area", f"Area under confidence. {SOURCE}.", area),
            "accuracy": ("Accuracy", f"1 while the word is read. {steps}", curve),
            "confidence": ("Confidence", f"The word's likelihood. {steps}", curve),
        }
        selectivity = tuple(
            Column(n, title, f"{text} {rankings} {fills}", low=0, high=1, dims=dims)
            for n, (title, text, dims) in meanings.items()
        )
        return (
            *selectivity,
            Column(
                "localisation",
                "Localisation",
                f"Of each character's map on its extent. {located}",
                dims=("method", "value", "character"),
            ),
            Column(
                "segment_means",
                "Maps",
                "Means over segments of the last method's maps, of the word and each character.",
                dims=("map", "segment"),
            ),
        )

    def row(self, params: Params, example: Any, key: PRNGKey) -> Values:
        """Return the measurements of a word; words of a batch are computed in turn.

        A word has batches of perturbed images of its own.
        """

        @jax.custom_batching.sequential_vmap
        def measure(params: Params, example: Any, key: PRNGKey) -> Values:
            *read, extents = example
            return measure_word(
                self.recogniser,
                params,
                ReadWord(*read),
                extents,
                key,
                methods=self.methods,
                kind=self.score,
                runs=self.runs,
            )

        return measure(params, example, key)

    def identity(self) -> dict[str, Any]:
        """Return the recogniser, the methods and the score of characters."""
        methods = {name: repr(method) for name, method in self.methods.items()}
        settings = {"recogniser": self.recogniser.name, "score": self.score, "runs": self.runs}
        return settings | {"methods": methods}


@dataclass(frozen=True, eq=False)
class WordExamples:
    """Images that are read, as examples of `WordProblem`, and those left out, with the reason."""

    read: ReadImages

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Arrays over the images that are read: the fields of `ReadWord`, and extents."""
        return (*jax.tree.leaves(self.read.reads), self.read.extents)

    @property
    def shapes(self) -> Any:
        """Shapes and types of an example."""
        return tuple(jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in self.arrays)

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the images, those left out at the end."""
        return self._ids

    @cached_property
    def _ids(self) -> tuple[str, ...]:  # the engine asks for them with every row
        names = (i.name for i in self.read.images)
        return tuple(map(printable, (*names, *(name for name, _ in self.read.skipped))))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Words and condition; images of one word are dependent."""
        meanings = {
            "condition": "How the word is rendered.",
            "truth": "The word that is written, empty where it is not known.",
            "prediction": "The word that is read.",
            "explained": "The word that is explained.",
            "group": "The word that is written, else the image.",
        }
        return tuple(Column(n, n.title(), text, dtype="string") for n, text in meanings.items())

    def load(self, index: int) -> tuple[Any, ...]:
        """Return the arrays of an image; raises `Unreadable` for one that is left out."""
        if index >= len(self.read.images):
            _, reason = self.read.skipped[index - len(self.read.images)]
            raise Unreadable(printable(reason))
        return tuple(np.asarray(a[index]) for a in self.arrays)

    def describe(self, index: int, example: Any | None) -> dict[str, Any]:
        """Return the words of an image."""
        if example is None:
            return {}
        image = self.read.images[index]
        return {
            "condition": image.condition,
            "truth": image.truth,
            "prediction": self.read.predictions[index],
            "explained": self.read.words[index],
            "group": image.truth or printable(image.name),
        }

    def identity(self) -> dict[str, Any]:
        """Return a digest of all arrays, and the reasons for what is left out."""
        digest = hashlib.sha256()
        for array in self.arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        reasons = [printable(reason) for _, reason in self.read.skipped]
        return {"words": digest.hexdigest()} | ({"skipped": reasons} if reasons else {})
