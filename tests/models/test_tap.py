"""The tap of each architecture against the same layers cut by hand, and its gradient in a loss."""

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import from_nnx, models
from salix.nn import Conv, fold, max_pool
from salix.train.losses import CYBORG

SIDES = {"resnet18": 64, "resnet50": 64, "densenet121": 64, "inception_v3": 107, "xception": 75}
each = pytest.mark.parametrize("name", SIDES)


def image(name: str) -> Any:
    side = SIDES[name]
    return np.random.default_rng(1).normal(size=(1, side, side, 3)).astype(np.float32)


def run(function: Any, module: Any, *arguments: Any) -> Any:
    graph, state = nnx.split(module)
    return jax.jit(lambda state, *a: function(nnx.merge(graph, state), *a))(state, *arguments)


def by_hand(name: str, net: Any, x: Any) -> Any:
    """The tapped features, layer by layer."""
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "xception"])  # elsewhere: NumPy, torch
def test_the_tap_is_the_published_layer_and_the_features_are_the_trunk(
    name: str, random_network: Any
) -> None:
    (features, tapped), trunk, cut = run(
        lambda net, x: (net.tap(x), net.trunk(x), by_hand(name, net, x)),
        random_network(name),
        image(name),
    )
    np.testing.assert_array_equal(features, trunk)
    np.testing.assert_allclose(tapped, cut, atol=1e-6 * np.abs(cut).max())
    assert tapped.shape == features.shape
    assert tapped.min() < 0 <= features.min()


@pytest.mark.slow
@each
def test_one_pass_gives_both(name: str, random_network: Any) -> None:
    """Features and tapped features take each convolution once."""
    net = random_network(name)
    model, params = from_nnx(net)
    with models.conv_form("xla"):  # one operation for each
        text = str(jax.make_jaxpr(model.tapped)(params, image(name)[0]))
    once = sum(isinstance(part, Conv) for _, part in nnx.iter_modules(net))
    assert text.count("conv_general_dilated[") == once > 15


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "xception"])
def test_folding_the_last_convolution_changes_the_tap(name: str, random_network: Any) -> None:
    net, x = random_network(name), image(name)
    features, tapped = run(lambda m, x: m.tap(x), net, x)
    folded_features, folded = run(lambda m, x: m.tap(x), fold(net), x)
    np.testing.assert_allclose(folded_features, features, atol=2e-5 * features.max())
    norms = {
        "resnet18": lambda m, t: m.layer4[-1].norm2(t),
        "xception": lambda m, t: m.conv4.norm(t),
    }
    expected = run(norms[name], net, tapped)
    np.testing.assert_allclose(folded, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_the_salience_loss_has_no_gradient_after_the_tap(random_network: Any) -> None:
    """In ResNet the last normalisation gets none; the layers before it do."""
    model, params = from_nnx(random_network("resnet18"))
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
