"""Adapter of a pure function of parameters and image."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from salix.adapters.convention import Convention
from salix.adapters.static_leaves import divide
from salix.model import Model, image_as_features
from salix.preprocess import Preprocess
from salix.typing import InputError, Params


def from_function(
    apply: Callable[[Params, Any], Any],
    params: Params = None,
    *,
    trunk: Callable[[Params, Any], Any] | None = None,
    preprocess: Preprocess = Preprocess(),
    classes: tuple[str, ...] = ("real", "fake"),
    name: str = "model",
    batched: bool | None = None,
    channels_first: bool = False,
    output: str | int | None = None,
) -> tuple[Model, Params]:
    """Return a `Model` of the pure function `apply(params, image) -> logits`, and its parameters.

    With `trunk`, `apply` is the head: it takes `trunk(params, image)` in the place of the image.

    The functions take one image [h w c], or `batched` ones a batch [n h w c]; None tries both on
    the shape of an image. `channels_first` ones take [c h w], and the features of their trunk have
    the channels first. `output` is the name or index of the logits where `apply` returns a dict, a
    tuple or a dataclass. Leaves of `params` that are no arrays, such as the functions in an Equinox
    module, are constants of the model; the returned parameters are the arrays alone.
    """
    arrays, combine = divide(params)
    combined = lambda function: lambda params, x: function(combine(params), x)  # noqa: E731
    head, cut = (apply, trunk) if arrays is params else (combined(apply), trunk and combined(trunk))
    about = {"preprocess": preprocess, "classes": classes, "name": name}
    convention = Convention(name, bool(batched), channels_first, output)

    def model(convention: Convention) -> Model:
        plain = convention == Convention(name, batched=False)
        return Model(
            image_as_features if cut is None else cut if plain else convention.trunk(cut),
            convention.head(head),
            **about,
        )

    if batched is None:
        attempts = [replace(convention, batched=b) for b in (False, True)]
        convention = max(attempts, key=lambda c: _fit(model(c), arrays))
    return model(convention), arrays


def _fit(model: Model, params: Params) -> int:
    """Return how well a model fits one image: 2 one logit a class, 1 it runs, 0 it fails."""
    image = jax.ShapeDtypeStruct((*model.preprocess.size, model.preprocess.channels), jnp.float32)
    try:
        logits = jax.eval_shape(model.logits, params, image)
    except InputError:  # of the outputs, after the function ran
        return 1
    except Exception:  # of any library: reported when the model is used
        return 0
    return 1 + (logits.shape == (len(model.classes),))
