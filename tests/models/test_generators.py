"""The generators against slow NumPy versions, and on their published weights."""

import struct
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import jax
import numpy as np
import pytest

from salix import models
from salix.data.assets import olivetti
from salix.typing import InputError

Arrays = dict[str, np.ndarray]


def torch_file(path: Path, arrays: Arrays) -> Path:
    """A PyTorch file of float32 tensors, written by hand."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def row(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    with zipfile.ZipFile(path, "w") as archive:
        program = b"\x80\x02}("
        for key, (name, array) in enumerate(arrays.items()):
            stride = tuple(step // 4 for step in array.strides)
            program += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage")
            program += b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
            program += b"J" + struct.pack("<i", array.size) + b"tQK\0"
            program += row(array.shape) + row(stride) + b"\x89NtR"
            archive.writestr(f"net/data/{key}", array.astype("<f4").tobytes())
        archive.writestr("net/data.pkl", program + b"u.")
    return path


def drawn(seed: int, shapes: dict[str, tuple[int, ...]]) -> Arrays:
    """Random weights that keep the size of what flows through them; variances are positive."""
    draw = np.random.default_rng(seed)
    arrays: Arrays = {}
    for name, shape in shapes.items():
        if name.endswith("var"):
            arrays[name] = draw.uniform(0.5, 2, shape)
        else:
            scale = 1.5 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.3
            arrays[name] = draw.normal(size=shape) * scale
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def scattered(x: np.ndarray, kernel: np.ndarray, stride: int, pad: int) -> np.ndarray:
    """Transposed convolution of [c h w] by [c o kh kw]: each input adds its kernel."""
    _, h, w = x.shape
    side = kernel.shape[-1]
    out = np.zeros((kernel.shape[1], (h - 1) * stride + side, (w - 1) * stride + side))
    for i in range(h):
        for j in range(w):
            patch = np.einsum("c,cokl->okl", x[:, i, j], kernel)
            out[:, i * stride : i * stride + side, j * stride : j * stride + side] += patch
    return out[:, pad : out.shape[1] - pad, pad : out.shape[2] - pad]


def gathered(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolution of [c h w] by [o c 4 4], stride 2, padded by 1."""
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    h, w = x.shape[1] // 2 - 1, x.shape[2] // 2 - 1
    out = np.zeros((len(kernel), h, w))
    for i in range(h):
        for j in range(w):
            out[:, i, j] = np.einsum(
                "ckl,ockl->o", x[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4], kernel
            )
    return out


DCGAN_WIDTHS = (100, 512, 256, 128, 64, 3)
DCGAN_SHAPES: dict[str, tuple[int, ...]] = {}
for _index, (_i, _o) in enumerate(pairwise(DCGAN_WIDTHS)):
    DCGAN_SHAPES[f"{3 * _index}.weight"] = (_i, _o, 4, 4)
    if _index < 4:
        for _part in ("weight", "bias", "running_mean", "running_var"):
            DCGAN_SHAPES[f"{3 * _index + 1}.{_part}"] = (_o,)

VAE_SHAPES: dict[str, tuple[int, ...]] = {
    "encoder.0.weight": (32, 1, 4, 4),
    "encoder.2.weight": (64, 32, 4, 4),
    "encoder.4.weight": (128, 64, 4, 4),
    "encoder.7.weight": (256, 8192),
    "encoder.9.weight": (128, 256),
    "decoder.0.weight": (256, 64),
    "decoder.2.weight": (8192, 256),
    "decoder.5.weight": (128, 64, 4, 4),
    "decoder.7.weight": (64, 32, 4, 4),
    "decoder.9.weight": (32, 1, 4, 4),
}
for _name, _shape in list(VAE_SHAPES.items()):
    _outputs = _shape[1] if _name in ("decoder.5.weight", "decoder.7.weight") else _shape[0]
    VAE_SHAPES[_name.replace("weight", "bias")] = (1 if "decoder.9" in _name else _outputs,)


def slow_dcgan(a: Arrays, z: np.ndarray) -> np.ndarray:
    x = z[:, None, None]
    for index in range(5):
        x = scattered(x, a[f"{3 * index}.weight"], *((2, 1) if index else (1, 0)))
        if index < 4:
            w, b, m, v = (
                a[f"{3 * index + 1}.{part}"][:, None, None]
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            x = np.maximum((x - m) / np.sqrt(v + 1e-5) * w + b, 0)
    return np.tanh(x).transpose(1, 2, 0)


def slow_encode(a: Arrays, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for index in (0, 2, 4):
        bias = a[f"encoder.{index}.bias"][:, None, None]
        x = np.maximum(gathered(x, a[f"encoder.{index}.weight"]) + bias, 0)
    h = np.maximum(a["encoder.7.weight"] @ x.reshape(-1) + a["encoder.7.bias"], 0)
    h = a["encoder.9.weight"] @ h + a["encoder.9.bias"]
    return h[:64], h[64:]


def slow_decode(a: Arrays, z: np.ndarray) -> np.ndarray:
    h = np.maximum(a["decoder.0.weight"] @ z + a["decoder.0.bias"], 0)
    x = np.maximum(a["decoder.2.weight"] @ h + a["decoder.2.bias"], 0).reshape(128, 8, 8)
    for index in (5, 7, 9):
        x = (
            scattered(x, a[f"decoder.{index}.weight"], 2, 1)
            + a[f"decoder.{index}.bias"][:, None, None]
        )
        x = np.maximum(x, 0) if index < 9 else 1 / (1 + np.exp(-x))
    return x.transpose(1, 2, 0)


def doubles(arrays: Arrays) -> Arrays:
    return {name: array.astype(np.float64) for name, array in arrays.items()}


@pytest.mark.slow
def test_dcgan_agrees_with_numpy(tmp_path: Path) -> None:
    arrays = drawn(0, DCGAN_SHAPES)
    named = {f"netG_state_dict.main.{name}": array for name, array in arrays.items()}
    generator = models.load_dcgan(torch_file(tmp_path / "weights.tar", named))
    z = np.random.default_rng(1).normal(size=(2, 100)).astype(np.float32)
    images = np.asarray(generator(z))
    assert 0.2 < images.std() < 0.95
    for code, image in zip(z, images, strict=True):
        slow = slow_dcgan(doubles(arrays), code.astype(np.float64))
        np.testing.assert_allclose(image, slow, atol=2e-5)


@pytest.mark.slow
def test_vae_agrees_with_numpy(tmp_path: Path) -> None:
    arrays = drawn(0, VAE_SHAPES)
    vae = models.load_vae(torch_file(tmp_path / "vae.pth", arrays))
    draw = np.random.default_rng(1)
    x = draw.uniform(size=(1, 64, 64, 1)).astype(np.float32)
    mean, logvar = slow_encode(doubles(arrays), x[0, ..., 0][None].astype(np.float64))
    for fast, slow in zip(vae.encode(x), (mean, logvar), strict=True):
        np.testing.assert_allclose(fast[0], slow, atol=2e-5)
        assert slow.std() > 0.1
    slow = slow_decode(doubles(arrays), mean)
    assert slow.std() > 0.02
    np.testing.assert_allclose(vae.decode(mean[None].astype(np.float32))[0], slow, atol=2e-5)
    np.testing.assert_allclose(vae(x)[0], slow, atol=2e-5)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "vae.pth", drawn(0, VAE_SHAPES))
    with pytest.raises(InputError, match=r"vae\.pth does not fit dcgan: missing 21 .*; unknown 20"):
        models.load_dcgan(path)
    short = drawn(0, VAE_SHAPES)
    short["encoder.7.weight"] = short["encoder.7.weight"][:, :-1].copy()
    short["decoder.2.bias"] = short["decoder.2.bias"][:-1].copy()
    with pytest.raises(InputError, match=r"does not fit vae: misshaped 2 \("):
        models.load_vae(torch_file(path, short))


@pytest.mark.slow
@pytest.mark.assets
def test_published_vae_reconstructs_its_faces(asset: Callable[[str], Path]) -> None:
    asset("olivetti")
    vae = models.load_vae(asset("olivetti-vae"))
    faces = (olivetti()[0] / 255).astype(np.float32)[..., None]
    error = np.mean((np.asarray(vae(faces)) - faces) ** 2)
    np.testing.assert_allclose(faces.var(), 0.0298, atol=1e-4)
    np.testing.assert_allclose(error, 0.00133, atol=2e-5)
    # lying on their side, as they are in the file, they are strangers to it
    turned = faces.transpose(0, 2, 1, 3)
    assert np.mean((np.asarray(vae(turned)) - turned) ** 2) > 0.01


@pytest.mark.slow
@pytest.mark.assets
def test_published_dcgan_makes_faces_of_many_kinds(asset: Callable[[str], Path]) -> None:
    generator = models.load_dcgan(asset("dcgan"))
    images = np.asarray(generator(jax.random.normal(jax.random.key(0), (64, 100))))
    across = np.abs(np.diff(images, axis=2)).mean()
    assert across < 0.15 < images.std(axis=0).mean()  # smooth, and no two alike
    skin = images[:, 24:40, 24:40].mean(axis=(0, 1, 2))
    assert skin[0] > skin[1] > skin[2]  # red over green over blue, at the centre
