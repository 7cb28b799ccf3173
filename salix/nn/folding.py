"""Batch normalisation folded into the convolution before it."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.nn.layers import Conv
from salix.typing import AnyArray


class Folded(nnx.Module):
    """What stands where a normalisation stood that its convolution now holds."""

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w c"]:
        """Return x."""
        return jnp.asarray(x)


def fold(module: Any) -> Any:
    r"""Return a copy of a network, in evaluation, without the normalisations that can be spared.

    $\gamma (k * x + b - \mu) / \sigma + \beta$ is a convolution with the kernel $k \gamma / \sigma$
    and the bias $(b - \mu) \gamma / \sigma + \beta$, $\sigma^2 = v + \epsilon$. A class names those
    that it can spare in `folds`: a convolution, and the normalisation that alone reads it. The
    copy is for maps: it has other weights, which `salix.models.save` refuses, and cannot be trained
    as the original is.
    """
    copy = nnx.clone(module)
    copy.eval()
    for _, part in list(nnx.iter_modules(copy)):
        for conv, norm in getattr(part, "folds", {}).items():
            _absorb(getattr(part, conv), getattr(part, norm))
            setattr(part, norm, Folded())
    return copy


def _absorb(conv: Conv, norm: nnx.BatchNorm | Folded) -> None:
    if isinstance(norm, Folded):
        return
    kernel = np.asarray(conv.kernel[...])
    # once, on the host, in float64: rounding is that of the final float32 alone
    scale, shift, mean, var = (
        np.asarray(held[...], np.float64)
        for held in (norm.scale, norm.bias, norm.mean, norm.var)
        if held is not None
    )
    gain = scale / np.sqrt(var + norm.epsilon)
    bias = 0.0 if conv.bias is None else np.asarray(conv.bias[...], np.float64)
    folded = jnp.asarray(kernel * gain.reshape(1, 1, 1, -1), kernel.dtype)
    conv.kernel[...] = folded
    conv.bias = nnx.data(nnx.Param(jnp.asarray((bias - mean) * gain + shift, kernel.dtype)))
