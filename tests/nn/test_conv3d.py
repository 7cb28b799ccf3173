"""3-D convolution against a slow NumPy version, XLA's own and PyTorch's."""

import itertools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from jax import lax

from salix.nn import conv_form
from salix.nn.conv3d import conv3d
from salix.precision import precision
from salix.typing import InputError

# depth, height, width, inputs, outputs; kernel; strides; padding; groups
CASES: dict[str, tuple[Any, ...]] = {
    "plain": ((5, 6, 4, 3, 4), (3, 3, 3), (1, 1, 1), "SAME", 1),
    "stride 2, odd": ((5, 7, 5, 3, 4), (3, 3, 3), (2, 2, 2), "SAME", 1),
    "stride 2, even": ((6, 4, 8, 3, 4), (3, 3, 3), (2, 2, 2), "SAME", 1),
    "uneven padding": ((6, 5, 4, 3, 2), (3, 3, 3), (1, 1, 1), ((0, 1), (2, 0), (1, 2)), 1),
    "uneven padding, stride 2": (
        (7, 6, 5, 3, 2),
        (3, 3, 3),
        (2, 2, 2),
        ((1, 0), (0, 2), (2, 1)),
        1,
    ),
    "uneven strides": ((7, 5, 6, 2, 3), (4, 2, 1), (3, 1, 2), "SAME", 1),
    "slices that no window meets": ((8, 5, 5, 2, 3), (2, 3, 2), (3, 2, 3), ((0, 0),) * 3, 1),
    "depth alone": ((5, 3, 4, 3, 4), (3, 1, 1), (1, 1, 1), ((1, 1), (0, 0), (0, 0)), 1),
    "depth alone, stride 2": ((6, 4, 3, 3, 4), (3, 1, 1), (2, 1, 1), "SAME", 1),
    "plane alone, stride 2": ((3, 6, 5, 3, 4), (1, 3, 3), (1, 2, 2), "SAME", 1),
    "pointwise, stride 2": ((5, 4, 6, 4, 3), (1, 1, 1), (2, 2, 2), ((0, 0),) * 3, 1),
    "pointwise, padded": ((3, 2, 3, 4, 3), (1, 1, 1), (2, 1, 1), ((1, 2), (0, 1), (1, 0)), 1),
    "grouped": ((4, 5, 4, 6, 4), (3, 3, 3), (1, 2, 1), "SAME", 2),
    "depthwise": ((6, 4, 5, 3, 3), (3, 3, 3), (2, 1, 1), "SAME", 3),
    "depthwise, twice the channels": ((5, 4, 4, 3, 6), (3, 2, 3), (2, 1, 1), "SAME", 3),
    "padding beyond the kernel": (
        (3, 4, 3, 2, 3),
        (2, 2, 2),
        (1, 2, 1),
        ((4, 0), (0, 3), (2, 2)),
        1,
    ),
    "cropped": ((6, 4, 5, 2, 3), (3, 3, 3), (2, 1, 1), ((-2, 1), (1, 1), (0, -1)), 1),
    "few inputs": ((5, 6, 4, 1, 4), (3, 3, 3), (1, 1, 1), "SAME", 1),
    "few inputs, large kernel": ((8, 7, 6, 1, 5), (7, 7, 7), (2, 2, 2), ((3, 3),) * 3, 1),
    "few inputs, cropped": ((7, 4, 5, 2, 8), (3, 3, 2), (2, 1, 1), ((-2, 3), (1, 1), (0, -1)), 1),
    "few inputs, no output": ((1, 4, 4, 1, 4), (3, 3, 3), (1, 1, 1), ((0, 0), (1, 1), (1, 1)), 1),
    "one slice": ((1, 4, 4, 2, 3), (3, 3, 3), (2, 2, 2), "SAME", 1),
    "no output": ((1, 4, 4, 2, 3), (3, 3, 3), (1, 1, 1), ((0, 0), (1, 1), (1, 1)), 1),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def random_operands(
    case: tuple[Any, ...], dtype: Any, volumes: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    (*space, i, o), size, _, _, groups = case
    rng = np.random.default_rng(0)
    x = rng.normal(size=(volumes, *space, i))
    return x.astype(dtype), rng.normal(size=(*size, i // groups, o)).astype(dtype)


def options(case: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("strides", "padding", "groups"), case[2:], strict=True))


def margins(case: tuple[Any, ...]) -> list[tuple[int, int]]:
    (*space, _, _), size, strides, padding, _ = case
    if padding != "SAME":
        return list(padding)
    need = [
        max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(space, strides, size, strict=True)
    ]
    return [(n // 2, n - n // 2) for n in need]


def numpy_conv3d(x: np.ndarray, kernel: np.ndarray, case: tuple[Any, ...]) -> np.ndarray:
    (*_, o), size, strides, _, groups = case
    pads = margins(case)
    padded = np.pad(x, ((0, 0), *np.maximum(pads, 0), (0, 0)))
    for axis, (low, high) in enumerate(np.minimum(pads, 0)):
        padded = np.take(padded, range(-low, padded.shape[1 + axis] + high), 1 + axis)
    counts = [
        max((n - k) // s + 1, 0) for n, k, s in zip(padded.shape[1:4], size, strides, strict=True)
    ]
    each, y = kernel.shape[3], np.zeros((len(x), *counts, o))
    for position in itertools.product(*map(range, counts)):
        z, u, v = (slice(p * s, p * s + k) for p, s, k in zip(position, strides, size, strict=True))
        for channel in range(o):
            first = channel // (o // groups) * each
            window = padded[:, z, u, v, first : first + each]
            y[(slice(None), *position, channel)] = (window * kernel[..., channel]).sum((1, 2, 3, 4))
    return y


def library(case: tuple[Any, ...], x: Any, kernel: Any) -> Any:
    layout = ("NDHWC", "DHWIO", "NDHWC")
    return lax.conv_general_dilated(
        x, kernel, case[2], case[3], dimension_numbers=layout, feature_group_count=case[4]
    )


def gradients(function: Any, x: Any, kernel: Any) -> Any:
    """The convolution and its two gradients, together."""

    def total(x: Any, kernel: Any) -> Any:
        y = function(x, kernel)
        return (y**3).sum() / 3, y

    by, y = jax.grad(total, (0, 1), has_aux=True)(x, kernel)
    return y, *by


def curved(function: Any, x: Any, kernel: Any) -> Any:
    """Each gradient alone, and a second derivative."""

    def total(x: Any, kernel: Any) -> Any:
        return (function(x, kernel) ** 3).sum() / 3

    def steep(x: Any) -> Any:
        return (jax.grad(total)(x, kernel) ** 2).sum()

    return jax.grad(total)(x, kernel), jax.grad(total, 1)(x, kernel), jax.grad(steep)(x)


def close(actual: Any, expected: Any) -> None:
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, 1e-9, 1e-8)


@pytest.mark.slow
@cases
def test_both_forms_are_the_convolution_and_its_gradients(case: tuple[Any, ...]) -> None:
    with jax.enable_x64(True):
        x, kernel = random_operands(case, np.float64)

        def run(x: Any, kernel: Any) -> Any:
            return gradients(lambda x, kernel: conv3d(x, kernel, **options(case)), x, kernel)

        with conv_form("explicit"):
            actual = jax.jit(run)(x, kernel)
        expected = jax.jit(lambda x, k: gradients(partial(library, case), x, k))(x, kernel)
        close(actual, expected)
        np.testing.assert_allclose(actual[0], numpy_conv3d(x, kernel, case), atol=1e-12)
        with conv_form("xla"):
            np.testing.assert_array_equal(conv3d(x, kernel, **options(case)), expected[0])


@pytest.mark.parametrize("case", [CASES["plain"], CASES["depthwise, twice the channels"]])
def test_gradients_alone_and_a_second_derivative(case: tuple[Any, ...]) -> None:
    with jax.enable_x64(True), conv_form("explicit"):
        x, kernel = random_operands(case, np.float64)

        def run(x: Any, kernel: Any) -> Any:
            return curved(lambda x, kernel: conv3d(x, kernel, **options(case)), x, kernel)

        expected = jax.jit(lambda x, k: curved(partial(library, case), x, k))(x, kernel)
        close(jax.jit(run)(x, kernel), expected)


@cases
def test_the_convolution_and_its_gradients_are_those_of_pytorch(case: tuple[Any, ...]) -> None:
    torch = pytest.importorskip("torch")
    x, kernel = random_operands(case, np.float64)
    pads = [n for pair in reversed(margins(case)) for n in pair]
    volumes = torch.from_numpy(x).permute(0, 4, 1, 2, 3).requires_grad_()
    weight = torch.from_numpy(kernel).permute(4, 3, 0, 1, 2).requires_grad_()
    padded = torch.nn.functional.pad(volumes, pads)
    if any(n < k for n, k in zip(padded.shape[2:], case[1], strict=True)):
        pytest.skip("PyTorch has no convolution without output")
    y = torch.nn.functional.conv3d(padded, weight, None, case[2], 0, 1, case[4])
    by = torch.autograd.grad((y**3).sum() / 3, (volumes, weight))
    with jax.enable_x64(True), conv_form("explicit"):
        actual = gradients(lambda x, kernel: conv3d(x, kernel, **options(case)), x, kernel)
    back = ((0, 2, 3, 4, 1), (0, 2, 3, 4, 1), (2, 3, 4, 1, 0))
    for a, b, axes in zip(actual, (y, *by), back, strict=True):
        np.testing.assert_allclose(a, b.detach().permute(*axes).numpy(), 1e-9, 1e-9)


@pytest.mark.parametrize("case", [CASES["plain"], CASES["uneven padding, stride 2"]])
def test_the_explicit_form_in_a_map_and_in_a_loop(case: tuple[Any, ...]) -> None:
    x, kernel = map(jnp.asarray, random_operands(case, np.float32, volumes=3))

    def gradient(x: Any) -> Any:
        return jax.grad(lambda x: (conv3d(x[None], kernel, **options(case)) ** 2).sum())(x)

    def run(x: Any) -> Any:
        _, looped = lax.scan(lambda c, x: (c, gradient(x)), 0, x)
        return jax.vmap(gradient)(x), looped

    with conv_form("explicit"):
        mapped, looped = jax.jit(run)(x)
    expected = jnp.stack(
        [jax.grad(lambda v: (library(case, v[None], kernel) ** 2).sum())(v) for v in x]
    )
    np.testing.assert_allclose(mapped, expected, 1e-5, 1e-4)
    np.testing.assert_allclose(looped, expected, 1e-5, 1e-4)


@pytest.mark.parametrize("case", [CASES["plain"], CASES["stride 2, odd"], CASES["grouped"]])
def test_the_explicit_form_has_no_convolution_of_volumes(case: tuple[Any, ...]) -> None:
    x, kernel = map(jnp.asarray, random_operands(case, np.float32))

    def run(x: Any, kernel: Any) -> Any:
        def total(x: Any, kernel: Any) -> Any:
            return (conv3d(x, kernel, **options(case)) ** 2).sum()

        loop = lax.map(lambda s: jax.grad(total)(x * s, kernel), jnp.arange(2.0))
        return jax.grad(total, (0, 1))(x, kernel), loop

    def volumes() -> int:
        text = jax.jit(run).lower(x, kernel).as_text()
        assert "stablehlo.convolution" in text
        return text.count("[b, 0, 1, 2, f]") + text.count("[f, 0, 1, 2, b]")

    with conv_form("explicit"):
        assert volumes() == 0
    with conv_form("xla"):
        assert volumes() > 0


def test_depthwise_volumes_use_the_depthwise_form_of_images() -> None:
    x, kernel = map(jnp.asarray, random_operands(CASES["depthwise"], np.float32))

    def total(x: Any) -> Any:
        return (conv3d(x, kernel, **options(CASES["depthwise"])) ** 2).sum()

    with conv_form("explicit"):
        assert "stablehlo.convolution" not in jax.jit(jax.grad(total)).lower(x).as_text()


def test_the_default_form_is_explicit_on_the_cpu_alone() -> None:
    x, kernel = map(jnp.asarray, random_operands(CASES["plain"], np.float32))
    text = jax.jit(conv3d).lower(x, kernel).as_text()
    assert ("[b, 0, 1, 2, f]" in text) == (jax.default_backend() != "cpu")


def test_only_residuals_of_the_requested_gradient_are_stored() -> None:
    x, kernel = map(jnp.asarray, random_operands(CASES["plain"], np.float32))
    with conv_form("explicit"):
        _, pull = jax.vjp(lambda x: conv3d(x, kernel), x)
        assert max(leaf.size for leaf in jax.tree.leaves(pull)) == kernel.size
        _, pull = jax.vjp(lambda kernel: conv3d(x, kernel), kernel)
        residual_size = sum(leaf.size for leaf in jax.tree.leaves(pull))
        # the volumes once, not once per slice of the kernel
        assert x.size <= residual_size < x.size + kernel.size


def relative(actual: Any, expected: Any) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize(
    ("form", "policy", "strides"),
    [
        ("explicit", "bfloat16", (2, 1, 1)),
        ("xla", "bfloat16", (1, 1, 1)),
        ("explicit", "bfloat16_dots", (1, 1, 1)),
        ("xla", "bfloat16_dots", (2, 2, 1)),  # explicit all the same
    ],
)
def test_errors_are_within_the_rounding_of_the_precision(
    form: Any, policy: Any, strides: Any
) -> None:
    case = ((4, 6, 5, 16, 8), (3, 2, 2), strides, "SAME", 1)
    x, kernel = map(jnp.asarray, random_operands(case, np.float32))

    def run(x: Any, kernel: Any) -> Any:
        y, pull = jax.vjp(lambda x, k: conv3d(x, k, strides=strides), x, kernel)
        return y, *pull(y)

    traced = jax.jit(run)
    exact = traced(x, kernel)
    with precision(policy), conv_form(form):
        rounded = traced(x, kernel)
    for actual, expected in zip(rounded, exact, strict=True):
        assert actual.dtype == np.float32
        # an operand and a result lose at most 2^-9 each, and the gradients start from a result
        assert relative(actual, expected) < 8e-3
    assert relative(rounded[0], exact[0]) > 1e-4  # something was rounded
    np.testing.assert_array_equal(traced(x, kernel)[0], exact[0])


@pytest.mark.parametrize(("policy", "name"), [("float32", "HIGHEST"), ("tf32", "HIGH")])
@pytest.mark.parametrize("form", ["explicit", "xla"])
def test_the_precision_reaches_the_compiled_operations(form: Any, policy: Any, name: str) -> None:
    x, kernel = map(jnp.asarray, random_operands(CASES["plain"], np.float32))
    with conv_form(form), precision(policy):
        text = jax.jit(conv3d).lower(x, kernel).as_text()
    assert text.count(f"precision {name}>, #stablehlo<precision {name}>") == 1


BAD: dict[str, tuple[Any, ...]] = {
    "a volume alone": ((4, 4, 4, 2), (3, 3, 3, 2, 3), (1, 1, 1), "SAME", 1, r"x\[None\]"),
    "an image's kernel": ((1, 4, 4, 4, 2), (3, 3, 2, 3), (1, 1, 1), "SAME", 1, "kd kh kw i o"),
    "channels": ((1, 4, 4, 4, 2), (3, 3, 3, 4, 3), (1, 1, 1), "SAME", 1, "4 to 3 .* of 2 channels"),
    "groups of inputs": ((1, 4, 4, 4, 6), (3, 3, 3, 6, 4), (1, 1, 1), "SAME", 2, "in 2 groups"),
    "groups of outputs": (
        (1, 4, 4, 4, 6),
        (3, 3, 3, 3, 5),
        (1, 1, 1),
        "SAME",
        2,
        "in equal groups",
    ),
    "no group": ((1, 4, 4, 4, 6), (3, 3, 3, 3, 5), (1, 1, 1), "SAME", 0, "in 0 groups"),
    "strides of an image": ((1, 4, 4, 4, 2), (3, 3, 3, 2, 3), (1, 1), "SAME", 1, "expected three"),
    "no stride": ((1, 4, 4, 4, 2), (3, 3, 3, 2, 3), (1, 0, 1), "SAME", 1, r"\(1, 0, 1\)"),
    "padding": ((1, 4, 4, 4, 2), (3, 3, 3, 2, 3), (1, 1, 1), "FULL", 1, "'FULL': expected 'SAME'"),
    "margins": ((1, 4, 4, 4, 2), (3, 3, 3, 2, 3), (1, 1, 1), ((1, 1), (1, 1)), 1, "top, bottom"),
    "a stride": ((1, 4, 4, 4, 2), (3, 3, 3, 2, 3), 2, "SAME", 1, "strides 2: expected three"),
    "a number of margins": ((1, 4, 4, 4, 2), (3, 3, 3, 2, 3), (1, 1, 1), (1, 1, 1), 1, "top, bot"),
    "a number": ((1, 4, 4, 4, 2), (3, 3, 3, 2, 3), (1, 1, 1), 1, 1, "padding 1: expected"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_input_is_an_error(case: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    *shapes, strides, padding, groups, match = case
    x, kernel = (jnp.zeros(shape) for shape in shapes)
    # type checks of annotations are active in tests only
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InputError, match=match):
        conv3d(x, kernel, strides=strides, padding=padding, groups=groups)
