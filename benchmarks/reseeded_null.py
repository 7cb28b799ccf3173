"""Reseeded null: how many concepts differ between detectors that only differ by their seed.

    python benchmarks reseeded_null

Trains a pool of detectors by one recipe on one generator of the planted shift, sweeps them by
region over the study's test faces, and compares in each repeat, with new concepts every time:

- two detectors, at the level of images: a claim about these two models. Seeds do make models that
  look at other regions, so that what is counted here are differences of seeds, not errors;
- the same two with their shares swapped at random by person: here any difference is an error;
- two groups of detectors, at the level of runs and images: a claim about the recipe, which is one
  recipe, so that any difference is an error.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe_machine

from salix.attribution import IntegratedGradients
from salix.compare import Comparison, compare
from salix.compare.differences import concept_differences
from salix.compare.groups import compare_concepts_of_groups
from salix.engine import sweep
from salix.measures import Regions
from salix.models import MODELS, load, save
from salix.scores import logit
from salix.stats import proportion_interval
from salix.stats.clusters import cluster_codes
from salix.store import Run
from salix.studies.detectors import train_detectors
from salix.studies.photographs import photographs
from salix.studies.shift.data import GENERATORS, shift_faces
from salix.train import CrossEntropy

HERE = Path(__file__).parent
RECIPE = next(iter(GENERATORS))
LEVEL = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pool", type=int, default=30, help="detectors")
    parser.add_argument("--steps", type=int, default=400, help="of a training")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--group", type=int, default=3, help="detectors of a group")
    parser.add_argument("--every", type=int, default=5, help="take every n-th test face")
    parser.add_argument("--concepts", type=int, default=8)
    parser.add_argument("--out", type=Path, help="folder of weights and runs; else temporary")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "reseeded-null.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        runs = pool(folder, options.pool, options.steps, options.every)
        rng = np.random.default_rng(0)
        rows = []
        for _ in range(options.repeats):
            started = time.perf_counter()
            two = [runs[i] for i in rng.permutation(len(runs))[:2]]
            several = [runs[i] for i in rng.permutation(len(runs))[: 2 * options.group]]
            row: dict[str, Any] = {
                "two models": count_differences(compare(*two, concepts=options.concepts)),
                "groups": count_group_differences(compare(*several, concepts=options.concepts)),
            }
            row["seconds"] = round(time.perf_counter() - started, 1)
            rows.append(row)
            print(json.dumps(row), flush=True)
    values = {"machine": describe_machine(), "settings": settings(options)}
    values |= {"summary": summary(rows), "repeats": rows}
    options.results.write_text(json.dumps(values, indent=1) + "\n")
    print(json.dumps(values["summary"], indent=1))


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the benchmark."""
    names = ("pool", "steps", "repeats", "group", "every", "concepts")
    return {n: getattr(options, n) for n in names} | {"recipe": RECIPE, "network": "small"}


def pool(folder: Path, count: int, steps: int, every: int) -> list[Run]:
    """Train, or load, and sweep detectors that differ by their seed."""
    faces = shift_faces(photographs(offline=False))
    source = faces.test()
    source = type(source)(
        source.images[::every],
        names=source.names[::every],
        keys=source.ids[::every],
        groups=source.groups[::every],
    )
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    attribution = IntegratedGradients("black_white", steps=20)
    measure = Regions(occlusion=False, embeddings=("descriptor",))
    for seed in range(count):
        weights = folder / f"{seed}.safetensors"
        if not weights.exists():
            _, (params,) = train_detectors(
                faces.training(RECIPE), CrossEntropy(), seeds=[seed], steps=steps, title=f"{seed}"
            )
            save("small", weights, params, classes=MODELS["small"].classes)
        model, params = load("small", weights)
        out, name = folder / f"run-{seed}", f"seed {seed}"
        options: dict[str, Any] = {"score": logit(1), "group": RECIPE, "thumbs": 0}
        options |= {"name": name, "out": out}
        runs.append(sweep(model, params, source, attribution, [measure], **options))
    return runs


def count_differences(comparison: Comparison) -> dict[str, Any]:
    """Count concepts that differ between two models, as they are and swapped at random."""
    a, b = comparison.models
    rows = comparison.differences(a, b)
    people = cluster_codes(comparison.table.clusters, len(comparison.table.ids))
    assert people is not None
    swap = np.random.default_rng(comparison.table.image.size).random(people.max() + 1) < 0.5
    first, second = comparison.shares
    swapped = np.where(swap[people][:, None], np.stack([second, first]), np.stack([first, second]))
    nulls = concept_differences(*swapped, clusters=comparison.table.clusters)
    sizes = [abs(d.difference.value) for d in rows if d.images]
    return {
        "concepts": len(rows),
        "different": sum(d.q <= LEVEL for d in rows),
        "different when swapped": sum(d.q <= LEVEL for d in nulls),
        "greatest difference": round(max(sizes), 4),
        "median difference": round(float(np.median(sizes)), 4),
    }


def count_group_differences(comparison: Comparison) -> dict[str, Any]:
    """Count concepts that differ between the first half of the runs and the second."""
    half = len(comparison.models) // 2
    rows = compare_concepts_of_groups(
        comparison.shares, ["x"] * half + ["y"] * half, clusters=comparison.table.clusters
    )
    sizes = [abs(c.difference.value) for c in rows if np.isfinite(c.difference.value)]
    return {
        "concepts": len(rows),
        "different": sum(c.p_adjusted <= LEVEL for c in rows),
        "different before adjustment": sum(c.p_both <= LEVEL for c in rows),
        "greatest difference": round(max(sizes), 4),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts over all repeats: concepts that differ, and repeats with any."""
    values: dict[str, Any] = {}
    for name, kind, column in (
        ("two models: differences of their seeds", "two models", "different"),
        ("two models, swapped: errors", "two models", "different when swapped"),
        ("groups of one recipe: errors", "groups", "different"),
        ("groups of one recipe, not adjusted", "groups", "different before adjustment"),
    ):
        concepts = sum(r[kind]["concepts"] for r in rows)
        different = [r[kind][column] for r in rows]
        interval = proportion_interval(sum(d > 0 for d in different), len(rows))
        values[name] = {
            "concepts": concepts,
            "different": sum(different),
            "share": round(sum(different) / concepts, 4),
            "repeats with any": sum(d > 0 for d in different),
            "share of repeats": [
                round(x, 3) for x in (interval.value, interval.low, interval.high)
            ],
        }
    return values


if __name__ == "__main__":
    main()
