"""Inception-v3 and Xception against independent definitions in NumPy, at small sizes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp
from numpy.lib.stride_tricks import sliding_window_view

from salix import models
from salix.models import inception, xception
from salix.models.checkpoints.module_state import abstract
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.inception_blocks import mean_pool
from salix.nn import fold
from salix.typing import InputError

PARAMETERS = {"inception_v3": 23_834_568, "xception": 22_855_952}  # of 1000 classes
# small and full sizes, and their grids; of both kinds, some maps have an odd and some an even side
SIZES = {"inception_v3": (107, 2, 299, 8), "xception": (75, 3, 299, 10)}

AUXILIARY = {  # the head of the training, which is to be left out
    "AuxLogits.fc.weight": np.ones((3, 768), np.float32),
    "AuxLogits.conv0.conv.weight": np.ones((128, 768, 1, 1), np.float32),
}


class Slow:
    """Layers of one image [c h w] in float64, each weight drawn when it is first met."""

    def __init__(self, seed: int):
        self.draw = np.random.default_rng(seed)
        self.state: dict[str, np.ndarray] = {}

    def weight(self, name: str, make: Callable[[], Any]) -> np.ndarray:
        if name not in self.state:
            self.state[name] = np.asarray(make(), np.float32)
        return self.state[name].astype(np.float64)

    def conv(
        self, name: str, x: Any, outputs: int, size: Any, stride: int = 1, pad: Any = 0
    ) -> Any:
        kh, kw = (size, size) if isinstance(size, int) else size
        ph, pw = (pad, pad) if isinstance(pad, int) else pad
        shape, scale = (outputs, len(x), kh, kw), np.sqrt(2 / (len(x) * kh * kw))
        kernel = self.weight(f"{name}.weight", lambda: self.draw.normal(0, scale, shape))
        x = np.pad(x, ((0, 0), (ph, ph), (pw, pw)))
        windows = sliding_window_view(x, (kh, kw), (1, 2))[:, ::stride, ::stride]
        return np.tensordot(kernel, windows, ((1, 2, 3), (0, 3, 4)))

    def depthwise(self, name: str, x: Any) -> Any:
        shape = (len(x), 1, 3, 3)
        kernel = self.weight(f"{name}.weight", lambda: self.draw.normal(0, 0.5, shape))
        windows = sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
        return np.einsum("cuv,cyxuv->cyx", kernel[:, 0], windows)

    def norm(self, name: str, x: Any, epsilon: float) -> Any:
        n, draw = len(x), self.draw
        scale = self.weight(f"{name}.weight", lambda: draw.uniform(0.5, 1.5, n))
        bias = self.weight(f"{name}.bias", lambda: draw.normal(0, 0.3, n))
        mean = self.weight(f"{name}.running_mean", lambda: draw.normal(0, 0.3, n))
        # small ones too, so that epsilon matters
        var = self.weight(f"{name}.running_var", lambda: draw.uniform(0.01, 2, n))
        self.state.setdefault(f"{name}.num_batches_tracked", np.array(7))
        scale, bias, mean, var = (a.reshape(-1, 1, 1) for a in (scale, bias, mean, var))
        return (x - mean) / np.sqrt(var + epsilon) * scale + bias

    def linear(self, name: str, x: Any, outputs: int) -> Any:
        shape = (outputs, len(x))
        matrix = self.weight(f"{name}.weight", lambda: self.draw.normal(0, 0.05, shape))
        return matrix @ x + self.weight(f"{name}.bias", lambda: self.draw.normal(size=outputs))


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


def max_pool(x: Any, pad: int = 0) -> Any:
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)), constant_values=-np.inf)
    return sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))


def slow_inception(net: Slow, x: Any, classes: int = 3) -> tuple[Any, Any, Any]:
    """Tap, features and logits of torchvision's inception_v3."""

    def unit(name: str, x: Any, outputs: int, size: Any = 1, stride: int = 1, pad: Any = 0) -> Any:
        y = net.conv(f"{name}.conv", x, outputs, size, stride, pad)
        return relu(net.norm(f"{name}.bn", y, 1e-3))

    def pooled(name: str, x: Any, outputs: int) -> Any:
        windows = sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
        return unit(f"{name}.branch_pool", windows.sum((3, 4)) / 9, outputs)

    across, down = {"size": (1, 7), "pad": (0, 3)}, {"size": (7, 1), "pad": (3, 0)}
    wide, high = {"size": (1, 3), "pad": (0, 1)}, {"size": (3, 1), "pad": (1, 0)}
    x = unit("Conv2d_1a_3x3", x, 32, 3, 2)
    x = unit("Conv2d_2a_3x3", x, 32, 3)
    x = max_pool(unit("Conv2d_2b_3x3", x, 64, 3, 1, 1))
    x = max_pool(unit("Conv2d_4a_3x3", unit("Conv2d_3b_1x1", x, 80), 192, 3))
    for m, last in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        five = unit(f"{m}.branch5x5_2", unit(f"{m}.branch5x5_1", x, 48), 64, 5, 1, 2)
        three = unit(f"{m}.branch3x3dbl_2", unit(f"{m}.branch3x3dbl_1", x, 64), 96, 3, 1, 1)
        three = unit(f"{m}.branch3x3dbl_3", three, 96, 3, 1, 1)
        single = unit(f"{m}.branch1x1", x, 64)
        x = np.concatenate([single, five, three, pooled(m, x, last)])
    m = "Mixed_6a"
    three = unit(f"{m}.branch3x3dbl_2", unit(f"{m}.branch3x3dbl_1", x, 64), 96, 3, 1, 1)
    three = unit(f"{m}.branch3x3dbl_3", three, 96, 3, 2)
    x = np.concatenate([unit(f"{m}.branch3x3", x, 384, 3, 2), three, max_pool(x)])
    for m, c in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        seven = unit(f"{m}.branch7x7_2", unit(f"{m}.branch7x7_1", x, c), c, **across)
        seven = unit(f"{m}.branch7x7_3", seven, 192, **down)
        twice = unit(f"{m}.branch7x7dbl_2", unit(f"{m}.branch7x7dbl_1", x, c), c, **down)
        twice = unit(f"{m}.branch7x7dbl_3", twice, c, **across)
        twice = unit(f"{m}.branch7x7dbl_4", twice, c, **down)
        twice = unit(f"{m}.branch7x7dbl_5", twice, 192, **across)
        x = np.concatenate([unit(f"{m}.branch1x1", x, 192), seven, twice, pooled(m, x, 192)])
    m = "Mixed_7a"
    three = unit(f"{m}.branch3x3_2", unit(f"{m}.branch3x3_1", x, 192), 320, 3, 2)
    seven = unit(f"{m}.branch7x7x3_2", unit(f"{m}.branch7x7x3_1", x, 192), 192, **across)
    seven = unit(f"{m}.branch7x7x3_4", unit(f"{m}.branch7x7x3_3", seven, 192, **down), 192, 3, 2)
    x = np.concatenate([three, seven, max_pool(x)])
    for m in ("Mixed_7b", "Mixed_7c"):
        single, three = unit(f"{m}.branch1x1", x, 320), unit(f"{m}.branch3x3_1", x, 384)
        left = unit(f"{m}.branch3x3_2a", three, 384, **wide)
        right = unit(f"{m}.branch3x3_2b", three, 384, **high)
        twice = unit(f"{m}.branch3x3dbl_2", unit(f"{m}.branch3x3dbl_1", x, 448), 384, 3, 1, 1)
        more = unit(f"{m}.branch3x3dbl_3a", twice, 384, **wide)
        most = unit(f"{m}.branch3x3dbl_3b", twice, 384, **high)
        x = np.concatenate([single, left, right, more, most, pooled(m, x, 192)])
    return x, x, net.linear("fc", x.mean((1, 2)), classes)


def slow_xception(net: Slow, x: Any, classes: int = 3) -> tuple[Any, Any, Any]:
    """Tap, features and logits of timm's legacy_xception."""

    def norm(name: str, x: Any) -> Any:
        return net.norm(name, x, 1e-5)

    def separable(name: str, x: Any, outputs: int) -> Any:
        return net.conv(f"{name}.pointwise", net.depthwise(f"{name}.conv1", x), outputs, 1)

    x = relu(norm("bn1", net.conv("conv1", x, 32, 3, 2)))
    x = relu(norm("bn2", net.conv("conv2", x, 64, 3)))
    widths = [(128, 128), (256, 256), (728, 728), *[(728, 728, 728)] * 8, (728, 1024)]
    for number, outputs in enumerate(widths, 1):
        shortcut, rep = x, 0
        for first, o in enumerate(outputs):
            if number > 1 or first:
                x, rep = relu(x), rep + 1
            x = norm(f"block{number}.rep.{rep + 1}", separable(f"block{number}.rep.{rep}", x, o))
            rep += 2
        if number in (1, 2, 3, 12):
            skip = net.conv(f"block{number}.skip", shortcut, outputs[-1], 1, 2)
            x, shortcut = max_pool(x, 1), norm(f"block{number}.skipbn", skip)
        x = x + shortcut
    tap = separable("conv4", relu(norm("bn3", separable("conv3", x, 1536))), 2048)
    x = relu(norm("bn4", tap))
    return tap, x, net.linear("fc", x.mean((1, 2)), classes)


SLOW = {"inception_v3": slow_inception, "xception": slow_xception}
each = pytest.mark.parametrize("name", SLOW)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, ...]]:
    """By name, made once: state, its file, an image, and the slow tap, features and logits."""
    made: dict[str, tuple[Any, ...]] = {}

    def get(name: str) -> tuple[Any, ...]:
        if name not in made:
            net, size = Slow(len(name)), SIZES[name][0]
            image = np.random.default_rng(0).uniform(-1, 1, (size, size, 3)).astype(np.float32)
            slow = SLOW[name](net, image.astype(np.float64).transpose(2, 0, 1))
            path = tmp_path_factory.mktemp(name) / "net.safetensors"
            extra = AUXILIARY if name == "inception_v3" else {}
            write_safetensors(path, net.state | extra, {"format": "pt"})
            made[name] = net.state, path, image, slow
        return made[name]

    return get


def close(actual: Any, expected: Any) -> None:
    expected = expected.transpose(1, 2, 0) if expected.ndim == 3 else expected
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


@pytest.mark.slow
@each
def test_networks_agree_with_numpy(drawn: Any, name: str) -> None:
    _, path, image, (tap, features, logits) = drawn(name)
    model, params = models.load(name, path)
    assert model.classes == ("0", "1", "2")
    module = abstract(lambda rngs: models.MODELS[name].build(rngs, 3))
    nnx.update(module, params)
    module.eval()
    graph, state = nnx.split(module)

    @jax.jit
    def run(state: Any, x: Any) -> Any:
        net: Any = nnx.merge(graph, state)
        return net.tap(x)[1], net.trunk(x), net(x)

    for actual, expected in zip(run(state, image[None]), (tap, features, logits), strict=True):
        close(actual[0], expected)
    assert features.shape == (2048, *[SIZES[name][1]] * 2)
    assert (features == 0).any()  # the last ReLU is part of the trunk
    assert (tap < 0).any() == (name == "xception")


@pytest.mark.slow
@each
def test_parameters_and_grids(name: str) -> None:
    about, (_, _, size, grid) = models.MODELS[name], SIZES[name]
    module = abstract(lambda rngs: about.build(rngs, 1000))
    leaves = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in leaves) == PARAMETERS[name]
    assert about.preprocess.size == (size, size)
    pixels = np.zeros((size, size, 3), np.uint8)
    np.testing.assert_array_equal(about.preprocess(pixels), -1)
    np.testing.assert_array_equal(about.preprocess(pixels + np.uint8(255)), 1)

    def shapes(x: Any) -> Any:
        net: Any = about.build(nnx.Rngs(0), 1000)
        net.eval()
        return net.tap(x)[1], net.trunk(x), net(x)

    tap, features, logits = nnx.eval_shape(shapes, jnp.zeros((2, size, size, 3)))
    assert tap.shape == features.shape == (2, grid, grid, 2048)
    assert logits.shape == (2, 1000)


@pytest.mark.slow
def test_files_that_do_not_fit(tmp_path: Path, drawn: Any) -> None:
    name, path = "xception", tmp_path / "net.safetensors"
    state, file, _, _ = drawn(name)
    with pytest.raises(InputError, match="has 3 classes, not 2"):
        models.load(name, file, classes=("real", "fake"))
    lacking = {key: array for key, array in state.items() if key != "fc.weight"}
    write_safetensors(path, lacking | {"fc.more": np.ones(2, np.float32)}, {})
    with pytest.raises(InputError, match=r"missing 1 \(fc\.kernel\); unknown 1 \(fc\.more\)"):
        models.load(name, path)


BLOCKS = {
    "inception_v3": lambda: inception.ConvNormRelu(
        4, inception.ConvStep("", 6, 3), rngs=nnx.Rngs(0)
    ),
    "xception": lambda: xception.SeparableBlock((4, 6, 6), 2, rngs=nnx.Rngs(0)),
}


@pytest.mark.slow
@each
def test_all_normalisations_can_be_folded(name: str) -> None:
    draw, block = np.random.default_rng(0), BLOCKS[name]()
    block.eval()
    state = nnx.state(block, nnx.BatchStat)
    nnx.update(block, jax.tree.map(lambda a: jnp.asarray(draw.uniform(0.1, 2, a.shape)), state))
    x = jnp.asarray(draw.normal(size=(1, 7, 7, 4)), jnp.float32)
    folded = fold(block)
    assert not jax.tree.leaves(nnx.state(folded, nnx.BatchStat))
    np.testing.assert_allclose(folded(x), block(x), atol=1e-4)
    module = abstract(lambda rngs: models.MODELS[name].build(rngs, 2))
    parts = [part for _, part in nnx.iter_modules(module)]
    norms = [part for part in parts if isinstance(part, nnx.BatchNorm)]
    spared = [getattr(part, n) for part in parts for n in getattr(part, "folds", {}).values()]
    assert set(map(id, spared)) == set(map(id, norms))


@pytest.mark.slow
def test_the_names_of_other_xceptions(tmp_path: Path, drawn: Any) -> None:
    path = tmp_path / "net.safetensors"
    state, file, _, _ = drawn("xception")
    other = {
        "model." + name.replace("fc.", "last_linear.1."): array[..., 0, 0]
        if "pointwise" in name  # a matrix in the first published files
        else array
        for name, array in state.items()
    }
    write_safetensors(path, other, {})
    _, actual = models.load("xception", path)
    same = jax.tree.map(np.array_equal, actual, models.load("xception", file)[1])
    assert jax.tree.all(same)
    shapes = {"fc.bias": jax.ShapeDtypeStruct((3,), np.float32)}
    tables = xception.torch_tables(shapes)
    names = [table["fc.bias"][0] for table in tables.values()]
    assert names == ["fc.bias", "last_linear.bias", "last_linear.1.bias"]


def test_the_mean_counts_the_zeros_beyond_the_border() -> None:
    block = inception.InceptionBlock(1, ((mean_pool,),), rngs=nnx.Rngs(0))
    row, edge = np.array([4, 6, 6, 4]) / 9, np.array([6, 9, 9, 6]) / 9
    actual = block(jnp.ones((1, 4, 4, 1)))[0, :, :, 0]
    np.testing.assert_allclose(actual, [row, edge, edge, row], rtol=1e-6)


@pytest.mark.slow
def test_the_input_of_a_block_is_added_unrectified_and_pools_ignore_their_padding() -> None:
    x = -np.random.default_rng(0).uniform(1, 2, (1, 5, 5, 4)).astype(np.float32)
    block = xception.SeparableBlock((4, 4, 4), 1, rngs=nnx.Rngs(0))
    block.eval()
    for convolution in block.convs:
        convolution.pointwise.kernel[...] = jnp.zeros_like(convolution.pointwise.kernel[...])
    np.testing.assert_array_equal(block(x), x)
    strided = xception.SeparableBlock((4, 4, 4), 2, rngs=nnx.Rngs(0))
    strided.eval()
    last = strided.convs[-1]
    last.pointwise.kernel[...] = jnp.zeros_like(last.pointwise.kernel[...])
    last.norm.bias[...] = jnp.full(4, -3.0)  # the pooled map is -3, at the border as inside
    skipped = strided.skip(x)
    np.testing.assert_allclose(strided(x) - skipped, np.full((1, 3, 3, 4), -3), atol=1e-6)
