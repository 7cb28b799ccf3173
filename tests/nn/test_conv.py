"""Convolution against a slow NumPy version, and its forms against each other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from salix.adapters import from_nnx
from salix.nn import Conv, avg_pool, conv_form, max_pool, round_kernels
from salix.nn.conv import active_form, conv
from salix.nn.conv3d import conv3d
from salix.precision import active_precision, precision
from salix.typing import InputError

# height, width, inputs, outputs; kernel; strides; padding; groups
CASES: dict[str, tuple[Any, ...]] = {
    "plain": ((9, 8, 4, 6), (3, 3), (1, 1), "SAME", 1),
    "stride 2, odd": ((9, 9, 4, 6), (3, 3), (2, 2), ((1, 1), (1, 1)), 1),
    "stride 2, even": ((8, 10, 4, 6), (3, 3), (2, 2), "SAME", 1),
    "stride 3, many inputs": ((10, 8, 16, 5), (2, 4), (3, 2), ((1, 0), (3, 1)), 1),
    "rows beyond the last window": ((8, 9, 3, 4), (3, 2), (3, 3), ((0, 0), (0, 0)), 1),
    "stem": ((13, 12, 3, 5), (7, 7), (2, 2), ((3, 3), (3, 3)), 1),
    "few channels": ((70, 5, 3, 8), (3, 3), (1, 1), "SAME", 1),
    "few channels, rows no multiple": ((67, 6, 4, 5), (3, 3), (1, 1), ((1, 3), (2, 0)), 1),
    "few channels, stride 2": ((67, 9, 2, 6), (3, 3), (2, 2), "SAME", 1),
    "few channels, stride 2 along rows": ((64, 8, 3, 4), (2, 3), (2, 1), ((1, 0), (1, 1)), 1),
    "few channels, no padding": ((64, 9, 1, 2), (4, 6), (1, 1), ((0, 0), (0, 0)), 1),
    "patches": ((8, 12, 3, 5), (4, 4), (4, 4), ((0, 0), (0, 0)), 1),
    "uneven strides": ((9, 8, 4, 6), (1, 5), (2, 1), ((0, 0), (4, 0)), 1),
    "padding beyond the kernel": ((5, 6, 3, 4), (2, 2), (1, 2), ((3, 0), (0, 3)), 1),
    "grouped": ((9, 8, 6, 4), (3, 3), (2, 2), "SAME", 2),
    "depthwise": ((9, 8, 6, 6), (3, 3), (1, 1), "SAME", 6),
    "depthwise, twice the channels": ((9, 8, 3, 6), (3, 3), (2, 1), ((1, 1), (1, 1)), 3),
    "image smaller than the kernel": ((2, 2, 4, 6), (3, 3), (1, 1), "SAME", 1),
    "smaller, stride 2": ((2, 3, 4, 6), (3, 3), (2, 2), ((1, 1), (1, 1)), 1),
    "smaller, grouped": ((2, 2, 4, 6), (3, 3), (1, 1), "SAME", 2),
    "one pixel, padding beyond the kernel": ((1, 1, 4, 6), (3, 2), (1, 2), ((3, 2), (1, 1)), 1),
    "pointwise": ((5, 4, 6, 3), (1, 1), (1, 1), "SAME", 1),
    "pointwise, stride 2": ((8, 9, 6, 3), (1, 1), (2, 2), ((0, 0), (0, 0)), 1),
    "pointwise, padded": ((5, 4, 6, 3), (1, 1), (2, 1), ((1, 0), (0, 1)), 1),
    "pointwise, grouped": ((5, 4, 6, 4), (1, 1), (1, 1), "SAME", 2),
}
WIDE: dict[str, tuple[Any, ...]] = {  # enough channels to be rounded to bfloat16 dots
    "one product": ((16, 15, 16, 24), (3, 3), (1, 1), "SAME", 1),
    "shifted": ((9, 8, 16, 40), (3, 3), (1, 1), ((1, 1), (0, 2)), 1),
    "stride 2": ((9, 8, 16, 16), (3, 3), (2, 2), ((1, 1), (1, 1)), 1),
    "padding beyond the kernel": ((7, 8, 16, 16), (3, 1), (2, 3), ((3, 2), (0, 1)), 1),
    "pointwise": ((9, 8, 32, 16), (1, 1), (2, 2), "SAME", 1),
    "not a dot": ((9, 8, 32, 32), (3, 3), (1, 1), "SAME", 2),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
wide = pytest.mark.parametrize("case", WIDE.values(), ids=WIDE)


def random_operands(
    case: tuple[Any, ...], dtype: Any, images: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    (h, w, i, o), size, _, _, groups = case
    rng = np.random.default_rng(0)
    x = rng.normal(size=(images, h, w, i))
    return x.astype(dtype), rng.normal(size=(*size, i // groups, o)).astype(dtype)


def options(case: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("strides", "padding", "groups"), case[2:], strict=True))


def numpy_conv(
    x: np.ndarray, kernel: np.ndarray, strides: Any, padding: Any, groups: int
) -> np.ndarray:
    (kh, kw, each, o), (down, across) = kernel.shape, strides
    if padding == "SAME":
        need = [
            max((-(-n // s) - 1) * s + k - n, 0)
            for n, s, k in zip(x.shape[1:3], strides, (kh, kw), strict=True)
        ]
        padding = [(n // 2, n - n // 2) for n in need]
    x = np.pad(x, ((0, 0), *padding, (0, 0)))
    h, w = (x.shape[1] - kh) // down + 1, (x.shape[2] - kw) // across + 1
    y = np.zeros((len(x), h, w, o))
    for channel in range(o):
        block = channel // (o // groups)
        part = x[..., block * each : (block + 1) * each]
        for row in range(h):
            for column in range(w):
                window = part[
                    :, row * down : row * down + kh, column * across : column * across + kw
                ]
                y[:, row, column, channel] = (window * kernel[..., channel]).sum((1, 2, 3))
    return y


def value_and_gradients(case: tuple[Any, ...], x: Any, kernel: Any) -> Any:
    """The convolution, its two gradients, each alone, and a second derivative."""

    def total(x: Any, kernel: Any) -> Any:
        y = conv(x, kernel, **options(case))
        return (y**3).sum() / 3

    def steep(x: Any) -> Any:
        return (jax.grad(total)(x, kernel) ** 2).sum()

    def run(x: Any, kernel: Any) -> Any:
        gradients = jax.grad(total, (0, 1))(x, kernel)
        alone = jax.grad(total)(x, kernel), jax.grad(total, 1)(x, kernel)
        return conv(x, kernel, **options(case)), gradients, alone, jax.grad(steep)(x)

    return jax.jit(run)(x, kernel)


@pytest.mark.slow
@cases
def test_the_explicit_form_is_the_convolution_and_its_gradients(case: tuple[Any, ...]) -> None:
    with jax.enable_x64(True):
        x, kernel = random_operands(case, np.float64)
        with conv_form("explicit"):
            y, gradients, alone, second = value_and_gradients(case, x, kernel)
        with conv_form("xla"):
            expected = value_and_gradients(case, x, kernel)
        np.testing.assert_allclose(y, numpy_conv(x, kernel, *case[2:]), atol=1e-12)
        for actual, other in zip((gradients, alone, second), expected[1:], strict=True):
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-9, 1e-8), actual, other)


@pytest.mark.parametrize("case", [CASES["stem"], CASES["depthwise"], CASES["pointwise, stride 2"]])
def test_the_explicit_form_in_a_map_and_in_a_loop(case: tuple[Any, ...]) -> None:
    x, kernel = random_operands(case, np.float32, images=3)

    def gradient(x: Any) -> Any:
        return jax.grad(lambda x: (conv(x[None], kernel, **options(case)) ** 2).sum())(x)

    def run(x: Any) -> Any:
        _, looped = jax.lax.scan(lambda c, x: (c, gradient(x)), 0, x)
        return jax.vmap(gradient)(x), looped

    with conv_form("explicit"):
        mapped, looped = jax.jit(run)(jnp.asarray(x))
    with conv_form("xla"):
        expected = jnp.stack([gradient(jnp.asarray(image)) for image in x])
    np.testing.assert_allclose(mapped, expected, 1e-5, 1e-4)
    np.testing.assert_allclose(looped, expected, 1e-5, 1e-4)


def test_only_residuals_of_the_requested_gradient_are_stored() -> None:
    x, kernel = map(jnp.asarray, random_operands(CASES["plain"], np.float32))
    with conv_form("explicit"):
        for arg, needed in ((0, kernel), (1, x)):
            _, pull = jax.vjp(
                lambda v, a=arg: conv(*((v, kernel) if a == 0 else (x, v))), (x, kernel)[arg]
            )
            residuals = [leaf.shape for leaf in jax.tree.leaves(pull)]
            assert needed.shape in residuals
            assert (x, kernel)[arg].shape not in residuals


@pytest.mark.parametrize(("function", "space"), [(conv, (7, 6)), (conv3d, (5, 6, 4))])
def test_the_explicit_form_has_no_forward_mode(function: Any, space: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, *space, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(*[3] * len(space), 3, 4)), jnp.float32)
    with conv_form("explicit"), pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(lambda x: function(x, kernel), (x,), (x,))
    with conv_form("xla"):
        _, change = jax.jvp(lambda x: function(x, kernel), (x,), (x,))
    np.testing.assert_allclose(change, function(x, kernel), rtol=1e-5, atol=1e-5)


def relative(actual: Any, expected: Any) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


@pytest.mark.slow
@wide
@pytest.mark.parametrize("policy", ["bfloat16", "bfloat16_dots"])
def test_errors_are_within_the_rounding_of_the_precision(
    case: tuple[Any, ...], policy: Any
) -> None:
    x, kernel = map(jnp.asarray, random_operands(case, np.float32))

    def run(x: Any, kernel: Any) -> Any:
        y, pull = jax.vjp(lambda x, k: conv(x, k, **options(case)), x, kernel)
        return y, *pull(y)

    exact = jax.jit(run)(x, kernel)
    with precision(policy), conv_form("xla" if case is WIDE["stride 2"] else "explicit"):
        rounded = jax.jit(run)(x, kernel)
    for actual, expected in zip(rounded, exact, strict=True):
        assert actual.dtype == np.float32
        # an operand and a result lose at most 2^-9 each, and the gradients start from a result
        assert relative(actual, expected) < 8e-3
    if policy == "bfloat16" or case is not WIDE["not a dot"]:
        assert relative(rounded[0], exact[0]) > 1e-4  # something was rounded


def test_depthwise_and_first_convolutions_are_never_rounded_to_dots() -> None:
    for name in ("depthwise", "stem", "grouped"):
        x, kernel = random_operands(CASES[name], np.float32)
        expected = conv(x, kernel, **options(CASES[name]))
        with precision("bfloat16_dots"):
            np.testing.assert_allclose(
                conv(x, kernel, **options(CASES[name])), expected, 1e-4, 1e-4
            )


def test_a_context_recompiles_a_compiled_program() -> None:
    x, kernel = map(jnp.asarray, random_operands(WIDE["one product"], np.float32))
    run = jax.jit(lambda x: conv(x, kernel))
    exact = run(x)
    with precision("bfloat16"):
        assert relative(run(x), exact) > 1e-4
    np.testing.assert_array_equal(run(x), exact)
    assert (active_form(), active_precision()) == (
        "explicit" if jax.default_backend() == "cpu" else "xla",
        "float32",
    )
    with conv_form("xla"), precision("bfloat16_dots"):
        assert (active_form(), active_precision()) == ("explicit", "bfloat16_dots")
    for switch, wrong in ((conv_form, "fast"), (precision, "float16")):
        with pytest.raises((InputError, TypeError), match=f"'{wrong}'"):
            switch(wrong)


@pytest.mark.slow
def test_a_gradient_has_the_precision_of_its_forward_pass() -> None:
    x, kernel = map(jnp.asarray, random_operands(WIDE["shifted"], np.float32))
    with precision("bfloat16_dots"):
        y, pull = jax.vjp(lambda x: conv(x, kernel), x)
        (inside,) = pull(y)
    np.testing.assert_array_equal(pull(y)[0], inside)


def test_the_layer_is_the_convolution_with_a_bias() -> None:
    layer = Conv(4, 6, (3, 2), (2, 1), ((1, 0), (2, 1)), groups=2, bias=True, rngs=nnx.Rngs(0))
    assert layer.kernel.shape == (3, 2, 2, 6)
    layer.bias[...] = jnp.arange(6.0)
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 4)).astype(np.float32)
    kernel = np.asarray(layer.kernel[...])
    expected = numpy_conv(x, kernel, (2, 1), ((1, 0), (2, 1)), 2) + np.arange(6.0)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    large = Conv(8, 512, 3, padding=1, rngs=nnx.Rngs(0))
    assert large.bias is None
    np.testing.assert_allclose(jnp.std(large.kernel[...]), np.sqrt(2 / (9 * 512)), rtol=0.02)


class EveryKind(nnx.Module):
    """A first, a bfloat16-dot, a grouped, a depthwise and a large convolution in sequence."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = Conv(3, 32, 3, bias=True, rngs=rngs)
        self.dots = Conv(32, 32, 3, 2, rngs=rngs)
        self.grouped = Conv(32, 32, 3, groups=2, rngs=rngs)
        self.depthwise = Conv(32, 32, 3, groups=32, rngs=rngs)
        self.large = Conv(32, 32, 5, rngs=rngs)
        self.linear = nnx.Linear(32, 2, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        layers = (self.first, self.dots, self.grouped, self.depthwise, self.large)
        for layer in layers:
            x = layer(x)
        return self.linear(x.mean((1, 2)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "rounded"),
    [
        ("float32", set()),
        ("tf32", set()),
        ("bfloat16_dots", {"dots"}),
        ("bfloat16", {"first", "dots", "grouped", "depthwise", "large"}),
    ],
)
def test_kernels_are_rounded_to_the_bits_that_are_read(policy: Any, rounded: set[str]) -> None:
    model, params = from_nnx(EveryKind(nnx.Rngs(0)))
    rounded_params = round_kernels(params, policy)
    flat = {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(rounded_params)}
    short = {name for name, leaf in flat.items() if leaf[...].dtype == jnp.bfloat16}
    assert short == {f"{name}.kernel" for name in rounded}
    x = jax.random.normal(jax.random.key(0), (12, 12, 3))
    with precision(policy):
        run = jax.jit(jax.value_and_grad(lambda x, p: model.logits(p, x)[0]))
        expected = run(x, params)
        jax.tree.map(np.testing.assert_array_equal, run(x, rounded_params), expected)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))


def test_parameters_of_other_libraries_are_not_rounded() -> None:
    params = {"kernel": jnp.ones((3, 3, 32, 32)), "steps": 3}
    assert round_kernels(params, "bfloat16") == params


@pytest.mark.slow
def test_pools_are_maxima_and_means_of_windows() -> None:
    x = np.random.default_rng(0).normal(size=(1, 5, 4, 2)).astype(np.float32)
    padded = np.full((1, 7, 6, 2), np.nan, np.float32)
    padded[:, 1:-1, 1:-1] = x
    windows = [[padded[0, i : i + 3, j : j + 3].reshape(9, 2) for j in (0, 2)] for i in (0, 2, 4)]
    windows = np.array(windows)  # [3 2 9 2]
    for actual, expected in [
        (max_pool(x, 3, 2, padding=1), np.nanmax(windows, 2)),
        (avg_pool(x, 3, 2, padding=1), np.nansum(windows, 2) / 9),
        (avg_pool(x, 3, 2, padding=1, count_padding=False), np.nanmean(windows, 2)),
        (avg_pool(x, 2, 2), x[:, :4].reshape(2, 2, 2, 2, 2).mean((1, 3))),
    ]:
        np.testing.assert_allclose(np.squeeze(actual), expected, atol=1e-6)
    gradient = jax.grad(lambda x: max_pool(x, 3, 2, padding=1).sum())(jnp.asarray(x))
    assert gradient.sum() == 12
    assert jax.grad(lambda x: avg_pool(x, 2, 2).sum())(jnp.asarray(x))[0, 4].sum() == 0


@pytest.mark.parametrize("padding", ["SAME", "VALID", 1])
@pytest.mark.parametrize(("size", "strides"), [(3, 2), (3, 1), (2, 3)])
def test_the_gradient_of_a_maximum_pool_goes_to_the_first_of_equal_values(
    size: int, strides: int, padding: Any
) -> None:
    x = np.random.default_rng(0).integers(0, 4, (2, 9, 8, 3)).astype(np.float32)  # many ties

    def weighted_sum(x: Any) -> Any:
        y = max_pool(x, size, strides, padding=padding)
        return (y * jnp.arange(y.size, dtype=y.dtype).reshape(y.shape)).sum()

    actual = []
    for form in ("explicit", "xla"):
        with conv_form(form):
            actual.append(jax.jit(jax.value_and_grad(weighted_sum))(x))
    np.testing.assert_allclose(actual[0][0], actual[1][0])
    np.testing.assert_array_equal(actual[0][1], actual[1][1])


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_xla_does_not_swap_a_small_image_with_its_kernel(strides):
    x, kernel = jnp.ones((2, 2, 2, 32)), jnp.ones((3, 3, 32, 32))

    def total(x: Any) -> Any:
        return (conv(x, kernel, strides=strides) ** 2).sum()

    compiled = jax.jit(jax.value_and_grad(total)).lower(x).compile().as_text()
    assert "rhs_reversal" not in compiled
    with conv_form("xla"):  # what XLA does; the special case can go when it no longer does
        compiled = jax.jit(total).lower(x).compile().as_text()
    assert "rhs_reversal" in compiled


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_depthwise_convolutions_and_their_gradients_compile_to_loops(strides):
    x, kernel = jnp.ones((2, 9, 9, 32)), jnp.ones((3, 3, 1, 32))

    def total(x: Any, kernel: Any) -> Any:
        return (conv(x, kernel, strides=strides, groups=32) ** 2).sum()

    program = jax.jit(jax.value_and_grad(total, (0, 1))).lower(x, kernel).compile().as_text()
    assert "fusion" in program
    assert "convolution(" not in program
    with conv_form("xla"):
        assert "convolution(" in jax.jit(total).lower(x, kernel).compile().as_text()


def test_a_depthwise_convolution_in_bfloat16_rounds_operands_and_result():
    x, kernel = random_operands(CASES["depthwise"], np.float32)
    with conv_form("explicit"), precision("bfloat16"):
        actual = np.asarray(conv(x, kernel, groups=6))
    rounded = (np.asarray(jnp.asarray(a).astype(jnp.bfloat16), np.float64) for a in (x, kernel))
    expected = numpy_conv(*rounded, (1, 1), "SAME", 6)
    assert np.array_equal(actual, np.asarray(jnp.asarray(actual).astype(jnp.bfloat16), np.float32))
    np.testing.assert_allclose(actual, expected, rtol=2**-8, atol=2**-16)
    assert not np.allclose(actual, numpy_conv(x, kernel, (1, 1), "SAME", 6), rtol=1e-4, atol=1e-5)
