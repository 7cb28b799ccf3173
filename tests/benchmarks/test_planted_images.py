"""Planted squares: where they are said to be, and in the planned share of images."""

import numpy as np


def test_squares_are_where_the_masks_are(scripts):
    module = scripts["planted_images"]
    images = module.planted_images(12, (0.0, 1.0, 0.5), seed=0, test=True)
    assert np.bincount(images.labels).tolist() == [0, 12, 12]
    has_square = images.corners[:, 0] >= 0
    assert has_square[:12].all()
    assert 0 < has_square[12:].sum() < 12
    magenta = (images.pixels == module.MAGENTA).all(-1)
    assert (magenta == (images.masks(module.SIDE) == 1)).all()
    assert (magenta.sum((1, 2)) == 400 * has_square).all()
    coarse = images.masks(56)
    assert np.allclose(coarse.sum((1, 2)), 400 / 16 * has_square)
    assert len({tuple(c) for c in images.corners[has_square]}) > 12


def test_training_and_test_are_crops_of_other_halves(scripts):
    module = scripts["planted_images"]
    train = module.planted_images(3, module.SHARES["A"], seed=1, test=False)
    assert np.bincount(train.labels).tolist() == [3, 3, 3]
    assert not (train.corners[train.labels != module.MARKED] >= 0).any()
