"""Grid of a transformer's tokens, from their number and the shape of the image."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Num

from salix.typing import Features, InputError

EXTRA = (0, 1, 2, 5)  # tokens before the patches: none, class, class and distillation, registers


def patch_grid(count: int, space: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Return the number of tokens before the patches, and the grid of the patches.

    The patches are cubes that tile an image of the shape `space`: the grid has its proportions. A
    sequence of numbers is divided exactly.
    Raises `InputError` where no grid of that kind has `count` patches, with up to a class token, a
    distillation token or four registers before them.
    """
    for extra in EXTRA:
        patches = count - extra
        if patches < 1:
            break
        side = (math.prod(space) / patches) ** (1 / len(space))
        grid = tuple(round(n / side) for n in space)
        fits = all(abs(n / side - g) < 0.01 * g for n, g in zip(space, grid, strict=True))
        fits &= len(space) > 1 or math.prod(space) % patches == 0
        if fits and math.prod(grid) == patches:
            return extra, grid
    sides = " x ".join(map(str, space))
    raise InputError(
        f"{count} tokens fit no grid of square patches of an image of {sides}, with or without a "
        f"class token: give a trunk that returns the patches on their grid, [y x k]"
    )


def fold_tokens(features: Features, space: tuple[int, ...]) -> Num[Array, "*patches channels"]:
    """Return features on their grid: the tokens [n k] of an image of two or more spatial axes.

    Tokens before the patches, such as the class token, are left out. Features that have as many
    axes as the image, or a single one, are returned unchanged.
    """
    features = jnp.asarray(features)
    if features.ndim != 2 or len(space) < 2:
        return features
    extra, grid = patch_grid(features.shape[0], space)
    return features[extra:].reshape(*grid, features.shape[1])
