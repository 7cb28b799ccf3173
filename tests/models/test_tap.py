"""The tap of each architecture against the same layers cut by hand, and what a loss sees of it."""

from functools import cache, partial
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp

from salix import from_nnx, models
from salix.nn import Conv, fold, max_pool
from salix.train.losses import CYBORG

SIDES = {"resnet18": 64, "resnet50": 64, "densenet121": 64, "inception_v3": 107, "xception": 75}
each = pytest.mark.parametrize("name", SIDES)


@cache
def drawn(name: str) -> Any:
    """A network in evaluation, with random weights and statistics that keep the size of flows."""
    rng = np.random.default_rng(0)
    ranges = {"mean": (-0.3, 0.3), "var": (0.5, 2.0), "scale": (0.5, 1.0), "bias": (-0.3, 0.3)}
    module: Any = nnx.eval_shape(lambda: models.MODELS[name].build(nnx.Rngs(0), 2))
    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    for path, leaf in nnx.to_flat_state(state):
        shape = leaf.get_value().shape
        if path[-1] in ranges:
            value = rng.uniform(*ranges[path[-1]], shape)
        else:
            value = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        leaf.set_value(jnp.asarray(value, jnp.float32))
    nnx.update(module, state)
    module.eval()
    return module


def image(name: str) -> Any:
    side = SIDES[name]
    return np.random.default_rng(1).normal(size=(1, side, side, 3)).astype(np.float32)


def run(function: Any, module: Any, *arguments: Any) -> Any:
    graph, state = nnx.split(module)
    return jax.jit(lambda state, *a: function(nnx.merge(graph, state), *a))(state, *arguments)


def by_hand(name: str, net: Any, x: Any) -> Any:
    """What is tapped, layer by layer."""
    relu = jax.nn.relu
    if name == "xception":
        h = relu(net.norm2(net.conv2(relu(net.norm1(net.conv1(x))))))
        for block in net.blocks:
            h = block(h)
        h = relu(net.conv3.norm(net.conv3.pointwise(net.conv3.depthwise(h))))
        return net.conv4.pointwise(net.conv4.depthwise(h))
    h = max_pool(relu(net.norm1(net.conv1(x))), 3, 2, padding=1)
    *blocks, end = (block for stage in (1, 2, 3, 4) for block in getattr(net, f"layer{stage}"))
    for block in blocks:
        h = block(h)
    h = relu(end.norm1(end.conv1(h)))
    return end.conv3(relu(end.norm2(end.conv2(h))))


@pytest.mark.parametrize("name", ["resnet50", "xception"])  # elsewhere: NumPy, torch
def test_the_tap_is_the_published_layer_and_the_features_are_the_trunk(name: str) -> None:
    (features, tapped), trunk, cut = run(
        lambda net, x: (net.tap(x), net.trunk(x), by_hand(name, net, x)), drawn(name), image(name)
    )
    np.testing.assert_array_equal(features, trunk)
    np.testing.assert_allclose(tapped, cut, atol=1e-6 * np.abs(cut).max())
    assert tapped.shape == features.shape
    assert tapped.min() < 0 <= features.min()


@each
def test_one_pass_gives_both(name: str) -> None:
    """Features and tapped features take each convolution once."""
    net = drawn(name)
    model, params = from_nnx(net)
    with models.conv_form("xla"):  # one operation for each
        text = str(jax.make_jaxpr(model.tapped)(params, image(name)[0]))
    once = sum(isinstance(part, Conv) for _, part in nnx.iter_modules(net))
    assert text.count("conv_general_dilated[") == once > 15


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "xception"])
def test_a_folded_network_has_lost_the_tap_where_its_last_convolution_is_folded(name: str) -> None:
    net, x = drawn(name), image(name)
    features, tapped = run(lambda m, x: m.tap(x), net, x)
    folded_features, folded = run(lambda m, x: m.tap(x), fold(net), x)
    np.testing.assert_allclose(folded_features, features, atol=2e-5 * features.max())
    norms = {
        "resnet18": lambda m, t: m.layer4[-1].norm2(t),
        "xception": lambda m, t: m.conv4.norm(t),
    }
    expected = run(norms[name], net, tapped)
    np.testing.assert_allclose(folded, expected, atol=2e-5 * np.abs(expected).max())


def test_human_salience_does_not_reach_what_comes_after_the_tap() -> None:
    """Of ResNet's last normalisation the distance has no gradient; of what is before it, one."""
    model, params = from_nnx(drawn("resnet18"))
    reference_mask = np.eye(2, dtype=np.float32)

    def human(params: Any, pixels: Any) -> Any:
        features, tapped = model.tapped(params, pixels)
        head = partial(model.classify, params)
        return CYBORG(0.0)(head, features, tapped, np.int32(1), reference_mask)["loss"]

    slopes = jax.jit(jax.grad(human))(params, image("resnet18")[0])
    end = slopes["layer4"][1]
    assert not np.any(end["norm2"]["scale"][...])
    assert np.any(end["norm1"]["scale"][...])
    assert np.any(end["conv2"]["kernel"][...])
    assert np.any(slopes["fc"]["kernel"][...])
    assert not np.any(slopes["fc"]["bias"][...])
