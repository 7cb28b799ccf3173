"""The one convolution of all architectures, and the forms and precisions it can take.

Which form is fastest, and how exact it need be, depends on the device: models do not see it.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.nn.conv_forms import Margins, Pair, Plan, depthwise, explicit, library, taps
from salix.nn.conv_gradient import by_input
from salix.precision import Precision, active_precision, set_context
from salix.typing import AnyArray

Padding = Literal["SAME"] | Margins
Form = Literal["explicit", "xla"]

# Part of the key of jit's cache, so that a switch is never ignored by a program compiled before.
_FORM: Any = jax.make_user_context(None)


def conv_form(form: Form) -> AbstractContextManager[None]:
    """Return a context in which convolutions are traced in a form.

    "explicit" writes the gradient by the input as a forward convolution, 1x1 convolutions as
    matrix products and depthwise ones as sums over the places of the kernel; it can be
    differentiated in reverse only. "xla" leaves all three to the compiler.
    The default is "explicit" on the CPU, where XLA runs the gradients it derives itself inside a
    loop (`scan`, `map`) at half the speed, and "xla" on other devices.
    """
    return set_context(_FORM, form, get_args(Form))


def forms() -> tuple[Form, Precision]:
    """Return the form and the precision in which a convolution would be traced now."""
    form = _FORM.value or ("explicit" if jax.default_backend() == "cpu" else "xla")
    policy = active_precision()
    return ("explicit" if policy == "bfloat16_dots" else form), policy


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
    plan = Plan(strides, pads, groups, policy)
    if form == "xla":
        return library(x, kernel, plan)
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
def _explicit(plan: Plan, x: Array, kernel: Array) -> Array:
    return explicit(plan, x, kernel)


def _start(plan: Plan, x: Any, kernel: Any) -> tuple[Array, Any]:
    # What no gradient is asked for is not kept: for maps, the activations that a kernel's needs.
    kept = (x.value if kernel.perturbed else None, kernel.value if x.perturbed else None)
    shape = jax.ShapeDtypeStruct(x.value.shape, x.value.dtype)
    kernel_shape = jax.ShapeDtypeStruct(kernel.value.shape, kernel.value.dtype)
    return explicit(plan, x.value, kernel.value), (*kept, _Static((shape, kernel_shape)))


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Static:
    """What a residual holds besides arrays."""

    shapes: tuple[Any, Any]


def _finish(plan: Plan, kept: Any, g: Any) -> tuple[Array | None, Array | None]:
    x, kernel, (of_x, of_kernel) = kept[0], kept[1], kept[2].shapes
    if isinstance(g, jax.custom_derivatives.SymbolicZero):
        return None, None
    by_x = None if kernel is None else by_input(plan, g, kernel, of_x.shape)
    by_kernel = None
    if x is not None:
        # Sums over images and places: bfloat16 dots, made for maps, would cost them exactness.
        form = taps if depthwise(plan, of_kernel) else library
        (by_kernel,) = jax.linear_transpose(lambda k: form(x, k, plan.exact()), of_kernel)(g)
    return by_x, by_kernel


_explicit.defvjp(_start, _finish, symbolic_zeros=True)
