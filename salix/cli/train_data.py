"""Training and validation data of `salix train`, opened from the command's options."""

from typing import TYPE_CHECKING

from salix.data.face_sources import face_rule
from salix.data.opening import open_sources
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.cli.train import Train
    from salix.data import Source


def open_training(command: "Train") -> tuple["Source", "Source | None"]:
    """Return the training data and the validation data, None without.

    `--labels`, `--frames` and `--root` count for the data of either that take them. Raises
    `InputError` for an option that neither takes, and for faces by a rule that needs a network.
    """
    data = [command.data, *([command.validation] if command.validation else [])]
    opened = open_sources(data, labels=command.labels, frames=command.frames, root=command.root)
    source, *validation = [command.faces.cut(source) for source in opened]
    rule = face_rule(source)
    if rule is not None and rule.needs_two_classes:
        raise InputError(
            f"--several {rule.several} and --no-face {rule.no_face}: no network can decide about "
            "faces before it is trained: give --several largest, first or all, and --no-face skip "
            "or whole"
        )
    return source, validation[0] if validation else None
