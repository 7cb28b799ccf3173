"""Results of the study of guided training: AUC, salience and stability by loss, with tests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from salix.analysis import subset_names
from salix.preprocess import GREY
from salix.stats import (
    GroupComparison,
    Interval,
    auc_interval,
    bootstrap_mean,
    compare_groups,
    holm,
)
from salix.store import Run
from salix.studies.baselines import sharpness
from salix.studies.guidance.data import KINDS, FaceSet
from salix.studies.guidance.stability import IN_SET, compare_stability, loss_stability

BASE = "cross-entropy"
# Subsets of each AUC: the fakes and the real faces that each is compared with
AREAS: dict[str, dict[str, str]] = {
    "auc_in_set": {"forged": "celeba", "dcgan": "celeba"},
    "auc_forged": {"forged": "celeba"},
    "auc_dcgan": {"dcgan": "celeba"},
    "auc_out_of_set": {"sd3": "celeba", "vae": "olivetti"},
    "auc_sd3": {"sd3": "celeba"},
    "auc_vae": {"vae": "olivetti"},
}
# Published claims about guided training: direction and source, by measure
CLAIMS = {
    "spatial_entropy": ("lower", "maps of guided models have lower entropy (arXiv:2303.00818)"),
    "histogram_entropy": ("lower", "maps of guided models have lower entropy (arXiv:2303.11969)"),
    "stability": ("higher", "maps of guided models agree more across runs (arXiv:2303.11969)"),
    "relevance_mass": (
        "higher",
        "guided models look where the reference mask says (arXiv:2112.00686)",
    ),
    "relevance_mass_of_fake": (
        "higher",
        "guided models look where the reference mask says (arXiv:2112.00686)",
    ),
    "auc_out_of_set": ("higher", "guided models tell unseen generators better (arXiv:2112.00686)"),
}
Tables = dict[str, dict[str, np.ndarray]]  # measure -> group -> [run image]


def placements(
    real: Float[np.ndarray, " r"], fake: Float[np.ndarray, " f"]
) -> Float[np.ndarray, " f"]:
    """Return the share of real scores below each fake's, ties half: their mean is the AUC."""
    order = np.sort(real)
    below = np.searchsorted(order, fake, "left") + np.searchsorted(order, fake, "right")
    return below / (2 * len(real))


def tables(runs: Sequence[Run]) -> Tables:
    """Return each measure of each group as a table [run, image], NaN where undefined.

    An AUC is the mean of its fakes' `placements`: its table has a column for each fake, and the
    real faces are fixed.
    """
    values_by: dict[str, dict[str, list[np.ndarray]]] = {}
    for run in runs:
        for measure, values in run_values(run.rows, run.classes.index("fake")).items():
            values_by.setdefault(measure, {}).setdefault(run.group, []).append(values)
    return {m: {g: np.stack(rows) for g, rows in by.items()} for m, by in values_by.items()}


def run_values(rows: Mapping[str, np.ndarray], fake: int) -> dict[str, np.ndarray]:
    """Return the values of one run by measure, one for each image to which the measure applies."""
    score = rows["logits"][:, fake].astype(np.float64) - rows["logits"][:, 1 - fake]
    subset = subsets(rows["id"])
    in_set = np.isin(subset, IN_SET)
    values = {
        name: np.concatenate(
            [placements(score[subset == r], score[subset == f]) for f, r in pairs.items()]
        )
        for name, pairs in AREAS.items()
    }
    for kind in KINDS:
        kind_mask = np.char.endswith(np.asarray(rows["id"], str), f"-{kind}") & (subset == "forged")
        values[f"auc_{kind}"] = placements(score[subset == "celeba"], score[kind_mask])
    values["accuracy_in_set"] = (rows["predicted"] == rows["label"])[in_set].astype(np.float64)
    for name in ("spatial_entropy", "histogram_entropy"):
        values[name] = rows[name][in_set].astype(np.float64)
    values["constant_map"] = rows["constant_map"][in_set].astype(np.float64)
    for name, column in {
        "relevance_mass": "relevance_mass",
        "relevance_mass_of_fake": f"relevance_mass_{fake}",
    }.items():
        values[name] = rows[column][subset == "forged"].astype(np.float64)
    return values


def subsets(ids: Any) -> np.ndarray:
    """Return the subset of each id."""
    return np.array(subset_names(np.asarray(ids)))


def results(runs: Sequence[Run]) -> dict[str, Any]:
    """Return results by loss, differences from cross-entropy, and tests of published claims."""
    measures = tables(runs)
    groups = list(dict.fromkeys(run.group for run in runs))
    numbers = {
        g: {m: interval_json(bootstrap_mean(by[g])) for m, by in measures.items()}
        | {"runs": [r.name for r in runs if r.group == g]}
        for g in groups
    }
    guided = [g for g in groups if g != BASE]
    families = {m: [compare_with_base(m, by, g) for g in guided] for m, by in measures.items()}
    members = {g: [run for run in runs if run.group == g] for g in groups}
    stabilities = {g: loss_stability(members[g]) for g in groups}
    for g, interval in stabilities.items():
        numbers[g]["stability"] = interval_json(interval)
    families["stability"] = [
        compare_stability(members[g], members[BASE], stabilities[g], stabilities[BASE])
        for g in guided
    ]
    family = [adjust(f) for f in families.values()]
    differences = {
        g: {c.key: comparison_json(c) for f in family for c in f if c.a == g} for g in guided
    }
    return {"losses": numbers, "less_cross_entropy": differences, "directions": test_claims(family)}


def compare_with_base(measure: str, by: Mapping[str, np.ndarray], group: str) -> GroupComparison:
    """Compare a guided loss with cross-entropy in one measure."""
    return compare_groups({measure: {group: by[group], BASE: by[BASE]}})[0]


def adjust(family: Sequence[GroupComparison]) -> list[GroupComparison]:
    """Return comparisons of one measure with p-values adjusted together by Holm's method."""
    p = holm([c.p for c in family])
    return [replace(c, p_adjusted=float(adjusted)) for c, adjusted in zip(family, p, strict=True)]


def test_claims(family: Sequence[Sequence[GroupComparison]]) -> list[dict[str, Any]]:
    """Return, for each published direction and loss, whether the interval confirms it."""
    rows = []
    for comparisons in family:
        for c in comparisons:
            if c.key not in CLAIMS:
                continue
            direction, claim = CLAIMS[c.key]
            d, sign = c.difference, 1 if direction == "higher" else -1
            nearest = d.low if sign > 0 else d.high
            rows.append(
                {
                    "claim": claim,
                    "measure": c.key,
                    "loss": c.a,
                    "published": direction,
                    "found": "higher" if d.value > 0 else "lower",
                    "held": bool(sign * nearest > 0),
                    "held_by_test": bool(sign * d.value > 0 and c.p_adjusted <= 0.05),
                    "difference": interval_json(d),
                    "p_adjusted": c.p_adjusted,
                }
            )
    return rows


def comparison_json(c: GroupComparison) -> dict[str, Any]:
    """Return a comparison as JSON."""
    return {
        "difference": interval_json(c.difference),
        "p": c.p,
        "p_adjusted": c.p_adjusted,
        "minimum_p": c.minimum_p,
        "hedges_g": interval_json(c.effect),
        "cliffs_delta": interval_json(c.delta),
    }


def interval_json(interval: Interval) -> dict[str, Any]:
    """Return an interval as JSON: NaN is null."""
    limits = {n: getattr(interval, n) for n in ("value", "low", "high")}
    known = {n: round(v, 5) if np.isfinite(v) else None for n, v in limits.items()}
    return {**known, "n": interval.n, "undefined": interval.undefined}


def baselines(test: Mapping[str, FaceSet]) -> dict[str, Any]:
    """Return the AUC of smoothness alone for each kind of fake."""
    smoothness = {name: -sharpness(grey(faces.pixels)) for name, faces in test.items()}
    areas = {}
    for fake, real in {f: r for pairs in AREAS.values() for f, r in pairs.items()}.items():
        labels = np.repeat([0, 1], [len(smoothness[real]), len(smoothness[fake])])
        areas[fake] = interval_json(
            auc_interval(np.concatenate([smoothness[real], smoothness[fake]]), labels)
        )
    return areas


def grey(pixels: np.ndarray) -> np.ndarray:
    """Return the luminance of pixels [n h w 3], 8-bit (ITU-R 601)."""
    return np.rint(pixels @ GREY).astype(np.uint8)
