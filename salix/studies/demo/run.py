"""Demo run: training with two losses, sweeps over the test faces, table and report."""

from pathlib import Path
from typing import Any

from salix import report
from salix.analysis import analyse
from salix.attribution import GradCAM
from salix.engine import sweep
from salix.measures import RelevanceMass
from salix.models import save
from salix.scores import logit
from salix.stats import auc_interval
from salix.store import Run
from salix.studies.baselines import sharpness
from salix.studies.demo.data import DemoFaces, demo_faces
from salix.studies.demo.results import introduction, print_table
from salix.studies.detectors import TimedLog, train_detectors
from salix.train import CYBORG, CrossEntropy, TrainingImages
from salix.train.losses import Loss

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
    part = ~faces.test
    masks = faces.reference_masks[part]
    runs: list[Run] = []
    for group, loss in losses.items():
        log(f"training {seeds} detectors with {loss}: {group}")
        examples = TrainingImages(faces.pixels[part][..., None], faces.labels[part], masks)
        model, trained = train_detectors(
            examples, loss, seeds=range(seeds), steps=STEPS, title=group
        )
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
