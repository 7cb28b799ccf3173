"""The demo: detectors of re-generated faces, trained in two ways, and what they look at."""

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
from salix.studies.faces import Faces, demo_faces, sharpness
from salix.train import CYBORG, CrossEntropy, Examples, Recipe, train
from salix.train.augment import Augment
from salix.train.losses import Loss
from salix.train.recipe import AdamW

STEPS = 1080  # of each training: 60 epochs over 600 faces
FAKE = 1
COLUMNS = ("auc", "relevance_mass", "spatial_entropy", "agreement")  # of the printed table


def demo(
    out: Path, *, real: Path | None = None, fake: Path | None = None, seeds: int = 3, offline: bool
) -> Path:
    """Train, sweep, print the table and write the report; returns the report's path.

    Detectors trained with cross-entropy alone, and, where the changed region is known, also
    guided towards it by the CYBORG loss: the reference mask is computed, not human annotation.
    """
    say = Told()
    faces = demo_faces(real, fake, offline)
    for line in faces.about:
        say(line)
    losses: dict[str, Loss] = {"cross-entropy": CrossEntropy()}
    if faces.has_reference_masks:
        losses["has_reference_masks"] = CYBORG(0.5, "true")
    runs: list[Run] = []
    for group, loss in losses.items():
        say(f"training {seeds} detectors with {loss}: {group}")
        model, trained = fit_detectors(faces, loss, seeds, group)
        for seed, params in enumerate(trained, 1):
            name = f"{group} {seed}"
            place = out / "runs" / name.replace(" ", "-")
            runs.append(_sweep(model, params, faces, place, name, group))
            (out / "models").mkdir(exist_ok=True)
            save("small", out / "models" / f"{place.name}.safetensors", params)
    say("writing the report")
    tested = faces.pixels[faces.test], faces.labels[faces.test]
    baselines = {"image sharpness alone": auc_interval(-sharpness(tested[0]), tested[1]).value}
    analysis = analyse(runs, baselines=baselines, region="re-generated region")
    page = report.write_page(
        analysis,
        out / "report.html",
        title="What these face detectors look at",
        intro=introduction(faces),
    )
    print_table(analysis.rows)
    say(f"open {page}")
    return page


def fit_detectors(faces: Faces, loss: Loss, seeds: int, name: str) -> tuple[Any, list[Any]]:
    """Train one detector a seed on the training part, with progress under `name`."""
    of = ~faces.test
    examples = Examples(faces.pixels[of][..., None], faces.labels[of], faces.reference_masks[of])
    size = min(32, len(examples.labels))
    recipe = Recipe(
        loss,
        AdamW(3e-3, weight_decay=0.0, warmup=0.0),
        epochs=-(-STEPS // (len(examples.labels) // size)),
        batch_size=size,
        augment=Augment(flip=0.5),
    )
    found = train(
        lambda seed: build("small", seed),
        examples,
        recipe,
        preprocess=MODELS["small"].preprocess,
        seeds=range(seeds),
        name="small",
        title=name,
        progress=True,
    )
    return found[0].model, [one.params for one in found]


def introduction(faces: Faces) -> tuple[str, ...]:
    """Return the sentences that open the report."""
    told = "The map of an image is the Grad-CAM of the class fake, on the grid of the features."
    if not faces.has_reference_masks:
        return (" ".join((*faces.about, told)),)
    reference_mask = (
        "The guided detectors were trained with the CYBORG loss, which also pulls their maps "
        "towards the re-generated region. That reference mask is computed from the forgery: no person "
        "drew it."
    )
    return " ".join(faces.about), f"{reference_mask} {told}"


def print_table(table: list[dict[str, Any]]) -> None:
    """Print the report's table on a terminal: a line for each group, its runs and baselines."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("detector", box=None, pad_edge=False)
    for title in ("AUC", "inside region", "spatial entropy", "agreement"):
        shown.add_column(title, justify="right")
    for row in table:
        numbers = [_number(row["numbers"].get(key)) for key in COLUMNS]
        indent, style = ("", "bold") if row["kind"] != "run" else ("  ", "")
        shown.add_row(indent + row["name"], *numbers, style=style)
    Console().print(shown)


def _number(interval: dict[str, Any] | None) -> str:
    value = None if interval is None else interval["value"]
    return "–" if value is None else f"{value:.3f}"


class Told:
    """Prints lines with the seconds since the start."""

    def __init__(self):
        self.start = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"[{time.monotonic() - self.start:5.0f} s] {line}", file=sys.stderr, flush=True)


def _sweep(model: Any, params: Any, faces: Faces, out: Path, name: str, group: str) -> Run:
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
