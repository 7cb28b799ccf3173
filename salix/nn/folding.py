"""Folding of batch normalisations into the convolutions before them."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.nn.layers import Conv
from salix.typing import AnyArray


class Folded(nnx.Module):
    """Identity in place of a folded normalisation."""

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w c"]:
        """Return x."""
        return jnp.asarray(x)


def fold(module: Any) -> Any:
    r"""Return a copy of a network in evaluation, its batch normalisations folded where possible.

    $\gamma (k * x + b - \mu) / \sigma + \beta$ is a convolution with the kernel $k \gamma / \sigma$
    and the bias $(b - \mu) \gamma / \sigma + \beta$, $\sigma^2 = v + \epsilon$. A class lists the
    foldable pairs in `folds`: a convolution, and the normalisation that is its only reader. The
    copy is for maps: it has other weights, which `salix.models.save` refuses, and cannot be trained
    as the original is.
    """
    copy = nnx.clone(module)
    copy.eval()
    for _, part in list(nnx.iter_modules(copy)):
        for conv, norm in getattr(part, "folds", {}).items():
            if not isinstance(getattr(part, norm), Folded):
                _absorb(getattr(part, conv), getattr(part, norm))
            setattr(part, norm, Folded())
    return copy


def _absorb(conv: Conv, norm: nnx.BatchNorm) -> None:
    """Change a convolution into its composition with a normalisation."""
    kernel = np.asarray(conv.kernel[...])
    # On the host in float64: the only rounding is that of the result to float32.
    scale, shift, mean, var = (
        np.asarray(variable[...], np.float64)
        for variable in (norm.scale, norm.bias, norm.mean, norm.var)
        if variable is not None
    )
    gain = scale / np.sqrt(var + norm.epsilon)
    bias = 0.0 if conv.bias is None else np.asarray(conv.bias[...], np.float64)
    conv.kernel[...] = jnp.asarray(kernel * gain.reshape(1, 1, 1, -1), kernel.dtype)
    conv.bias = nnx.data(nnx.Param(jnp.asarray((bias - mean) * gain + shift, kernel.dtype)))
