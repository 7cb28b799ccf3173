"""Performance information curves beside PAIR's package, SciPy's interpolation and exact cases."""

import json
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import griddata

from salix.metrics import (
    information_curve,
    information_curves,
    interpolate_pixels,
    median_curve,
    random_pixels,
)
from salix.metrics.faithfulness.pic import THRESHOLDS, webp_size
from salix.typing import InputError

SCRIPT = Path(__file__).parents[2] / "benchmarks/peers/xrai_reference.py"
PAIR = SimpleNamespace(**run_path(str(SCRIPT)))
REFERENCE = json.loads((Path(__file__).parent / "pair_pic.json").read_text())
SHAPE = (60, 80)


def predict(images):
    """Return the stand-in's probabilities of two classes."""
    p = PAIR.performance(images)
    return np.stack([1 - p, p], 1)


def case(name):
    """Return image, map and mask of a reference case."""
    image = PAIR.sample(name, SHAPE)
    return image, np.abs(PAIR.attribution(image)).sum(-1), PAIR.random_mask(SHAPE)


@pytest.mark.parametrize("name", REFERENCE)
def test_curves_are_those_of_pair_for_its_steps(name):
    expected = REFERENCE[name]
    steps = expected["information"], expected["predictions"]
    curve = information_curve(*steps, least=0.1, monotone=name.endswith("True"))
    assert curve.skipped == ""
    np.testing.assert_allclose(curve.area, expected["area"], rtol=1e-12)
    np.testing.assert_allclose(curve.values[::50], expected["values"], atol=2e-9)


@pytest.mark.parametrize("name", REFERENCE)
def test_images_and_areas_are_those_of_pair_but_for_ties_of_the_triangulation(name):
    expected = REFERENCE[name]
    image, map, mask = case(name.split()[0])
    monotone = name.endswith("True")
    curves = information_curves(predict, image, map, 1, mask=mask, least=0.1, monotone=monotone)
    assert abs(curves["sic"].area - expected["area"]) < 5e-3
    shown = [map >= np.quantile(map, 1 - t) for t in THRESHOLDS]
    images = [interpolate_pixels(image, pixels | mask) for pixels in (mask & False, *shown)]
    sums = [int(i.astype(int).sum()) for i in images]
    np.testing.assert_allclose(sums, expected["sums"][:-1], rtol=5e-3)
    sizes = [webp_size(i) for i in images]
    np.testing.assert_allclose(sizes, expected["information"][:-1], rtol=2e-2)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_interpolation_is_that_of_scipy(share):
    rng = np.random.default_rng(int(share * 100))
    image = rng.integers(0, 256, (31, 47, 3), np.uint8)
    known = rng.uniform(size=image.shape[:2]) < share
    known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    expected = image.copy()
    for channel in range(3):
        values = griddata(
            np.argwhere(known), image[known][:, channel], np.argwhere(~known), method="linear"
        )
        expected[..., channel][~known] = np.round(values.astype(np.float32))
    np.testing.assert_array_equal(interpolate_pixels(image, known), expected)


@settings(deadline=None, max_examples=80)
@given(st.integers(2, 24), st.integers(2, 24), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_planes_are_restored_from_any_pixels(h, w, seed, share):
    rng = np.random.default_rng(seed)
    a, b, c = rng.integers(-2, 3, (3, 2))
    y, x = np.ogrid[:h, :w]
    plane = np.stack([a[k] * y + b[k] * x + c[k] + 125 for k in range(2)], -1).astype(np.uint8)
    known = rng.uniform(size=(h, w)) < share
    if seed % 2:  # connected parts, whose inner pixels take no part
        known = np.roll(known, 1, 0) | np.roll(known, 1, 1) | known
    damaged = np.where(known[..., None], plane, 255)
    corners = [0, 0, -1, -1], [0, -1, 0, -1]
    damaged[corners] = plane[corners]
    np.testing.assert_array_equal(interpolate_pixels(damaged, known), plane)


def test_an_image_that_is_known_is_unchanged_and_the_input_too():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 1), np.uint8)
    before, known = image.copy(), np.zeros((9, 9), bool)
    np.testing.assert_array_equal(interpolate_pixels(image, ~known), image)
    assert (interpolate_pixels(image, known) != before).any()
    np.testing.assert_array_equal(image, before)
    assert not known.any()


def test_a_straight_curve_has_area_a_half_and_one_of_ones_almost_one():
    steps = np.linspace(0, 1, 15)
    assert information_curve(1000 * steps, steps).area == pytest.approx(0.5, abs=1e-6)
    early = np.array([0.0, *[1.0] * 13, 1.0])
    assert information_curve(np.r_[0, np.arange(13), 12000], early).area > 0.999


def test_of_steps_with_equal_information_the_last_one_counts():
    curve = information_curve([0, 500, 500, 1000], [0, 0.9, 0.1, 1.0], monotone=False)
    assert curve.values[500] == pytest.approx(0.1)
    assert curve.values[499] == pytest.approx(0.9 * 499 / 500)
    running = information_curve([0, 500, 500, 1000], [0, 0.9, 0.1, 1.0])
    assert running.values[500] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("information", "performance", "reason"),
    [
        ((1, 2, 3), (0.0, 0.5, 0.79), "performance is below the least"),
        ((3, 2, 3), (0.0, 0.5, 0.9), "no less information"),
        ((1, 2, 3), (0.9, 0.5, 0.9), "no lower performance"),
        ((1, 2, 3), (0.0, 0.5, np.nan), "performance is below the least"),
        ((1, 2, 3), (np.nan, 0.5, 0.9), "no lower performance"),
    ],
)
def test_images_are_skipped_with_the_reason(information, performance, reason):
    curve = information_curve(information, performance)
    assert reason in curve.skipped
    assert np.isnan(curve.area)
    assert np.isnan(curve.values).all()


def test_the_curve_of_a_data_set_is_the_median_of_its_images():
    rng = np.random.default_rng(0)
    information = np.r_[0, np.sort(rng.uniform(0, 1, 5)), 1]
    curves = [
        information_curve(information, np.r_[0, rng.uniform(0, 1, 5), 1], monotone=False)
        for _ in range(5)
    ]
    low = information_curve((1, 2, 3), (0, 0.1, 0.2))
    whole = median_curve([*curves, low, low, information_curve((3, 2, 1), (0, 0.1, 1))])
    expected = np.median([c.values for c in curves], axis=0)
    np.testing.assert_array_equal(whole.values, expected)
    assert whole.area == np.trapezoid(expected, np.linspace(0, 1, 1001))
    assert whole.images == 5
    assert whole.skip_rate == 3 / 8
    assert dict(whole.skipped) == {
        "the image's performance is below the least": 2,
        "the blurred image has no less information": 1,
    }
    mean = median_curve(curves, statistic="mean")
    np.testing.assert_allclose(mean.area, np.mean([c.area for c in curves]))
    assert np.isnan(median_curve([low]).area)
    with pytest.raises(InputError, match="give curves"):
        median_curve([])


def test_accuracy_curves_count_right_predictions():
    image, map, mask = case("astronaut")

    def certain(images):
        right = PAIR.performance(images) > 0.65
        return np.stack([np.where(right, 0.1, 0.9), np.where(right, 0.9, 0.1)], 1)

    curves = information_curves(certain, image, map, 1, mask=mask)
    assert set(curves["aic"].performance) == {0, 1}
    np.testing.assert_array_equal(curves["aic"].performance, curves["sic"].performance)
    wrong = information_curves(certain, image, map, 0, mask=mask)
    assert all("below the least" in c.skipped for c in wrong.values())


def test_equal_values_of_a_map_are_revealed_together():
    image, _, mask = case("cat")
    map = np.zeros(SHAPE)
    map[:30, :40] = 1
    curve = information_curves(predict, image, map, 1, mask=mask, least=0)["sic"]
    assert set(curve.revealed) == {0.25, 1}
    assert set(curve.information[:10]) == {curve.information[0]}
    flat = information_curves(predict, image, np.ones(SHAPE), 1, mask=mask, least=0)["sic"]
    assert flat.skipped == "the map is constant"


def test_random_masks_are_those_of_their_seed():
    mask = random_pixels((30, 41), 3)
    assert mask.sum() == 12
    np.testing.assert_array_equal(mask, random_pixels((30, 41), 3))
    assert (mask != random_pixels((30, 41), 4)).any()
    assert not random_pixels((9, 9), 0).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((*SHAPE, 3))}, "float64"),
        ({"image": np.zeros(SHAPE, np.uint8)}, r"uint8\[60, 80\]"),
        ({"map": np.zeros((7, 7))}, r"\(7, 7\)"),
        ({"map": np.full(SHAPE, np.nan)}, "finite"),
        ({"mask": np.zeros(SHAPE)}, "random_pixels"),
        ({"target": 2}, "target 2"),
        ({"thresholds": (0.5, 0.1)}, "rising"),
        ({"least": 2}, "least"),
        ({"predict": lambda images: np.ones(len(images))}, "probabilities"),
    ],
)
def test_unusable_input_is_refused(change, message):
    image, map, mask = case("cat")
    arguments = {"predict": predict, "image": image, "map": map, "target": 1, "mask": mask}
    with pytest.raises(InputError, match=message):
        information_curves(**(arguments | change))


@pytest.mark.parametrize("known", [(1, 9), (9, 8)])
def test_images_one_pixel_wide_and_masks_of_other_shapes_are_refused(known):
    with pytest.raises(InputError, match="2 or more pixels"):
        interpolate_pixels(np.zeros((known[0], 9, 3), np.uint8), np.zeros(known, bool))
