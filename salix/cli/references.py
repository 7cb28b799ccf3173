"""Reference images of attribution methods, from a folder or table of the command line."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from salix.model import Model
from salix.typing import InputError, Method

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


def with_references(methods: Sequence[Method], images: np.ndarray) -> list[Method]:
    """Return methods with `images` in the place of their default references.

    Methods inside of others have them too. Raises `InputError` where no method takes any.
    """
    changed = [_with_references(method, images) for method in methods]
    if all(new is old for new, old in zip(changed, methods, strict=True)):
        raise InputError(
            "--references is given, and no method of --attribution takes reference images: leave "
            "it out, or give ExpectedGradients() or DeepLIFTSHAP()"
        )
    return changed


def _with_references(method: Any, images: np.ndarray) -> Any:
    if not is_dataclass(method):
        return method
    changes: dict[str, Any] = {}
    for field in fields(method):
        value = getattr(method, field.name)
        if field.name == "references" and isinstance(value, str) and value == field.default:
            changes["references"] = images
        elif callable(value):  # a method inside of another
            inner = _with_references(value, images)
            changes |= {} if inner is value else {field.name: inner}
    instance: Any = method
    return replace(instance, **changes) if changes else method
