"""Explained class of each image: its label, or the prediction of another run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salix.model import Model
from salix.store import Run, describe, digest_items
from salix.typing import InputError

LABEL, PREDICTIONS = "label", "predictions of another run"


@dataclass(frozen=True)
class Targets:
    """Explained classes by one rule: an index for each image, or the reason why it has none."""

    rule: str
    classes: tuple[int | str, ...]
    run: Run | None = None  # that predicted

    def check_images(self, identity: dict[str, Any], ids: Sequence[str]) -> None:
        """Raise `InputError` where the run has other images than `identity` under the same ids."""
        if self.run is None:
            return
        data = self.run.manifest["config"]["data"]
        comparable = data.get("ids") == digest_items(ids) and (
            data.get("content") == identity["content"]
        )
        if comparable and _image_digests(data) != _image_digests(identity):
            raise InputError(
                f"{self.run.path} predicted other images of the same ids: give a run over these"
            )


def _image_digests(identity: dict[str, Any]) -> Any:
    sources = identity.get("sources", {})
    inner = {name: _image_digests(source) for name, source in sources.items()}
    return inner or identity.get("images", identity.get("files"))


def check_targets(score: Any, rule: str) -> None:
    """Raise `InputError` for a score that explains one class for all images, or none."""
    if not hasattr(score, "target"):
        problem = "has no target, the class that it explains"
    elif score.target is not None:
        problem = "explains one class for all images"
    else:
        return
    raise InputError(
        f"the score {describe(score)} {problem}, and targets is {rule!r}: give logit(), "
        "probability() or margin() without a class, or leave targets out"
    )


def read_targets(
    targets: Any, ids: Sequence[str], labels: Sequence[int | None], model: Model
) -> Targets:
    """Return the explained classes of images by "label", or as a run predicted.

    Classes of the run are those of the model by name, in any order. Raises `InputError` for a run
    without predictions, an unfinished one, one of other classes, and where no image has a class.
    """
    if isinstance(targets, str) and targets == LABEL:
        rule = Targets(LABEL, tuple("unknown label: no class" if x is None else x for x in labels))
        remedy = "give labels, a folder for each class or a table with the column label"
    else:
        run = targets if isinstance(targets, Run) else _open_run(targets)
        rule = Targets(PREDICTIONS, _predictions(run, ids, model), run)
        remedy = f"give a run over the same images; {run.path} has other ids"
    if ids and not any(isinstance(x, int) for x in rule.classes):
        raise InputError(f"no image has a class to explain by targets {targets!r}: {remedy}")
    return rule


def _open_run(path: Any) -> Run:
    if not isinstance(path, (str, Path)) or not (Path(path) / "manifest.json").is_file():
        raise InputError(
            f"targets is {path!r}: give 'label', or the directory of a run whose predictions are "
            "explained"
        )
    return Run(Path(path))


def _predictions(run: Run, ids: Sequence[str], model: Model) -> tuple[int | str, ...]:
    if "predicted" not in run.columns or not run.classes:
        raise InputError(f"{run.path} predicts no classes: give the run of an image classifier")
    if not run.complete:
        raise InputError(f"{run.path} is not finished, and its predictions are targets: resume it")
    known = {name.casefold(): i for i, name in enumerate(model.classes)}
    if unknown := [name for name in run.classes if name.casefold() not in known]:
        raise InputError(
            f"{run.path} predicts {', '.join(unknown)}, and {model.name} has the classes "
            f"{', '.join(model.classes)}: give a run of the same classes"
        )
    index = [known[name.casefold()] for name in run.classes]
    rows = run.read([n for n in ("id", "predicted", "finite") if n in run.columns])
    finite = rows.get("finite", [True] * len(rows["id"]))
    predicted = {
        id: index[int(p)] if f else f"unknown target: {run.name} has logits that are not finite"
        for id, p, f in zip(rows["id"], rows["predicted"], finite, strict=True)
    }
    missing = f"unknown target: {run.name} has no prediction for this image"
    return tuple(predicted.get(id, missing) for id in ids)
