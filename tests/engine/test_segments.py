"""Segments in a sweep: agreement of measures, geometry, identity, and masks of the user."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.attribution import CAM
from salix.data import Arrays
from salix.engine.classification import Classification
from salix.engine.labelled_images import LabelledImages
from salix.perturb.segmentation import SLIC, FaceParts, Felzenszwalb
from salix.perturb.user_masks import UserMasks
from salix.typing import InputError

FEW = SLIC(segments=(4, 9))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SALIX_CACHE", str(tmp_path / "cache"))


@dataclass(frozen=True)
class Areas:
    """Pixels of each segment of the input."""

    segmentation: Any = FEW

    def __call__(self, explain, image, clean, key):
        numbers = jnp.arange(1, self.segmentation.count + 1)
        hits = clean.segments[..., None].astype(jnp.int32) == numbers[None, None, None]
        return {"areas": hits.sum((0, 1, 2)), "labels": clean.segments}


@pytest.fixture
def few_pictures(pictures):
    return Arrays(pictures.images[:5], names=pictures.names[:5])


@pytest.fixture
def swept(tiny, few_pictures, tmp_path):
    model, params = tiny

    def sweep(*measures, data=few_pictures):
        return salix.sweep(model, params, data, CAM(), measures, out=tmp_path / "run", maps=None)

    return sweep


@pytest.mark.slow
def test_segments_reach_a_measure(swept, few_pictures):
    run = swept(Areas())
    labels = run.rows["labels"].astype(int)
    assert labels.shape == (5, 2, 16, 16)
    for i in (0, 4):
        nearest = FEW(few_pictures.read(i))[:, 7::14, 7::14]  # centres of blocks of 14 x 14
        np.testing.assert_array_equal(labels[i], nearest)
        areas = np.bincount(labels[i].ravel(), minlength=FEW.count + 1)[1:]
        np.testing.assert_array_equal(run.rows["areas"][i], areas)
    assert run.manifest["about"]["segments"] == {"computed": 5, "cached": 0}
    segments = run.manifest["config"]["data"]["segments"]
    assert segments["segmentation"] == repr(FEW)
    assert "scikit-image" in segments["version"]


def test_a_sweep_without_segments_has_none_in_its_program_and_identity(tiny, few_pictures):
    problem, images = Classification(tiny[0], CAM()), LabelledImages(few_pictures, tiny[0])
    assert list(problem.example) == list(images.load(0)) == ["pixels", "reference_mask"]
    assert "targets" not in problem.identity()
    assert set(images.identity()) == {"labels", "thumbs", "content", "images"}


def test_measures_of_different_segmentations_are_refused(swept):
    with pytest.raises(InputError, match="different segmentations"):
        swept(Areas(), Areas(Felzenszwalb()))


@pytest.mark.parametrize("wrong", [SLIC, "SLIC()", len], ids=str)
def test_what_is_no_segmentation_is_refused(swept, wrong):
    with pytest.raises(InputError, match=r"give one of SLIC\(\)"):
        swept(Areas(wrong))


def identity(source, model, segmentation):
    return LabelledImages(source, model, segmentation=segmentation).identity()


def test_segmentations_count_by_their_settings(few_pictures, tiny):
    first = identity(few_pictures, tiny[0], FEW)
    assert identity(few_pictures, tiny[0], SLIC(segments=(4, 9))) == first
    other = identity(few_pictures, tiny[0], SLIC(segments=(4, 10)))
    assert [n for n in first if first[n] != other[n]] == ["segments"]
    assert identity(few_pictures, tiny[0], FaceParts())["segments"].keys() == {"segmentation"}


def halves(first):
    """A segmentation of the user, whose code is part of its identity."""

    @dataclass(frozen=True)
    class Halves:
        count: int = 2
        levels: int = 1

        def __call__(self, pixels):
            return np.repeat(np.array([first, 2], np.uint16), 112)[None, :, None].repeat(224, 2)

    return Halves()


def test_a_segmentation_of_the_user_counts_by_its_code(few_pictures, tiny):
    known = [identity(few_pictures, tiny[0], halves(n))["segments"] for n in (1, 1, 0)]
    assert known[0] == known[1] != known[2]


def test_masks_of_the_user_count_by_their_content(few_pictures, tiny, tmp_path):
    masks = [np.full((4, 4), 1 + i % 3, np.uint8) for i in range(5)]
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        for i, mask in enumerate(masks):
            np.save(folder / f"{i:08d}.npy", mask)

    def known(masks):
        return identity(few_pictures, tiny[0], UserMasks(masks, count=3))

    assert known(masks) == known([*map(np.copy, masks)])
    assert known(str(folders[0])) == known(folders[1])
    before = known(masks), known(folders[0])
    masks[2] = masks[2] * 0
    np.save(folders[0] / "00000002.npy", masks[2])
    for first, other in zip(before, (known(masks), known(folders[0])), strict=True):
        assert [n for n in first if first[n] != other[n]] == ["segments"]
        assert first["segments"].keys() == {"segmentation", "masks"}


def test_an_unusable_mask_is_a_skipped_image(swept):
    masks = [np.full((4, 4), 9 if i == 3 else 1 + i % 3, np.uint8) for i in range(5)]
    run = swept(Areas(UserMasks(masks, count=3)))
    (row,) = run.skipped
    assert row["id"] == "00000003"
    assert "count=9" in row["skipped"]
    np.testing.assert_array_equal(run.rows["areas"].argmax(1), [0, 1, 2, 1])


@pytest.mark.parametrize("fit", [{}, {"fit": "crop"}, {"fit": "crop", "resize": 40}])
def test_the_geometry_is_that_of_reference_masks(tiny, fit):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 70, 130, 3), np.uint8)
    face = FaceParts(eyes=0.3, mouth=0.6, distance=0.3)
    (parts,) = face(images[0])
    model = replace(tiny[0], preprocess=replace(tiny[0].preprocess, size=(32, 32), **fit))
    for part in (2, 4, 5):  # as a reference mask of the whole image
        mask = (255 * (parts == part)).astype(np.uint8)
        examples = salix.data.ImageExamples(
            Arrays(images, reference_masks=[mask, None]), model.preprocess, segmentation=face
        )
        loaded = examples.load(0)
        inside, soft = loaded["segments"][0] == part, loaded["reference_mask"]
        assert (soft[inside] > 100).all()  # but for the border, which is blurred
        assert (soft[~inside] < 155).all()
        assert inside.any()
