"""Networks that Keras itself makes and saves, in each of its formats, against our outputs."""

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix import models

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def layers() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras").layers


def conv(layers: Any, x: Any, filters: int, side: int, **options: Any) -> Any:
    return layers.Conv2D(filters, side, padding="same", activation="relu", **options)(x)


def branches(layers: Any, x: Any, widths: tuple[int, ...]) -> Any:
    first, *others = widths
    joined = [conv(layers, x, first, 1)]
    for dilation, width in enumerate(others, 1):
        inner = conv(layers, x, width, 1)
        joined.append(conv(layers, inner, width, 3, dilation_rate=dilation))
    return layers.Concatenate()(joined)


def meso(layers: Any, *, inception: bool) -> Any:
    """Meso4 or MesoInception-4 as its authors wrote them, with random statistics."""
    import keras

    x = inputs = layers.Input((256, 256, 3))
    for i, (filters, side, pool) in enumerate([(8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4)]):
        if inception and i < 2:
            x = branches(layers, x, ((1, 4, 4, 2), (2, 4, 4, 2))[i])
        else:
            x = conv(layers, x, filters, side)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(pool, padding="same")(x)
    x = layers.Dense(16)(layers.Dropout(0.5)(layers.Flatten()(x)))
    x = layers.Dropout(0.5)(layers.LeakyReLU(negative_slope=0.1)(x))
    net = keras.Model(inputs, layers.Dense(1)(x))
    draw = np.random.default_rng(0)
    net.set_weights(
        [
            (np.abs(w) if "variance" in v.path else w).astype(np.float32)
            for v in net.weights
            for w in [draw.normal(1, 0.2, v.shape) if len(v.shape) == 1 else np.asarray(v)]
        ]
    )
    return net


@pytest.mark.parametrize("name", ["meso4", "mesoinception4"])
def test_networks_of_keras_have_our_outputs(layers: Any, tmp_path: Path, name: str) -> None:
    layers.Conv2D(1, 1), layers.Dense(1)  # the names of the network begin at another number
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    with jax.numpy_rank_promotion("allow"):  # Keras adds biases so
        net = meso(layers, inception="inception" in name)
        z = float(np.asarray(net(image[None] / np.float32(255)))[0, 0])
    for file in ("net.keras", "net.weights.h5", "net.h5"):
        (net.save_weights if "weights" in file else net.save)(tmp_path / file)
        model, params = models.load(name, tmp_path / file)
        logits = np.asarray(model.logits(params, model.preprocess(jnp.asarray(image))))
        assert abs(logits[1] - logits[0] - z) < 1e-3 * max(1, abs(z)), file
