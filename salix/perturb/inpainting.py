r"""Removed pixels as weighted means of their neighbours, solved jointly by multigrid.

The equations of the removed pixels, $\sum_j w_{ij} (u_i - u_j) = 0$ over the neighbours j inside
the image (1/6 along an axis, 1/12 diagonally), are symmetric and positive definite. Conjugate
gradients solve them, preconditioned by one V-cycle: Jacobi sweeps, which damp what varies from
pixel to pixel threefold, and coarser grids of half the side for what does not. A position of a
coarser grid is removed where all its pixels are. The number of iterations does not grow with the
size of holes: 7 to 25.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Bool, Float

from salix.precision import widen
from salix.typing import AnyArray, Image, InputError

LIMIT = 60  # iterations, after which the last approximation is returned
SOLVES = 2  # each solves for the error of the last: the second corrects the rounding of the first
SWEEPS = 8  # of Jacobi on the coarsest grid
FinePlane = Float[Array, "h w c"]
CoarsePlane = Float[Array, "half_h half_w c"]


class SolverGrid(NamedTuple):
    """Unknown pixels of one grid as 0 and 1, and the reciprocal sum of each one's weights."""

    unknown: Array
    weight: Array
    reciprocal: Array


def fill_from_neighbours(
    image: Image, removed: Bool[AnyArray, "*removed"], *, tolerance: float = 2e-7
) -> Float[Array, "h w c"]:
    r"""Replace the removed pixels of an image [h w c] by weighted means of their neighbours.

    Each removed pixel is the mean of its eight neighbours inside the image, weighted by 1/6 along
    an axis and 1/12 diagonally, removed neighbours being solved for jointly. The error is about
    `tolerance` times the range of the image. NaN where every pixel is removed. Float32 or wider.
    Raises `InputError` for an image of other than two axes beside the channels.

    Rong et al. (2022), arXiv:2202.00449, sec. 4.2.
    """
    image = widen(image)
    if image.ndim != 3 or image.shape[:2] != jnp.shape(removed):
        raise InputError(
            f"the image has shape {image.shape} and its removed pixels {jnp.shape(removed)}: give "
            "an image [height width channels] and a mask [height width]"
        )
    fill = partial(_fill, tolerance=tolerance)
    # On a CPU, a batch that does not fit the caches takes twice the time of its images in turn, and
    # all of them the iterations of the slowest.
    in_turn = sequential_vmap(fill)
    return lax.platform_dependent(image, jnp.asarray(removed), cpu=in_turn, default=fill)


def _fill(image: FinePlane, removed: Bool[Array, "h w"], tolerance: float) -> FinePlane:
    unknown = jnp.asarray(removed, image.dtype)[..., None]
    known = 1 - unknown
    mean = (known * image).sum((0, 1), keepdims=True) / known.sum()
    levels = build_levels(unknown)
    span = image.max((0, 1), keepdims=True) - image.min((0, 1), keepdims=True)

    def refine(x: FinePlane, _: None) -> tuple[FinePlane, None]:
        return x + solve(levels, unknown * sum_differences(x), tolerance * span), None

    return lax.scan(refine, jnp.where(unknown > 0, mean, image), length=SOLVES)[0]


def sum_differences(x: FinePlane) -> FinePlane:
    """Return the weighted sum of each pixel's differences to its neighbours inside the image.

    Differences of close values are exact, so that the rounding of large values, which wide holes
    amplify, does no harm.
    """
    total = jnp.zeros_like(x)
    for down, right, weight in ((0, 1, 6), (1, 0, 6), (1, 1, 12), (1, -1, 12)):
        height, width, _ = x.shape
        left, other = max(-right, 0), max(right, 0)
        here = slice(0, height - down), slice(left, width - other)
        there = slice(down, height), slice(other, width - left)
        flow = (x[there] - x[here]) / weight
        total = total.at[here].add(flow).at[there].add(-flow)
    return total


def sum_neighbours(x: FinePlane) -> FinePlane:
    """Return the weighted sum of the eight neighbours of each pixel, those outside being 0."""
    p = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    rows = p[:-2] + 2 * p[1:-1] + p[2:]
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 12 - x / 3


def build_levels(unknown: FinePlane) -> list[SolverGrid]:
    """Return the grids from the image's to one of two pixels a side or less."""
    levels, inside = [], jnp.ones_like(unknown)
    while True:
        weight = sum_neighbours(inside)
        levels.append(SolverGrid(unknown, weight, unknown / jnp.maximum(weight, 1 / 12)))
        if max(unknown.shape[:2]) <= 2:
            return levels
        known = pair_sums(inside - unknown)  # of four pixels, some may lie outside
        inside = (pair_sums(inside) > 0).astype(unknown.dtype)
        unknown = jnp.where(known == 0, inside, 0)


def solve(
    levels: list[SolverGrid], right: FinePlane, tolerance: Float[Array, "1 1 c"]
) -> FinePlane:
    """Return the values of the unknown pixels by preconditioned conjugate gradients."""

    def product(a: FinePlane, b: FinePlane) -> Float[Array, "1 1 c"]:
        return (a * b).sum((0, 1), keepdims=True)

    def ratio(a: Array, b: Array) -> Array:
        return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)

    def unfinished(state: tuple) -> Array:
        _, _, step, _, _, count = state
        # A preconditioned residual approximates the error itself.
        return (jnp.abs(step).max((0, 1), keepdims=True) > tolerance).any() & (count < LIMIT)

    def iterate(state: tuple) -> tuple:
        x, residual, step, direction, old, count = state
        image = apply(levels[0], direction)
        length = ratio(old, product(direction, image))
        x, residual = x + length * direction, residual - length * image
        step = cycle(levels, residual)
        new = product(residual, step)
        return x, residual, step, step + ratio(new, old) * direction, new, count + 1

    step = cycle(levels, right)
    start = jnp.zeros_like(right), right, step, step, product(right, step), jnp.int32(0)
    return lax.while_loop(unfinished, iterate, start)[0]


def apply(level: SolverGrid, x: FinePlane) -> FinePlane:
    """Return the left side of the equations, for values of the unknown pixels alone."""
    return level.unknown * (level.weight * x - sum_neighbours(x))


def cycle(levels: list[SolverGrid], right: FinePlane) -> FinePlane:
    """Solve the equations approximately by one symmetric V-cycle, from zero."""
    level, *coarser = levels
    x = level.reciprocal * right
    if not coarser:
        for _ in range(SWEEPS):
            x = x + level.reciprocal * (right - apply(level, x))
        return x
    residual = right - apply(level, x)
    correction = cycle(coarser, coarser[0].unknown * restrict(residual))
    x = x + level.unknown * interpolate(correction, x.shape)
    return x + level.reciprocal * (right - apply(level, x))


def pair_sums(x: FinePlane) -> CoarsePlane:
    """Return sums of two by two pixels; beyond an odd edge there are zeros."""
    height, width, channels = x.shape
    p = jnp.pad(x, ((0, height % 2), (0, width % 2), (0, 0)))
    return p.reshape(-(-height // 2), 2, -(-width // 2), 2, channels).sum((1, 3))


def restrict(x: FinePlane) -> CoarsePlane:
    """Return the transpose of `interpolate`: weighted sums on the grid of half the side."""
    for axis in (0, 1):
        odd = x.shape[axis] % 2
        widths = [(0, 0)] * 3
        widths[axis] = (1, 1 + odd)
        p = jnp.moveaxis(jnp.pad(x, widths), axis, 0)
        inner = p[1:-1:2] + p[2::2]
        outer = p[:-2:2] + p[3::2]
        x = jnp.moveaxis(0.75 * inner + 0.25 * outer, 0, axis)
    return x


def interpolate(x: CoarsePlane, shape: tuple[int, ...]) -> FinePlane:
    """Return values on the grid of twice the side, linear between centres, zero beyond edges."""
    for axis in (0, 1):
        widths = [(0, 0)] * 3
        widths[axis] = (1, 1)
        p = jnp.moveaxis(jnp.pad(x, widths), axis, 0)
        even, odd = 0.75 * p[1:-1] + 0.25 * p[:-2], 0.75 * p[1:-1] + 0.25 * p[2:]
        both = jnp.stack([even, odd], 1).reshape(-1, *p.shape[1:])
        x = jnp.moveaxis(both[: shape[axis]], 0, axis)
    return x
