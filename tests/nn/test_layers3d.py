"""Layers of volumes against PyTorch and against the gradient of a convolution."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from salix.nn.layers3d import Conv3d, Upsample3d, instance_norm, max_pool_3, upsample3d

SHAPE = (2, 4, 6, 2, 3)
TO_TORCH, FROM_TORCH = (0, 4, 1, 2, 3), (0, 2, 3, 4, 1)


def volumes(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def peer(function: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The output of a PyTorch function of volumes, and the gradient of its summed cubes."""
    torch = pytest.importorskip("torch")
    inputs = torch.from_numpy(x.transpose(TO_TORCH).copy()).requires_grad_()
    y = function(inputs)
    (slope,) = torch.autograd.grad((y**3).sum(), inputs)
    return y.detach().numpy().transpose(FROM_TORCH), slope.numpy().transpose(FROM_TORCH)


def ours(function: Any, x: np.ndarray) -> tuple[Any, Any]:
    return function(x), jax.grad(lambda v: (function(v) ** 3).sum())(jnp.asarray(x))


def compare(function: Any, expected: Any, x: np.ndarray) -> None:
    with jax.enable_x64(True):
        for actual, true in zip(ours(function, x), peer(expected, x), strict=True):
            np.testing.assert_allclose(actual, true, rtol=1e-9, atol=1e-9)


def test_upsampling_is_the_gradient_of_a_convolution_of_stride_2() -> None:
    layer = Upsample3d(3, 2, rngs=nnx.Rngs(0))
    x = jnp.asarray(volumes((1, 2, 3, 2, 3)), jnp.float32)

    def down(y: jax.Array) -> jax.Array:
        names = ("NDHWC", "DHWIO", "NDHWC")
        return lax.conv_general_dilated(
            y, layer.kernel[...], (2, 2, 2), "SAME", dimension_numbers=names
        )

    (expected,) = jax.linear_transpose(down, jax.ShapeDtypeStruct((1, 4, 6, 4, 2), jnp.float32))(x)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "cut"), [(3, 1), (2, 0), (4, 1)])
def test_upsampling_is_the_transposed_convolution_of_pytorch(size: int, cut: int) -> None:
    torch = pytest.importorskip("torch")
    kernel = volumes((size, size, size, 2, 3))  # [t t t o i]
    weight = torch.from_numpy(kernel.transpose(4, 3, 0, 1, 2).copy())

    def expected(x: Any) -> Any:
        more = size % 2  # voxels at the end that an odd kernel lacks
        return torch.nn.functional.conv_transpose3d(
            x, weight, stride=2, padding=cut, output_padding=more
        )

    compare(lambda x: upsample3d(x, kernel, cut), expected, volumes())


@pytest.mark.parametrize(("size", "stride"), [(7, 2), (3, 2), (3, 1), (1, 2)])
def test_convolution_layer_is_that_of_pytorch(size: int, stride: int) -> None:
    torch = pytest.importorskip("torch")
    layer = Conv3d(3, 4, size, stride, bias=size == 3, rngs=nnx.Rngs(0))
    if layer.bias is not None:
        layer.bias.set_value(jnp.arange(4, dtype=jnp.float32))
    bias = None if layer.bias is None else torch.arange(4.0)
    weight = torch.from_numpy(np.asarray(layer.kernel[...]).transpose(4, 3, 0, 1, 2).copy())
    x = volumes().astype(np.float32)
    inputs = torch.from_numpy(x.transpose(TO_TORCH).copy())
    expected = torch.nn.functional.conv3d(inputs, weight, bias, stride, size // 2)
    actual = np.asarray(layer(x)).transpose(TO_TORCH)
    np.testing.assert_allclose(actual, expected.numpy(), rtol=1e-4, atol=1e-4)


def test_pool_of_three_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    compare(max_pool_3, lambda x: torch.nn.functional.max_pool3d(x, 3, 2, 1), volumes())


def test_instance_normalisation_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    x = 3 * volumes() + 5
    compare(instance_norm, torch.nn.functional.instance_norm, x)
    constant = np.full((1, 4, 4, 4, 1), 7.0, np.float32)
    np.testing.assert_array_equal(instance_norm(constant), 0)
