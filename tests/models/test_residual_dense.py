"""ResNet and DenseNet without their oracle: shapes, taps, folding, one block in NumPy."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.adapters import from_nnx
from salix.models.checkpoints.module_state import abstract, expected
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.resnet import Basic, Bottleneck
from salix.nn import fold
from salix.nn.folding import Folded
from salix.typing import InputError

IMAGE = np.random.default_rng(1).normal(size=(70, 64, 3)).astype(np.float32)
COUNTS = {"resnet18": 11_689_512, "resnet50": 25_557_032, "densenet121": 7_978_856}
WIDTHS = {"resnet18": 512, "resnet50": 2048, "densenet121": 1024}
names = pytest.mark.parametrize("name", COUNTS)


@pytest.mark.slow
@names
def test_published_counts_grids_and_taps(name: str) -> None:
    module = abstract(lambda rngs: models.MODELS[name].build(rngs, 1000))
    weights = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in weights) == COUNTS[name]
    assert {norm.epsilon for _, norm in nnx.iter_modules(module) if hasattr(norm, "epsilon")} == {
        1e-5
    }
    for height, width, grid in ((224, 224, (7, 7)), (96, 160, (3, 5))):
        x = jax.ShapeDtypeStruct((2, height, width, 3), np.float32)
        actual = nnx.eval_shape(lambda m, x: m.tap(x), module, x)  # its first part is the trunk
        assert {features.shape for features in actual} == {(2, *grid, WIDTHS[name])}


@pytest.mark.slow
@names
def test_a_folded_network_is_the_same_function(name: str, random_network: Any) -> None:
    module = random_network(name)
    before = jax.tree.map(np.asarray, nnx.state(module))
    folded = fold(module)
    jax.tree.map(np.testing.assert_array_equal, before, nnx.state(module))  # is left as it was
    norms = [part for _, part in nnx.iter_modules(folded) if isinstance(part, nnx.BatchNorm)]
    spared = [part for _, part in nnx.iter_modules(folded) if isinstance(part, Folded)]
    actual = {"resnet18": (0, 20), "resnet50": (0, 53), "densenet121": (62, 59)}[name]
    assert (len(norms), len(spared)) == actual
    results = []
    for network in (module, folded):
        model, params = from_nnx(network)
        results.append(
            jax.jit(lambda p, x, m=model: (m.features(p, x), m.logits(p, x)))(params, IMAGE)
        )
    for plain, merged in zip(*results, strict=True):
        assert np.linalg.norm(plain - merged) < 1e-5 * np.linalg.norm(plain)
        assert np.std(plain) > 0.01


@pytest.mark.slow
def test_folded_parameters_load_and_cannot_be_saved(tmp_path: Path, random_network: Any) -> None:
    path = tmp_path / "net.safetensors"
    module = random_network("resnet18")
    _, params = from_nnx(module)
    models.save("resnet18", path, params, classes=("a", "b"))
    model, actual = models.load("resnet18", path)
    jax.tree.map(np.testing.assert_array_equal, params, actual)
    assert model.classes == ("a", "b")
    _, folded = models.load("resnet18", path, folded=True)
    assert len(jax.tree.leaves(folded)) == 42  # a kernel and a bias for 20 convolutions and fc
    with pytest.raises(InputError, match="missing 80"):
        models.save("resnet18", tmp_path / "folded.safetensors", folded)
    with pytest.raises(InputError, match="has 2 classes, not 3"):
        models.load("resnet18", path, classes=("a", "b", "c"))


def state_dict(name: str, classes: int) -> dict[str, np.ndarray]:
    """Small random arrays by PyTorch's names."""
    shapes = expected(lambda rngs: models.MODELS[name].build(rngs, classes))
    table: Any = models.MODELS[name].tables["torch"]
    order = {4: (3, 2, 0, 1), 2: (1, 0)}
    actual = {"counter.num_batches_tracked": np.array(3)}
    first = next(iter(table(shapes).values()))
    for number, (ours, (theirs, _)) in enumerate(first.items()):
        shape = shapes[ours].shape
        axes = order.get(len(shape), (0,)) if ours.endswith("kernel") else (0,)
        actual[theirs] = np.full([shape[axis] for axis in axes], number, np.float32)
    return actual


KNOWN = {
    "resnet18": ("layer2.0.downsample.1.running_var", "layer4.1.conv2.weight", "bn1.bias"),
    "resnet50": ("layer1.0.downsample.0.weight", "layer4.2.bn3.running_mean", "fc.weight"),
    "densenet121": (
        "features.denseblock4.denselayer16.conv2.weight",
        "features.transition3.norm.weight",
        "features.norm5.running_mean",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_names_of_other_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    arrays = state_dict(name, 5)
    assert set(KNOWN[name]) < set(arrays)
    write_safetensors(path, arrays, {"format": "pt"})  # as timm publishes weights
    model, params = models.load(name, path)
    assert model.classes == ("0", "1", "2", "3", "4")
    values = sorted(float(leaf.min()) for leaf in jax.tree.leaves(params))
    assert values == sorted(float(a.min()) for n, a in arrays.items() if "tracked" not in n)
    if name == "densenet121":
        return  # the rest is the same code for every network
    nested = {f"state_dict.module.{n}": a for n, a in arrays.items()}
    write_safetensors(path, nested | {"optimizer.state.0.step": np.ones(1, np.float32)}, {})
    jax.tree.map(np.testing.assert_array_equal, params, models.load(name, path)[1])
    last = KNOWN[name][1]
    del arrays[last]
    write_safetensors(path, arrays, {})
    with pytest.raises(InputError, match=f"does not fit {name}: missing 1 "):
        models.load(name, path)


@pytest.mark.parametrize("kind", [Basic, Bottleneck])
@pytest.mark.slow
def test_a_residual_block_agrees_with_numpy(kind: Any, randomise: Any, numpy_layers: Any) -> None:
    conv, norm = numpy_layers.conv, numpy_layers.norm
    block = randomise(kind(6, 4, 2, rngs=nnx.Rngs(0)))
    x = np.random.default_rng(0).normal(size=(7, 6, 6)).astype(np.float32)
    layers = [(1, 0, 1), (3, 1, 2), (1, 0, 1)] if kind is Bottleneck else [(3, 1, 2), (3, 1, 1)]
    h = last = x.astype(np.float64)
    for number, (side, pad, stride) in enumerate(layers, 1):
        layer = getattr(block, f"conv{number}")
        assert layer.kernel.shape[0] == side
        last = conv(np.maximum(h, 0) if number > 1 else h, layer, stride, pad)
        h = norm(last, getattr(block, f"norm{number}"))
    around = norm(conv(x.astype(np.float64), block.shortcut.conv, 2, 0), block.shortcut.norm)
    np.testing.assert_allclose(block.last(x[None])[0], last, atol=1e-5)
    np.testing.assert_allclose(block(x[None])[0], np.maximum(h + around, 0), atol=1e-5)
    assert np.std(h) > 0.1


@pytest.mark.slow
def test_the_tap_precedes_the_last_relu_of_the_trunk(
    random_network: Any, numpy_layers: Any
) -> None:
    dense, residual = random_network("densenet121"), random_network("resnet18")
    x = IMAGE[None, :32, :32]
    run = nnx.jit(lambda m, x: (m.tap(x)[1], m.trunk(x)))
    tap, features = run(dense, x)
    assert tap.min() < 0
    np.testing.assert_allclose(np.maximum(tap, 0), features, atol=1e-5)
    tap, features = run(residual, x)
    block = residual.layer4[-1]
    rest = features - np.maximum(numpy_layers.norm(np.asarray(tap, np.float64), block.norm2), 0)
    assert rest.min() > -1e-4  # the shortcut, which is not negative, is still to be added
    assert rest.max() > 0.1
