"""AUC of each detector by coding and generator, attribution by face part, and their table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from salix.analysis.frame import Frame
from salix.analysis.video_rates import video_rates
from salix.perturb.face_parts import FaceParts
from salix.stats import auc_interval, cluster_codes
from salix.store import Run
from salix.studies.guidance.results import interval_json

# The fakes of each AUC, and the real faces that they are compared with
PAIRS = {"forged": "celeba", "dcgan": "celeba", "sd3": "celeba", "vae": "olivetti"}
TRAINED = ("forged", "dcgan")  # the fakes that the training data have too


def areas(run: Run) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the AUC of a run by coding and fakes, with intervals over photographs.

    Ids begin with the coding, the class and the set of the face.
    """
    frame = Frame(run)
    coding, _, subset = np.array([id.split("/", 3)[:3] for id in frame.ids]).T
    groups = frame.scalars["group"]
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for name in dict.fromkeys(coding.tolist()):
        for fakes, real in PAIRS.items():
            chosen = (coding == name) & np.isin(subset, [fakes, real])
            if not (subset[chosen] == fakes).any():
                continue
            interval = auc_interval(
                frame.margins[chosen],
                frame.labels[chosen],
                clusters=cluster_codes(groups[chosen], int(chosen.sum())),
            )
            result.setdefault(name, {})[fakes] = interval_json(interval)
    return result


def part_shares(run: Run, coding: str = "lossless") -> dict[str, float]:
    """Return the mean share of |attribution| of each face part in a run's images of one coding.

    The part's area, a share of the image, is what a detector without preferences has.
    """
    rows = run.read(["id", "region_absolute"])
    chosen = np.char.startswith(np.asarray(rows["id"], str), f"{coding}/")
    mass = np.asarray(rows["region_absolute"], np.float64)[chosen]
    total = mass.sum(1, keepdims=True)
    shares = np.divide(mass, total, where=total > 0, out=np.full_like(mass, np.nan))
    return dict(zip(FaceParts.parts, np.round(np.nanmean(shares, 0), 4).tolist(), strict=True))


def of_videos(run: Run) -> dict[str, Any]:
    """Return the AUC of a run by frame and by video, and the design effect of frames."""
    (rates,) = video_rates([Frame(run)], levels=("mean",))
    return {
        "videos": list(rates.counts),
        "by_frame": interval_json(rates.frames["auc"]),
        "by_video": interval_json(rates.videos["mean"]["auc"]),
        "correlation": round(rates.correlation, 3),
        "design_effect": round(rates.effect, 2),
    }


def summary(detectors: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the mean AUC of the generators of the training data, by detectors and test coding.

    With the lowest and the highest of the seeds.
    """
    result: dict[str, dict[str, Any]] = {}
    for detector in detectors:
        row = result.setdefault(f"{detector['network']}, {detector['coding']}", {})
        for coding, by in detector["auc"].items():
            mean = float(np.mean([by[fakes]["value"] for fakes in TRAINED]))
            row.setdefault(coding, []).append(mean)
    return {
        name: {
            coding: {"mean": round(float(np.mean(x)), 4), "seeds": np.round(sorted(x), 4).tolist()}
            for coding, x in row.items()
        }
        for name, row in result.items()
    }


def print_summary(rows: Mapping[str, Mapping[str, Any]], codings: Iterable[str]) -> None:
    """Print the mean AUC of each kind of detector by the coding of the test images."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(
        "network, training coding", box=None, pad_edge=False, title="AUC by coding of the test"
    )
    for coding in codings:
        shown.add_column(coding, justify="right")
    for name, row in rows.items():
        shown.add_row(name, *(f"{row[coding]['mean']:.3f}" for coding in codings))
    Console().print(shown)
