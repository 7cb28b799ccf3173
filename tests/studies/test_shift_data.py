"""Data of the planted shift: a generator changes its region alone; parts share no photograph."""

import numpy as np
import pytest

from salix.studies.photographs import lfw_photographs
from salix.studies.shift.data import GENERATORS, KINDS, generator_mask, shift_faces


@pytest.fixture(scope="module")
def faces():
    return shift_faces(lfw_photographs("for a test"))


def test_each_generator_changes_its_region_alone(faces):
    photographs = faces.photographs.pixels.astype(int)
    outside = np.ones((64, 64), bool)
    for kind, forged in zip(KINDS[:2], faces.forged, strict=False):
        change, mask = np.abs(forged - photographs), generator_mask(kind)
        assert change[:, mask > 0.9].mean() > 2
        assert change[:, mask < 0.002].max() <= 1
        outside &= mask < 0.002
        inner = mask > 0.9  # what both changed is what one changed there
        np.testing.assert_allclose(forged[:, inner], faces.forged[2][:, inner].astype(int), atol=1)
    assert np.abs(faces.forged[2] - photographs)[:, outside].max() <= 1
    eyes, mouth = (generator_mask(name) > 0.5 for name in GENERATORS)
    assert not (eyes & mouth).any()


def test_training_has_one_generator_and_test_has_both(faces):
    source, count = faces.test(), int(faces.photographs.test.sum())
    images = np.asarray(source.images)[..., 0]  # grey, repeated
    assert [faces.kinds.count(k) for k in ("real", *KINDS)] == [25, 9, 8, 8]
    assert source.names == ["real"] * count + ["fake"] * count
    assert len(set(source.ids)) == 2 * count
    assert source.groups[:count] == source.groups[count:]
    for name in GENERATORS:
        training = faces.training(name)
        assert np.bincount(training.labels).tolist() == [75, 75]
        used = {p.tobytes() for p in training.pixels[..., 0]}
        assert not used & {image.tobytes() for image in images}
        assert faces.planted(name).sum() == (17 if name == KINDS[0] else 16)
        assert not faces.planted(name)[:count].any()
    real, fake = images[:count].astype(int), images[count:]
    for name in GENERATORS:  # a test face shows the region that it is said to show
        inner = generator_mask(name) > 0.9
        change = np.abs(fake - real)[:, inner].mean(-1)
        assert ((change > 0.5) == faces.planted(name)[count:]).all()
