"""The numbers of the study of guided training, from its runs alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from salix.analysis import shared_maps, stability, subset_names
from salix.stats import (
    GroupComparison,
    Interval,
    auc_interval,
    bootstrap_mean,
    bootstrap_pairwise_mean,
    cliffs_delta,
    compare_groups,
    difference_interval,
    hedges_g,
    holm,
)
from salix.store import Run
from salix.studies.faces import sharpness
from salix.studies.guidance_data import KINDS, Faces

BASE = "cross-entropy"
IN_SET = ("celeba", "forged", "dcgan")
# Each area under the ROC curve: the fakes and, for each, the real faces that it is held against
AREAS: dict[str, dict[str, str]] = {
    "auc_in_set": {"forged": "celeba", "dcgan": "celeba"},
    "auc_forged": {"forged": "celeba"},
    "auc_dcgan": {"dcgan": "celeba"},
    "auc_out_of_set": {"sd3": "celeba", "vae": "olivetti"},
    "auc_sd3": {"sd3": "celeba"},
    "auc_vae": {"vae": "olivetti"},
}
# What is published of guided training, and of which measure it is a claim
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
    """Return each measure of each group as a table [run, image]; NaN is what is undefined.

    An AUC is the mean of its fakes' `placements`: its table has a column for each fake, and the
    real faces are taken as given.
    """
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for run in runs:
        for measure, values in of_run(run.rows, run.classes.index("fake")).items():
            found.setdefault(measure, {}).setdefault(run.group, []).append(values)
    return {m: {g: np.stack(rows) for g, rows in by.items()} for m, by in found.items()}


def of_run(rows: Mapping[str, np.ndarray], fake: int) -> dict[str, np.ndarray]:
    """Return the values of one run: of each measure, one for each image that it is about."""
    score = rows["logits"][:, fake].astype(np.float64) - rows["logits"][:, 1 - fake]
    at = collections(rows["id"])
    inner = np.isin(at, IN_SET)
    values = {
        name: np.concatenate([placements(score[at == r], score[at == f]) for f, r in pairs.items()])
        for name, pairs in AREAS.items()
    }
    for kind in KINDS:
        of = np.char.endswith(np.asarray(rows["id"], str), f"-{kind}") & (at == "forged")
        values[f"auc_{kind}"] = placements(score[at == "celeba"], score[of])
    values["accuracy_in_set"] = (rows["predicted"] == rows["label"])[inner].astype(np.float64)
    for name in ("spatial_entropy", "histogram_entropy"):
        values[name] = rows[name][inner].astype(np.float64)
    values["constant_map"] = rows["constant_map"][inner].astype(np.float64)
    for name, column in {
        "relevance_mass": "relevance_mass",
        "relevance_mass_of_fake": f"relevance_mass_{fake}",
    }.items():
        values[name] = rows[column][at == "forged"].astype(np.float64)
    return values


def collections(ids: Any) -> np.ndarray:
    """Return the collection of each id."""
    return np.array(subset_names(np.asarray(ids)))


def results(runs: Sequence[Run]) -> dict[str, Any]:
    """Return all numbers of the runs: by loss, against cross-entropy, and the claims tested."""
    held = tables(runs)
    groups = list(dict.fromkeys(run.group for run in runs))
    numbers = {
        g: {m: told(bootstrap_mean(by[g])) for m, by in held.items()}
        | {"runs": [r.name for r in runs if r.group == g]}
        for g in groups
    }
    guided = [g for g in groups if g != BASE]
    families = {m: [versus(m, by, g) for g in guided] for m, by in held.items()}
    members = {g: [run for run in runs if run.group == g] for g in groups}
    agreed = {g: agreement(of) for g, of in members.items()}
    for g, interval in agreed.items():
        numbers[g]["stability"] = told(interval)
    families["stability"] = [
        of_stability(members[g], members[BASE], agreed[g], agreed[BASE]) for g in guided
    ]
    family = [adjusted(f) for f in families.values()]
    differences = {g: {c.key: compared(c) for f in family for c in f if c.a == g} for g in guided}
    return {"losses": numbers, "less_cross_entropy": differences, "directions": tested(family)}


def versus(measure: str, by: Mapping[str, np.ndarray], group: str) -> GroupComparison:
    """Return a guided loss against cross-entropy in one measure."""
    return compare_groups({measure: {group: by[group], BASE: by[BASE]}})[0]


def adjusted(family: Sequence[GroupComparison]) -> list[GroupComparison]:
    """Return comparisons of one measure, their p values adjusted together by Holm."""
    p = holm([c.p for c in family])
    return [replace(c, p_adjusted=float(one)) for c, one in zip(family, p, strict=True)]


def similarity(runs: Sequence[Run]) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
    """Return all pairs of runs and the SSIM of their maps [pair, image], on the in-set test."""
    shared = shared_maps(runs)
    inner = np.isin(collections(shared.ids), IN_SET)
    found = stability(shared.maps[:, inner])
    return found.pairs, found.values.astype(np.float64)


def agreement(runs: Sequence[Run]) -> Interval:
    """Return the stability of runs of one loss: mean SSIM over pairs, interval over the runs."""
    pairs, values = similarity(runs)
    return bootstrap_pairwise_mean(values, pairs)


def of_stability(
    a: Sequence[Run], b: Sequence[Run], one: Interval, two: Interval
) -> GroupComparison:
    """Return the stability of two groups compared: limits recovered from theirs, p by splits.

    The effects are of each run's mean similarity to the others of its group.
    """
    pairs, values = similarity([*a, *b])
    known = np.isfinite(values).all(0)
    matrix = np.zeros((len(a) + len(b),) * 2)
    for (i, j), mean in zip(pairs, values[:, known].mean(1), strict=True):
        matrix[i, j] = matrix[j, i] = mean
    n, lost = int(known.sum()), int((~known).sum())
    first = within(matrix, np.arange(len(a)))
    second = within(matrix, np.arange(len(a), len(matrix)))
    return GroupComparison(
        "stability",
        a[0].group,
        b[0].group,
        replace(difference_interval(one, two), n=n, undefined=lost),
        p := split_test(matrix, len(a)),
        p,
        hedges_g(first, second),
        cliffs_delta(first, second),
        (len(a), len(b)),
        n,
    )


def within(matrix: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return the mean similarity of each of some runs to the others of them."""
    return matrix[np.ix_(of, of)].sum(1) / (len(of) - 1)


def split_test(similar: Float[np.ndarray, "runs runs"], first: int) -> float:
    r"""Two-sided p that two groups of runs differ in agreement only by how they were labelled.

    `similar` is symmetric with zeros on its diagonal; the statistic is the mean over pairs within
    the `first` runs less that within the others. The share of all splits of the runs that come as
    far from 0 as the one found: exact, at least `salix.stats.minimum_p`.
    """
    every = range(len(similar))
    found = []
    for chosen in combinations(every, first):
        rest = [i for i in every if i not in chosen]
        one, two = (within(similar, np.array(of)).mean() for of in (chosen, rest))
        found.append(abs(one - two))
    return float(np.mean(np.array(found) >= found[0] - 1e-12))


def tested(family: Sequence[Sequence[GroupComparison]]) -> list[dict[str, Any]]:
    """Return, for each published direction and loss, whether it held: the interval leaves out 0."""
    said = []
    for comparisons in family:
        for c in comparisons:
            if c.key not in CLAIMS:
                continue
            direction, claim = CLAIMS[c.key]
            d, sign = c.difference, 1 if direction == "higher" else -1
            nearest = d.low if sign > 0 else d.high
            said.append(
                {
                    "claim": claim,
                    "measure": c.key,
                    "loss": c.a,
                    "published": direction,
                    "found": "higher" if d.value > 0 else "lower",
                    "held": bool(sign * nearest > 0),
                    "held_by_test": bool(sign * d.value > 0 and c.p_adjusted <= 0.05),
                    "difference": told(d),
                    "p_adjusted": c.p_adjusted,
                }
            )
    return said


def compared(c: GroupComparison) -> dict[str, Any]:
    """Return a comparison as JSON."""
    return {
        "difference": told(c.difference),
        "p": c.p,
        "p_adjusted": c.p_adjusted,
        "least_p": c.minimum_p,
        "hedges_g": told(c.effect),
        "cliffs_delta": told(c.delta),
    }


def told(interval: Interval) -> dict[str, Any]:
    """Return an interval as JSON: NaN is null."""
    limits = {n: getattr(interval, n) for n in ("value", "low", "high")}
    known = {n: round(v, 5) if np.isfinite(v) else None for n, v in limits.items()}
    return {**known, "n": interval.n, "undefined": interval.undefined}


def baselines(test: Mapping[str, Faces]) -> dict[str, Any]:
    """Return how well sharpness alone tells each kind of fake: the softer, the more a fake."""
    soft = {name: -sharpness(grey(faces.pixels)) for name, faces in test.items()}
    found = {}
    for fake, real in {f: r for pairs in AREAS.values() for f, r in pairs.items()}.items():
        labels = np.repeat([0, 1], [len(soft[real]), len(soft[fake])])
        found[fake] = told(auc_interval(np.concatenate([soft[real], soft[fake]]), labels))
    return found


def grey(pixels: np.ndarray) -> np.ndarray:
    """Return the luminance of pixels [n h w 3], 8-bit (ITU-R 601)."""
    return np.rint(pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
