"""Differences between two configurations of a run, in words, with how to go on."""

import re
from pathlib import Path
from typing import Any

from salix.typing import InputError

SHA256 = re.compile(r"[0-9a-f]{64}")
# Words for what a manifest names by a hash, by the last part of the name.
MEANINGS = {
    "weights": "the weights of the model differ",
    "operations": "the code of the model, attribution, score or measures differs",
    "constants": "arrays that the model, attribution, score or measures close over differ "
    "(variables beside the weights, baselines)",
    "ids": "the ids of the data or their order differ",
    "labels": "the labels differ",
    "groups": "the groups of the images differ",
    "images": "the content of the images differs",
    "reference_masks": "the content of the reference masks differs",
    "masks": "the segment masks of the user differ",
    "targets": "the explained classes differ",
    "files": "the content of the files of the data set differs",
}
CONSEQUENCES = ("program", "columns")  # of most settings
CAUSES = {"weights", "seed"}  # settings that they do not follow from
CIRCUMSTANCES = ("jax", "device")  # for which JAX may write another program of the same code


def check_same(
    path: Path, before: dict[str, Any], now: dict[str, Any], about: tuple[dict[str, Any], ...]
) -> None:
    """Raise `InputError` if two configurations differ, naming each difference.

    `about` are the circumstances of both.
    """
    changes = differences(before, now)
    if not changes:
        return
    text = "; ".join(f"{name}: {change}" for name, change in changes.items())
    remedy = "use a new --out"
    if any(" there, " in change for change in changes.values()):
        remedy = "set it back as it was there, or use a new --out"
    elif "program.operations" in changes:
        then, here = (", ".join(f"{k} {a.get(k)}" for k in CIRCUMSTANCES) for a in about)
        if then != here:
            text += f"; the run was computed with {then}, this is {here}, where the same code may "
            text += "be another program"
            remedy = "go on with the former, or use a new --out"
    raise InputError(f"{path} holds a run of another configuration ({text}): {remedy}")


def differences(before: dict[str, Any], now: dict[str, Any]) -> dict[str, str]:
    """Return what differs, by its name in the manifest, "data.images": in words, or both values.

    Of a changed setting, the program and the columns that follow from it are left out.
    """
    flat_before, flat_now = _flat(before), _flat(now)
    changes = {
        name: _change(name, flat_before.get(name), flat_now.get(name))
        for name in sorted(flat_before | flat_now)
        if flat_before.get(name) != flat_now.get(name)
    }
    top = {name: name.partition(".")[0] for name in changes}
    if set(top.values()) - {*CONSEQUENCES, *CAUSES, "data"}:
        return {n: change for n, change in changes.items() if top[n] not in CONSEQUENCES}
    return changes


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        is_group = isinstance(value, dict) and name != "columns"
        flat |= _flat(value, f"{prefix}{name}.") if is_group else {prefix + name: value}
    return flat


def _change(name: str, before: Any, now: Any) -> str:
    if any(isinstance(value, str) and SHA256.fullmatch(value) for value in (before, now)):
        if before is None or now is None:
            return "not there, but now" if before is None else "there, but not now"
        return MEANINGS.get(name.rpartition(".")[2], "it differs")
    return f"{before!r} there, {now!r} now"
