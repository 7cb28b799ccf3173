"""Inputs of the small networks that studies train."""

import numpy as np
from jaxtyping import Float32, UInt8


def signed_pixels(pixels: UInt8[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Return 8-bit pixels as inputs in [-1, 1]: the baseline 0 is the mean of random bytes."""
    return pixels.astype(np.float32) / np.float32(127.5) - 1
