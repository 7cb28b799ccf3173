"""Published weights and images, random networks and NumPy layers for the tests of models."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.attribution import GradCAM
from salix.models.checkpoints.module_state import abstract
from salix.scores import logit


@pytest.fixture(scope="session")
def mesonet() -> Path:
    """The folder of MesoNet's published weights and images, which this repository does not carry.

    SALIX_TEST_DATA, or shared/data beside or above the repository, contains it as `mesonet`.
    """
    repository = Path(__file__).parents[2]
    own = os.environ.get("SALIX_TEST_DATA")
    places = [Path(own)] if own else [p / "shared" / "data" for p in repository.parents]
    for place in places:
        if (place / "mesonet" / "Meso4_DF.h5").is_file():
            return place / "mesonet"
    pytest.skip("MesoNet's weights are not here: set SALIX_TEST_DATA to the folder of `mesonet`")


def _randomise(module: Any) -> Any:
    draw = np.random.default_rng(0)
    ranges = {"mean": (-0.3, 0.3), "var": (0.5, 2.0), "scale": (0.5, 1.0), "bias": (-0.3, 0.3)}
    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    for path, leaf in nnx.to_flat_state(state):
        shape = leaf.get_value().shape
        if path[-1] in ranges:
            value = draw.uniform(*ranges[path[-1]], shape)
        else:
            value = draw.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        leaf.set_value(jnp.asarray(value, jnp.float32))
    nnx.update(module, state)
    module.eval()
    return module


@pytest.fixture(scope="session")
def randomise() -> Callable[[Any], Any]:
    """Network in evaluation, its weights and statistics random: activations keep their size."""
    return _randomise


@pytest.fixture(scope="session")
def random_network() -> Callable[[str], Any]:
    """Random network of two classes by name, made once, without its own initialisation."""
    return cache(lambda name: _randomise(abstract(lambda rngs: models.MODELS[name].build(rngs, 2))))


def _conv(x: np.ndarray, layer: Any, stride: int, pad: int) -> np.ndarray:
    kernel = np.asarray(layer.kernel[...], np.float64)
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    side = kernel.shape[0]
    h, w = ((n - side) // stride + 1 for n in x.shape[:2])
    y = np.zeros((h, w, kernel.shape[-1]))
    for i in range(h):
        for j in range(w):
            window = x[i * stride : i * stride + side, j * stride : j * stride + side]
            y[i, j] = np.tensordot(window, kernel, 3)
    return y


def _norm(x: np.ndarray, layer: Any) -> np.ndarray:
    arrays = (layer.mean, layer.var, layer.scale, layer.bias)
    mean, var, scale, bias = (np.asarray(a[...], np.float64) for a in arrays)
    return (x - mean) / np.sqrt(var + 1e-5) * scale + bias


@pytest.fixture(scope="session")
def numpy_layers() -> SimpleNamespace:
    """Convolution and normalisation layers of one image [h w c] in NumPy, in float64."""
    return SimpleNamespace(conv=_conv, norm=_norm)


def _check_parity(
    loaded: tuple[Any, Any], image: np.ndarray, trunk: Any, head: Any, *, tolerance: float = 1e-9
) -> None:
    """Compare logits, features and Grad-CAM of a loaded classifier with PyTorch's, in float64.

    `trunk` and `head` are functions of tensors, channels first, in float64.
    """
    import torch  # pyright: ignore[reportMissingImports]

    model, params = loaded
    features = trunk(torch.from_numpy(image).permute(2, 0, 1)[None]).detach().requires_grad_()
    logits = head(features)
    if logits.shape[1] == 1:
        logits = torch.cat([-logits / 2, logits / 2], 1)
    (slope,) = torch.autograd.grad(logits[0, 1], features)
    signed = (slope.mean((2, 3), keepdim=True) * features).sum(1)[0]
    expected = {
        "logits": logits[0],
        "features": features[0].permute(1, 2, 0),
        "map": signed,
        "rectified map": signed.relu(),
    }
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):  # LayerNorm promotes
        wide = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)

        def run(params: Any, image: Any) -> dict[str, Any]:
            score, key = model.score(params, logit(1)), jax.random.key(0)
            return {
                "logits": model.logits(params, image),
                "features": model.features(params, image),
                "map": GradCAM(relu=False)(score, image, key)[..., 0],
                "rectified map": GradCAM()(score, image, key)[..., 0],
            }

        actual = jax.jit(run)(wide, image)
    for name, value in expected.items():
        numbers = value.detach().numpy()
        scale = np.abs(numbers).max()
        assert name == "rectified map" or np.ptp(numbers) > 1e-6 * scale > 0, name
        np.testing.assert_allclose(
            actual[name], numbers, rtol=tolerance, atol=tolerance * scale, err_msg=name
        )


@pytest.fixture(scope="session")
def check_parity() -> Callable[..., None]:
    """Comparison of a loaded classifier with a definition in PyTorch."""
    return _check_parity
