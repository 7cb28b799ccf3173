"""The residual network of small pictures: counts, grids, tap, folding, and all of it in NumPy."""

from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix.adapters import from_nnx
from salix.models.cifar import CifarResNet, cifar_resnet8
from salix.nn import Conv, fold
from salix.nn.folding import Folded

IMAGE = np.random.default_rng(1).normal(size=(16, 12, 3)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "weights", "layers"), [(1, 77_522, 8), (3, 271_954, 20), (9, 855_250, 56)]
)
def test_layers_and_weights(n: int, weights: int, layers: int) -> None:
    """The paper has 0.27 million weights for 20 layers and 0.85 for 56, in table 6."""
    module = nnx.eval_shape(lambda: CifarResNet(n, 2, rngs=nnx.Rngs(0)))
    leaves = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in leaves) == weights
    plain = [p for path, p in nnx.iter_modules(module) if "shortcut" not in path]
    counted = [p for p in plain if isinstance(p, (Conv, nnx.Linear))]
    assert len(counted) == layers == 6 * n + 2
    for height, width, grid in ((64, 64, (8, 8)), (32, 48, (4, 6))):
        x = jax.ShapeDtypeStruct((2, height, width, 3), np.float32)
        actual = nnx.eval_shape(lambda m, x: (m.trunk(x), *m.tap(x)), module, x)
        assert {features.shape for features in actual} == {(2, *grid, 64)}
        assert nnx.eval_shape(lambda m, x: m(x), module, x).shape == (2, 2)


@pytest.mark.slow
def test_the_network_agrees_with_numpy(randomise: Any, numpy_layers: Any) -> None:
    conv, norm = numpy_layers.conv, numpy_layers.norm
    module = randomise(cifar_resnet8(nnx.Rngs(0)))
    h = np.maximum(norm(conv(IMAGE.astype(np.float64), module.conv1, 2, 1), module.norm1), 0)
    last = h
    for block, stride in zip(module.blocks, (1, 2, 2), strict=True):
        around = h
        if stride > 1:
            around = norm(conv(h, block.shortcut.conv, stride, 0), block.shortcut.norm)
        else:
            assert block.shortcut is None
        inner = np.maximum(norm(conv(h, block.conv1, stride, 1), block.norm1), 0)
        last = conv(inner, block.conv2, 1, 1)
        h = np.maximum(norm(last, block.norm2) + around, 0)
    linear = (np.asarray(module.fc.kernel[...]), np.asarray(module.fc.bias[...]))
    logits = h.mean((0, 1)) @ linear[0] + linear[1]
    model, params = from_nnx(module)
    features, tapped = jax.jit(model.tapped)(params, IMAGE)
    np.testing.assert_allclose(features, h, atol=2e-5)
    np.testing.assert_allclose(tapped, last, atol=2e-5)
    np.testing.assert_allclose(jax.jit(model.logits)(params, IMAGE), logits, atol=2e-5)
    np.testing.assert_array_equal(jax.jit(model.features)(params, IMAGE), features)
    assert tapped.min() < 0 <= features.min()
    assert np.std(h) > 0.1


@pytest.mark.slow
def test_a_folded_network_is_the_same_function(randomise: Any) -> None:
    module = randomise(cifar_resnet8(nnx.Rngs(0)))
    folded = fold(module)
    parts = [part for _, part in nnx.iter_modules(folded)]
    assert sum(isinstance(part, Folded) for part in parts) == 9
    assert not any(isinstance(part, nnx.BatchNorm) for part in parts)
    logits, folded_logits = (np.asarray(m(IMAGE[None])) for m in (module, folded))
    np.testing.assert_allclose(logits, folded_logits, atol=1e-5)
    assert np.abs(logits).max() > 0.1
