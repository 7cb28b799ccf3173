"""Descriptor of segments against scikit-image, SciPy and loops over boolean masks."""

from itertools import pairwise

import jax
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab

from salix.measures.region_descriptor import BINS, FLAT, NAMES, SIGMAS, describe_regions
from salix.measures.region_sums import segment_boxes

H, W, COUNT = 40, 56, 6
rng = np.random.default_rng(0)
PIXELS = rng.uniform(size=(H, W, 3)).astype(np.float32)
SEGMENTS = np.zeros((2, H, W), np.int32)
SEGMENTS[0, :20], SEGMENTS[0, 20:] = 1, 2
SEGMENTS[1, 5:30, 10:14], SEGMENTS[1, 33, 40], SEGMENTS[1, 30:36, 2:50] = 3, 4, 6
SEGMENTS[1, 33, 40] = 4
INDEX = {name: i for i, name in enumerate(NAMES)}


@jax.jit
def described(pixels, segments):
    return describe_regions(pixels, segments, segment_boxes(segments, COUNT))


def masks():
    return [(i == SEGMENTS).any(0) for i in range(1, COUNT + 1)]


@pytest.mark.slow
def test_every_number_is_that_of_a_loop_over_masks():
    result = np.asarray(described(PIXELS, SEGMENTS))
    assert result.shape == (COUNT, len(NAMES))
    lab = rgb2lab(PIXELS.astype(float)) / 100
    blurred = []
    for share in SIGMAS:
        sigma = share * H, share * W
        ones = gaussian_filter(np.ones((H, W)), sigma, mode="constant", truncate=40)
        blurred.append(gaussian_filter(lab[..., 0], sigma, mode="constant", truncate=40) / ones)
    down, right = np.gradient(blurred[0])
    length, angle = np.hypot(down, right), np.arctan2(down, right) % np.pi
    for i, mask in enumerate(masks()):
        if not mask.any():
            assert not result[i].any()
            continue
        bands = [np.abs(a - b)[mask].mean() for a, b in pairwise(blurred)]
        bins = np.zeros(BINS)
        for size, turn in zip(length[mask], angle[mask] / np.pi * BINS, strict=True):
            bins[int(turn) % BINS] += size * (1 - turn % 1)
            bins[(int(turn) + 1) % BINS] += size * (turn % 1)
        ys, xs = np.nonzero(mask)
        tall, wide = np.ptp(ys) + 1, np.ptp(xs) + 1
        y, x = (ys + 0.5) / H, (xs + 0.5) / W
        yy, xx = y.var() + 1 / 12 / H**2, x.var() + 1 / 12 / W**2
        xy = ((y - y.mean()) * (x - x.mean())).mean()
        expected = [
            *lab[mask].mean(0),
            *lab[mask].std(0),
            *bands,
            length[mask].mean(),
            *bins / mask.sum() / (length[mask].mean() + FLAT),
            np.sqrt(mask.mean()),
            mask.sum() / (tall * wide),
            np.log((tall / H) / (wide / W)),
            (yy - xx) / (yy + xx),
            2 * xy / (yy + xx),
            y.mean(),
            x.mean(),
        ]
        np.testing.assert_allclose(result[i], expected, atol=2e-3)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135])
def test_stripes_fill_the_bin_of_their_gradient(degrees):
    y, x = np.mgrid[:H, :W]
    turn = np.radians(degrees)
    wave = 0.5 + 0.4 * np.sin((x * np.cos(turn) + y * np.sin(turn)) * 0.8)
    stripes = np.repeat(wave[..., None], 3, -1).astype(np.float32)
    first = INDEX["orientation 0 degrees"]
    for pixels in (stripes, 1 - stripes, stripes[..., :1]):  # light reversed, and grey
        orientation = np.asarray(described(pixels, SEGMENTS))[:2, first : first + BINS]
        assert (orientation.argmax(1) == BINS * degrees // 180).all()
        assert orientation.max(1).min() > 0.8


def test_flat_segments_have_no_orientation_and_grey_no_colour():
    flat = np.asarray(described(np.full((H, W, 1), 0.5, np.float32), SEGMENTS))
    assert np.abs(flat[:2, 1:18]).max() < 1e-3  # all but lightness, shape and place
    assert flat[0, 0] == pytest.approx(rgb2lab(np.full((1, 1, 3), 0.5))[0, 0, 0] / 100, abs=1e-3)


def test_place_and_looks_are_apart():
    moved = np.roll(PIXELS, (7, 9), (0, 1)), np.roll(SEGMENTS, (7, 9), (1, 2))
    inner = 2  # a segment away from the border, here and there
    a, b = np.asarray(described(PIXELS, SEGMENTS)), np.asarray(described(*moved))
    place = [INDEX["height"], INDEX["breadth"]]
    np.testing.assert_allclose(b[inner, place] - a[inner, place], [7 / H, 9 / W], atol=1e-5)
    rest = np.delete(np.arange(len(NAMES)), place)
    np.testing.assert_allclose(a[inner, rest], b[inner, rest], atol=1e-2)
