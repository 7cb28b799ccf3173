"""Page of a study of frontal faces: syntheses, measures by yaw, ablation and salience."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.report.heatmap import data_address, mean_picture
from salix.studies.frontal.alignment import take_apart
from salix.studies.frontal.data import FrontalSet
from salix.studies.frontal.salience import PARTS
from salix.studies.pages import write_study_page
from salix.studies.trial_files import read_arrays

COLUMNS = {
    "l1": "L1 to the truth",
    "ssim": "SSIM",
    "symmetry": "asymmetry",
    "identity": "identity distance",
    "perceptual": "perceptual distance",
    "rank1": "rank 1",
    "verification": "verification AUC",
}
EPOCHS = 4  # of the samples that are shown


@dataclass(frozen=True)
class FaceSample:
    """One test face, its frontal images after some epochs, and the truth, as data addresses."""

    face: str
    epochs: tuple[str, ...]
    truth: str


def write_page(out: Path, data: FrontalSet, results: Mapping[str, Any], folder: Path) -> Path:
    """Write `frontal.html`, one page without other files; `folder` has the stored samples."""
    numbers, samples = read_samples(folder, data.side)
    main = results["main"]
    maps = main["salience"]["maps"]
    top = max(float(np.max(m)) for m in maps.values())
    return write_study_page(
        out / "frontal.html",
        Path(__file__).parent,
        filters={"number": _number, "limits": _limits},
        headline=headline(main),
        results=results,
        main=main,
        origin=data.origin,
        columns=COLUMNS,
        epochs=numbers,
        samples=samples,
        history=_history(results["history"]),
        parts=(*PARTS, "near"),
        pictures={k: mean_picture(np.maximum(np.array(m), 0), top) for k, m in maps.items()},
        skipped=_reasons(results["skipped"]),
    )


def headline(main: Mapping[str, Any]) -> str:
    """Return a sentence on recognition over all angles, before and after."""
    before, after = (main[kind]["all"]["rank1"] for kind in ("before", "after"))
    rates = f"{before[0]:.0%} before and {after[0]:.0%} after"
    apart = after[1] > before[2] or after[2] < before[1]
    change = "no clear change" if not apart else ("a gain" if after[0] > before[0] else "a loss")
    return f"Frontal images: {change} in recognition, {rates}"


def read_samples(folder: Path, side: int) -> tuple[list[int], list[FaceSample]]:
    """Return the epochs that are shown, and the samples; none where nothing is stored."""
    files = sorted(folder.glob("epoch-*.npz"))
    if not files:
        return [], []
    chosen = sorted({round(i) for i in np.linspace(0, len(files) - 1, EPOCHS)})
    arrays = [read_arrays(files[i]) for i in chosen]
    stored = [a for a in arrays if a is not None]
    faces, truths, _ = take_apart(stored[0]["pictures"], side)
    samples = [
        FaceSample(_picture(face), tuple(_picture(a["images"][i]) for a in stored), _picture(truth))
        for i, (face, truth) in enumerate(zip(faces, truths, strict=True))
    ]
    return [int(files[i].stem.split("-")[1]) for i in chosen], samples


def _picture(image: np.ndarray) -> str:
    from PIL import Image

    return data_address(Image.fromarray(np.ascontiguousarray(image)), "JPEG", quality=90)


def _history(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = ("epoch", "train_pixel", "train_symmetry", "train_identity", "train_adversarial")
    names += ("train_discriminator_loss", "images_per_second")
    return [{name: record[name] for name in names} for record in history]


def _reasons(skipped: Mapping[str, str]) -> dict[str, int]:
    """Return how many images are left out for each reason, without the numbers in it."""
    counts: dict[str, int] = {}
    for reason in skipped.values():
        name = reason.split(":")[-1].strip() if "turned by" in reason else reason
        counts[name] = counts.get(name, 0) + 1
    return counts


def _number(cell: Sequence[float | None] | float | None, digits: int = 3) -> str:
    value = cell[0] if isinstance(cell, Sequence) else cell
    return "–" if value is None else f"{value:.{digits}f}"


def _limits(cell: Sequence[float | None], digits: int = 3) -> str:
    low, high = cell[1], cell[2]
    return "" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"
