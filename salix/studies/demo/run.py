"""Demo run: training with two losses, sweeps over the test faces, table and report."""

import sys
import time
from pathlib import Path
from typing import Any

from salix import report
from salix.analysis import analyse
from salix.attribution import GradCAM
from salix.engine import sweep
from salix.measures import RelevanceMass
from salix.models import MODELS, build, save
from salix.scores import logit
from salix.stats import auc_interval
from salix.store import Run
from salix.studies.baselines import sharpness
from salix.studies.demo.data import DemoFaces, demo_faces
from salix.studies.demo.results import introduction, print_table
from salix.train import CYBORG, CrossEntropy, Recipe, TrainingImages, train
from salix.train.augment import Augment
from salix.train.losses import Loss
from salix.train.recipe import AdamW

STEPS = 1080  # of each training: 60 epochs over 600 faces
FAKE = 1


def run_demo(
    out: Path, *, real: Path | None = None, fake: Path | None = None, seeds: int = 3, offline: bool
) -> Path:
    """Train, sweep, print the table and write the report; returns the report's path.

    Detectors are trained with cross-entropy and, where the changed region is known, with the CYBORG
    loss, whose reference masks are these regions: computed, not annotated by people.
    """
    log = TimedLog()
    faces = demo_faces(real, fake, offline)
    for line in faces.about:
        log(line)
    losses: dict[str, Loss] = {"cross-entropy": CrossEntropy()}
    if faces.has_reference_masks:
        losses["guided"] = CYBORG(0.5, "true")
    runs: list[Run] = []
    for group, loss in losses.items():
        log(f"training {seeds} detectors with {loss}: {group}")
        model, trained = train_detectors(faces, loss, seeds, group)
        for seed, params in enumerate(trained, 1):
            name = f"{group} {seed}"
            path = out / "runs" / name.replace(" ", "-")
            runs.append(_sweep(model, params, faces, path, name, group))
            (out / "models").mkdir(exist_ok=True)
            save("small", out / "models" / f"{path.name}.safetensors", params)
    log("writing the report")
    smoothness = -sharpness(faces.pixels[faces.test])
    auc = auc_interval(smoothness, faces.labels[faces.test]).value
    baselines = {"image sharpness alone": auc}
    analysis = analyse(runs, baselines=baselines, region="re-generated region")
    page = report.write_page(
        analysis,
        out / "report.html",
        title="What these face detectors look at",
        intro=introduction(faces),
    )
    print_table(analysis.rows)
    log(f"open {page}")
    return page


def train_detectors(faces: DemoFaces, loss: Loss, seeds: int, name: str) -> tuple[Any, list[Any]]:
    """Return the model and the parameters of one detector for each seed; shows progress."""
    part = ~faces.test
    pixels, masks = faces.pixels[part][..., None], faces.reference_masks[part]
    examples = TrainingImages(pixels, faces.labels[part], masks)
    size = min(32, len(examples.labels))
    recipe = Recipe(
        loss,
        AdamW(3e-3, weight_decay=0.0, warmup=0.0),
        epochs=-(-STEPS // (len(examples.labels) // size)),
        batch_size=size,
        augment=Augment(flip=0.5),
    )
    results = train(
        lambda seed: build("small", seed),
        examples,
        recipe,
        preprocess=MODELS["small"].preprocess,
        seeds=range(seeds),
        name="small",
        title=name,
        progress=True,
    )
    return results[0].model, [result.params for result in results]


class TimedLog:
    """Log to the standard error, with the seconds since the start."""

    def __init__(self):
        self.start = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"[{time.monotonic() - self.start:5.0f} s] {line}", file=sys.stderr, flush=True)


def _sweep(model: Any, params: Any, faces: DemoFaces, out: Path, name: str, group: str) -> Run:
    return sweep(
        model,
        params,
        faces.source(),
        GradCAM(),
        [RelevanceMass()] if faces.has_reference_masks else [],
        out=out,
        score=logit(FAKE),
        batch_size=50,
        name=name,
        group=group,
        thumbs=20,
    )
