"""Linear layers against NumPy, and the rounding of each precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.adapters import from_nnx
from salix.nn import Linear, round_kernels
from salix.nn.linear import linear
from salix.precision import precision

ROUNDED = ("bfloat16", "bfloat16_dots")


def random_operands() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 9, 40)), rng.normal(size=(40, 24)), rng.normal(size=(2, 9, 24))


def product_and_gradients(policy: Any) -> tuple[Any, Any, Any]:
    """Return the product and its gradients by x and by the matrix, in a precision."""
    x, matrix, g = (jnp.asarray(a, jnp.float32) for a in random_operands())
    with precision(policy):
        y, pull = jax.vjp(linear, x, matrix)
        return y, *pull(g)


def relative(a: Any, b: Any) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "least", "most"), [("float32", 0, 1e-6), *((p, 1e-4, 5e-3) for p in ROUNDED)]
)
def test_a_product_and_its_gradients(policy: Any, least: float, most: float) -> None:
    x, matrix, g = random_operands()
    y, by_x, by_matrix = product_and_gradients(policy)
    assert {a.dtype for a in (y, by_x, by_matrix)} == {np.dtype("float32")}
    assert least <= relative(y, x @ matrix) < most
    assert least <= relative(by_x, g @ matrix.T) < most
    assert relative(by_matrix, np.einsum("bni,bno->io", x, g)) < most


def test_bfloat16_dots_round_operands_only() -> None:
    x, matrix, g = (np.asarray(jnp.asarray(a, jnp.bfloat16), np.float64) for a in random_operands())
    y, by_x, by_matrix = product_and_gradients("bfloat16_dots")
    assert relative(y, x @ matrix) < 1e-6
    assert relative(by_x, g @ matrix.T) < 1e-6
    x, _, g = random_operands()  # sums for training are exact
    assert relative(by_matrix, np.einsum("bni,bno->io", x, g)) < 1e-6


def test_operands_of_bfloat16_dots_have_one_type() -> None:
    x, matrix, _ = (jnp.asarray(a, jnp.float32) for a in random_operands())
    with precision("bfloat16_dots"):
        text = jax.jit(jax.grad(lambda x: (linear(x, matrix) ** 2).sum())).lower(x).as_text()
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert len(products) == 2
    assert all(line.count("xbf16>") == 2 for line in products)
    assert all("xf32>" in line.split("->")[-1] for line in products)


def test_the_layer_adds_a_bias() -> None:
    layer = Linear(4, 3, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.arange(3.0)
    x = jnp.ones((2, 4))
    np.testing.assert_allclose(layer(x), x @ layer.kernel[...] + np.arange(3.0)[None], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ROUNDED)
def test_a_transformer_is_rounded_only_in_its_blocks(policy: Any) -> None:
    vit = models.ViT(32, 3, 4, 16, 4, 8, rngs=nnx.Rngs(0))
    model, params = from_nnx(vit)
    x = jax.random.normal(jax.random.key(0), (32, 32, 3))

    def run(params: Any, policy: Any) -> Any:
        with precision(policy):
            return jax.jit(jax.value_and_grad(lambda x: model.logits(params, x)[1]))(x)

    exact, rounded = run(params, "float32"), run(params, policy)
    assert abs(exact[0] - rounded[0]) > 1e-6
    r = np.corrcoef(exact[1].ravel(), rounded[1].ravel())[0, 1]
    assert 0.999 < r < 1 - 1e-9
    rounded_params = round_kernels(params, policy)
    in_16_bits = sum(a.dtype == jnp.bfloat16 for a in jax.tree.leaves(rounded_params))
    assert in_16_bits == 3 * 6 + (policy == "bfloat16")  # the patches' kernel has 3 inputs
    jax.tree.map(np.testing.assert_array_equal, run(rounded_params, policy), rounded)
