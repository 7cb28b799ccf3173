"""2-D convolution in the form and precision that suit the device.

Which implementation is fastest, and how exact it must be, depends on the device; models call
`conv` and do not choose.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.nn.conv_forms import (
    Margins,
    Pair,
    Plan,
    depthwise_conv,
    explicit_conv,
    is_depthwise,
    xla_conv,
)
from salix.nn.conv_gradient import input_gradient
from salix.precision import active_precision, set_context
from salix.typing import AnyArray

Padding = Literal["SAME"] | Margins
Form = Literal["explicit", "xla"]

# Part of the key of jit's cache, so that a switch is never ignored by a program compiled before.
_FORM: Any = jax.make_user_context(None)


def conv_form(form: Form) -> AbstractContextManager[None]:
    """Return a context in which convolutions are traced in a form.

    "explicit" writes the gradient by the input as a forward convolution, 1x1 convolutions as
    matrix products, and depthwise ones and those of few channels as written-out sums; it can be
    differentiated in reverse mode only. "xla" leaves all of it to the compiler.
    The default is "explicit" on the CPU, where XLA runs the gradients it derives itself inside a
    loop (`scan`, `map`) at half the speed, and "xla" on other devices.
    """
    return set_context(_FORM, form, get_args(Form))


def active_form() -> Form:
    """Return the form in which convolutions are traced now."""
    if active_precision() == "bfloat16_dots":
        return "explicit"
    return _FORM.value or ("explicit" if jax.default_backend() == "cpu" else "xla")


def conv(
    x: Float[AnyArray, "b h w c"],
    kernel: Float[AnyArray, "kh kw i o"],
    *,
    strides: Pair = (1, 1),
    padding: Padding = "SAME",
    groups: int = 1,
) -> Float[Array, "b y x o"]:
    r"""Return the convolution $y_{pqo} = \sum_{uvi} x_{ps+u-t,qs+v-l,i} k_{uvio}$ of images.

    `padding` is ((top, bottom), (left, right)), or "SAME" for ceil(h / stride) rows of output.
    With `groups` g, inputs and outputs are split into g equal blocks of channels, convolved block
    by block: i = c / g. The form is `active_form()`, the precision `active_precision()`.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    pads = resolve_padding(x, kernel.shape[:2], strides, padding)
    plan = Plan(strides, pads, groups, active_precision())
    return xla_conv(x, kernel, plan) if active_form() == "xla" else _explicit(plan, x, kernel)


def resolve_padding(
    x: Array, size: tuple[int, ...], strides: Pair, padding: Literal["SAME", "VALID"] | Margins
) -> Margins:
    """Return padding as ((top, bottom), (left, right)), in pixels of images [b h w c]."""
    if not isinstance(padding, str):
        return padding
    (top, bottom), (left, right) = lax.padtype_to_pads(x.shape[1:3], size, strides, padding)
    return (top, bottom), (left, right)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _explicit(plan: Plan, x: Array, kernel: Array) -> Array:
    return explicit_conv(plan, x, kernel)


@jax.tree_util.register_static
@dataclass(frozen=True)
class _OperandShapes:
    """Shapes and types of input and kernel, among the residuals."""

    x: Any
    kernel: Any


def _explicit_forward(plan: Plan, x: Any, kernel: Any) -> tuple[Array, Any]:
    # Residuals are stored only for gradients that are asked for: maps need no kernel gradient, and
    # so keep no activations.
    residuals = (x.value if kernel.perturbed else None, kernel.value if x.perturbed else None)
    shapes = _OperandShapes(
        jax.ShapeDtypeStruct(x.value.shape, x.value.dtype),
        jax.ShapeDtypeStruct(kernel.value.shape, kernel.value.dtype),
    )
    return explicit_conv(plan, x.value, kernel.value), (*residuals, shapes)


def _explicit_backward(plan: Plan, residuals: Any, g: Any) -> tuple[Array | None, Array | None]:
    x, kernel, shapes = residuals
    if isinstance(g, jax.custom_derivatives.SymbolicZero):
        return None, None
    by_x = None if kernel is None else input_gradient(plan, g, kernel, shapes.x.shape)
    by_kernel = None
    if x is not None:
        # Sums over images and pixels: bfloat16 products, made for maps, would not be exact enough.
        form = depthwise_conv if is_depthwise(plan, shapes.kernel) else xla_conv
        (by_kernel,) = jax.linear_transpose(lambda k: form(x, k, plan.exact()), shapes.kernel)(g)
    return by_x, by_kernel


_explicit.defvjp(_explicit_forward, _explicit_backward, symbolic_zeros=True)
