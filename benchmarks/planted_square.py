"""Planted square: do comparisons by concepts find a shortcut that only one network learnt?

    python benchmarks planted_square

Trains networks A and B on the images of `planted_images`, sweeps each by region over test images
that all have the square, compares A and B over 50 to 400 of them, and writes for the concepts of
k-means and for difference concepts: the rank of the square's concept by |difference of shares|
(expected 1, with A above B), recall and precision of the planted masks, and the width of the
difference's interval; the overlap of the concept that ranks first; and the rank by contribution,
difference times prevalence. Also by how much the logit falls without the square, and the share of
the squares' area in any region.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe_machine
from planted_images import MARKED, PlantedImages, planted_images, train_networks

from salix.compare import Comparison, compare, concept_shares
from salix.compare.differences import concept_differences, rank_concepts
from salix.engine import sweep
from salix.measures import Regions
from salix.scores import logit
from salix.store import Run
from salix.studies.planted import planted_overlap

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="networks of A and of B")
    parser.add_argument("--images", type=int, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--embedding", nargs="+", default=["descriptor", "features"])
    parser.add_argument("--out", type=Path, help="folder of the runs, kept; else a temporary one")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "planted-square.json")
    options = parser.parse_args()
    images = planted_images(max(options.images), (0, 1, 0), seed=0, test=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        networks = {name: train_networks(name, range(options.seeds)) for name in "AB"}
        runs = {
            name: [sweep_planted(t, images, folder, f"{name} {t.seed}") for t in trained]
            for name, trained in networks.items()
        }
        without = {name: [logit_without(t, images) for t in own] for name, own in networks.items()}
        rows = []
        for seed, pair in enumerate(zip(runs["A"], runs["B"], strict=True)):
            for embedding in options.embedding:
                comparison = compare(*pair, embedding=embedding)
                for count in options.images:
                    about = {"seed": seed, "embedding": embedding, "images": count}
                    rows.append(about | square_results(comparison, images, count))
                    print(json.dumps(rows[-1]), flush=True)
    values = {"machine": describe_machine(), "logit_drop_without_square": without, "rows": rows}
    options.results.write_text(json.dumps(values, indent=1) + "\n")


def sweep_planted(trained: Any, images: PlantedImages, folder: Path, name: str) -> Run:
    """Sweep a network by region, for the logit of the marked class."""
    out = folder / name.replace(" ", "-")
    options: dict[str, Any] = {"name": name, "group": name[0], "batch_size": 32, "thumbs": 0}
    return sweep(
        trained.model,
        trained.params,
        images.source(),
        None,
        [Regions(occlusion=False)],
        out=out,
        score=logit(MARKED),
        **options,
    )


def logit_without(trained: Any, images: PlantedImages) -> float:
    """Return by how much the logit falls when the square takes the mean colour of its image."""
    import jax

    filled = images.pixels.copy()
    inside = images.masks(filled.shape[1]) > 0
    for pixels, mask in zip(filled, inside, strict=True):
        pixels[mask] = pixels[~mask].mean(0)
    model = trained.model
    logits = jax.jit(jax.vmap(lambda x: model.logits(trained.params, model.preprocess(x))))
    before, after = (np.asarray(logits(x))[:, MARKED] for x in (images.pixels, filled))
    return round(float((before - after).mean()), 3)


def square_results(comparison: Comparison, images: PlantedImages, count: int) -> dict[str, Any]:
    """Return the results of the concepts of k-means, and of difference concepts.

    Concepts are those of all images, differences those of the first `count`.
    """
    table = comparison.table
    planted = images.masks(table.side)[[int(id) for id in table.ids]]
    a, b = comparison.models
    groups = {"k-means": [(comparison.concepts.labels, comparison.concepts.count)]}
    difference = comparison.difference_concepts(a, b).concepts
    groups["difference"] = []
    for nearer in (0, 1):
        members = [c.members for c in difference if c.nearer == nearer]
        labels = np.full(len(table.image), -1)
        for k, own in enumerate(members):
            labels[own] = k
        groups["difference"].append((labels, len(members)))
    outlined = planted_overlap(table, np.zeros(len(table.image), int), 1, planted)
    values: dict[str, Any] = {"recall_of_all_regions": round(float(outlined.recall[0]), 3)}
    for name, parts in groups.items():
        values[name] = square_rank(comparison, parts, planted, count)
    values["difference"] |= compared_squares(comparison, planted)
    return values


def compared_squares(comparison: Comparison, planted: np.ndarray) -> dict[str, Any]:
    """Return how a difference concept overlaps with the compared regions that are mostly square.

    Of the concept with the greatest product of recall and precision, both by regions. Difference
    concepts are made of a sample of the regions, so that they cannot cover the squares' area.
    """
    table = comparison.table
    result = comparison.difference_concepts(*comparison.models)
    masks = table.mask(result.sample)
    square = np.zeros(len(table.image), bool)
    shares = (masks * planted[table.image[result.sample]]).mean((1, 2)) / masks.mean((1, 2))
    square[result.sample] = shares > 0.5
    total = int(square.sum())
    rows = [
        {
            "nearer": comparison.models[c.nearer],
            "recall of compared regions": round(int(square[c.members].sum()) / total, 3),
            "precision of compared regions": round(float(square[c.members].mean()), 3),
            "success": round(c.success, 3),
            "strength": round(c.strength, 3),
        }
        for c in result.concepts
    ]
    best = max(rows, key=lambda r: np.prod([v for k, v in r.items() if "regions" in k]), default={})
    return {"compared squares": total, **best}


def square_rank(
    comparison: Comparison, parts: list[tuple[np.ndarray, int]], planted: np.ndarray, count: int
) -> dict[str, Any]:
    """Return rank, overlap and difference of the concept that overlaps most with the square."""
    shares = np.concatenate([concept_shares(comparison.table, *part) for part in parts], 2)
    overlaps = [planted_overlap(comparison.table, *part, planted) for part in parts]
    jaccard, recall, precision = (
        np.concatenate([getattr(o, n) for o in overlaps])
        for n in ("jaccard", "recall", "precision")
    )
    rows = concept_differences(*shares, images=np.arange(shares.shape[1]) < count)
    sizes = np.array([d.difference.value for d in rows])
    ranking = rank_concepts(sizes, np.array([d.images for d in rows]))
    contributions = np.array([abs(d.contribution) for d in rows])
    k = int(np.argmax(jaccard))
    row, first = rows[k], int(ranking[0])
    top = rows[first]
    return {
        "first": {
            "recall": round(float(recall[first]), 3),
            "precision": round(float(precision[first]), 3),
            "a": round(top.a.value, 4),
            "b": round(top.b.value, 4),
            "prevalence": round(top.prevalence, 3),
        },
        "concepts": len(rows),
        "rank": int(np.flatnonzero(ranking == k)[0]) + 1,
        "rank by contribution": 1 + int((contributions > contributions[k]).sum()),
        "recall": round(float(recall[k]), 3),
        "precision": round(float(precision[k]), 3),
        "a": round(row.a.value, 4),
        "b": round(row.b.value, 4),
        "difference": round(row.difference.value, 4),
        "interval": [round(row.difference.low, 4), round(row.difference.high, 4)],
        "width": round(row.difference.high - row.difference.low, 4),
        "q": row.q,
        "prevalence": round(row.prevalence, 3),
        "next": max((abs(round(float(v), 4)) for v in np.delete(sizes, k) if v == v), default=None),
    }


if __name__ == "__main__":
    main()
