"""Reference images of methods and measures, from a folder or table of the command line."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from salix.model import Model
from salix.typing import InputError

MOST = 64  # images, evenly spread over the source


def reference_images(model: Model, text: str) -> np.ndarray:
    """Return the images that `text` names, as the model receives them, [n h w c].

    `text` is one that `--data` takes; of more than 64 images 64 are used, evenly spread. Raises
    `InputError`, naming it, for an image that cannot be read.
    """
    from salix.data import Unreadable, open_source
    from salix.engine.image_explanation import model_pixels

    source = open_source([text])
    count = len(source.ids)
    if not count:
        raise InputError(f"--references {text} has no images: name a folder with one or more")
    images = []
    for i in np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int)):
        try:
            pixels = model_pixels(model, source.read(int(i)))
        except (Unreadable, OSError) as error:
            raise InputError(
                f"--references {text}: {source.ids[i]} cannot be read: {error}"
            ) from None
        images.append(np.asarray(model.preprocess(pixels)))
    return np.stack(images)


def with_references(takers: Sequence[Any], images: np.ndarray) -> list[Any]:
    """Return methods and measures with `images` in the place of their default references.

    Methods inside of others have them too. Raises `InputError` where none takes any.
    """
    changed = [_with_references(taker, images) for taker in takers]
    if all(new is old for new, old in zip(changed, takers, strict=True)):
        raise InputError(
            "--references is given, and no method of --attribution takes reference images, nor a "
            "measure: leave it out, or give ExpectedGradients(), DeepLIFTSHAP() or RealRegions()"
        )
    return changed


def _with_references(taker: Any, images: np.ndarray) -> Any:
    if not is_dataclass(taker) or isinstance(taker, type):
        return taker
    changes: dict[str, Any] = {}
    for field in fields(taker):
        value = getattr(taker, field.name)
        is_default = value is None or (isinstance(value, str) and value == field.default)
        if field.name == "references" and is_default:
            changes["references"] = images
        elif callable(value):  # a method inside of another
            inner = _with_references(value, images)
            changes |= {} if inner is value else {field.name: inner}
    return replace(taker, **changes) if changes else taker
