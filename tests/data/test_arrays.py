"""Images in memory: arrays of any library with one reading, or an error that says what to give."""

from pathlib import Path

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from PIL import Image

import salix
from salix.attribution import Gradient
from salix.data import Arrays, fit
from salix.preprocess import Preprocess
from salix.typing import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 6, 7, 3), np.uint8)
REAL = PIXELS / 255
RGBA = np.concatenate([PIXELS, np.full((3, 6, 7, 1), 255, np.uint8)], -1)
FIRST = PIXELS.transpose(0, 3, 1, 2)
GREY = PIXELS[..., 0]
SIX = np.concatenate([GREY, GREY])


def objects(images) -> np.ndarray:
    array = np.empty(len(images), object)
    array[:] = list(images)
    return array


class Lazy:
    """Array on a disk, read one image at a time."""

    dtype, shape = np.dtype(np.uint8), PIXELS.shape

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return PIXELS[index]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (PIXELS, PIXELS), (list(PIXELS), PIXELS), (tuple(PIXELS), PIXELS),
        (objects(PIXELS), PIXELS), (jnp.asarray(PIXELS), PIXELS),
        (list(jnp.asarray(PIXELS)), PIXELS),
        (PIXELS[:, :, ::-1], PIXELS[:, :, ::-1]), (Lazy(), PIXELS), (PIXELS.tolist(), PIXELS),
        ([Image.fromarray(p) for p in PIXELS], PIXELS), (PIXELS[:1], PIXELS[:1]),
        (REAL, PIXELS), (REAL.astype(np.float32), PIXELS), (jnp.asarray(REAL, jnp.float32), PIXELS),
        (list(REAL), PIXELS), (FIRST, PIXELS), (FIRST / 255, PIXELS), (list(FIRST), PIXELS),
        (np.asfortranarray(FIRST), PIXELS), (RGBA, PIXELS), (RGBA / 255, PIXELS),
        (RGBA.transpose(0, 3, 1, 2), PIXELS), (list(RGBA), PIXELS),
        (PIXELS.astype(np.int64), PIXELS), (PIXELS.astype(np.uint16), PIXELS),
        (PIXELS.astype(">i4"), PIXELS), (SIX, SIX), (GREY[..., None], GREY[..., None]),
        (GREY[:, None], GREY[..., None]), (list(GREY), GREY), (GREY[:1], GREY[:1]),
        (PIXELS > 99, (PIXELS > 99) * 255), (np.zeros((2, 5, 5, 3)), np.zeros((2, 5, 5, 3))),
        (np.array([[[[0.0, 0.5, 1.0]]]]), [[[[0, 128, 255]]]]),
        (np.full((1, 2, 2, 3), 0.5, np.float16), np.full((1, 2, 2, 3), 128)),
        (np.full((1, 2, 2, 3), 0.5, ml_dtypes.bfloat16), np.full((1, 2, 2, 3), 128)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 4, 4, 3))),
    ],
)  # fmt: skip
def test_images_with_one_reading_are_taken(given, expected):
    source = Arrays(given)
    images = [source.read(i) for i in range(len(source.ids))]
    assert all(image.dtype == np.uint8 for image in images)
    np.testing.assert_array_equal(np.stack(images), expected)


def test_transparent_arrays_are_composited_over_white_as_files_are():
    clear = RGBA.copy()
    clear[:, :3, :, 3] = 0
    pixels = np.stack([Arrays(clear).read(i) for i in range(3)])
    assert (pixels[:, :3] == 255).all()
    np.testing.assert_array_equal(pixels[:, 3:], PIXELS[:, 3:])
    halves = np.full((1, 5, 5, 4), [40, 40, 40, 128], np.uint8)
    assert Arrays(halves).read(0)[0, 0].tolist() == [147] * 3


def test_images_of_several_sizes_and_kinds():
    images = [PIXELS[0], GREY[1], Image.new("RGBA", (5, 9), (0, 0, 0, 0)), FIRST[2] / 255]
    source = Arrays(images)
    assert [source.read(i).shape for i in range(4)] == [(6, 7, 3), (6, 7), (9, 5, 3), (6, 7, 3)]
    assert all(fit(source.read(i), Preprocess((4, 4))).shape == (4, 4, 3) for i in range(4))


def test_tensors_of_pytorch_are_taken_without_importing_it():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(FIRST / 255, dtype=torch.float32, requires_grad=True)
    for given in (tensor, list(tensor), torch.tensor(PIXELS), torch.tensor(FIRST)):
        np.testing.assert_array_equal(np.stack([*Arrays(given).images]), PIXELS)
    half = torch.full((2, 3, 8, 8), 0.5, dtype=torch.bfloat16)
    assert Arrays(half).read(1)[0, 0].tolist() == [128] * 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (PIXELS[0], r"shape \[6 7 3\]: this is one image.*give image\[None\]"),
        (RGBA[0], r"shape \[6 7 4\]: this is one image"),
        (REAL[0], r"give image\[None\]"),
        (GREY[0], r"shape \[6 7\]: this is one grey image; give image\[None\]"),
        (PIXELS[0].tolist(), r"image 0 of shape \[7 3\]: this is one image.*give \[image\]"),
        (list(PIXELS[0]), r"image 0 of shape \[7 3\]"),
        (FIRST[0], r"\[3 6 7\]: one image with its channels first, or 3 grey images"),
        (GREY, r"\[3 6 7\]: one image with its channels first, or 3 grey images"),
        (REAL * 255, "values from 0 to 255, expected 0 to 1: give images.astype"),
        (REAL * 300, "expected 0 to 1: give uint8 of 0 to 255"),
        (REAL - 0.5, "the Preprocess of the model subtracts mean and divides by std"),
        ([REAL[0], REAL[1] * 2], "expected 0 to 1"),
        (np.where(REAL > 0.5, np.nan, REAL), "not all finite"),
        (np.where(REAL > 0.5, np.inf, REAL), "not all finite"),
        (PIXELS.astype(np.int64) - 1, "values from -1 to 254: give the pixels"),
        (PIXELS.astype(np.uint16) * 257, "values from 0 to 65535, expected 0 to 255"),
        ((PIXELS > 99).astype(np.int32), "nearly black: give uint8, 255 times the values"),
        (np.zeros((2, 2, 6, 7), np.uint8), r"images of shape \[2 2 6 7\]: give images \[n h w 3\]"),
        (np.zeros((2, 3, 4, 2), np.uint8), "give images"),
        (np.zeros((2, 3, 6, 7, 3), np.uint8), r"give frames as images.*groups="),
        (np.zeros((0, 6, 7, 3), np.uint8), "no image given: the array is empty"),
        (np.zeros((2, 0, 7, 3), np.uint8), "a side is empty"),
        ([], "no image given: the list is empty"),
        (objects([]), "no image given"),
        (np.uint8(3), "give images"),
        (np.zeros(9, np.uint8), r"images of shape \[9\]: give images"),
        (["a.png", "b.png"], "image 0 is a path: give the folder, or a CSV file"),
        ([Path("a.png")], "image 0 is a path"),
        (Image.new("L", (5, 5)), r"one Pillow image; give \[image\]"),
        (np.array(["a.png"]), "give images"),
        ([PIXELS[0], None], "image 1 of type object: give images"),
        ({"image": PIXELS}, "images of type dict: give images"),
        ((p for p in PIXELS), "images of type generator: give images"),
        (7, "images of type int: give images"),
        (PIXELS * 1j, "of type complex128: give images"),
        ([np.zeros((2, 3, 4, 5))], r"image 0 of shape \[2 3 4 5\]"),
        ([[[1, 2], [3]]], "image 0: "),
        ([Image.fromarray(np.full((2, 2), 300, np.uint16))], "image 0: 16-bit values up to 300"),
    ],
)
def test_images_with_no_or_several_readings_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        Arrays(given)


@pytest.mark.slow
def test_a_sweep_takes_and_refuses_the_same(tmp_path):
    model, params = salix.from_function(
        lambda p, x: jnp.tanh(x).mean((0, 1)) @ p["w"],
        {"w": jnp.array([[1.0, 2.0]] * 3)},
        preprocess=Preprocess((6, 7)),
    )
    rows = [
        salix.sweep(model, params, given, Gradient(), out=tmp_path / f"{i}").table.to_pydict()
        for i, given in enumerate([PIXELS, list(PIXELS), FIRST / 255, jnp.asarray(REAL)])
    ]
    assert len(rows[0]["id"]) == 3
    assert all(row == rows[0] for row in rows)
    with pytest.raises(InputError, match="this is one image"):
        salix.sweep(model, params, PIXELS[0], Gradient(), out=tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize("shape", [(3, 16, 16), (5, 4, 4), (4, 9, 3)])
def test_the_number_of_names_decides_between_one_image_and_several(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with pytest.raises(InputError, match="one image"):
        Arrays(images)
    for option in ("names", "keys", "groups"):
        source = Arrays(images, **{option: [f"{i}" for i in range(shape[0])]})
        assert len(source.ids) == shape[0]
        np.testing.assert_array_equal(source.read(1)[..., 0], images[1])
    with pytest.raises(InputError, match="one image"):
        Arrays(images, keys=["a", "b"])
