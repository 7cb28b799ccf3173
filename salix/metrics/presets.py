"""Named variants of a metric: options that a preset decides where a caller leaves them out.

A metric of several variants has the keyword `preset`, of which the first is the default; the
options that presets decide are None unless a caller gives them, and then override the preset.
"""

from collections.abc import Mapping
from typing import Any

from salix.hyperparameters import Hyperparameter, check_value, choice

Presets = Mapping[str, Mapping[str, Any]]


def choose_options(metric: str, preset: str, presets: Presets, **options: Any) -> dict[str, Any]:
    """Return options of a metric, those that are None as the preset has them.

    A preset that leaves an option out has None for it. Raises `InputError` for an unknown preset.
    """
    names = f"choose one of {', '.join(presets)} for {metric}"
    preset = check_value("preset", preset, Hyperparameter(choice(presets).plain, names))
    chosen = {name: value for name, value in options.items() if value is not None}
    return {**dict.fromkeys(options), **presets[preset], **chosen}


def complete_options(presets: Presets, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a caller's options of a metric completed by those of the preset that they name."""
    preset = options.get("preset", next(iter(presets), None))
    others = {name: value for name, value in options.items() if value is not None}
    return {**presets.get(preset, {}), **others}
