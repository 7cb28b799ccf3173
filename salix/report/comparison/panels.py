"""Panels of each pair of models: headline, noise floor, masking, odd and difference concepts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salix.analysis.summary import plain_limits, plain_number
from salix.compare import Comparison
from salix.compare.claims import headline, write_value
from salix.compare.difference_concepts import difference_embedding
from salix.compare.embedding import FEATURES
from salix.compare.odd import OddConcept
from salix.stats import Interval
from salix.typing import InputError

PAIRS = 6  # pairs whose difference concepts are computed: the first ones
SWAPS = 400  # of the noise floor that are drawn
MEMBERS = 40  # regions of a difference concept that the page may show


def pair_panels(comparison: Comparison, pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return the panels by name and by pair "i-j"."""
    panels: dict[str, Any] = {
        name: {} for name in ("headlines", "null", "masking", "odd", "difference_concepts")
    }
    for number, (i, j) in enumerate(pairs):
        a, b, key = comparison.models[i], comparison.models[j], f"{i}-{j}"
        claim = headline(comparison, a, b)
        panels["headlines"][key] = {"text": claim.text, "scope": claim.scope}
        panels["headlines"][key]["evidence"] = list(claim.evidence)
        panels["null"][key] = _null(comparison, a, b)
        panels["masking"][key] = _masking(comparison, a, b)
        panels["odd"][key] = [_odd(comparison, o, a, b) for o in comparison.odd(a, b)]
        if number < PAIRS:
            panels["difference_concepts"][key] = _difference_concepts(comparison, a, b)
    return panels


def _null(comparison: Comparison, a: str, b: str) -> dict[str, Any]:
    panel = comparison.null(a, b)
    draws = panel.greatest[:: max(1, len(panel.greatest) // SWAPS)]
    floor, observed = (write_value(comparison, v, sign=True) for v in (panel.floor, panel.observed))
    stability = comparison.stability(a, b)
    text = (
        f"The greatest observed difference is {observed.lstrip('+')}; swapped models reach "
        f"{floor.lstrip('+')} in one draw of twenty (p = {panel.p:.3g}). "
        if np.isfinite(panel.observed) and np.isfinite(panel.p)
        else "No concept has an image with both models. "
    )
    if np.isfinite(stability.overlap):
        text += (
            f"{100 * stability.first:.0f} % of resamples of the images have the same first concept"
        )
        text += (
            f", and {100 * stability.overlap:.0f} % of the first {len(stability.top)} stay among "
            f"the first ones (by chance {100 * stability.chance:.0f} %)."
            if stability.chance < 1
            else "."
        )
    return {
        "observed": plain_number(panel.observed),
        "greatest": [round(float(v), 6) for v in draws],
        "text": text,
        "seeds": [
            {
                "a": s.a,
                "b": s.b,
                "greatest": plain_number(s.greatest),
                "significant": sum(d.significant for d in s.differences),
                "concepts": sum(d.images > 0 for d in s.differences),
            }
            for s in panel.seeds
        ],
    }


def _masking(comparison: Comparison, a: str, b: str) -> list[dict[str, Any]]:
    rows = []
    for check in comparison.causal(a, b):
        text = ""
        if check.outcome != "not measured":
            drops = f"{_plain(check.a.value)} ({a}) and {_plain(check.b.value)} ({b})"
            excess = f"{_signed(check.excess.value)} {_limits(check.excess)}"
            text = (
                f"Masking its regions lowers the score by {drops} times what an average region "
                f"does. The model with the larger share loses {excess} more: {check.outcome}."
            )
        rows.append({"outcome": check.outcome, "text": text})
    return rows


def _odd(comparison: Comparison, odd: OddConcept, a: str, b: str) -> dict[str, Any]:
    text = (
        f"Small and one-sided: {odd.size:.2g} times the regions of an average concept, in "
        f"{odd.images} images, and {a if odd.balance > 0 else b} relies on it. "
        "Look whether it is a mark of the data, such as a stamp or a border"
    )
    return {"concept": odd.concept, "text": text}


def _difference_concepts(comparison: Comparison, a: str, b: str) -> dict[str, Any]:
    try:
        panel = comparison.difference_concepts(a, b)
    except InputError as error:
        return {"concepts": [], "text": str(error), "settings": ""}
    i, j = comparison.index(a), comparison.index(b)
    features = difference_embedding(comparison.table, i, j) == FEATURES
    alike = "by the features of each model" if features else "by the descriptor for both models"
    settings = (
        f"{len(panel.sample)} of {len(comparison.table.image)} regions, alike {alike}, weighted by "
        f"the density of |attribution|; gamma {panel.gamma:.3g}, beta {panel.beta:g}, at most "
        f"{panel.count} groups, of a mean difference of at least {panel.least:.2g} and at least "
        f"{panel.fewest} regions; seed {panel.seed}"
    )
    return {
        "text": "None: no group is nearer together in one model than in the other.",
        "settings": settings,
        "concepts": [
            {
                "nearer": c.nearer,
                "members": [int(r) for r in c.members[:MEMBERS]],
                "size": len(c.members),
                "images": c.images,
                "success": float(c.success),
                "strength": float(c.strength),
            }
            for c in panel.concepts
        ],
    }


def quality_rows(comparison: Comparison, header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return deletion, its control, gain, SIC and completeness error of each model."""
    rows = []
    for quality, model in zip(comparison.quality, header["models"], strict=True):
        values = [quality.deletion, quality.moved, quality.gain, quality.sic]
        listed: list[Any] = [None if i is None else plain_limits(i) for i in values]
        error = model["completeness_error"]
        listed.append(None if error is None else [error, None, None])
        rows.append({"values": listed, "missing": quality.missing})
    return rows


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _limits(interval: Interval) -> str:
    if not np.isfinite(interval.low):
        return "(no interval)"
    return f"[{_signed(interval.low)}, {_signed(interval.high)}]"
