"""Run of the planted shift: training on two generators, sweeps by region, comparison and page."""

import csv
from pathlib import Path

from salix.compare import compare, headline, write_tables
from salix.engine import sweep
from salix.measures import Regions
from salix.models import save
from salix.perturb.face_parts import FaceParts
from salix.report.comparison import write_comparison
from salix.scores import logit
from salix.store import Run
from salix.studies.detectors import TimedLog, train_detectors
from salix.studies.photographs import photographs
from salix.studies.shift.data import GENERATORS, ShiftFaces, shift_faces
from salix.studies.shift.results import planted_regions, print_planted
from salix.train import CrossEntropy
from salix.typing import InputError

STEPS = 720  # of each training
FAKE = 1
PARTS = FaceParts(eyes=0.28, mouth=0.74, distance=0.44)  # of both sets of photographs
CONCEPTS = 10


def run_shift(out: Path, *, seeds: int = 5, offline: bool = False, quick: bool = False) -> Path:
    """Train, sweep, compare, print the table and write the page; returns the page's path.

    Detectors of one architecture are trained on one of two generators, `seeds` on each, and swept
    over the same test faces with the forgeries of both. With `quick` they are trained for a tenth
    of the steps, too short to learn: a check that the study runs.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one detector on each generator, --seeds 1")
    log = TimedLog()
    faces = shift_faces(photographs(offline))
    for line in faces.about:
        log(line)
    (out / "models").mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    for generator in GENERATORS:
        log(f"training {seeds} detector{'s' * (seeds > 1)} of {generator}")
        model, trained = train_detectors(
            faces.training(generator),
            CrossEntropy(),
            seeds=range(seeds),
            steps=STEPS // 10 if quick else STEPS,
            title=generator,
        )
        for seed, params in enumerate(trained, 1):
            name = f"{generator} {seed}"
            path = out / "runs" / name.replace(" ", "-")
            log(f"sweeping {name}")
            runs.append(
                sweep(
                    model,
                    params,
                    faces.test(),
                    None,
                    [Regions(PARTS)],
                    out=path,
                    score=logit(FAKE),
                    name=name,
                    group=generator,
                    thumbs=20,
                )
            )
            save("small", out / "models" / f"{path.name}.safetensors", params)
    log("comparing")
    kinds = write_kinds(faces, out / "forgeries.csv")
    comparison = compare(*runs, concepts=CONCEPTS, metadata=kinds)
    write_tables(comparison, out / "compare.html")
    page = write_comparison(
        comparison,
        out / "compare.html",
        title="What detectors of two generators look at",
        images=faces.test(),
        embed=True,
    )
    regions = planted_regions(comparison, faces)
    log(headline(comparison, runs[0].name, runs[-1].name).text)
    print_planted(regions, comparison.concepts.count)
    log(f"open {page}")
    return page


def write_kinds(faces: ShiftFaces, path: Path) -> Path:
    """Write the kind of forgery of each test face, to slice by, and return the path."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("id", "forgery"), *zip(faces.test().ids, faces.kinds, strict=True)]
        )
    return path
