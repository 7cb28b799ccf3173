from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from salix.report import heatmap


def decode(address):
    with Image.open(BytesIO(b64decode(address.split(",")[1]))) as image:
        return np.asarray(image.convert("RGB"))


def encode(pixels, kind="PNG"):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(4, 6), (20, 30)])
def test_pixels_have_the_colour_of_their_value(shape):
    map = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(decode(heatmap.pixelated(map)), heatmap.colours()[map])


def test_the_scale_rises_in_lightness():
    lightness = heatmap.colours().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -0.5).all()
    assert tuple(heatmap.colours()[255]) == (252, 255, 164)


def test_a_smoothed_map_keeps_its_shape_and_its_place():
    map = np.zeros((4, 8), np.uint8)
    map[1, 6] = 255
    image = decode(heatmap.smooth(map)).sum(-1)
    assert image.shape == (32, 64)
    y, x = np.unravel_index(image.argmax(), image.shape)
    assert 8 <= y < 16
    assert 48 <= x < 56


def test_the_outline_runs_along_the_half_level():
    reference_mask = np.zeros((40, 60), np.uint8)
    reference_mask[10:20, 30:50] = 255
    path = heatmap.mask_outline(encode(reference_mask), (120, 80))  # twice its size
    points = np.array([p.split() for p in path.strip("MZ").split("L")], float)
    assert points.min(0) == pytest.approx([59, 19], abs=1.1)
    assert points.max(0) == pytest.approx([101, 41], abs=1.1)
    assert heatmap.mask_outline(None, (10, 10)) == ""
    assert heatmap.mask_share(encode(reference_mask)) == pytest.approx(200 / 2400)


def test_photographs_are_encoded_again():
    big = np.random.default_rng(1).integers(0, 256, (400, 300, 3)).astype(np.uint8)
    photograph = heatmap.photograph(encode(big) + b"<script>")
    assert photograph is not None
    assert photograph[1] == (120, 160)
    assert b"<script>" not in b64decode(photograph[0].split(",")[1])
    assert heatmap.photograph(b"nothing") is None
    assert heatmap.photograph(None) is None
    assert heatmap.mask_share(b"nothing") is None
