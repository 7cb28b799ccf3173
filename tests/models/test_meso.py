"""Meso4 and MesoInception-4 against published outputs and independent NumPy versions."""

from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import pytest
from PIL import Image
from scipy.signal import correlate

from salix import models
from salix.typing import InputError

WIDTHS, SIDES, POOLS = (3, 8, 8, 16, 16), (3, 5, 5, 5), (2, 2, 2, 4)
Layers = dict[str, dict[str, np.ndarray]]


def random_layers(seed: int, first: int = 5) -> Layers:
    """Weights of Meso4 as Keras names them when it has built `first` - 1 others before."""
    draw = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (draw.normal(size=shape) * scale).astype(np.float32)

    layers: Layers = {f"input_{first}": {}}
    for number, (i, o, side) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], SIDES, strict=True), first):
        kernel = normal(side, side, i, o, scale=1 / side)
        layers[f"conv2d_{number}"] = {"kernel": kernel, "bias": normal(o)}
        layers[f"batch_normalization_{number}"] = {
            "gamma": normal(o),
            "beta": normal(o),
            "moving_mean": normal(o),
            "moving_variance": draw.uniform(1e-3, 2, o).astype(np.float32),
        }
        layers[f"max_pooling2d_{number}"] = {}
    layers[f"dense_{first}"] = {"kernel": normal(1024, 16, scale=0.05), "bias": normal(16)}
    layers[f"dense_{first + 1}"] = {"kernel": normal(16, 1), "bias": normal(1)}
    return layers


def keras_file(path: Path, layers: Layers) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in layers])
        for name, arrays in layers.items():
            group = file.create_group(name)
            weights = [f"{name}/{weight}:0" for weight in arrays]
            group.attrs["weight_names"] = np.array([weight.encode() for weight in weights])
            for weight, array in zip(weights, arrays.values(), strict=True):
                group[weight] = array
    return path


def slow(layers: Layers, x: np.ndarray) -> float:
    """z of one image, in float64, one channel at a time."""
    arrays = [{k: v.astype(np.float64) for k, v in layer.items()} for layer in layers.values()]
    convs = [a for a in arrays if a.get("kernel", np.zeros(0)).ndim == 4]
    norms = [a for a in arrays if "gamma" in a]
    dense = [a for a in arrays if a.get("kernel", np.zeros(0)).ndim == 2]
    for c, n, size in zip(convs, norms, POOLS, strict=True):
        kernel, maps = c["kernel"], []
        for o in range(kernel.shape[-1]):
            channels = range(kernel.shape[2])
            y = sum(correlate(x[..., i], kernel[..., i, o], "same", "direct") for i in channels)
            y = np.maximum(y + c["bias"][o], 0)
            y = (y - n["moving_mean"][o]) / np.sqrt(n["moving_variance"][o] + 1e-3)
            y = y * n["gamma"][o] + n["beta"][o]
            h, w = y.shape[0] // size, y.shape[1] // size
            maps.append(y.reshape(h, size, w, size).max(axis=(1, 3)))
        x = np.stack(maps, axis=-1)
    h = x.reshape(-1) @ dense[0]["kernel"] + dense[0]["bias"]
    h = np.where(h > 0, h, 0.1 * h)
    return float((h @ dense[1]["kernel"] + dense[1]["bias"])[0])


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 5, 9])  # 9: conv2d_10 comes before conv2d_9 as text
def test_random_weights_agree_with_numpy(tmp_path: Path, first: int) -> None:
    layers = random_layers(first, first)
    model, params = models.load("meso4", keras_file(tmp_path / "net.h5", layers))
    image = np.random.default_rng(0).uniform(size=(256, 256, 3)).astype(np.float32)
    logits = model.logits(params, image)
    z = slow(layers, image.astype(np.float64))
    np.testing.assert_allclose(logits, [-z / 2, z / 2], rtol=2e-4)
    assert model.features(params, image).shape == (8, 8, 16)
    assert model.classes == ("fake", "real")


@pytest.mark.parametrize(
    ("name", "published"),
    [("df00204", 0.05), ("df01254", 0.02), ("real00240", 0.99), ("real00772", 1.0)],
)
def test_published_weights_separate_the_published_faces(
    mesonet: Path, name: str, published: float
) -> None:
    model, params = models.load("meso4", mesonet / "Meso4_DF.h5")
    with Image.open(mesonet / f"{name}.jpg") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    real = jax.nn.softmax(model.logits(params, model.preprocess(pixels)))[1]
    np.testing.assert_allclose(real, published, atol=0.006)


def published(path: Path) -> Layers:
    opened: Any = h5py.File(path)
    with opened as file:
        names = [name.decode() for name in file.attrs["layer_names"]]
        return {
            name: {
                key.decode().split("/")[-1].split(":")[0]: np.asarray(file[name][key])
                for key in file[name].attrs["weight_names"]
            }
            for name in names
        }


def test_published_weights_agree_with_numpy(mesonet: Path) -> None:
    model, params = models.load("meso4", mesonet / "Meso4_F2F.h5")
    layers = published(mesonet / "Meso4_F2F.h5")
    with Image.open(mesonet / "real00240.jpg") as picture:
        image = np.asarray(model.preprocess(np.asarray(picture.convert("RGB"))))
    z = slow(layers, image.astype(np.float64))
    np.testing.assert_allclose(model.logits(params, image), [-z / 2, z / 2], rtol=2e-4)


def test_the_weights_of_another_architecture_are_refused(mesonet: Path) -> None:
    with pytest.raises(InputError, match=r"MesoInception_DF\.h5 does not fit meso4") as caught:
        models.load("meso4", mesonet / "MesoInception_DF.h5")
    with pytest.raises(InputError, match=r"Meso4_DF\.h5 does not fit mesoinception4"):
        models.load("mesoinception4", mesonet / "Meso4_DF.h5")
    assert "unknown 24" in str(caught.value)
    assert "misshaped 16 (conv2.kernel (1, 1, 3, 4), not (5, 5, 8, 8)" in str(caught.value)


# MesoInception-4: per module the dilations of the convolutions that Keras numbers 1, 2, ...
DILATIONS = (1, 1, 1, 1, 2, 1, 3)


def slow_inception(layers: Layers, x: np.ndarray) -> float:
    """z of one image, in float64, by the numbers that the published file gives to its layers."""

    def conv(number: int, x: np.ndarray, dilation: int = 1) -> np.ndarray:
        kernel, bias = (
            layers[f"conv2d_{number}"][key].astype(np.float64) for key in ("kernel", "bias")
        )
        side = (len(kernel) - 1) * dilation + 1
        spread = np.zeros((side, side, *kernel.shape[2:]))
        spread[::dilation, ::dilation] = kernel
        maps = [
            sum(correlate(x[..., i], spread[..., i, o], "same") for i in range(x.shape[-1]))
            for o in range(kernel.shape[-1])
        ]
        return np.maximum(np.stack(maps, -1) + bias, 0)

    def mixed(first: int, x: np.ndarray) -> np.ndarray:
        branches = [conv(first, x)]
        for branch in (1, 3, 5):
            branches.append(
                conv(first + branch + 1, conv(first + branch, x), DILATIONS[branch + 1])
            )
        return np.concatenate(branches, -1)

    steps = (
        lambda x: mixed(1, x),
        lambda x: mixed(8, x),
        lambda x: conv(15, x),
        lambda x: conv(16, x),
    )
    for block, (step, size) in enumerate(zip(steps, POOLS, strict=True), 1):
        n = {key: a.astype(np.float64) for key, a in layers[f"batch_normalization_{block}"].items()}
        y = (step(x) - n["moving_mean"]) / np.sqrt(n["moving_variance"] + 1e-3)
        y = y * n["gamma"] + n["beta"]
        h, w = y.shape[0] // size, y.shape[1] // size
        x = y.reshape(h, size, w, size, -1).max(axis=(1, 3))
    h = x.reshape(-1) @ layers["dense_1"]["kernel"] + layers["dense_1"]["bias"]
    h = np.where(h > 0, h, 0.1 * h)
    return float((h @ layers["dense_2"]["kernel"] + layers["dense_2"]["bias"])[0])


@pytest.mark.parametrize("name", ["df00204", "df01254", "real00240", "real00772"])
def test_published_inception_separates_the_published_faces(mesonet: Path, name: str) -> None:
    model, params = models.load("mesoinception4", mesonet / "MesoInception_DF.h5")
    assert model.classes == ("fake", "real")
    with Image.open(mesonet / f"{name}.jpg") as picture:
        image = model.preprocess(np.asarray(picture.convert("RGB")))
    real = jax.nn.softmax(model.logits(params, image))[1]
    np.testing.assert_allclose(real, float(name.startswith("real")), atol=0.05)


@pytest.mark.parametrize("weights", ["DF", "F2F"])
def test_published_inception_agrees_with_numpy(mesonet: Path, weights: str) -> None:
    path = mesonet / f"MesoInception_{weights}.h5"
    model, params = models.load("mesoinception4", path)
    with Image.open(mesonet / "df00204.jpg") as picture:
        image = np.asarray(model.preprocess(np.asarray(picture.convert("RGB"))))
    z = slow_inception(published(path), image.astype(np.float64))
    np.testing.assert_allclose(model.logits(params, image), [-z / 2, z / 2], rtol=2e-4)
    assert model.features(params, image).shape == (8, 8, 16)
