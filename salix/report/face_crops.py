"""Words for the faces that were cut out of the images of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from salix.store import Run
from salix.store.faces import face_settings

SEVERAL = {
    "largest": "of several faces the largest was taken",
    "first": "of several faces the first of the table was taken",
    "all": "of several faces each was an image",
    "max": "of several faces the one with the greatest probability of the second class was taken",
}


def describe_rule(run: Run) -> str:
    """Describe the faces of a run in words; nothing where its images are not cut."""
    settings = face_settings(run.manifest)
    return describe_settings(settings) if settings else ""


def describe_settings(rule: Mapping[str, Any]) -> str:
    """Describe a rule of faces and their detector, `FaceCrops.settings`, in words."""
    margin = f"a margin of {100 * rule['margin']:.3g} % on each side"
    kind = "boxes, the shorter side extended," if rule["square"] else "boxes"
    cut = f"cut out by {kind} with {margin}, up to the image\u2019s edge"
    if rule["align"] is not None:
        side = rule["align"]
        cut = f"aligned by five landmarks to {side} \u00d7 {side} pixels with {margin}"
    none = {"skip": "was left out", "whole": "was taken as a whole"}.get(rule["no_face"])
    several = SEVERAL[rule["several"]]
    if detector := rule.get("detector"):
        cut = f"detected by a cascade of local binary patterns, {detector}, and {cut}"
        if rule["several"] == "first":
            several = "of several faces the one of most windows was taken"
    if none is None:
        score = rule["no_face"].partition(":")[2]
        none = f"has the fixed probability {score} of the second class and no map"
    return f"{cut}; an image without a face {none}; {several}"


def describe_faces(runs: Sequence[Run]) -> str:
    """Describe the faces of all runs in a sentence for each rule; nothing without any."""
    rules = dict.fromkeys(text for run in runs if (text := describe_rule(run)))
    return " ".join(f"Faces were {text}." for text in rules)
