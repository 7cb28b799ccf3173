"""ChaosMining on images and sounds: data, metrics and training against oracles, and the study."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from salix.cli import main
from salix.studies.chaosmining.signals import trials
from salix.studies.chaosmining.signals.data import SignalSetting, disjoint_choices
from salix.studies.chaosmining.signals.images import BOX, FIXED, SIDE, image_set, photograph
from salix.studies.chaosmining.signals.metrics import box_iou, pixel_auc

SMALL = 200  # examples


@pytest.fixture(scope="module")
def sets():
    return {
        name: image_set(SignalSetting(name, SMALL), seed=1)
        for name in ("RBFP", "RBRP", "SBFP", "SBRP")
    }


def foregrounds(x, places):
    """Return the boxes of images as digits of 0 to 16, and whether their channels are equal."""
    cut = np.stack([i[t : t + BOX, a : a + BOX] for i, (t, a) in zip(x, places, strict=True)])
    return np.rint((cut[..., 0] + 1) * 8), (np.ptp(cut, axis=-1) == 0).all()


def backgrounds(x, places):
    """Return the pixels outside of the boxes."""
    outside = np.ones((*x.shape[:3], 1), bool)
    for flags, (top, left) in zip(outside, places, strict=True):
        flags[top : top + BOX, left : left + BOX] = False
    return x[np.broadcast_to(outside, x.shape)]


@pytest.mark.parametrize("name", ["RBFP", "RBRP", "SBFP", "SBRP"])
def test_images_have_a_digit_of_their_class_in_their_box(sets, name):
    data, digits = sets[name], load_digits()
    assert data.x.shape == (SMALL, SIDE, SIDE, 3)
    assert data.test_x.shape == (SMALL // 10, SIDE, SIDE, 3)
    numbers = []
    parts = ((data.x, data.y, data.places), (data.test_x, data.test_y, data.test_places))
    for x, y, places in parts:
        shapes, grey = foregrounds(x, places)
        assert grey
        distances = np.abs(shapes[:, None] - digits.images).sum((2, 3))
        assert (distances.min(1) == 0).all()
        numbers.append(set(distances.argmin(1)))
        assert (digits.target[distances.argmin(1)] == y).all()
    assert not numbers[0] & numbers[1]  # no digit is in both parts
    if name.endswith("FP"):
        assert (data.places == FIXED).all()
    else:
        assert data.places.min() >= 0
        assert data.places.max() == SIDE - BOX - 1
        assert abs(data.places.mean() - (SIDE - BOX - 1) / 2) < 3  # 2 standard errors are 1.4


def test_random_backgrounds_are_uniform_bytes(sets):
    values = backgrounds(sets["RBRP"].x, sets["RBRP"].places)
    bytes_ = np.rint((values + 1) * 127.5)
    np.testing.assert_allclose(values, bytes_ / 127.5 - 1, atol=1e-6)
    counts = np.bincount(bytes_.astype(int), minlength=256)
    expected = counts.sum() / 256
    assert ((counts - expected) ** 2 / expected).sum() < 360  # chi-squared, p = 2e-5 of 255


def test_structured_backgrounds_are_crops_of_photographs_with_parts_for_tests(sets):
    """The first rows of images, looked up among all rows of pixels of a picture."""
    picture = photograph("coffee")
    lefts = range(picture.shape[1] - SIDE + 1)
    rows = {row[left : left + SIDE].tobytes(): left for row in picture for left in lefts}
    columns = []
    for x in (sets["SBFP"].x, sets["SBFP"].test_x):
        tops = np.rint((x[:, 0] + 1) * 127.5).astype(np.uint8)
        columns.append([rows[top.tobytes()] for top in tops if top.tobytes() in rows])
    train, test = columns
    assert len(train) > 10
    assert max(train) + SIDE <= picture.shape[1] * 2 / 3 <= min(test)


def test_a_seed_gives_the_same_images_and_others_differ(sets):
    again = image_set(SignalSetting("SBRP", SMALL), seed=1)
    np.testing.assert_array_equal(again.x, sets["SBRP"].x)
    assert (image_set(SignalSetting("SBRP", SMALL), seed=2).places != again.places).any()


def test_choices_are_disjoint_and_even():
    train, test = disjoint_choices(50, (100, 25), np.random.default_rng(0))
    assert len(np.intersect1d(train, test)) == 0
    assert set(np.bincount(train)[np.unique(train)]) <= {2, 3}
    assert len(np.unique(test)) == 10


def slow_iou(values, corner, side, sigma):
    """Box IoU of one image, by loops over sets of pixels."""
    blurred = np.stack([gaussian_filter(values[..., c], sigma) for c in range(3)], -1)
    strength = np.abs(blurred).mean(-1)
    threshold = np.sort(strength.ravel())[::-1][side**2 - 1]
    rows, columns = np.nonzero(strength >= threshold)
    box = {
        (y, x)
        for y in range(rows.min(), rows.max() + 1)
        for x in range(columns.min(), columns.max() + 1)
    }
    top, left = corner
    truth = {(y, x) for y in range(top, top + side) for x in range(left, left + side)}
    return len(box & truth) / len(box | truth)


def test_box_iou_and_pixel_auc_equal_slow_ones():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 30, 30, 3)).astype(np.float32)
    corners = rng.integers(0, 22, (6, 2))
    for image, (top, left) in zip(values, corners, strict=True):
        image[top : top + 8, left : left + 8] += 1
    ious = box_iou(values, corners, side=8, sigma=1.5)
    expected = [slow_iou(v, c, 8, 1.5) for v, c in zip(values, corners, strict=True)]
    np.testing.assert_allclose(ious, expected)
    assert np.ptp(ious) > 0
    aucs = pixel_auc(values, corners, side=8)
    for auc, image, (top, left) in zip(aucs, values, corners, strict=True):
        inside = np.zeros((30, 30), bool)
        inside[top : top + 8, left : left + 8] = True
        area = roc_auc_score(inside.ravel(), np.abs(image).mean(-1).ravel())
        assert auc == pytest.approx(area, abs=1e-5)


def test_one_stray_pixel_ruins_the_box_and_not_the_area():
    corners = np.array([[24, 24]])
    planted = np.zeros((1, SIDE, SIDE, 3), np.float32)
    planted[0, 24:32, 24:32] = 1 + np.arange(64).reshape(8, 8, 1) / 100
    assert box_iou(planted, corners, side=8, sigma=0) == 1
    assert pixel_auc(planted, corners, side=8) == 1
    assert box_iou(planted, corners, side=8, sigma=1.5) > 0.6  # the blur rounds the box off
    planted[0, 0, 55] = 9
    assert box_iou(planted, corners, side=8, sigma=0) < 0.1
    assert pixel_auc(planted, corners, side=8) > 0.999
    planted[0, 0, 0] = np.nan
    assert box_iou(planted, corners, side=8, sigma=1.5) == 0
    assert np.isnan(pixel_auc(planted, corners, side=8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "vision", "--rows", "500"], "--rows is an option of --kind symbolic"),
        (["--networks", "CNN"], "--networks is an option of --kind vision and audio"),
        (["--kind", "vision", "--networks", "VGG"], "'VGG' is no network of --kind vision"),
        (["--kind", "vision", "--conditions", "RB"], "no condition 'RB': give RBFP"),
        (["--kind", "vision", "--examples", "9"], "9 examples are too few"),
        (["--kind", "vision", "--seeds", "0"], "0 seeds"),
    ],
)
def test_unusable_options_are_named(options, message, tmp_path, capsys):
    assert main(["study", "chaosmining", *options, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_study_of_images_from_end_to_end(tmp_path, capsys, monkeypatch):
    options = ["--conditions", "RBFP", "--networks", "CNN", "--examples", "400", "--seeds", "2"]
    more = ["--methods", "GradCAM()", "--quick", "--out", str(tmp_path)]
    command = ["study", "chaosmining", "--kind", "vision", *options, *more]
    assert main(command) == 0
    results = json.loads((tmp_path / "results-vision.json").read_text())
    table = {row["score"]: row for row in results["scores"]}
    assert set(table) == {
        "accuracy",
        *(f"{m} {s}" for m in ("SA", "DL", "IG", "FA", "GradCAM()") for s in METRICS),
    }
    assert table["SA pixel AUC"]["n"] == 2  # seeds
    assert "95 % over seeds" in capsys.readouterr().out
    monkeypatch.setattr(trials, "train_classifier", None)  # finished classifiers are read
    for path in (tmp_path / "scores").iterdir():
        path.unlink()
    assert main(command) == 0
    assert json.loads((tmp_path / "results-vision.json").read_text()) == results


METRICS = ("box IoU", "pixel AUC")
