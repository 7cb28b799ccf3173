"""Runs that cannot be compared are refused with the remedy; what limits a comparison is noted."""

import re

import numpy as np
import pytest

from salix.compare import read_regions
from salix.store import Run, update_about
from salix.typing import InputError
from tests.compare.synthetic_runs import altered, write_run, write_runs

IMAGES = 30


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return write_runs(folder, planted={"A": 4.0, "B": 1.0}, images=IMAGES, segments=40, side=16)


@pytest.fixture
def write(tmp_path):
    def write(**options):
        settings = {"images": IMAGES, "segments": 40, "side": 16, "model": 1} | options
        return write_run(tmp_path / "C", name="C", **settings)

    return write


def refused(*runs, **options):
    """Return the message by which runs are refused."""
    with pytest.raises(InputError) as error:
        read_regions(runs, **options)
    return str(error.value)


def test_no_run_is_refused():
    assert "name directories that `salix sweep --out` wrote" in refused()


def test_a_run_without_regions_is_refused_with_the_sweep_to_run(runs, write):
    message = refused(runs[0], write(drop_columns=["region_rank"]))
    assert re.search(r"C has no regions \(no column region_rank\).*--measures regions", message)


def test_an_unfinished_run_is_refused(runs, tmp_path):
    part = altered(runs[1], tmp_path / "part", rows=range(20), count=IMAGES)
    assert "10 examples have no row. Run the same sweep again" in refused(runs[0], part)


def test_other_images_are_counted_and_named(runs, tmp_path):
    part = altered(runs[1], tmp_path / "part", rows=range(2, IMAGES))
    ids = Run(runs[0]).read(["id"])["id"]
    message = refused(runs[0], part)
    assert "28 are shared, 2 only in" in message
    assert f"({', '.join(sorted(ids[:2]))})" in message
    other = altered(runs[1], tmp_path / "other", values={"id": [f"x/{i}" for i in range(IMAGES)]})
    message = refused(runs[0], other)
    assert "0 are shared, 30 only in" in message
    assert "(x/0, x/1, x/10, …)" in message


def test_other_classes_are_named(runs, write):
    message = refused(runs[0], write(config={"classes": ["fake", "real"]}))
    assert "A has real, fake" in message
    assert "C has fake, real" in message


def test_other_segmentations_are_named(runs, write):
    message = refused(
        runs[0], write(config={"measures": ["Regions(segmentation=FaceParts(), cover=0.25)"]})
    )
    assert "A has SLIC(segments=(15, 50, 80)" in message
    assert "C has FaceParts()" in message


def test_other_versions_of_a_segmentation_are_refused(runs, tmp_path):
    both = [
        altered(runs[0], tmp_path / version, name=version, config={"data": {"segments": version}})
        for version in ("one", "two")
    ]
    assert "one has one; " in refused(*both)


def test_segments_of_other_pixels_are_refused(runs, write):
    message = refused(runs[0], write(seed=1))
    assert "labels" in message or "images" in message
    areas = Run(runs[1]).read(["region_area"])["region_area"]
    areas[7] = np.roll(areas[7], 5)
    shifted = altered(runs[1], runs[1].parent / "shifted", values={"region_area": areas})
    message = refused(runs[0], shifted)
    assert "the segments of 1 of 30 images differ" in message
    assert Run(runs[0]).read(["id"])["id"][7] in message
    assert "stretch or crop" in message


def test_rounding_of_areas_in_other_input_sizes_is_accepted(runs, tmp_path):
    areas = Run(runs[1]).read(["region_area"])["region_area"]
    areas *= np.random.default_rng(0).uniform(0.95, 1.05, areas.shape)
    other = altered(runs[1], tmp_path / "other", values={"region_area": areas})
    assert len(read_regions([runs[0], other]).ids) == IMAGES


def test_other_explained_classes_are_refused_unless_asked_for(runs, write):
    own = write(targets="prediction")
    message = refused(runs[0], own)
    assert "--targets label" in message
    assert "--own-prediction" in message
    assert re.search(r"for \d+ of 30 images \(for \w+/\d+\.png: A class \d, C class \d\)", message)
    table = read_regions([runs[0], own], own_prediction=True)
    assert table.explained == "each model's own prediction"
    assert any("explain other classes" in note for note in table.notes)
    predicted = Run(own).read(["predicted"])["predicted"]
    assert np.array_equal(table.target, np.where(predicted == table.labels, predicted, -1))


@pytest.mark.parametrize(
    ("target", "config", "about", "explained"),
    [
        (1, {"targets": None}, {}, "class fake"),
        (0, {"targets": "label"}, {}, "the label of each image"),
        (-1, {"targets": None}, {}, "the one score"),
        (
            1,
            {"targets": "predictions of another run"},
            {"targets_run": "X"},
            "the class that X predicts",
        ),
    ],
)
def test_the_explained_class_has_words(runs, tmp_path, target, config, about, explained):
    values = {"target": np.full(IMAGES, target)}
    both = [altered(r, tmp_path / r.name, values=values, config=config) for r in runs]
    for run in both:
        update_about(run, **about)
    assert read_regions(both).explained == explained


def test_other_labels_are_refused(runs, tmp_path):
    labels = Run(runs[1]).read(["label"])["label"]
    labels[3] = 1 - labels[3]
    other = altered(runs[1], tmp_path / "other", values={"label": labels})
    assert "1 of 30 images have other labels" in refused(runs[0], other)


def test_images_without_labels_are_in_no_quadrant(write, tmp_path):
    unknown = {"predicted": np.full(IMAGES, -1)}
    other = altered(write(labels=False), tmp_path / "D", name="D", values=unknown)
    table = read_regions([tmp_path / "C", other])
    assert not table.correct.any()
    assert "label" not in table.metadata


def test_a_model_without_attribution_is_refused_and_a_few_such_images_noted(runs, tmp_path):
    total = Run(runs[1]).read(["region_absolute_total"])["region_absolute_total"]
    none = altered(runs[1], tmp_path / "none", values={"region_absolute_total": np.zeros(IMAGES)})
    assert "has no attribution in any of 30 images" in refused(runs[0], none)
    total[:2] = 0, np.nan
    few = altered(runs[1], tmp_path / "few", values={"region_absolute_total": total})
    table = read_regions([runs[0], few])
    assert "B has no attribution in 2 of 30 images: they are left out." in table.notes
    assert np.isnan(table.share[1, table.image < 2]).all()
    assert np.isfinite(table.share[1, table.image >= 2]).all()


def test_a_model_that_always_predicts_one_class_is_noted(runs, tmp_path):
    values = {"predicted": np.ones(IMAGES, int)}
    table = read_regions([runs[0], altered(runs[1], tmp_path / "one", values=values)])
    assert table.notes == ("B predicts fake for all 30 images.",)


def test_skipped_images_are_left_out_and_noted(runs, tmp_path):
    reasons = [None] * IMAGES
    reasons[4] = "it is damaged"
    skipped = altered(runs[1], tmp_path / "skipped", values={"skipped": reasons})
    table = read_regions([runs[0], skipped])
    assert len(table.ids) == IMAGES - 1
    assert table.notes == ("1 images were skipped by a model and are left out.",)
    assert table.metadata["label"].shape == table.labels.shape == (IMAGES - 1,)
    everything = read_regions(runs)
    kept = np.arange(IMAGES) != 4
    assert np.array_equal(table.density, everything.density[:, kept])
    assert np.array_equal(table.embeddings["B"], everything.embeddings["B"][everything.image != 4])


def test_other_attributions_are_noted(runs, write):
    table = read_regions([runs[0], write(config={"attribution": "GradCAM()"})])
    (note,) = table.notes
    assert "differ in attribution" in note
    assert "C GradCAM()" in note


def test_a_selection_without_regions_is_refused(runs):
    assert "no region is selected in 30 images" in refused(*runs, least_area=0.9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,season\nx,1\n", "name the one with the images' ids `id`"),
        ("id,season\nx,1\ny,2\n", "has none of the 30 images: its id 'x' must be an id of the run"),
        ("id,season\nx,1\nx,2\n", "line 3: 'x' is repeated"),
    ],
)
def test_unusable_tables_of_the_user_are_refused(runs, tmp_path, text, message):
    file = tmp_path / "columns.csv"
    file.write_text(text)
    assert message in refused(*runs, metadata=file)
