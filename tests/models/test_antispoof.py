"""AntiSpoof and LivenessNet against their published graphs, node by node in NumPy."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.adapters import from_nnx
from salix.models.antispoof import Affine, AntiSpoof, LivenessNet
from salix.models.checkpoints.module_state import expected
from salix.models.checkpoints.safetensors import write_safetensors
from salix.typing import InputError

Arrays = dict[str, np.ndarray]


def windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    """[h w c] to [y x c u v], without padding."""
    views = np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))
    return views[::stride, ::stride]


def attribute(node: dict[str, Any], name: str) -> Any:
    value = node["attr"][name]
    if "s" in value:
        return base64.b64decode(value["s"]).decode()
    return [base64.b64decode(s).decode() for s in value["list"]["s"]]


def evaluate(graph: dict[str, Any], weights: Arrays, image: np.ndarray) -> Arrays:
    """Give the result of every node of a frozen TensorFlow graph, for one image."""
    actual: Arrays = dict(weights)
    for node in graph["node"]:
        name, op = node["name"], node["op"]
        x = [actual[i] for i in node.get("input", [])]
        if op == "Const":
            continue
        elif op == "Placeholder":
            y = image
        elif op == "_FusedConv2D":
            size = len(x[1])
            pad = size // 2 if attribute(node, "padding") == "SAME" else 0
            wide = np.pad(x[0], ((pad, pad), (pad, pad), (0, 0)))
            y = np.einsum("yxcuv,uvco->yxo", windows(wide, size, 1), x[1], optimize=True) + x[2]
        elif op == "_FusedMatMul":
            y = x[0] @ x[1] + x[2]
        elif op == "MaxPool":
            y = windows(x[0], 2, 2).max((-1, -2))
        elif op in ("Mul", "Add", "AddV2"):
            y = x[0] * x[1] if op == "Mul" else x[0] + x[1]
        elif op == "Reshape":
            y = x[0].reshape(-1)
        elif op == "Sigmoid":
            y = 1 / (1 + np.exp(-x[0]))
        elif op == "Softmax":
            y = np.exp(x[0] - x[0].max()) / np.exp(x[0] - x[0].max()).sum()
        else:
            assert op in ("Relu", "Identity"), op
            y = x[0]
        if op == "Relu" or ("fused_ops" in node["attr"] and "Relu" in attribute(node, "fused_ops")):
            y = np.maximum(y, 0)
        actual[name] = y
    return actual


def graph(folder: Path, name: str) -> tuple[dict[str, Any], Arrays]:
    """The graph in a model's folder, and its weights by the names of the graph, in float64."""
    about = json.loads((folder / f"{name}.json").read_text())
    data, offset, weights = (folder / f"{name}.bin").read_bytes(), 0, {}
    for entry in about["weightsManifest"][0]["weights"]:
        kind = np.dtype("float16" if "quantization" in entry else entry["dtype"])
        count = int(np.prod(entry["shape"]))
        flat = np.frombuffer(data[offset : offset + count * kind.itemsize], kind)
        weights[entry["name"]] = flat.astype(np.float64).reshape(entry["shape"])
        offset += count * kind.itemsize
    assert offset == len(data)
    return about["modelTopology"], weights


@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("antispoof", "StatefulPartitionedCall/sequential/activation_2/Relu"),
        ("liveness", "StatefulPartitionedCall/sequential_1/max_pooling2d_2/MaxPool"),
    ],
)
@pytest.mark.slow
def test_parity_with_the_published_graph(
    asset: Callable[[str], Path], name: str, last: str
) -> None:
    folder = asset(name)
    model, params = models.load(name, folder)
    topology, weights = graph(folder, name)
    draw = np.random.default_rng(0)
    run = jax.jit(lambda x: (model.features(params, x), model.logits(params, x)))
    for _ in range(2):
        pixels = draw.integers(0, 256, (*model.preprocess.size, 3), np.uint8)
        features, logits = run(model.preprocess(pixels))
        actual = evaluate(topology, weights, pixels / 255)
        grid = actual[last]
        assert features.shape == grid.shape
        np.testing.assert_allclose(features, grid, atol=1e-5 * np.abs(grid).max())
        # sigmoid: P(real), class 1; softmax: live, class 0
        theirs = actual["Identity"][0]
        real = model.classes.index("real")
        assert 1e-6 < theirs < 1 - 1e-6
        np.testing.assert_allclose(jax.nn.softmax(logits)[real], theirs, rtol=1e-4)


@pytest.mark.assets
@pytest.mark.parametrize("name", ["antispoof", "liveness"])
@pytest.mark.slow
def test_published_weights_are_saved_and_come_back(
    asset: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder, path = asset(name), tmp_path / "net.safetensors"
    model, params = models.load(name, folder / f"{name}.json")
    models.save(name, path, params)
    again, actual = models.load(name, path)
    assert again.classes == model.classes
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), actual, params))
    with pytest.raises(
        InputError, match=r"no TensorFlow.js weights of small are known, only safetensors"
    ):
        models.load("small", folder)


@pytest.mark.parametrize("kind", [AntiSpoof, LivenessNet])
def test_the_head_reads_the_trunk(kind: Any) -> None:
    module = kind(nnx.Rngs(0))
    model, params = from_nnx(module)
    size = 128 if kind is AntiSpoof else 32
    x = np.random.default_rng(1).uniform(size=(size, size, 3)).astype(np.float32)

    @jax.jit
    def evaluate(x: Any) -> Any:
        features = model.features(params, x)
        return features, model.classify(params, features), model.logits(params, x)

    features, classified, logits = evaluate(x)
    assert features.shape == ((14, 14, 16) if kind is AntiSpoof else (8, 8, 32))
    np.testing.assert_allclose(classified, logits, rtol=1e-5)


def test_affine_is_by_channel() -> None:
    affine = Affine(2, rngs=nnx.Rngs(0))
    affine.scale.set_value(np.float32([2, 3]))
    affine.bias.set_value(np.float32([-1, 1]))
    x = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    np.testing.assert_array_equal(affine(x), x * np.float32([2, 3]) + np.float32([-1, 1]))
    np.testing.assert_array_equal(affine(x[0, 0]), x[0, 0] * [2, 3] + [-1, 1])


@pytest.mark.parametrize("name", ["antispoof", "liveness"])
def test_a_file_with_a_weight_missing_is_refused(tmp_path: Path, name: str) -> None:
    shapes = expected(lambda rngs: models.MODELS[name].build(rngs, 2))
    table: Any = models.MODELS[name].tables["tfjs"]
    assert set(table) == set(shapes)
    arrays = {n: np.zeros(s.shape, np.float32) for n, s in shapes.items()}
    entries = [
        {"name": table[n][0], "shape": list(a.shape), "dtype": "float32"} for n, a in arrays.items()
    ]
    group = {"paths": ["w.bin"], "weights": entries[1:]}
    (tmp_path / "w.bin").write_bytes(b"".join(a.tobytes() for a in list(arrays.values())[1:]))
    (tmp_path / "model.json").write_text(json.dumps({"weightsManifest": [group]}))
    with pytest.raises(InputError, match=rf"missing 1 \({next(iter(arrays))}\)"):
        models.load(name, tmp_path)
    write_safetensors(
        tmp_path / "net.safetensors", arrays, {"architecture": name, "classes": '["a", "b"]'}
    )
    assert models.load(name, tmp_path / "net.safetensors")[0].classes == ("a", "b")
