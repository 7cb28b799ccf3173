"""EfficientNet: its sizes, its layers against NumPy, its names in files."""

from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.models.bottleneck import ConvNorm, InvertedBottleneck, Squeeze, scale_width
from salix.models.checkpoints.module_state import arrays, expected
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.efficientnet import EfficientNet
from salix.models.efficientnet_names import torch_tables
from salix.typing import InputError

NETS = [
    ("efficientnet_b0", 5_288_548, 16, 7, 1280),
    ("efficientnet_b4", 19_341_616, 32, 12, 1792),
    ("efficientnet_lite0", 4_652_008, 16, 7, 1280),
]


@cache
def weight_shapes(name: str) -> dict[str, jax.ShapeDtypeStruct]:
    return expected(lambda rngs: models.MODELS[name].build(rngs, 5))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count", "blocks", "grid", "width"), NETS)
def test_the_published_networks_have_their_sizes(
    name: str, count: int, blocks: int, grid: int, width: int
) -> None:
    about = models.MODELS[name]
    module = nnx.eval_shape(lambda: about.build(nnx.Rngs(0), 1000))
    module.eval()
    trained = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in trained) == count
    assert sum(len(stage) for stage in module.stages) == blocks
    x = jax.ShapeDtypeStruct((1, *about.preprocess.size, 3), np.float32)
    features = jax.eval_shape(lambda net, x: net.trunk(x), module, x)
    assert features.shape == (1, grid, grid, width)


def shaken(module: nnx.Module, seed: int = 0) -> Any:
    """The module in evaluation, with random weights and statistics."""
    draw = np.random.default_rng(seed)
    for path, leaf in nnx.to_flat_state(nnx.state(module)):
        shape, name = leaf.get_value().shape, path[-1]
        fan = np.prod(shape[:-1]) if name == "kernel" else 1
        value = draw.normal(size=shape) * fan**-0.5
        value = draw.uniform(0.5, 2, shape) if name in ("var", "scale") else value
        leaf.set_value(jax.numpy.asarray(value, np.float32))
    module.eval()
    return module


def slow_depthwise(x: np.ndarray, kernel: np.ndarray, strides: int, tf: bool) -> np.ndarray:
    """Pixel by pixel; TensorFlow's padding of n pixels: ceil(n / s) outputs, the odd one after."""
    h, w, size = x.shape[0], x.shape[1], kernel.shape[0]
    outs = [-(-n // strides) for n in (h, w)]
    before = [size // 2, size // 2]
    if tf:
        needed = [max((o - 1) * strides + size - n, 0) for o, n in zip(outs, (h, w), strict=True)]
        before = [n // 2 for n in needed]
    result = np.zeros((*outs, x.shape[2]))
    for i in range(outs[0]):
        for j in range(outs[1]):
            for u in range(size):
                for v in range(size):
                    y, z = i * strides + u - before[0], j * strides + v - before[1]
                    if 0 <= y < h and 0 <= z < w:
                        result[i, j] += x[y, z] * kernel[u, v, 0]
    return result


@pytest.mark.slow
@pytest.mark.parametrize("tf", [True, False])
@pytest.mark.parametrize(("size", "strides"), [(3, 1), (3, 2), (5, 2)])
def test_a_unit_pads_and_normalises_as_its_source(size: int, strides: int, tf: bool) -> None:
    unit = shaken(ConvNorm(4, 4, size, strides, groups=4, tf=tf, rngs=nnx.Rngs(0)))
    state = {name: a.astype(np.float64) for name, a in arrays(nnx.state(unit)).items()}
    state["norm.var"] = state["norm.var"] * 1e-3  # where epsilon matters
    unit.norm.var.set_value(jax.numpy.asarray(state["norm.var"], np.float32))
    x = np.random.default_rng(1).normal(size=(1, 8, 7, 4)).astype(np.float32)  # even and odd
    y = slow_depthwise(x[0].astype(np.float64), state["conv.kernel"], strides, tf)
    y = (y - state["norm.mean"]) / np.sqrt(state["norm.var"] + (1e-3 if tf else 1e-5))
    y = y * state["norm.scale"] + state["norm.bias"]
    np.testing.assert_allclose(unit(x)[0], y, rtol=1e-4, atol=1e-4)


def test_squeeze_and_excitation_scales_each_channel() -> None:
    squeeze = shaken(Squeeze(6, 2, rngs=nnx.Rngs(0)))
    state = arrays(nnx.state(squeeze))
    x = np.random.default_rng(2).normal(size=(1, 3, 5, 6)).astype(np.float32)
    h = x[0].mean((0, 1)) @ state["reduce.kernel"][0, 0] + state["reduce.bias"]
    h = h / (1 + np.exp(-h)) @ state["expand.kernel"][0, 0] + state["expand.bias"]
    np.testing.assert_allclose(squeeze(x)[0], x[0] / (1 + np.exp(-h)), rtol=1e-5)


@pytest.mark.slow
def test_a_block_adds_its_input_where_it_fits() -> None:
    x = np.random.default_rng(3).normal(size=(1, 8, 8, 16)).astype(np.float32)
    for strides, outputs, added in [(1, 16, True), (2, 16, False)]:
        block = shaken(
            InvertedBottleneck(
                (96, 3, strides, 16, outputs),
                activate=jax.nn.silu,
                norm=partial(ConvNorm, tf=False, rngs=nnx.Rngs(0)),
                squeeze=partial(Squeeze, squeezed=4, rngs=nnx.Rngs(1)),
            )
        )
        scale = block.project.norm.scale
        scale.set_value(0 * scale.get_value())  # what is left is the bias, and the input
        bias = np.broadcast_to(block.project.norm.bias[...], block(x).shape)
        np.testing.assert_allclose(block(x), bias + x if added else bias, atol=1e-6)
    norm = partial(ConvNorm, tf=True, rngs=nnx.Rngs(0))
    lite = InvertedBottleneck((16, 3, 1, 16, 16), activate=jax.nn.relu6, norm=norm)
    assert (lite.expand, lite.squeeze, lite.depthwise.norm.epsilon) == (None, None, 1e-3)


def test_widths_are_multiples_of_eight() -> None:
    widths = (32, 16, 24, 40, 80, 112, 192, 320, 1280)
    actual = [scale_width(width, 1.4) for width in widths]
    assert actual == [48, 24, 32, 56, 112, 160, 272, 448, 1792]


FIRST = {
    "features.0.0.weight": ("features.3.1.block.2.fc1.bias", "features.1.0.block.2.1.running_mean"),
    "conv_stem.weight": ("blocks.2.1.se.conv_reduce.bias", "blocks.0.0.bn2.running_mean"),
    "_conv_stem.weight": ("_blocks.4._se_reduce.bias", "_blocks.0._bn2.running_mean"),
    "efficientnet._conv_stem.weight": (
        "efficientnet._blocks.4._se_reduce.bias",
        "efficientnet._blocks.0._bn2.running_mean",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("name", [name for name, *_ in NETS])
def test_every_weight_has_a_name_in_each_source(name: str, first: str) -> None:
    shapes = weight_shapes(name)
    table = dict(zip(FIRST, torch_tables(shapes).values(), strict=True))[first]
    assert set(table) == set(shapes)
    assert len({theirs for theirs, _ in table.values()}) == len(table)
    assert table["stem.conv.kernel"][0] == first
    if name == "efficientnet_b0":
        assert table["stages.2.1.squeeze.reduce.bias"][0] == FIRST[first][0]
        assert table["stages.0.0.project.norm.mean"][0] == FIRST[first][1]


@pytest.mark.slow
def test_weights_come_back(tmp_path: Path) -> None:
    name, path = "efficientnet_lite0", tmp_path / "net.safetensors"
    draw, shapes = np.random.default_rng(4), weight_shapes("efficientnet_lite0")
    weights = {n: draw.uniform(0.1, 1, s.shape).astype(np.float32) for n, s in shapes.items()}
    theirs = {ours: name for ours, (name, _) in torch_tables(shapes)["timm"].items()}
    turned = {4: (3, 2, 0, 1), 2: (1, 0)}
    state = {theirs[n]: a.transpose(turned.get(a.ndim, range(a.ndim))) for n, a in weights.items()}
    write_safetensors(path, state, {"format": "pt"})  # as timm publishes them
    model, params = models.load(name, path)
    assert model.classes == tuple("01234")
    for n, a in arrays(params).items():
        np.testing.assert_array_equal(a, weights[n], strict=True)
    models.save(name, path, params, classes=tuple("abcde"))
    again, actual = models.load(name, path)
    assert again.classes == tuple("abcde")
    assert jax.tree.structure(actual) == jax.tree.structure(params)
    assert all((a == weights[n]).all() for n, a in arrays(actual).items())
    del state[theirs["stages.3.1.depthwise.norm.var"]]
    write_safetensors(path, state, {"format": "pt"})
    with pytest.raises(InputError, match=r"missing 1 \(stages\.3\.1\.depthwise\.norm\.var\)"):
        models.load(name, path)


@pytest.mark.slow
def test_a_small_network_classifies_images_of_any_size() -> None:
    module = shaken(EfficientNet((0.25, 0.1), 3, rngs=nnx.Rngs(0)))
    x = np.random.default_rng(5).normal(size=(1, 50, 97, 3)).astype(np.float32)
    features = jax.jit(lambda x: module.trunk(x))(x)
    assert features.shape == (1, 2, 4, 320)
    weights, mean = arrays(nnx.state(module)), np.asarray(features)[0].mean((0, 1))
    by_hand = mean @ weights["fc.kernel"] + weights["fc.bias"]
    np.testing.assert_allclose(module.head(features)[0], by_hand, rtol=1e-4, atol=1e-5)
