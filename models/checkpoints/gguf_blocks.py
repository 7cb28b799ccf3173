"""Quantised blocks of GGUF files as float32 arrays."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

__all__ = ["BLOCKS", "NAMES", "Quantisation"]

# Types that other programs write and that are not read, for their names in messages.
NAMES = {6: "Q5_0", 7: "Q5_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K"}
NAMES |= {15: "Q8_K", 16: "IQ2_XXS", 20: "IQ4_NL", 23: "IQ4_XS", 30: "BF16"}


@dataclass(frozen=True)
class Quantisation:
    """Type of the numbers of a tensor: `count` values in `size` bytes, and their decoding."""

    name: str
    count: int
    size: int
    decode: Callable[[UInt8[np.ndarray, "b s"]], Float[np.ndarray, "b c"]]


def _floats(kind: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda blocks: blocks.view(kind).astype(np.float32)


def _half(blocks: np.ndarray, start: int) -> np.ndarray:
    return blocks[:, start : start + 2].copy().view("<f2").astype(np.float32)


def _nibbles(blocks: np.ndarray, start: int) -> np.ndarray:
    """Return 32 numbers of 16 bytes: the low halves come first, then the high ones."""
    packed = blocks[:, start : start + 16]
    return np.concatenate([packed & 15, packed >> 4], 1).astype(np.float32)


def _q8_0(blocks: np.ndarray) -> np.ndarray:
    """Return $d q$ of signed bytes q."""
    return _half(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _q4_0(blocks: np.ndarray) -> np.ndarray:
    """Return $d (q - 8)$ of half bytes q."""
    return _half(blocks, 0) * (_nibbles(blocks, 2) - np.float32(8))


def _q4_1(blocks: np.ndarray) -> np.ndarray:
    """Return $d q + m$ of half bytes q."""
    return _half(blocks, 0) * _nibbles(blocks, 4) + _half(blocks, 2)


BLOCKS = {
    0: Quantisation("F32", 1, 4, _floats("<f4")),
    1: Quantisation("F16", 1, 2, _floats("<f2")),
    2: Quantisation("Q4_0", 32, 18, _q4_0),
    3: Quantisation("Q4_1", 32, 20, _q4_1),
    8: Quantisation("Q8_0", 32, 34, _q8_0),
}
