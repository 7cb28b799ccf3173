"""The classifiers of nsfwjs: their names, and a forward pass of Keras' layers in NumPy."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.data.decode import fit
from salix.models.checkpoints.module_state import expected
from salix.models.checkpoints.tfjs import read_tfjs
from salix.models.mobilenet import MobileNetV2, Perceptron

NETS = [
    ("nsfwjs_inception_v3", "nsfwjs-inception", "mixed10", (8, 8, 2048)),
    ("nsfwjs_mobilenet_v2", "nsfwjs-mobilenet", "out_relu", (7, 7, 1280)),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, *_ in NETS])
def test_every_weight_has_a_name(name: str) -> None:
    about = models.MODELS[name]
    shapes = expected(lambda rngs: about.build(rngs, 5))
    table: Any = about.tables["tfjs"]
    assert set(table) == set(shapes)
    assert len({theirs for theirs, _ in table.values()}) == len(table)
    if name == "nsfwjs_inception_v3":
        kernels = {n: s.shape for n, s in shapes.items() if n.endswith("conv.kernel")}
        assert len(kernels) == 94
        # the first, one in the middle of a block, the two ends of a fork, the last
        for number, shape in [
            (1, (3, 3, 3, 32)),
            (36, (7, 1, 128, 128)),
            (92, (1, 3, 384, 384)),
            (93, (3, 1, 384, 384)),
            (94, (1, 1, 2048, 192)),
        ]:
            ours = next(
                n for n, (theirs, _) in table.items() if theirs == f"conv2d_{number}/kernel"
            )
            assert kernels[ours] == shape


def test_mobilenet_has_its_size_and_grid() -> None:
    module = nnx.eval_shape(lambda: MobileNetV2(nnx.Rngs(0)))
    module.eval()
    trained = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in trained) == 3_504_872  # of Keras and torchvision
    x = jax.ShapeDtypeStruct((1, 224, 192, 3), np.float32)
    features = jax.eval_shape(lambda net, x: net.trunk(x), module, x)
    assert features.shape == (1, 7, 6, 1280)


def test_perceptron() -> None:
    net = Perceptron((3, 4, 2), rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    first, last = net.layers
    h = np.maximum(x @ np.asarray(first.kernel[...]) + np.asarray(first.bias[...]), 0)
    by_hand = h @ np.asarray(last.kernel[...]) + np.asarray(last.bias[...])
    np.testing.assert_allclose(net(x), by_hand, rtol=1e-5, atol=1e-6)


def windows(x: np.ndarray, size: Any, strides: Any) -> np.ndarray:
    """[h w c] to [y x c u v], without padding."""
    views = np.lib.stride_tricks.sliding_window_view(x, tuple(size), (0, 1))
    return views[:: strides[0], :: strides[1]]


def padded(x: np.ndarray, size: Any, padding: str, value: float) -> np.ndarray:
    if padding == "valid":
        return x
    sides = [(n // 2, n // 2) for n in size]  # of odd windows at stride 1
    return np.pad(x, (*sides, (0, 0)), constant_values=value)


def layer(kind: str, about: dict[str, Any], x: list[np.ndarray], w: dict[str, Any]) -> np.ndarray:
    """Give the result of a layer of Keras, for one image."""
    first = x[0]
    if kind in ("Conv2D", "DepthwiseConv2D"):
        assert about["padding"] == "valid" or about["strides"] == [1, 1]
        views = windows(
            padded(first, about["kernel_size"], about["padding"], 0),
            about["kernel_size"],
            about["strides"],
        )
        if kind == "DepthwiseConv2D":
            return np.einsum("yxcuv,uvc->yxc", views, w["depthwise_kernel"][..., 0])
        kernel = w["kernel"].transpose(2, 0, 1, 3)
        return np.tensordot(views, kernel, 3)
    if kind == "BatchNormalization":
        y = (first - w["moving_mean"]) / np.sqrt(w["moving_variance"] + about["epsilon"])
        return y * w.get("gamma", 1) + w["beta"]
    if kind in ("MaxPooling2D", "AveragePooling2D"):
        best = kind.startswith("Max")
        wide = padded(first, about["pool_size"], about["padding"], -np.inf if best else np.nan)
        views = windows(wide, about["pool_size"], about["strides"])
        return views.max((-1, -2)) if best else np.nanmean(views, (-1, -2))
    if kind == "Dense":
        y = first @ w["kernel"] + w["bias"]
        return np.maximum(y, 0) if about["activation"] == "relu" else y  # softmax: logits
    if kind in ("ReLU", "Activation"):
        assert kind == "ReLU" or about["activation"] == "relu"
        return np.clip(first, 0, about.get("max_value"))
    if kind == "ZeroPadding2D":
        return np.pad(first, (*map(tuple, about["padding"]), (0, 0)))
    if kind == "Concatenate":
        return np.concatenate(x, -1)
    if kind == "Add":
        return x[0] + x[1]
    assert kind in ("Flatten", "Dropout"), kind
    return first.reshape(-1) if kind == "Flatten" else first


def published(folder: Path) -> tuple[list[Any], dict[str, Any]]:
    """The layers and the weights of each, as Node.js reads the files."""
    code = (
        "const m = require('./model.min.js'), g = m.weightsManifest[0];"
        "g.data = g.paths.map(p => require('./' + p + '.min.js'));"
        "process.stdout.write(JSON.stringify([m.modelTopology.model_config.config.layers, g]))"
    )
    process = subprocess.run(["node", "-e", code], cwd=folder, capture_output=True, check=True)
    layers, group = json.loads(process.stdout)

    data, offset, weights = b"".join(map(base64.b64decode, group["data"])), 0, {}
    for entry in group["weights"]:
        count, scaling = int(np.prod(entry["shape"])), entry["quantization"]
        raw = np.frombuffer(data[offset : offset + count], np.uint8)
        array = (raw * scaling["scale"] + scaling["min"]).astype(np.float32).reshape(entry["shape"])
        offset += count
        owner, part = entry["name"].split("/")
        weights.setdefault(owner, {})[part] = array
    assert offset == len(data)
    return layers, weights


@pytest.mark.assets
@pytest.mark.large
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")
@pytest.mark.parametrize(("name", "source", "last", "shape"), NETS)
def test_parity_with_the_layers_of_keras(
    asset: Callable[[str], Path], name: str, source: str, last: str, shape: tuple[int, ...]
) -> None:
    data = pytest.importorskip("skimage.data")
    folder = asset(source)
    layers, weights = published(folder)
    ours = read_tfjs(folder)
    assert sum(len(w) for w in weights.values()) == len(ours)
    for key, array in ours.items():
        owner, part = key.split("/")
        np.testing.assert_array_equal(array, weights[owner][part], strict=True)
    model, params = models.load(name, folder)
    pixels = fit(data.astronaut(), model.preprocess)
    actual: dict[str, np.ndarray] = {}
    for entry in layers:
        own, about = entry["name"], entry["config"]
        before = [actual[i[0]] for i in (entry["inbound_nodes"] or [[]])[0]]
        if entry["class_name"] == "InputLayer":
            actual[own] = (pixels / 255).astype(np.float32)
        else:
            actual[own] = layer(entry["class_name"], about, before, weights.get(own, {}))
    run = jax.jit(lambda p, x: (model.features(p, x), model.logits(p, x)))
    features, logits = run(params, model.preprocess(pixels))
    assert features.shape == actual[last].shape == shape
    np.testing.assert_allclose(features, actual[last], atol=2e-5 * actual[last].max())
    np.testing.assert_allclose(logits, actual["dense_3"], atol=1e-3)
