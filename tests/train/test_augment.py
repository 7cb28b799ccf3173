"""Augmentation against SciPy's interpolation, NumPy, and the formula; reference masks go along."""

import jax
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from salix.preprocess import Preprocess
from salix.train.augment import Augment
from salix.typing import InputError

RNG = np.random.default_rng(0)
TO = Preprocess((12, 10), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
IMAGE = np.asarray(TO(RNG.integers(0, 256, (12, 10, 3), np.uint8)))
REFERENCE_MASK = RNG.random((6, 5)).astype(np.float32)
KEYS = [jax.random.key(i) for i in range(8)]


def test_nothing_is_changed_to_the_last_bit():
    image, reference_mask = Augment(flip=0.0)(IMAGE, REFERENCE_MASK, TO, KEYS[0])
    assert (image == IMAGE).all()
    assert (reference_mask == REFERENCE_MASK).all()
    assert Augment()(IMAGE, None, TO, KEYS[0])[1] is None


def test_flips_take_the_reference_mask_along():
    flipped = 0
    for key in KEYS:
        image, reference_mask = Augment(flip=0.5)(IMAGE, REFERENCE_MASK, TO, key)
        turn = -1 if (image == IMAGE[:, ::-1]).all() else 1
        assert (image == IMAGE[:, ::turn]).all()
        assert (reference_mask == REFERENCE_MASK[:, ::turn]).all()
        flipped += turn == -1
    assert 0 < flipped < len(KEYS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "augment", [Augment(0.0, crop=0.6), Augment(0.0, 0.3), Augment(0, 0.2, 0.5)]
)
def test_windows_equal_scipy(augment):
    places = set()
    for key in KEYS:
        image, reference_mask = augment(IMAGE, REFERENCE_MASK, TO, key)
        side, corner = augment.draw_window(jax.random.split(key, 3)[1])
        assert augment.crop <= side <= 1
        assert (corner >= -augment.shift).all()
        assert (corner + side <= 1 + augment.shift + 1e-6).all()
        places.add(tuple(np.asarray(corner).tolist()))
        pairs = (image[..., 1], IMAGE[..., 1]), (reference_mask, REFERENCE_MASK)
        for augmented, original in pairs:
            at = [
                (np.arange(n) + 0.5) * float(side) + float(c) * n - 0.5
                for n, c in zip(original.shape, corner, strict=True)
            ]
            expected = map_coordinates(
                original, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest"
            )
            np.testing.assert_allclose(augmented, expected, atol=1e-5)
    assert len(places) == len(KEYS)


def test_light_is_that_of_the_file():
    mean, std = np.array(TO.mean), np.array(TO.std)
    values = IMAGE * std + mean
    for key in KEYS:
        image, reference_mask = Augment(0.0, brightness=0.3, contrast=0.5)(
            IMAGE, REFERENCE_MASK, TO, key
        )
        assert (reference_mask == REFERENCE_MASK).all()
        augmented = np.asarray(image) * std + mean
        assert augmented.min() > -1e-6
        assert augmented.max() < 1 + 1e-6
        inside = (augmented > 1e-5) & (augmented < 1 - 1e-5)
        slope, offset = np.polyfit(values[inside], augmented[inside], 1)
        np.testing.assert_allclose(np.clip(slope * values + offset, 0, 1), augmented, atol=1e-4)
        assert 0.5 <= slope <= 1.5
        assert abs(offset - (1 - slope) * values.mean()) <= 0.3 + 1e-4


def test_bad_fields():
    with pytest.raises(InputError, match="flip is 2"):
        Augment(flip=2)
    with pytest.raises(InputError, match="crop is 0"):
        Augment(crop=0)
