"""Images chosen by rules: most wrong, most uncertain, and where detectors or maps differ."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from salix.analysis.analysis import Analysis
from salix.analysis.frame import shared_clusters, shared_examples
from salix.analysis.run_metrics import AUC

COUNT = 4  # images of a rule


@dataclass(frozen=True)
class ChosenExamples:
    """Ids chosen by one rule out of `images`, the most extreme first, with the ranked values."""

    key: str
    title: str
    rule: str
    ids: tuple[str, ...]
    values: tuple[str, ...]
    images: int
    clustered: bool


@dataclass(frozen=True, eq=False)
class _Ranking:
    """Values of images for one rule: the smallest are chosen, NaN are left out."""

    key: str
    title: str
    rule: str
    template: str
    values: np.ndarray
    ids: tuple[str, ...]
    clusters: np.ndarray | None
    sign: float = 1.0


def chosen_examples(analysis: Analysis, *, count: int = COUNT) -> tuple[ChosenExamples, ...]:
    """Choose up to `count` images by each rule, at most one of each group of images.

    The rules rank all images that every run of two logits measured: by the mean probability of the
    labelled class, where it is below 0.5; by the mean distance of the probability of class 1 from
    0.5; by its range over runs; and all images with maps by the mean similarity of the maps of two
    runs. Ties stay in the order of the data. A rule without an image is left out.
    """
    chosen = []
    for ranking in (*_by_scores(analysis), *_by_maps(analysis)):
        places = _first(ranking, count)
        if len(places):
            chosen.append(
                ChosenExamples(
                    ranking.key,
                    ranking.title,
                    ranking.rule,
                    tuple(ranking.ids[i] for i in places),
                    tuple(
                        ranking.template.format(ranking.sign * ranking.values[i]) for i in places
                    ),
                    int(np.isfinite(ranking.values).sum()),
                    ranking.clusters is not None,
                )
            )
    return tuple(chosen)


def _first(ranking: _Ranking, count: int) -> list[int]:
    """Return the places of the smallest values, one of each cluster."""
    places, clusters = [], set()
    for i in np.argsort(ranking.values, kind="stable").tolist():
        if len(places) == count or np.isnan(ranking.values[i]):
            break
        cluster = i if ranking.clusters is None else int(ranking.clusters[i])
        if cluster not in clusters:
            clusters.add(cluster)
            places.append(i)
    return places


def _by_scores(analysis: Analysis) -> Iterator[_Ranking]:
    """Yield the rankings by probabilities, of the runs of two logits."""
    frames = [f for f in analysis.frames if AUC.applies(f)]
    if not frames:
        return
    ids, places = shared_examples(frames)
    clusters, several = shared_clusters(frames, places), len(frames) > 1
    p = np.array([special.expit(f.margins[i]) for f, i in zip(frames, places, strict=True)])
    labels = np.array([f.labels[i] for f, i in zip(frames, places, strict=True)])
    known = (labels == labels[0]).all(0) & (labels[0] >= 0)
    right = np.where(known, np.where(labels[0] == 1, p, 1 - p).mean(0), np.nan)
    one = frames[0].class_name(1)
    mean = "mean over the runs of the " if several else ""
    yield _Ranking(
        "wrong",
        "Most wrong",
        f"the lowest {mean}probability of the labelled class, below 0.5",
        "P of its class {:.3f}",
        np.where(right < 0.5, right, np.nan),
        tuple(ids),
        clusters,
    )
    yield _Ranking(
        "uncertain",
        "Most uncertain",
        f"the smallest {mean}distance of P({one}) from 0.5",
        "distance {:.3f}",
        np.abs(p - 0.5).mean(0),
        tuple(ids),
        clusters,
    )
    if several:
        yield _Ranking(
            "disagree",
            "Detectors disagree",
            f"the greatest difference of P({one}) between two runs",
            "difference {:.3f}",
            p.min(0) - p.max(0),
            tuple(ids),
            clusters,
            -1.0,
        )


def _by_maps(analysis: Analysis) -> Iterator[_Ranking]:
    """Yield the ranking by the similarity of maps, where there are runs to compare."""
    similarity = analysis.similarity
    if similarity is None:
        return
    yield _Ranking(
        "maps",
        "Maps differ most",
        "the lowest mean SSIM of the maps of two runs",
        "mean SSIM {:.3f}",
        similarity.between,
        similarity.ids,
        similarity.clusters,
    )
