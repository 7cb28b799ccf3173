"""The one convolution of all architectures, and the forms and precisions it can take.

Which form is fastest, and how exact it need be, depends on the device: models do not see it.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.typing import AnyArray, InputError

Pair = tuple[int, int]
Margins = tuple[Pair, Pair]
Padding = Literal["SAME"] | Margins
Form = Literal["explicit", "xla"]
Precision = Literal["float32", "tf32", "bfloat16", "bfloat16_dots"]

# Part of the key of jit's cache, so that a switch is never ignored by a program compiled before.
_FORM: Any = jax.make_user_context(None)
_PRECISION: Any = jax.make_user_context("float32")
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv_form(form: Form) -> AbstractContextManager[None]:
    """Return a context in which convolutions are traced in a form.

    "explicit" writes the gradient by the input as a forward convolution, and 1x1 convolutions as
    matrix products; it can be differentiated in reverse only. "xla" leaves both to the compiler.
    The default is "explicit" on the CPU, where XLA runs the gradients it derives itself inside a
    loop (`scan`, `map`) at half the speed, and "xla" on other devices.
    """
    return _chosen(_FORM, form, get_args(Form))


def precision(policy: Precision) -> AbstractContextManager[None]:
    """Return a context in which convolutions are traced in a precision; results keep their type.

    "float32" (the default) is exact on every device; "tf32" allows products of 10 mantissa bits on
    devices that have them; "bfloat16" rounds operands and results to 8 bits. "bfloat16_dots"
    rounds operands alone and sums in float32, as matrix products: on CPUs with units for it the
    only fast form. It implies the explicit form; depthwise, grouped and first convolutions stay
    float32.
    """
    return _chosen(_PRECISION, policy, get_args(Precision))


def _chosen(context: Any, value: str, known: tuple[str, ...]) -> AbstractContextManager[None]:
    if value not in known:
        raise InputError(f"{value!r} is none of {', '.join(known)}")
    return context(value)


def forms() -> tuple[Form, Precision]:
    """Return the form and the precision in which a convolution would be traced now."""
    form = _FORM.value or ("explicit" if jax.default_backend() == "cpu" else "xla")
    return ("explicit" if _PRECISION.value == "bfloat16_dots" else form), _PRECISION.value


@dataclass(frozen=True)
class _Plan:
    """All that shapes do not say: fixed when the forward pass is traced, kept for the gradient."""

    strides: Pair
    pads: Margins
    groups: int
    precision: Precision
    dilation: Pair = (1, 1)  # of the input: a gradient's stride


def conv(
    x: Float[AnyArray, "b h w c"],
    kernel: Float[AnyArray, "kh kw i o"],
    strides: Pair = (1, 1),
    padding: Padding = "SAME",
    groups: int = 1,
) -> Float[Array, "b y x o"]:
    r"""Return the convolution $y_{pqo} = \sum_{uvi} x_{ps+u-t,qs+v-l,i} k_{uvio}$ of images.

    `padding` is ((top, bottom), (left, right)), or "SAME" for ceil(h / stride) rows of output.
    With `groups` g, inputs and outputs are g equal blocks of channels, each joined with its own:
    i = c / g. The form and the precision are those of `forms()`.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    form, policy = forms()
    pads = margins(x, kernel.shape[:2], strides, padding)
    plan = _Plan(strides, pads, groups, policy)
    if form == "xla":
        return _library(x, kernel, plan)
    return _explicit(plan, x, kernel)


def margins(
    x: Array, size: tuple[int, ...], strides: Pair, padding: Literal["SAME", "VALID"] | Margins
) -> Margins:
    """Return the rows and columns that a padding adds to images [b h w c] before and after."""
    if not isinstance(padding, str):
        return padding
    (top, bottom), (left, right) = lax.padtype_to_pads(x.shape[1:3], size, strides, padding)
    return (top, bottom), (left, right)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _explicit(plan: _Plan, x: Array, kernel: Array) -> Array:
    return _forward(plan, x, kernel)


def _start(plan: _Plan, x: Any, kernel: Any) -> tuple[Array, Any]:
    # What no gradient is asked for is not kept: for maps, the activations that a kernel's needs.
    kept = (x.value if kernel.perturbed else None, kernel.value if x.perturbed else None)
    shape = jax.ShapeDtypeStruct(x.value.shape, x.value.dtype)
    kernel_shape = jax.ShapeDtypeStruct(kernel.value.shape, kernel.value.dtype)
    return _forward(plan, x.value, kernel.value), (*kept, _Static((shape, kernel_shape)))


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Static:
    """What a residual holds besides arrays."""

    shapes: tuple[Any, Any]


def _finish(plan: _Plan, kept: Any, g: Any) -> tuple[Array | None, Array | None]:
    x, kernel, (of_x, of_kernel) = kept[0], kept[1], kept[2].shapes
    if isinstance(g, jax.custom_derivatives.SymbolicZero):
        return None, None
    by_x = None if kernel is None else _input_gradient(plan, g, kernel, of_x.shape)
    by_kernel = None
    if x is not None:
        # Sums over images and places: bfloat16 dots, made for maps, would cost them exactness.
        exact = replace(plan, precision="float32") if plan.precision == "bfloat16_dots" else plan
        (by_kernel,) = jax.linear_transpose(lambda k: _library(x, k, exact), of_kernel)(g)
    return by_x, by_kernel


_explicit.defvjp(_start, _finish, symbolic_zeros=True)


def _pointwise(plan: _Plan, kernel: Array) -> bool:
    return kernel.shape[:2] == (1, 1) and plan.groups == 1 and plan.pads == ((0, 0), (0, 0))


def _as_dots(plan: _Plan, x: Array, kernel: Array) -> bool:
    """Whether a convolution is summed as matrix products, one for each place in its kernel.

    Those in bfloat16 are; and those of images smaller than the kernel, which XLA would exchange
    with it, to run the images over the weights: a hundred times slower.
    """
    h, w, i, _ = kernel.shape
    if plan.groups > 1 or h * w > 9:
        return False
    return (plan.precision == "bfloat16_dots" and i >= 16) or x.shape[1] * x.shape[2] < h * w


def _forward(plan: _Plan, x: Array, kernel: Array) -> Array:
    if _pointwise(plan, kernel):
        down, along = plan.strides
        return _dot(x[:, ::down, ::along], kernel[0, 0], plan)
    if _as_dots(plan, x, kernel):
        return _shifted(x, kernel, plan)
    return _library(x, kernel, plan)


def _input_gradient(plan: _Plan, g: Array, kernel: Array, shape: tuple[int, ...]) -> Array:
    sizes, strides, (rows, columns) = shape[1:3], plan.strides, plan.pads
    spread = [(n - 1) * s + 1 for n, s in zip(g.shape[1:3], strides, strict=True)]
    swapped = kernel.reshape(*kernel.shape[:3], plan.groups, -1).transpose(0, 1, 4, 3, 2)
    swapped = swapped.reshape(*kernel.shape[:2], -1, shape[3])  # [kh kw o/groups c]
    if _pointwise(plan, kernel):
        return _put(_dot(g, swapped[0, 0], plan), (0, 0), strides, sizes)
    if _as_dots(plan, g, kernel) and strides != (1, 1):
        # each place of the kernel sends g to every stride-th pixel
        at = [(u, v) for u in range(kernel.shape[0]) for v in range(kernel.shape[1])]
        sent = [(_dot(g, swapped[u, v], plan), (u - rows[0], v - columns[0])) for u, v in at]
        return sum((_put(y, to, strides, sizes) for y, to in sent), jnp.zeros(shape, g.dtype))
    lows = [n - 1 - pad[0] for n, pad in zip(kernel.shape[:2], plan.pads, strict=True)]
    highs = [n - m + pad[0] for n, m, pad in zip(sizes, spread, plan.pads, strict=True)]
    pads = ((lows[0], highs[0]), (lows[1], highs[1]))
    back = replace(plan, strides=(1, 1), pads=pads, dilation=strides)
    turned = swapped[::-1, ::-1]
    if _as_dots(plan, g, kernel):
        return _shifted(g, turned, back)
    return _library(g, turned, back)


def _put(y: Array, start: Pair, strides: Pair, sizes: tuple[int, ...]) -> Array:
    """Place the pixels of y at every stride-th one of an empty image of other sizes."""
    if start == (0, 0) and strides == (1, 1):
        return y
    ends = [
        size - low - (n - 1) * s - 1
        for size, low, n, s in zip(sizes, start, y.shape[1:3], strides, strict=True)
    ]
    middle = [(low, high, s - 1) for low, high, s in zip(start, ends, strides, strict=True)]
    return lax.pad(y, jnp.zeros((), y.dtype), ((0, 0, 0), *middle, (0, 0, 0)))


_LIBRARY: dict[str, lax.Precision] = {
    "float32": lax.Precision.HIGHEST,
    "tf32": lax.Precision.HIGH,
    "bfloat16": lax.Precision.DEFAULT,
    "bfloat16_dots": lax.Precision.HIGHEST,  # for the convolutions that are not dots
}


def _library(x: Array, kernel: Array, plan: _Plan) -> Array:
    """Return the convolution in XLA's own form."""
    kept = x.dtype
    if plan.precision == "bfloat16":
        x, kernel = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    y = lax.conv_general_dilated(
        x,
        kernel,
        plan.strides,
        plan.pads,
        plan.dilation,
        dimension_numbers=_LAYOUT,
        feature_group_count=plan.groups,
        precision=_LIBRARY[plan.precision],
    )
    return y.astype(kept)


def _dot(x: Array, matrix: Array, plan: _Plan) -> Array:
    """Return the product of the channels of x with a matrix [i o]."""
    kept, result = x.dtype, None
    if plan.precision.startswith("bfloat16"):
        x, matrix = x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16)
        result = jnp.float32 if plan.precision == "bfloat16_dots" else None
    axes = (((x.ndim - 1,), (0,)), ((), ()))
    y = lax.dot_general(x, matrix, axes, _LIBRARY[plan.precision], result)
    return y.astype(kept)


def _shifted(x: Array, kernel: Array, plan: _Plan) -> Array:
    """Return the convolution, its input not dilated, as a sum of matrix products."""
    (kh, kw, i, o), (down, along) = kernel.shape, plan.strides
    pads = [(low, high, 0) for low, high in plan.pads]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))
    h, w = (x.shape[1] - kh) // down + 1, (x.shape[2] - kw) // along + 1
    at = [(u, v) for u in range(kh) for v in range(kw)]

    def seen(y: Array, u: int, v: int) -> Array:
        return y[:, u : u + (h - 1) * down + 1 : down, v : v + (w - 1) * along + 1 : along]

    if plan.strides == (1, 1) and min(h, w) >= 14 and o <= 2 * i:
        # one product for all places, its results shifted: fewer passes over a large input
        y = _dot(x, kernel.transpose(2, 0, 1, 3).reshape(i, -1), plan)
        parts = [seen(y[..., n * o : (n + 1) * o], u, v) for n, (u, v) in enumerate(at)]
    else:
        parts = [_dot(seen(x, u, v), kernel[u, v], plan) for u, v in at]
    return sum(parts[1:], parts[0])
