"""Facts of a comparison for its reader: models, data, attribution, segments, concepts, versions."""

import platform
from itertools import combinations
from typing import Any

import numpy as np

import salix
from salix.analysis.summary import plain_number
from salix.compare.comparison import Comparison
from salix.compare.difference_concepts import difference_embedding
from salix.compare.quality import completeness_errors
from salix.store import Run

SETTINGS = ("model", "cut", "attribution", "pooling", "score", "precision", "preprocess", "seed")


def comparison_header(comparison: Comparison) -> dict[str, Any]:
    """Everything that decides the numbers of a comparison, as plain values for JSON and the page.

    `models`: each with its run, settings, skipped images and completeness error; `data`: images
    used, skipped and why, labels, groups of images; `explained`: the rule for the explained class;
    `segmentation`; `regions`, `concepts`: their number, embedding and stability;
    `difference_concepts`: what weights and embeds their regions; `scale`, `level`, `seed`,
    `versions`; `notes`: what limits the comparison.
    """
    table, concepts = comparison.table, comparison.concepts
    models = [
        {"name": name, "group": run.group, "run": str(run.path), **_settings(run)}
        | {"completeness_error": plain_number(error), "images_skipped": len(run.skipped)}
        for name, run, error in zip(
            comparison.models, comparison.runs, completeness_errors(comparison.table), strict=True
        )
    ]
    reasons: dict[str, int] = {}
    for reason in (row["skipped"] for run in comparison.runs for row in run.skipped):
        reasons[reason] = reasons.get(reason, 0) + 1
    first = comparison.runs[0].manifest["config"]
    pairs = combinations(range(len(comparison.models)), 2)
    data = {k: v for k, v in first.get("data", {}).items() if isinstance(v, str | int | bool)}
    return {
        "models": models,
        "data": data
        | {
            "images_used": len(table.ids),
            "images_labelled": int((table.labels >= 0).sum()),
            "images_skipped": max(run.count for run in comparison.runs) - len(table.ids),
            "reasons_of_skipped": reasons,
            "groups_of_images": 0 if table.clusters is None else int(table.clusters.max()) + 1,
            "classes": list(table.classes),
        },
        "explained": table.explained,
        "segmentation": table.segmentation,
        "regions": {"count": len(table.image), "random_floor": int(table.floor.sum())},
        "concepts": {
            "count": concepts.count,
            "embedding": comparison.embedding.which,
            "components": int(comparison.embedding.values.shape[1]),
            "variance": plain_number(comparison.embedding.variance),
            "seed_stability": [plain_number(v) for v in concepts.seed_stability],
            "resample_stability": [plain_number(v) for v in concepts.resample_stability],
            "concept_stability": [plain_number(v) for v in concepts.concept_stability],
            "supported": bool(concepts.supported),
        },
        "difference_concepts": {
            "weight": "attribution",
            "alike_by": sorted({difference_embedding(table, i, j) for i, j in pairs}),
        },
        "scale": comparison.scale,
        "level": comparison.level,
        "seed": comparison.seed,
        "versions": {
            "salix": salix.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "notes": list(comparison.notes),
    }


def _settings(run: Run) -> dict[str, Any]:
    """Settings and versions of the sweep, of those that its manifest has."""
    config, about = run.manifest["config"], run.manifest["about"]
    settings = {k: config[k] for k in SETTINGS if k in config}
    versions = {f"{k}_version": about[k] for k in ("salix", "jax", "python") if k in about}
    return settings | versions
