"""Segmentations against scikit-image, and Jaccard de-duplication against a slow version."""

import numpy as np
import pytest
from skimage import data
from skimage.segmentation import felzenszwalb, slic

from salix import spec
from salix.perturb.face_parts import FaceParts
from salix.perturb.segment_labels import SIDE, distinct_segments, stretched
from salix.perturb.segmentation import SEGMENTATIONS, SLIC, Felzenszwalb, Segmentation
from salix.typing import InputError

COMPUTED = (SLIC(), Felzenszwalb(), FaceParts())


@pytest.fixture(scope="module")
def cat():
    return stretched(data.chelsea())


def slow_distinct(levels, overlap, least_area):
    """ACE's loop over boolean masks: the masks that stay, with their levels."""
    stay = []
    for number, level in enumerate(levels):
        for label in np.unique(level[level > 0]):
            mask = level == label
            if mask.mean() > least_area and all(
                (mask & other).sum() / (mask | other).sum() <= overlap for _, other in stay
            ):
                stay.append((number, mask))
    return stay


def masks(labels):
    return [(i, level == n) for i, level in enumerate(labels) for n in np.unique(level[level > 0])]


def same(ours, slow):
    assert len(ours) == len(slow)
    for (level, mask), (slow_level, slow_mask) in zip(ours, slow, strict=True):
        assert level == slow_level
        np.testing.assert_array_equal(mask, slow_mask)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 1.0])
def test_near_duplicates_are_left_out_as_by_a_slow_loop(overlap):
    rng = np.random.default_rng(0)
    blocks = [np.kron(rng.integers(0, k, (6, 6)), np.ones((4, 4), int)) for k in (3, 5, 30)]
    labels = distinct_segments([*blocks, blocks[1]], overlap=overlap, least_area=0.03, count=99)
    same(masks(labels), slow_distinct([*blocks, blocks[1]], overlap, 0.03))


def test_a_near_duplicate_of_what_was_left_out_stays():
    line = np.arange(12)[None]
    first = (line < 10).astype(int)
    second = (line < 6).astype(int)  # Jaccard 0.6 with the first: left out
    third = (line < 4).astype(int)  # 0.4 with the first, 0.67 with the second
    labels = distinct_segments([first, second, third], overlap=0.5, least_area=0, count=9)
    assert labels.max(axis=(1, 2)).tolist() == [1, 0, 2]


def test_beyond_the_count_the_smallest_are_left_out():
    line = np.repeat([1, 2, 3, 4], [2, 5, 1, 5])[None]
    labels = distinct_segments([line], overlap=1, least_area=0, count=2)
    np.testing.assert_array_equal(labels[0, 0], np.repeat([0, 1, 0, 2], [2, 5, 1, 5]))


def test_slic_is_that_of_scikit_image(cat):
    levels = [slic(cat, n, compactness=20, sigma=1, start_label=1) for n in (15, 50, 80)]
    same(masks(SLIC()(cat)), slow_distinct(levels, 0.5, 0.001))


def test_felzenszwalb_is_that_of_scikit_image(cat):
    levels = [
        felzenszwalb(2 * (cat / 255.0) - 1, scale, sigma=0.8, min_size=150) + 1
        for scale in (50, 1200)
    ]
    image = cat.copy()
    image[0, 0], image[0, 1] = 0, 255  # the full range, so that scaling changes nothing
    levels = [
        felzenszwalb(2 * (image / 255.0) - 1, scale, sigma=0.8, min_size=150) + 1
        for scale in (50, 1200)
    ]
    ours = Felzenszwalb(scales=(50, 1200), overlap=1)(image)
    same(masks(ours), slow_distinct(levels, 1, 0.001))


def test_contrast_does_not_change_felzenszwalb(cat):
    half = cat // 2
    few = Felzenszwalb(scales=(250,))
    np.testing.assert_array_equal(few(half), few(half + 100))


@pytest.mark.parametrize("segmentation", COMPUTED, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(
    "pixels",
    [
        np.full((30, 50, 3), 7, np.uint8),
        np.zeros((1, 1, 1), np.uint8),
        np.full((2, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 20, 1), np.uint8),
    ],
    ids=["constant", "one-pixel", "tiny", "grey"],
)
def test_every_image_has_labels_of_one_shape(segmentation, pixels):
    labels = segmentation(pixels)
    assert labels.dtype == np.uint16
    assert labels.shape == (segmentation.levels, SIDE, SIDE)
    numbers = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(numbers, np.arange(1, len(numbers) + 1))
    assert 1 <= len(numbers) <= segmentation.count
    levels = [np.unique(level[level > 0]) for level in labels]
    assert len(np.concatenate(levels)) == len(numbers)  # each label in one level


def test_a_grey_image_has_the_segments_of_its_rgb():
    grey = np.random.default_rng(1).integers(0, 256, (40, 40, 1), np.uint8)
    few = SLIC(segments=(20,))
    np.testing.assert_array_equal(few(grey), few(np.repeat(grey, 3, axis=2)))
    np.testing.assert_array_equal(few(grey), few(grey[..., 0]))


def test_a_constant_image_is_one_segment_of_felzenszwalb():
    labels = Felzenszwalb()(np.full((9, 9, 3), 100, np.uint8))
    assert (labels[0] == 1).all()
    assert not labels[1:].any()


def test_parts_of_a_face_cover_the_crop_symmetrically():
    face = FaceParts()
    (labels,) = face(np.zeros((1, 1), np.uint8))
    assert len(face.parts) == face.count == labels.max()
    assert labels.min() == 1
    at = {part: labels == i for i, part in enumerate(face.parts, 1)}
    for left, right in [("left eye", "right eye"), ("left cheek", "right cheek")]:
        np.testing.assert_array_equal(at[left], at[right][:, ::-1])
    points = {"left eye": (0.46, 0.342), "right eye": (0.46, 0.656), "nose": (0.64, 0.5)}
    points |= {"mouth": (0.825, 0.5), "chin": (0.95, 0.5), "forehead": (0.2, 0.5)}
    points |= {"hair": (0.02, 0.5), "left side": (0.7, 0.02)}
    for part, (y, x) in points.items():  # the five points of ArcFace, and four more
        assert at[part][int(y * SIDE), int(x * SIDE)], part


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4, 3), np.uint8)],
    ids=["alpha", "float", "empty"],
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(InputError, match="give uint8"):
        SLIC()(pixels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SLIC(segments=())", "segments"),
        ("SLIC(segments=(0,))", "segments"),
        ("SLIC(overlap=2)", "overlap"),
        ("SLIC(compactness=0)", "compactness"),
        ("Felzenszwalb(most=0)", "most"),
        ("Felzenszwalb(sigma=-1)", "sigma"),
        ("FaceParts(eyes=0.9)", "mouth"),
    ],
)
def test_unusable_settings_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        spec.parse(text, SEGMENTATIONS)


@pytest.mark.parametrize("segmentation", COMPUTED, ids=lambda s: type(s).__name__)
def test_the_text_of_a_segmentation_parses_back(segmentation):
    assert spec.parse(repr(segmentation), SEGMENTATIONS) == segmentation
    assert isinstance(segmentation, Segmentation)
