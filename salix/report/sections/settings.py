"""Section: what decided the rows of each run, from its manifest."""

import json
from typing import Any

from salix.analysis import Analysis, Frame
from salix.analysis.frame import explained_class
from salix.report.face_crops import describe_rule
from salix.report.section import Section, read_template
from salix.report.sections.methods import initial_values

SETTINGS = ("model", "attribution", "pooling", "score", "precision", "preprocess")


def build(analysis: Analysis) -> Section:
    """Show the manifest of each run."""
    facts = [_facts(frame) for frame in analysis.frames]
    return Section(
        "settings", "Settings", read_template(__file__), {"facts": facts}, link="Settings"
    )


def _facts(frame: Frame) -> dict[str, Any]:
    run, texts = frame.run, []
    config = run.manifest["config"]
    texts = [str(config[key]) for key in SETTINGS if key in config]
    if frame.has("map"):
        grid = " × ".join(map(str, run.columns["map"].shape))
        texts += [f"maps of {grid} pixels", f"explains {explained_class(frame)}"]
    texts += [text for text in [initial_values([run])] if text]
    if faces := describe_rule(run):
        texts.append(f"faces: {faces}")
    manifest = json.dumps(run.manifest, indent=2, ensure_ascii=False, sort_keys=True)
    return {"name": run.name, "group": run.group, "texts": texts, "manifest": manifest}
