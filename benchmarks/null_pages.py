"""Pages of runs in memory whose groups do not differ, and how often their headline claims that.

A design is groups of runs that are drawn from one population. Every number of an image is the sum
of effects of the run, the image, group and image, and run and image, each of mean 0 over its own
population. Pages go through `analyse` and `headline`, as those of `salix report` do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis import Analysis, analyse
from salix.report.headline import Headline, headline
from salix.stats import Interval, bootstrap_pairwise_mean
from salix.store import Run
from salix.typing import Column

NUMBERS = ("relevance_mass", "spatial_entropy")
CLASSES = ("real", "forged")
ALIKE = "cannot be told apart"


@dataclass(frozen=True)
class Design:
    """Groups of runs over the same images; standard deviations of the effects.

    `of_group_image` is that of effects of group and image: the groups differ on these images, but
    not over the population of images. `by_group` multiplies the effects of runs of the first
    group. `clusters` of images share the effects of images, all of one size unless `uneven`.
    `shift` moves the numbers of the first group: 0 on a null page. `others` are further columns.
    """

    sizes: tuple[int, ...]
    images: int = 60
    of_run: float = 0.03
    of_image: float = 0.1
    of_group_image: float = 0.0
    of_run_image: float = 0.1
    by_group: float = 1.0
    clusters: int = 0
    uneven: bool = False
    skewed: bool = False
    auc: bool = True
    agreement: bool = True
    separation: float = 1.5
    shift: float = 0.0
    others: int = 0


class MemoryRun(Run):
    """Run in memory, as far as an analysis reads it."""

    def __init__(self, name: str, group: str, rows: Mapping[str, np.ndarray]):
        super().__init__(Path(name))
        object.__setattr__(self, "_memory", (name, group, rows))

    @property
    def name(self) -> str:
        """Name of the run."""
        return self._memory[0]  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def group(self) -> str:
        """Name of its group."""
        return self._memory[1]  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def rows(self) -> dict[str, np.ndarray]:  # pyright: ignore
        """All columns."""
        return self._memory[2]  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def skipped(self) -> list[dict[str, Any]]:  # pyright: ignore
        """No image is skipped."""
        return []

    @property
    def columns(self) -> dict[str, Column]:  # pyright: ignore
        """Descriptions of the columns."""
        kinds = {"id": "string", "group": "string", "label": "int32", "predicted": "int32"}
        shapes = {"logits": (2,)}
        return {
            n: Column(n, dtype=kinds.get(n, "float32"), shape=shapes.get(n, ())) for n in self.rows
        }

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.rows["id"])

    @property
    def manifest(self) -> dict[str, Any]:  # pyright: ignore
        """Manifest of a run without settings."""
        config = {"data": {"count": self.count}, "classes": list(CLASSES)}
        return {"config": config, "about": {"name": self.name, "group": self.group}}

    def read(self, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Return columns as arrays."""
        return {n: self.rows[n] for n in (self.rows if names is None else names)}

    def iterate(self, names: Sequence[str] | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yield all rows at once."""
        yield self.read(names)


def runs(design: Design, seed: int) -> list[Run]:
    """Draw the runs of one page."""
    rng, n = np.random.default_rng(seed), design.images
    cluster = _clusters(design, rng)
    labels = np.arange(n) % 2 if not design.clusters else cluster % 2
    keys = ("margin", *NUMBERS, *(f"number_{i}" for i in range(design.others)))
    values = {key: _tables(design, cluster, rng) for key in keys}
    drawn: list[Run] = []
    for g, size in enumerate(design.sizes):
        for r in range(size):
            own = {key: values[key][g][r].sum(0) for key in keys}
            own = {k: v + design.shift * (g == 0) for k, v in own.items()}
            # In units of the noise: an effect of the run moves the classes apart.
            run, rest = values["margin"][g][r]
            scale = np.hypot(design.of_image, design.of_run_image)
            apart = design.separation + (run + design.shift * (g == 0)) / scale
            margin = (labels - 0.5) * apart + rest / scale
            rows = {
                "id": np.array([f"{i:05d}.png" for i in range(n)], object),
                "label": labels,
                "predicted": (margin > 0).astype(np.int32),
                **{k: 0.5 + own[k] for k in keys[1:]},
            }
            if design.auc:
                rows["logits"] = np.stack([-margin / 2, margin / 2], 1)
            if design.clusters:
                rows["group"] = np.array([f"video {c}" for c in cluster], object)
            drawn.append(MemoryRun(f"g{g} {r}", f"g{g}", rows))
    return drawn


def page(design: Design, seed: int, **options: Any) -> tuple[Headline, Analysis]:
    """Analyse the runs of one page and write its headline."""
    agreement = _agreements(design, seed) if design.agreement else {}
    analysis = analyse(runs(design, seed), agreement=agreement, **options)
    return headline(analysis), analysis


def claims(text: str) -> bool:
    """Return whether a headline tells any two groups apart."""
    rest = text.replace("the salience inside", "")
    return any(w in rest for w in (" higher ", " lower ", " more ", " less "))


def _clusters(design: Design, rng: np.random.Generator) -> np.ndarray:
    """Cluster of each image; every image its own without clusters."""
    if not design.clusters:
        return np.arange(design.images)
    if not design.uneven:
        return np.arange(design.images) % design.clusters
    share = rng.dirichlet(np.full(design.clusters, 2.0))
    drawn = rng.choice(design.clusters, design.images - design.clusters, p=share)
    return np.concatenate([np.arange(design.clusters), drawn])


def _tables(design: Design, cluster: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Effects [run, 2, image] of each group in one number: of the run, and of the image."""

    def draw(*shape: int) -> np.ndarray:
        if not design.skewed:
            return rng.normal(size=shape)
        return rng.exponential(size=shape) - 1

    def over_images(sd: float) -> np.ndarray:
        own = draw(design.images)
        if design.clusters:
            own = np.sqrt(0.5) * (draw(int(cluster.max()) + 1)[cluster] + own)
        return sd * own

    shared, tables = over_images(design.of_image), []
    for g, size in enumerate(design.sizes):
        factor = design.by_group if g == 0 else 1.0
        own = over_images(design.of_group_image)
        run = factor * design.of_run * draw(size)[:, None] + np.zeros(design.images)
        rest = np.array([shared + own + over_images(design.of_run_image) for _ in range(size)])
        tables.append(np.stack([run, rest], 1))
    return tables


def _agreements(design: Design, seed: int) -> dict[str, Interval]:
    """Agreements of maps: each two runs are as similar as their effects and the image's allow."""
    rng, agreements = np.random.default_rng((seed, 1)), {}
    shared = design.of_image * rng.normal(size=design.images)
    for g, size in enumerate(design.sizes):
        pairs = [(i, j) for j in range(size) for i in range(j)]
        if not pairs:
            continue
        run = design.of_run * (design.by_group if g == 0 else 1.0) * rng.normal(size=size)
        own = design.of_group_image * rng.normal(size=design.images)
        table = [
            0.5
            + run[i]
            + run[j]
            + shared
            + own
            + design.of_run_image * rng.normal(size=design.images)
            for i, j in pairs
        ]
        agreements[f"g{g}"] = bootstrap_pairwise_mean(np.array(table), pairs)
    return agreements
