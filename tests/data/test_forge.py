"""Pseudo-forgeries change the image where their mask is, by enough, reproducibly, nowhere else."""

import numpy as np
import pytest
from scipy.ndimage import label, map_coordinates
from skimage.color import rgb2yiq
from skimage.data import astronaut, camera, chelsea
from skimage.transform import resize

from salix.data import forge as module
from salix.data.forge import FORGERIES, LEAST, forge
from salix.data.forgery_masks import FEATHER, blend, random_mask
from salix.perturb import forgery
from salix.typing import InputError

COLOUR = np.rint(resize(astronaut()[:200, 130:330], (72, 64)) * 255).astype(np.uint8)
GREY = np.rint(resize(camera()[60:260, 150:350], (64, 64)) * 255).astype(np.uint8)
OTHER = chelsea()[::5, ::5]
IMAGES = {
    "colour": COLOUR,
    "grey": GREY,
    "grey with an axis": GREY[:48, :, None],
    "smallest": COLOUR[8:40:2, :32:2],
    "wide": COLOUR[:30],
}
each = pytest.mark.parametrize("kind", FORGERIES)
SEEDS = range(6)


@each
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_only_the_masked_part_is_changed(kind, image):
    original = image.copy()
    for seed in SEEDS:
        forged, mask = forge(image, np.random.default_rng(seed), kind, OTHER)
        assert (forged.shape, forged.dtype) == (image.shape, np.uint8)
        assert mask.shape == image.shape[:2]
        assert (mask.min(), mask.max()) == (0, 1)
        change = np.abs(forged.astype(float) - image).reshape(*mask.shape, -1)
        assert not change[mask == 0].any()  # to the bit
        assert change[mask > 0.5].mean() >= LEAST
        assert ((mask > 0) & (mask < 1)).any()  # a feathered edge
    np.testing.assert_array_equal(image, original)


@each
def test_a_seed_fixes_a_forgery(kind):
    first, again, another = (
        forge(COLOUR, np.random.default_rng(s), kind, OTHER) for s in (3, 3, 4)
    )
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != another[0]).any()
    assert (first[1] != another[1]).any()


def test_kinds_are_drawn_and_a_splice_only_with_another_image(monkeypatch):
    drawn = []

    def recorded(name, function):
        return lambda *arguments: drawn.append(name) or function(*arguments)

    monkeypatch.setattr(module, "FORGERIES", {n: recorded(n, f) for n, f in FORGERIES.items()})
    rng = np.random.default_rng(0)
    for _ in range(40):
        forge(GREY, rng)
    assert set(drawn) == {"self_blend", "warp", "recolour", "upsample"}
    drawn.clear()
    for _ in range(40):
        forge(GREY, rng, other=OTHER)
    assert set(drawn) == set(FORGERIES)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (100, 64), (16, 16), (40, 120)])
def test_random_regions(height, width):
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = random_mask(height, width, rng)
        assert (mask.min(), mask.max()) == (0, 1)
        share = (mask > 0).mean() * max(height, width) / min(height, width)
        assert 0.05 < share < 0.3
        assert label(mask > 0)[1] == 1  # connected
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert (border > 0).mean() < 0.2
    # A region is the same on every grid: its mask is a function of the place.
    coarse, fine = (random_mask(n, n, np.random.default_rng(1)) for n in (64, 192))
    np.testing.assert_allclose(coarse, fine[1::3, 1::3], atol=1e-12)


def test_masks_fall_from_the_middle_to_the_edge_as_a_cubic_step():
    """Straight from the centre of a region outwards, less depth is less mask, over the feather."""
    mask = random_mask(256, 256, np.random.default_rng(5))
    inside = np.argwhere(mask == 1).mean(0).astype(int)
    ray = mask[inside[0], inside[1] :]
    assert (np.diff(ray) <= 1e-12).all()
    steep = -np.diff(ray).min() * 256 * FEATHER
    assert 0.9 < steep < 2.2  # 1.5 straight across an edge


def test_blend_of_colour_is_that_of_its_channels():
    mask = np.random.default_rng(0).random((72, 64))
    changed = COLOUR[::-1].copy()
    blended = blend(COLOUR, changed, mask)
    for channel in range(3):
        expected = blend(COLOUR[..., channel], changed[..., channel], mask)
        np.testing.assert_array_equal(blended[..., channel], expected)
    np.testing.assert_array_equal(blend(COLOUR, changed.astype(float) * 9, mask * 0 + 1).max(), 255)


def test_a_splice_is_the_other_image_where_the_mask_is_one():
    other = np.full((20, 30, 3), (10, 200, 30), np.uint8)
    forged, mask = forge(COLOUR, np.random.default_rng(0), "splice", other)
    assert (forged[mask == 1] == (10, 200, 30)).all()
    forged, mask = forge(GREY, np.random.default_rng(0), "splice", other)
    assert (forged[mask == 1] == 124).all()  # the brightness of that colour


def test_a_warp_moves_pixels_and_makes_none():
    """A ramp shows the displacement itself: within its bounds, smooth, nowhere folded."""
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (128, 1))
    for seed in SEEDS:
        forged, mask = forge(ramp, np.random.default_rng(seed), "warp")
        shift = (forged.astype(float) - ramp) / 2
        assert np.abs(shift).max() <= 0.04 * 128 + 0.5
        inner = forged[:, 4:-4].astype(float)
        assert (np.diff(inner, axis=1) >= 0).all()  # order is preserved: not folded
        assert (shift[mask == 0] == 0).all()


def test_moved_and_scaled_against_scipy():
    values = COLOUR.astype(float)
    by = np.random.default_rng(0).normal(size=(2, 72, 64))
    moved = forgery.displace(values, by)
    positions = np.mgrid[:72, :64] + by
    for c in range(3):
        expected = map_coordinates(values[..., c], positions, order=3, mode="nearest")
        np.testing.assert_allclose(moved[..., c], expected)
    np.testing.assert_allclose(forgery.enlarge_and_shift(values, 1, (0, 0)), values, atol=1e-9)
    shifted = forgery.enlarge_and_shift(values, 1, (3, -2))
    np.testing.assert_allclose(shifted[3:, :-2], values[:-3, 2:], atol=1e-9)
    square = np.zeros((65, 65, 1))
    square[22:43, 22:43] = 1  # 21 pixels wide
    assert forgery.enlarge_and_shift(square, 2, (0, 0)).sum() == pytest.approx(42 * 42, rel=0.05)


def test_hue_is_turned_in_the_plane_of_colour():
    values = COLOUR.astype(float)
    turn = 0.7
    before, after = rgb2yiq(values), rgb2yiq(forgery.transform_colour(values, turn, 1, 0))
    # scikit-image's coefficients have more digits than those of the standard
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=0.2)
    turned = (before[..., 1] + 1j * before[..., 2]) * np.exp(1j * turn)
    np.testing.assert_allclose(after[..., 1], turned.real, atol=0.5)
    np.testing.assert_allclose(after[..., 2], turned.imag, atol=0.5)
    np.testing.assert_allclose(
        forgery.transform_colour(values, 0, 1.1, -5), values * 1.1 - 5, atol=1e-9
    )
    grey = np.repeat(GREY[..., None], 3, -1).astype(float)
    np.testing.assert_allclose(forgery.transform_colour(grey, turn, 1, 0), grey, atol=1)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_an_upsampled_image_is_that_of_a_transposed_convolution(factor):
    values = np.random.default_rng(0).random((13, 17, 1))
    small = forgery.upsample_blocks(values, factor, 0)[::factor, ::factor, 0]
    corner = values[:factor, :factor].mean()
    assert small[0, 0] == pytest.approx(corner)
    np.testing.assert_array_equal(
        np.kron(small, np.ones((factor, factor)))[:13, :17],
        forgery.upsample_blocks(values, factor, 0)[..., 0],
    )
    # Of a constant image a transposed convolution of ones leaves its own overlaps.
    steps = [-(-n // factor) for n in (13, 17)]
    out = np.zeros([(n + 1) * factor + 1 for n in steps])
    for i in range(-1, steps[0]):  # the step before the border reaches into it
        for j in range(-1, steps[1]):
            top, left = (i + 1) * factor, (j + 1) * factor
            out[top : top + factor + 1, left : left + factor + 1] += 1
    out = out[factor:, factor:][:13, :17]
    checkerboard = forgery.upsample_blocks(np.ones((13, 17, 1)), factor, 1.0)[..., 0]
    np.testing.assert_allclose(checkerboard, out / (1 + 1 / factor) ** 2)
    half = forgery.upsample_blocks(np.ones((13, 17, 1)), factor, 0.5)[..., 0]
    np.testing.assert_allclose(half, (1 + checkerboard) / 2)


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        (COLOUR, "deepfake", "no forgery 'deepfake': choose one of self_blend, warp"),
        (COLOUR, "splice", "give other="),
        (COLOUR / 255, None, "8-bit pixels .* not float64"),
        (np.zeros((64, 64, 4), np.uint8), None, r"of shape \(64, 64, 4\)"),
        (COLOUR[None], None, r"of shape \(1, 72, 64, 3\)"),
        (COLOUR[:10], None, "at least 16"),
        (np.full((32, 32), 90, np.uint8), "warp", "20 draws of warp left the image unchanged"),
    ],
)
def test_refused_images(image, kind, message):
    with pytest.raises(InputError, match=message):
        forge(image, np.random.default_rng(0), kind)


def test_flat_images_are_recoloured():
    for level in (0, 90, 255):
        flat = np.full((32, 32, 3), level, np.uint8)
        forged, mask = forge(flat, np.random.default_rng(0))
        assert np.abs(forged[mask > 0.5].astype(float) - level).mean() >= LEAST
