"""Explanation of single images: logits, explained class and map."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.data import fit
from salix.data.decode import Unreadable, decode
from salix.engine.classification import Classification
from salix.engine.image_run import default_attribution
from salix.engine.model_check import check_model, check_params
from salix.model import Model
from salix.nn import round_kernels
from salix.precision import Precision
from salix.scores import ScoreOf, logit
from salix.typing import Explanation, InputError, Method, Params, Pixels


def explain(
    model: Model,
    params: Params,
    image: np.ndarray | Path | str | Any,
    attribution: Method | None = None,
    *,
    score: ScoreOf = logit(),
    precision: Precision = "float32",
    seed: int = 0,
) -> Explanation:
    """Return the explanation of one image: its logits, the explained class and the map.

    `image` is an 8-bit array [h w] or [h w c] of any size, a Pillow image, or the path of a file.
    The map is on the method's grid, unscaled, and `Explanation.attribution` is what it was pooled
    from; `salix.plot.overlay` draws it. `attribution`,
    `score`, `precision` and `seed` as in `salix.sweep`. Compiles in every call: for many images use
    `image_explainer`, for data sets `salix.sweep`. Raises `InputError` for a file that is not an
    image, and as a sweep for parameters, outputs, methods and scores that do not fit the model.
    """
    pixels = model_pixels(model, image)
    explainer = image_explainer(
        model, params, attribution, score=score, precision=precision, seed=seed
    )
    return explainer(pixels)


def image_explainer(
    model: Model,
    params: Params,
    attribution: Method | None = None,
    *,
    score: ScoreOf = logit(),
    precision: Precision = "float32",
    seed: int = 0,
) -> Callable[[Pixels], Explanation]:
    """Return a function from pixels of the model's size, see `model_pixels`, to an `Explanation`.

    It is compiled once. Arguments and errors are those of `explain`.
    """
    method = attribution or default_attribution(model)
    check_params(params)
    problem = Classification(model, method, score=score, precision=precision)
    check_model(model, params, method)
    placed = jax.device_put(round_kernels(params, precision))
    key = jax.random.key(seed)

    @jax.jit
    def explained(params: Params, pixels: Pixels) -> Explanation:
        return problem.explain(params, model.preprocess(pixels), key)

    return lambda pixels: explained(placed, jnp.asarray(pixels))


def model_pixels(model: Model, image: np.ndarray | Path | str | Any) -> Pixels:
    """Return an image as the 8-bit pixels [h w c] that a model receives, resized and cropped.

    Raises `InputError`, naming the file, for an image that cannot be read.
    """
    is_file = isinstance(image, (str, Path))
    try:
        return fit(decode(Path(image)) if is_file else image, model.preprocess)
    except (Unreadable, OSError) as error:
        name = f"{image}" if is_file else "the image"
        raise InputError(f"{name} cannot be explained: {error}") from None
