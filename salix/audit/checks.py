"""Checks of the data and the model of an audit, and the weights of the model in words."""

from typing import Any

from salix.data import Source
from salix.data.face_sources import face_rule
from salix.model import Model
from salix.store import weights_digest
from salix.typing import InputError, Params


def describe_weights(model: Model, params: Params) -> dict[str, Any]:
    """Return the digest of the weights, as in the runs, and the arrays of their file in words."""
    text = f"sha256 {weights_digest(params)[:12]}"
    if model.chosen:
        text += f", {model.chosen} of the file"
    if (loaded := model.weights) is None:
        return {"weights": text}
    text += f", {loaded.taken} arrays of the file taken"
    counts = {"ignored": loaded.ignored, "left out": loaded.left_out}
    text += "".join(f", {count} {verb}" for verb, count in counts.items() if count)
    initialised = {"initialised": list(loaded.initialised)} if loaded.initialised else {}
    return {"weights": text} | initialised


def check_faces(source: Source) -> None:
    """Raise `InputError` for faces that are reduced to one by the detector's own scores."""
    rule = face_rule(source)
    if rule is not None and rule.several == "max":
        raise InputError(
            "--several max is one face for each detector, and properties are of all: give "
            "--several all, where the faces of an image are a group, or largest"
        )


def check_model(model: Model | None, params: Params | None) -> None:
    """Raise `InputError` for a model without parameters, or of other than two classes."""
    if (model is None) != (params is None):
        raise InputError("model and params belong together: give both, or neither")
    if model is not None and len(model.classes) != 2:
        raise InputError(
            f"the model has {len(model.classes)} classes: the audit is of a detector of two"
        )
