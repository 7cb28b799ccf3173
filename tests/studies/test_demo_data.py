"""Data of the demo: changes lie inside the masks, and no person is in both parts."""

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from salix.data import fit
from salix.data.assets import AssetError
from salix.data.forgery_masks import REGIONS, blend, region_mask
from salix.preprocess import Preprocess
from salix.studies import photographs as module
from salix.studies.baselines import sharpness
from salix.studies.demo.data import demo_faces, forged_faces
from salix.studies.photographs import _eigenfaces, lfw_photographs, olivetti_photographs
from salix.typing import InputError


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_is_about_a_quarter_and_feathered(region):
    mask = region_mask(region, 64)
    assert 0.2 < mask.mean() < 0.3
    assert mask.max() > 0.99
    assert mask.min() < 1e-6
    assert ((mask > 0.05) & (mask < 0.95)).any()
    top, bottom, left, right = (round(64 * v) for v in REGIONS[region])
    inner = mask[top + 5 : bottom - 5, left + 4 : right - 4]
    assert inner.min() > 0.9
    mirror = {"left": "right", "right": "left"}.get(region, region)
    np.testing.assert_allclose(mask[:, ::-1], region_mask(mirror, 64), atol=1e-12)


def test_blend_is_the_masked_mean():
    face, other = np.full((2, 2), 10, np.uint8), np.full((2, 2), 200, np.uint8)
    mask = np.array([[0.0, 1.0], [0.5, 0.25]])
    assert blend(face, other, mask).tolist() == [[10, 200], [105, 58]]


def test_eigenfaces_are_principal_components_of_the_training_part():
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    fitted = np.arange(30) < 20
    flat = images.reshape(30, -1).astype(float)
    pca = PCA(5, svd_solver="full").fit(flat[:20])
    expected = np.clip(np.rint(pca.inverse_transform(pca.transform(flat))), 0, 255)
    faces = _eigenfaces(images, fitted, 5).reshape(30, -1)
    assert np.abs(faces - expected).max() <= 1


def check(faces, real):
    """Check a forged set of `real` photographs."""
    n = real
    assert faces.labels.tolist() == [0] * n + [1] * n
    assert (faces.test[:n] == faces.test[n:]).all()  # a photograph and its fake stay together
    assert len(set(faces.keys)) == 2 * n
    assert not faces.reference_masks[:n].any()
    change = np.abs(faces.pixels[n:].astype(int) - faces.pixels[:n])
    mask = faces.reference_masks[n:] / 255
    assert change[mask < 0.002].max() <= 1  # nothing outside the region
    assert change[mask > 0.9].mean() > 2
    auc = roc_auc_score(faces.labels, -sharpness(faces.pixels))
    assert 0.5 < auc < 0.75  # a trivial detector does not solve it


@pytest.mark.slow
def test_lfw_faces():
    faces = forged_faces(lfw_photographs("for a test"))
    check(faces, 100)
    assert faces.test.sum() == 50
    assert "for a test" in faces.about[0]


@pytest.mark.slow
@pytest.mark.assets
def test_olivetti_faces():
    try:
        faces = forged_faces(olivetti_photographs())
    except AssetError as error:
        pytest.skip(str(error))
    check(faces, 400)
    people = [key.split("-")[0] for key in faces.keys]
    training_people = {p for p, t in zip(people, faces.test, strict=True) if not t}
    test_people = {p for p, t in zip(people, faces.test, strict=True) if t}
    assert (len(training_people), len(test_people)) == (30, 10)
    assert not training_people & test_people
    regions = [key.split("-")[2] for key in faces.keys[400:]]
    assert {regions.count(r) for r in REGIONS} == {80}


def test_without_a_network_lfw_stands_in_and_one_line_says_so(monkeypatch):
    def fail():
        raise AssetError("asset 'olivetti' could not be fetched")

    monkeypatch.setattr(module, "olivetti_photographs", fail)
    faces = demo_faces(None, None, offline=False)
    assert "could not be fetched" in faces.about[0]
    assert len(faces.labels) == 200


def test_faces_of_user_folders_and_their_errors(tmp_path):
    rng = np.random.default_rng(0)
    for folder, count in (("real", 20), ("fake", 17), ("few", 3)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            image = rng.integers(0, 256, (30, 20, 3), np.uint8)
            Image.fromarray(image).save(tmp_path / folder / f"{i:02d}.png")
    (tmp_path / "real" / "broken.png").write_bytes(b"broken")
    faces = demo_faces(tmp_path / "real", tmp_path / "fake", offline=False)
    assert np.bincount(faces.labels).tolist() == [20, 17]
    assert faces.test.sum() == 5 + 4
    assert not faces.has_reference_masks
    assert faces.source().reference_masks is None
    assert "1 file could not be read" in faces.about[0]
    first = np.asarray(Image.open(tmp_path / "real" / "00.png"))
    np.testing.assert_array_equal(faces.pixels[0], fit(first, Preprocess((64, 64), 1))[..., 0])
    with pytest.raises(InputError, match=r"3 faces in .*few: give at least 16"):
        demo_faces(tmp_path / "real", tmp_path / "few", offline=False)
    with pytest.raises(InputError, match="both --real DIR and --fake DIR"):
        demo_faces(tmp_path, None, offline=False)
