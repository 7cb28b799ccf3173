"""JPEG compression, against the files that Pillow writes and reads."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from skimage import data

from salix.perturb.jpeg import CHROMA, LUMA, jpeg, quantisation_steps
from salix.typing import InputError

KEY = jax.random.key(0)
FACE = data.astronaut()
rng = np.random.default_rng(0)
PICTURES = {
    "whole blocks": FACE[:64, 160:256],
    "odd sides": FACE[100:137, 50:79],
    "one column over": FACE[3:100, 7:72],
    "noise": rng.integers(0, 256, (40, 40, 3), np.uint8),
    "flat": np.full((20, 20, 3), (200, 30, 90), np.uint8),
    "grey": FACE[:50, :61, :1],
}


def pillow(image, quality, subsampling="4:2:0"):
    grey = image.shape[-1] == 1
    with io.BytesIO() as file:
        picture = Image.fromarray(image[..., 0] if grey else image)
        picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
        with Image.open(file) as read:
            tables = read.quantization
            return np.asarray(read).reshape(image.shape).astype(int), tables


compress = jax.jit(jpeg, static_argnames="subsampling")


def ours(image, quality, subsampling="4:2:0"):
    result = compress(
        image.astype(np.float32) / 255, jnp.float32(quality), KEY, subsampling=subsampling
    )
    levels = np.asarray(result) * 255
    assert result.shape == image.shape
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)  # a file of 8 bits
    return np.round(levels).astype(int)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("name", PICTURES)
def test_it_reads_as_a_file_of_pillow(name, subsampling):
    image = PICTURES[name]
    for quality in (100, 90, 50, 25, 10, 1):
        result = ours(image, quality, subsampling)
        off = np.abs(result - pillow(image, quality, subsampling)[0]).mean()
        # what integer transforms round otherwise: least where most is lost, most on noise
        assert off < (1.2 if name == "noise" else 0.8), (quality, off)


def test_the_two_subsamplings_are_told_apart():
    # that the bound above is far below what is lost, and what another setting would give
    image = PICTURES["odd sides"]
    full, half = (pillow(image, 75, s)[0] for s in ("4:4:4", "4:2:0"))
    assert np.abs(full - half).mean() > 0.5
    assert np.abs(image - half).mean() > 2
    assert np.abs(pillow(image, 70)[0] - half).mean() > 0.5


@pytest.mark.parametrize("quality", [100, 95, 50, 49, 25, 7, 1])
def test_the_tables_are_those_that_pillow_writes(quality):
    tables = pillow(PICTURES["flat"], quality)[1]
    for table, at in ((LUMA, 0), (CHROMA, 1)):
        np.testing.assert_array_equal(np.ravel(quantisation_steps(table, quality)), tables[at])


def test_lower_quality_loses_more_and_grey_stays_grey():
    image = PICTURES["whole blocks"]
    lost = [np.abs(ours(image, q) - image).mean() for q in (100, 75, 50, 25, 10, 1)]
    assert (np.diff(lost) > 0).all()
    grey = np.repeat(PICTURES["grey"], 3, -1)
    result = ours(grey, 50)
    np.testing.assert_array_equal(result, np.repeat(result[..., :1], 3, -1))
    np.testing.assert_array_equal(result[..., :1], ours(PICTURES["grey"], 50))


def test_vmap_over_images_and_qualities_is_a_loop():
    images = np.stack([FACE[:16, :24], FACE[50:66, 60:84]]).astype(np.float32) / 255
    qualities = jnp.array([80.0, 20.0])
    together = jax.jit(jax.vmap(lambda x, q: jpeg(x, q, KEY)))(images, qualities)
    alone = [
        compress(x, q, KEY, subsampling="4:2:0") for x, q in zip(images, qualities, strict=True)
    ]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8, 2), (8, 3), (4, 8, 8, 3)])
def test_what_a_file_cannot_hold_is_refused(shape):
    with pytest.raises(InputError, match=r"JPEG.*\(.*8"):
        jpeg(np.zeros(shape, np.float32), 50, KEY)
