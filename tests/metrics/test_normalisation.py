"""Maps on the common scale: exact to the last bit, as the 8-bit maps hang on it."""

import jax
import numpy as np

from salix.metrics import scale, to_8_bit


def test_it_divides_as_numpy_does_under_jit_and_vmap():
    maps = np.random.default_rng(0).normal(size=(4000, 7, 7)).astype(np.float32)
    maps[::2] = np.maximum(maps[::2], 0)
    scaled, constant_map = jax.jit(jax.vmap(scale))(maps)
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    eighth = np.float32(8)
    expected = (maps / eighth - low / eighth) / (high / eighth - low / eighth)
    assert not constant_map.any()
    np.testing.assert_array_equal(scaled, expected)
    grey = np.asarray(jax.jit(jax.vmap(to_8_bit))(scaled))
    np.testing.assert_array_equal(grey, np.floor(expected * np.float32(255)).astype(np.uint8))
    assert (grey.max(axis=(1, 2)) == 255).all()
