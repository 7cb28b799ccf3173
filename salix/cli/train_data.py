"""Training and validation data of `salix train`, opened from the command's options."""

from typing import TYPE_CHECKING

from salix.data import open_source
from salix.data.face_sources import face_rule
from salix.data.layouts.opening import LISTS, parse_layout
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.cli.train import Train
    from salix.data import Source


def open_training(command: "Train") -> tuple["Source", "Source | None"]:
    """Return the training data and the validation data, None without.

    Options of layouts and names are left out for validation data without them. Raises `InputError`
    for faces by a rule that needs a network.
    """
    labels, frames, root = command.labels, command.frames, command.root
    source = open_source(command.data, labels=labels, frames=frames, root=root)
    source = command.faces.cut(source)
    rule = face_rule(source)
    if rule is not None and rule.needs_two_classes:
        raise InputError(
            f"--several {rule.several} and --no-face {rule.no_face}: no network can decide about "
            "faces before it is trained: give --several largest, first or all, and --no-face skip "
            "or whole"
        )
    if not command.validation:
        return source, None
    texts = command.validation
    parsed = [parse_layout(text) or parse_layout(text.partition("=")[2]) for text in texts]
    layouts = [place.layout for place in parsed if place is not None]
    unnamed = any("=" not in text or parse_layout(text) is not None for text in texts)
    validation = open_source(
        texts,
        labels=labels if unnamed else (),
        frames=frames if layouts else None,
        root=root if any(layout in LISTS for layout in layouts) else None,
    )
    return source, command.faces.cut(validation)
