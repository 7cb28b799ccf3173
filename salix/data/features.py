"""Choice of the features of a TensorFlow data set that are image, label, reference mask and key."""

from typing import Any

import numpy as np

from salix.data.prepared import import_tfds
from salix.typing import InputError

KEYS = ("id", "filename", "file_name", "image/filename")  # usual names of an example's own id


def choose_features(
    place: str, features: Any, image: str, label: str | None, map: str | None, key: str | None
) -> dict[str, str]:
    """Return the name of the feature for each role: image, label, map and key.

    None chooses the usual name where such a feature is suitable, "" leaves a role out. Raises
    `InputError`, with the suitable names, for a name that is not one of them.
    """
    tfds = import_tfds().features

    def is_picture(feature: Any) -> bool:  # float32 images are packed into RGBA
        return isinstance(feature, tfds.Image) and feature.np_dtype != np.float32

    def is_category(feature: Any) -> bool:
        return isinstance(feature, tfds.ClassLabel)

    def is_scalar(feature: Any) -> bool:
        plain = isinstance(feature, tfds.Tensor) and not is_category(feature)
        return plain and feature.shape == () and np.dtype(feature.np_dtype).kind in "Oiu"

    chosen = {}
    for role, name, usual_names, is_suitable in (
        ("image", image, (), is_picture),
        ("label", label, ("label",), is_category),
        ("map", map, ("map",), is_picture),
        ("key", key, KEYS, is_scalar),
    ):
        suitable = sorted(n for n, feature in features.items() if is_suitable(feature))
        if name is None:
            name = next((n for n in usual_names if n in suitable), "")
        elif (name or role == "image") and name not in suitable:
            raise InputError(
                f"{place}: {name!r} is not a feature that can be its {role}; give Dataset({role}=) "
                f"one of {', '.join(suitable) or 'another data set'}"
            )
        if name:
            chosen[role] = name
    return chosen
