"""Comparison of models by the concepts that their attributions lie on."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from salix.compare.causal import CausalCheck, causal_checks, concept_drops
from salix.compare.concepts import Concepts
from salix.compare.difference_concepts import DifferenceConcepts, table_difference_concepts
from salix.compare.differences import ConceptDifference, concept_differences, rank_concepts
from salix.compare.embedding import RegionEmbedding
from salix.compare.examples import example_regions
from salix.compare.groups import compare_concepts_of_groups
from salix.compare.null_panel import NullPanel, SeedPair, null_panel
from salix.compare.odd import OddConcept, odd_concepts
from salix.compare.quality import ModelQuality, model_quality
from salix.compare.ranking import RankingStability, ranking_stability
from salix.compare.region_map import region_map
from salix.compare.region_table import RegionTable
from salix.compare.slices import ImageSlice, metadata_slices, quadrant_masks
from salix.stats import GroupComparison
from salix.store import Run
from salix.typing import InputError

T = TypeVar("T")
ImageSubset = np.ndarray | None  # a mask [images]; None for all


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two or more models compared concept by concept over the same images: see `compare`.

    - `runs`: the run of each model, in the order of `models`;
    - `table`: the regions, their masks and shares, the images and what the models predict;
    - `embedding`: the coordinates in which similar regions are near each other;
    - `concepts`: the concept of each region and how stable the concepts are. Concept k is called
      "concept k + 1" in text;
    - `shares` `[models images concepts]`: the part of an image's attribution in the pixels
      that its regions of a concept own, in the unit of `scale`; NaN where the image has none;
    - `scale`: "share" (of |attribution|, in [0, 1]), "signed", "completeness" or "rank";
    - `level`: of all intervals; a difference is significant where its q is at most 1 - level;
    - `seed`: of the concepts, the resamples and the swaps.

    Numbers of two models take their names, `a` and `b`, and are those of a less those of b; they
    are computed when first needed and then kept. `images` is a mask over `table.ids`.
    """

    runs: tuple[Run, ...]
    table: RegionTable
    embedding: RegionEmbedding
    concepts: Concepts
    shares: np.ndarray
    scale: str = "share"
    level: float = 0.95
    seed: int = 0

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of `shares`."""
        return self.table.models

    @property
    def groups(self) -> tuple[str, ...]:
        """Group of each model: runs that differ by their training seed only share one."""
        return tuple(run.group for run in self.runs)

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All pairs of models, a before b; pairs of two groups before reseeded runs of one."""
        group = dict(zip(self.models, self.groups, strict=True))
        each = combinations(self.models, 2)
        return tuple(sorted(each, key=lambda pair: group[pair[0]] == group[pair[1]]))

    def index(self, model: str) -> int:
        """Place of a model in `models`. Raises `InputError` for another name."""
        if model not in self.models:
            raise InputError(f"{model} is no model here: choose from {', '.join(self.models)}")
        return self.models.index(model)

    def concept_name(self, concept: int) -> str:
        """Name of a concept in sentences and tables, counted from 1."""
        return f"concept {concept + 1}"

    def differences(
        self, a: str, b: str, *, images: ImageSubset = None
    ) -> tuple[ConceptDifference, ...]:
        """Difference of models a and b in each concept, in the order of the concepts.

        `images` selects a quadrant, a slice or any others: all numbers are then of these alone.
        """
        return self._pair(
            *("differences", a, b, images),
            lambda i, j: concept_differences(
                self.shares[i], self.shares[j], images=images, level=self.level, **self._sampling
            ),
        )

    def ranking(self, a: str, b: str, *, images: ImageSubset = None) -> tuple[int, ...]:
        """Concepts by falling |difference|; those in fewer than 10 images after the others."""
        rows = self.differences(a, b, images=images)
        values = np.array([d.difference.value for d in rows])
        order = rank_concepts(values, np.array([d.images for d in rows]))
        return tuple(int(k) for k in order)

    def quadrant_masks(self, a: str, b: str) -> Mapping[str, np.ndarray]:
        """Masks `[images]`: both right, only A (model a), only B, neither; none without labels."""
        correct = self.table.correct
        masks = quadrant_masks(self.table.labels, correct[self.index(a)], correct[self.index(b)])
        return MappingProxyType(masks)

    @cached_property
    def slices(self) -> tuple[ImageSlice, ...]:
        """Slices of the images by the values of each metadata column."""
        return metadata_slices(self.table.metadata)[0]

    def null(self, a: str, b: str) -> NullPanel:
        """Noise floor: models swapped within images, and reseeded runs of the group of a or b."""
        group = dict(zip(self.models, self.groups, strict=True))

        def compute(i: int, j: int) -> NullPanel:
            seeds = tuple(
                SeedPair(x, y, self.differences(x, y))
                for x, y in combinations(self.models, 2)
                if group[x] == group[y] and group[x] in (group[a], group[b])
            )
            rows, values = self.differences(a, b), self._values(i, j)
            return null_panel(rows, values, seeds=seeds, **self._sampling)

        return self._pair("null", a, b, None, compute)

    def causal(self, a: str, b: str, *, images: ImageSubset = None) -> tuple[CausalCheck, ...]:
        """Whether masking a concept changes the score of the model with the larger share more."""
        rows, drops = self.differences(a, b, images=images), self.drops
        return self._pair(
            *("causal", a, b, images),
            lambda i, j: causal_checks(
                rows, drops[i], drops[j], images=images, level=self.level, **self._sampling
            ),
        )

    @cached_property
    def drops(self) -> np.ndarray:
        """Change `[models images concepts]` of the score by masking: see `concept_drops`.

        Of the scales that are not signed, a rise of the score counts as a drop where the model's
        attribution in the region is negative: it has said that the score would rise.
        """
        table, count = self.table, self.concepts.count
        sign = 1.0 if self.scale in ("signed", "completeness") else np.sign(table.mass)
        labels = self.concepts.labels
        return concept_drops(table.drop * sign, table.image, labels, len(table.ids), count)

    @cached_property
    def quality(self) -> tuple[ModelQuality, ...]:
        """Fidelity of the attributions of each model, in the order of `models`."""
        options = {"clusters": self.table.clusters, "level": self.level}
        return tuple(
            model_quality(model, run, self.table.ids, **options)
            for model, run in zip(self.models, self.runs, strict=True)
        )

    def stability(self, a: str, b: str) -> RankingStability:
        """Overlap of the first 5 concepts of the ranking over resampled images."""
        rows = self.differences(a, b)
        return self._pair(
            *("stability", a, b, None),
            lambda i, j: ranking_stability(rows, self._values(i, j), **self._sampling),
        )

    def odd(self, a: str, b: str) -> tuple[OddConcept, ...]:
        """Small, tight concepts that one of two models relies on: artefacts to look at."""
        values, shares = self.embedding.values, self.shares
        return self._pair(
            *("odd", a, b, None),
            lambda i, j: odd_concepts(values, self.concepts, shares[i], shares[j]),
        )

    def difference_concepts(
        self, a: str, b: str, *, weight: str | None = "attribution"
    ) -> DifferenceConcepts:
        """Regions that are near each other in one model only (RDX).

        `weight="attribution"`: near are regions that the model represents alike and relies on, by
        the density of its |attribution| within it; where a model has no features, both have the
        neutral descriptor's, and only reliance differs. `weight=None`: by features alone.
        """
        return self._pair(
            *(f"difference concepts {weight}", a, b, None),
            lambda i, j: table_difference_concepts(self.table, i, j, weight=weight, seed=self.seed),
        )

    @cached_property
    def positions(self) -> np.ndarray:
        """Two-dimensional map `[regions 2]` of the regions; NaN for those that are not drawn."""
        return region_map(self.embedding.values, seed=self.seed)

    @cached_property
    def examples(self) -> tuple[np.ndarray, ...]:
        """Indices of up to 9 diverse regions of each concept, at most one of an image."""
        return example_regions(self.embedding.values, self.table.image, self.concepts)

    @cached_property
    def group_comparisons(self) -> tuple[GroupComparison, ...]:
        """Each two groups of runs in each concept, over runs and images; none for single runs.

        The claims about ways of training: see `compare_concepts_of_groups`.
        """
        options = {"level": self.level, **self._sampling}
        return compare_concepts_of_groups(self.shares, self.groups, **options)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what limits the comparison, for the page and the terminal."""
        from salix.compare.limits import comparison_notes

        return comparison_notes(self)

    @property
    def _sampling(self) -> dict[str, Any]:
        return {"clusters": self.table.clusters, "seed": self.seed}

    def _values(self, i: int, j: int) -> np.ndarray:
        """Differences `[images concepts]` of two models."""
        return np.asarray(self.shares[i], np.float64) - np.asarray(self.shares[j], np.float64)

    @cached_property
    def _results(self) -> dict[Hashable, Any]:
        return {}

    def _pair(
        self, name: str, a: str, b: str, images: ImageSubset, compute: Callable[[int, int], T]
    ) -> T:
        """Result of `compute` for the places of two models, kept by name, models and images."""
        key = (name, a, b, None if images is None else np.asarray(images).tobytes())
        if key not in self._results:
            self._results[key] = compute(self.index(a), self.index(b))
        return self._results[key]
