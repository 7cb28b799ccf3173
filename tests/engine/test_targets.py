"""Explained class of each image: its label, or the prediction of another run."""

import re
from dataclasses import replace

import jax
import numpy as np
import pytest

import salix
from salix import logit
from salix.analysis.frame import Frame, explained_class
from salix.attribution import CAM, Gradient
from salix.data import Arrays
from salix.engine.classification import Classification
from salix.engine.labelled_images import LabelledImages
from salix.store import KEYS, digest, write_run
from salix.typing import InputError

NAMES = [0, 1, 0, None, 1]


@pytest.fixture(scope="module")
def five(pictures):
    return Arrays(pictures.images[:5], names=NAMES)


@pytest.fixture
def predicting(five, planted):
    """Return a function that plants a run with predictions of the five images."""

    def plant(*predicted, name="first", **options):
        rows = [{"id": id, "predicted": p} for id, p in zip(five.ids, predicted, strict=False)]
        return planted(rows, name=name, **{"classes": ("real", "fake")} | options)

    return plant


@pytest.fixture
def swept(tiny, five, tmp_path):
    def sweep(data=five, out="run", **options):
        return salix.sweep(*tiny, data, CAM(), out=tmp_path / out, maps=None, **options)

    return sweep


def test_labels_are_explained_and_an_unknown_one_is_skipped(swept):
    run = swept(targets="label")
    rows = run.rows
    assert rows["target"].tolist() == rows["label"].tolist() == [0, 1, 0, 1]
    assert rows["predicted"].tolist() != rows["label"].tolist()
    logits = np.take_along_axis(rows["logits"], rows["target"][:, None], 1)[:, 0]
    np.testing.assert_array_equal(rows["score"], logits)
    (row,) = run.skipped
    assert row["id"] == "00000003"
    assert "label" in row["skipped"]
    config = run.manifest["config"]
    assert config["targets"] == "label"
    assert re.fullmatch("[0-9a-f]{64}", config["data"]["targets"])
    assert explained_class(Frame(run)) == "the labelled class"


@pytest.mark.slow
def test_predictions_of_another_run_are_explained(predicting, swept):
    first = predicting(1, 0, 0, 1, 1)
    run = swept(targets=first)
    assert run.rows["target"].tolist() == [1, 0, 0, 1, 1]
    assert run.manifest["config"]["targets"] == "predictions of another run"
    assert explained_class(Frame(run)) == "the class predicted by first"
    assert swept(targets=str(first.path)).path == run.path  # the same run, by its directory
    with pytest.raises(InputError, match="the explained classes differ"):
        swept(targets=predicting(0, 0, 0, 1, 1))


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.slow
def test_the_row_of_a_target_is_that_of_its_logit(tiny, target):
    """Also what measures explain without a class of their own: the target stays fixed."""
    model, params = tiny
    example = {"pixels": np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)}
    example["reference_mask"] = None
    key = jax.random.key(0)
    measures = (explained_twice,)
    by_data = Classification(model, Gradient(), measures=measures, targets="label", maps="float32")
    by_score = Classification(
        model, Gradient(), measures=measures, score=logit(target), maps="float32"
    )
    row = jax.jit(by_data.row)(params, example | {"target": np.int32(target)}, key)
    other = jax.jit(by_score.row)(params, example, key)
    assert row.keys() == other.keys()
    for name in row:
        np.testing.assert_array_equal(row[name], other[name], err_msg=name)
    assert int(row["target"]) == int(row["again"]) == target


def explained_twice(explain, image, clean, key):
    again = explain(image * 0.5)
    return {"again": again.target, "mean": again.map.mean()}


def test_the_class_that_a_measure_names_wins(tiny):
    model, params = tiny
    explainer = Classification(model, CAM(), targets="label").explainer(
        params, jax.random.key(0), np.int32(0)
    )
    image = np.zeros((16, 16, 3), np.float32)
    assert (explainer(image).target, explainer(image, np.int32(1)).target) == (0, 1)


@pytest.mark.parametrize(
    "score", [logit("fake"), lambda logits: logits[0]], ids=["one-class", "function"]
)
def test_a_score_of_one_class_is_refused(swept, score):
    with pytest.raises(InputError, match="leave targets out"):
        swept(targets="label", score=score)


def test_no_target_at_all_is_refused(swept, five, predicting):
    with pytest.raises(InputError, match="give labels"):
        swept(Arrays(five.images), targets="label")
    with pytest.raises(InputError, match="other ids"):
        swept(Arrays(five.images, keys=list("abcde")), targets=predicting(1, 1, 1, 1, 1))


@pytest.mark.parametrize("targets", ["labels", "nowhere"])
def test_what_is_no_rule_is_refused(swept, targets):
    with pytest.raises(InputError, match="give 'label', or the directory of a run"):
        swept(targets=targets)


def test_a_run_without_predictions_is_refused(swept, tmp_path):
    about = {"name": "table", "group": "table"}
    write_run(tmp_path / "table", KEYS, [], config={"data": {"count": 0}}, about=about)
    with pytest.raises(InputError, match="predicts no classes"):
        swept(targets=tmp_path / "table")


def test_classes_are_matched_by_name(tinies, five, planted):
    def read(rows, classes, names=("Fake", "Real")):
        model = replace(tinies[0][0], classes=names)
        data = Arrays(five.images, keys=[f"{i:05d}.png" for i in range(5)])
        return LabelledImages(data, model, targets=planted(rows, classes=classes)).explained

    rows = [{"predicted": 0}, {"predicted": 1}, {"predicted": 1, "finite": False}]
    classes = read([*rows, {"skipped": "damaged"}], ("real", "fake")).classes
    assert classes[:2] == (1, 0)
    assert "not finite" in classes[2]
    assert all("no prediction" in reason for reason in classes[3:])
    with pytest.raises(InputError, match="forged"):
        read(rows, ("real", "forged"))


def test_a_run_over_other_images_of_the_same_ids_is_refused(tiny, five, planted):
    def known(source, data=five):
        content = LabelledImages(source, tiny[0]).identity()
        config = content | {"count": 5, "ids": digest(list(source.ids))}
        rows = [{"id": id, "predicted": 1} for id in five.ids]
        run = planted(rows, classes=("real", "fake"), data=config)
        return LabelledImages(data, tiny[0], targets=run).identity()

    assert known(five)["targets"]
    with pytest.raises(InputError, match="other images of the same ids"):
        known(Arrays(255 - five.images))


def test_an_unfinished_run_is_refused(swept, predicting):
    with pytest.raises(InputError, match="not finished"):
        swept(targets=predicting(0, 1, count=5))
