"""Detectors of altered faces, applied to photographs, turned faces and syntheses."""

from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Float

from salix.data import fit
from salix.data.assets import fetch
from salix.models import load
from salix.typing import AnyArray

DETECTORS = ("antispoof", "liveness")


def fake_probabilities(
    images: Mapping[str, Float[AnyArray, "n s s 3"]],
) -> dict[str, dict[str, Float[np.ndarray, " n"]]]:
    """Return P(fake) of images in [0, 1], by detector and by kind of image.

    Raises `AssetError` where weights cannot be fetched.
    """
    table: dict[str, dict[str, np.ndarray]] = {}
    for name in DETECTORS:
        model, params = load(name, fetch(name))
        preprocess, position = model.preprocess, model.classes.index("fake")

        @jax.jit
        def probabilities(params, pixels, model=model, preprocess=preprocess):
            logits = jax.vmap(lambda x: model.logits(params, preprocess(x)))(pixels)
            return jax.nn.softmax(logits)

        table[name] = {}
        for kind, of_kind in images.items():
            eight = np.rint(np.asarray(of_kind) * 255).astype(np.uint8)
            pixels = np.stack([np.asarray(fit(image, preprocess)) for image in eight])
            table[name][kind] = np.asarray(probabilities(params, pixels))[:, position]
    return table
