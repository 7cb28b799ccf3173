"""Header of the page: what was compared, how, and with which settings."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

import salix
from salix.compare import Comparison
from salix.store import Run


def facts(comparison: Comparison, header: Mapping[str, Any]) -> list[list[str]]:
    """Return rows of term and text; `header` is that of `comparison_header`."""
    table, concepts = comparison.table, comparison.concepts
    floor = int(table.floor.sum())
    rows = [
        ["Models", "; ".join(_model(run, name) for run, name in _each(comparison))],
        ["Images", _images(comparison)],
        ["Explained class", table.explained],
        ["Attribution", _setting(comparison, "attribution")],
        ["Completeness", _completeness(header)],
        ["Segmentation", table.segmentation],
        [
            "Regions",
            f"{len(table.image)} regions: the union of those that any model relies on, and {floor} "
            "random ones for reference",
        ],
        ["Encoder of regions", _encoder(comparison)],
        ["Concepts", _concepts(comparison)],
        [
            "Difference concepts",
            "near are regions that are alike by "
            f"{' or '.join(header['difference_concepts']['alike_by'])} and relied on, by the "
            "density of |attribution|; other settings beside them",
        ],
        ["Scale", comparison.scale],
        [
            "Intervals and tests",
            f"{100 * comparison.level:g} % intervals over "
            f"{'groups of images' if table.clusters is not None else 'images'}; q: models swapped "
            "within images, Benjamini-Hochberg over the concepts",
        ],
        ["Seed", str(comparison.seed)],
        ["Versions", _versions(comparison)],
    ]
    return [[term, text] for term, text in rows if text and concepts.count]


def _each(comparison: Comparison) -> list[tuple[Run, str]]:
    return list(zip(comparison.runs, comparison.models, strict=True))


def _model(run: Run, name: str) -> str:
    config = run.manifest["config"]
    parts = [str(config["model"])] if config.get("model") not in (None, name) else []
    if weights := config.get("weights"):
        parts.append(f"weights {str(weights)[:12]}")
    if run.group != name:
        parts.append(f"group {run.group}")
    return f"{name} ({', '.join(parts)})" if parts else name


def _images(comparison: Comparison) -> str:
    table, text = comparison.table, f"{len(comparison.table.ids)} compared"
    if table.clusters is not None:
        text += f", in {len(np.unique(table.clusters))} groups of dependent images"
    for run, name in _each(comparison):
        if run.skipped:
            reasons = Counter(str(row["skipped"]) for row in run.skipped).most_common(3)
            each = "; ".join(f"{n} x {reason}" for reason, n in reasons)
            text += f". {name} skipped {len(run.skipped)}: {each}"
    return text


def _setting(comparison: Comparison, key: str) -> str:
    values = {name: run.manifest["config"].get(key) for run, name in _each(comparison)}
    if len(set(map(str, values.values()))) == 1:
        return str(next(iter(values.values())) or "")
    return "; ".join(f"{name}: {value}" for name, value in values.items())


def _completeness(header: Mapping[str, Any]) -> str:
    errors = {m["name"]: m["completeness_error"] for m in header["models"]}
    texts = [f"{name} {100 * error:.2g} %" for name, error in errors.items() if error is not None]
    if not texts:
        return "not defined: the method has no baseline"
    return f"mean |sum − (f(x) − f(x'))| of an image's |attribution|: {', '.join(texts)}"


def _encoder(comparison: Comparison) -> str:
    embedding = comparison.embedding
    which = {
        "descriptor": "descriptor of colour, texture, shape and place, of no model",
        "features": "features of all models",
    }.get(embedding.which, f"features of {embedding.which}")
    return f"{which}; {embedding.values.shape[1]} principal components"


def _concepts(comparison: Comparison) -> str:
    concepts = comparison.concepts
    chosen = "chosen by stability" if concepts.grid else "as asked"
    text = f"{concepts.count} ({chosen}), joint k-means of the regions of all models"
    for what, (mean, least) in {
        "seeds": concepts.seed_stability,
        "halves of the images": concepts.resample_stability,
    }.items():
        if np.isfinite(mean):
            text += f"; adjusted Rand index over {what} {mean:.2f}, at least {least:.2f}"
    return text


def _versions(comparison: Comparison) -> str:
    about: list[dict[str, Any]] = [run.manifest["about"] for run in comparison.runs]
    swept = {f"salix {a.get('salix', '?')}, jax {a.get('jax', '?')}" for a in about}
    return f"this page salix {salix.__version__}; swept with {'; '.join(sorted(swept))}"
