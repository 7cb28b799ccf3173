"""Families, data, batches and the study of open-world attribution."""

import json
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from salix.cli import main
from salix.studies.openworld import experiment, run
from salix.studies.openworld.batches import alternating_batches, augmented_views
from salix.studies.openworld.data import KNOWN, NOVEL, OpenWorldSetting, open_world_set
from salix.studies.openworld.experiment import OpenWorldTrial, pseudo_labelled, trained_network
from salix.studies.openworld.families import FAMILIES, forge_faces
from salix.studies.openworld.network import NeckedNetwork
from salix.studies.openworld.training import (
    SUPERVISED,
    OpenWorldTraining,
    build_network,
    train_stage,
)
from salix.studies.photographs import Photographs
from salix.typing import InputError


@pytest.fixture(scope="module")
def faces():
    """Eight smooth random images of four people; one person is for tests."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 216, (8, 8, 8)).astype(np.uint8)
    pixels = coarse.repeat(4, 1).repeat(4, 2)
    people = tuple(f"p{i // 2}" for i in range(8))
    test = np.array([p == "p3" for p in people])
    return Photographs(pixels, 255 - pixels, people, people, test, "random", "negatives", "")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_changes_each_face_within_its_mask(name, faces):
    grey = faces.pixels[..., None]
    forged, masks = forge_faces(FAMILIES[name], grey, seed=3)
    again, _ = forge_faces(FAMILIES[name], grey, seed=3)
    np.testing.assert_array_equal(forged, again)
    assert ((forged != grey).any((1, 2, 3))).all()
    assert (forged[masks == 0] == grey[masks == 0]).all()
    assert (masks.mean((1, 2)) > 0.02).all()
    colour, _ = forge_faces(FAMILIES[name], grey[:1].repeat(3, -1), seed=3)
    assert colour.shape == (1, 32, 32, 3)


def test_families_differ_on_the_same_faces(faces):
    data = open_world_set(faces, OpenWorldSetting(), seed=0)
    images = data.x.reshape(len(data.names), 8, -1)
    assert data.names == (*KNOWN, *NOVEL)
    assert len(np.unique(images[:, 0], axis=0)) == len(data.names)
    regenerated = images[data.names.index("regenerated")].reshape(8, 32, 32, 3)
    np.testing.assert_array_equal(regenerated[..., 0], faces.regenerated)


def test_labels_are_those_of_known_training_images(faces):
    data = open_world_set(faces, OpenWorldSetting(labelled=0.5), seed=0)
    assert data.known.sum() == len(KNOWN) * 8
    assert not (data.labelled & (~data.known | data.test)).any()
    assert np.bincount(data.labels[data.labelled]).tolist() == [3] * len(KNOWN)
    other = open_world_set(faces, OpenWorldSetting(labelled=0.5), seed=1)
    assert (other.labelled != data.labelled).any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"known": ("JPEG", "GIF")}, "no family 'GIF'"),
        ({"known": ("JPEG",)}, "1 known families"),
        ({"known": ()}, "0 known families: give two or more"),
        ({"known": ("JPEG", "median")}, "named twice"),
        ({"labelled": 0}, "a share above 0"),
    ],
)
def test_unusable_settings_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        OpenWorldSetting(**fields)


def test_batches_alternate_and_no_class_is_rare():
    labels = np.repeat([0, 1, 2], (50, 5, 45))
    labelled = labels < 2
    batches = alternating_batches(labels, labelled, 20, np.random.default_rng(0))
    drawn = np.array(list(islice(batches, 10)))
    assert labelled[drawn[:, :10]].all()
    assert not labelled[drawn[:, 10:]].any()
    assert np.bincount(labels[drawn[:, :10].ravel()]).tolist() == [50, 50]
    assert len(np.unique(drawn[:, 10:])) == 45  # all before any repeats
    whole = next(alternating_batches(labels, labels < 3, 20, np.random.default_rng(0)))
    assert len(whole) == 20
    for few, message in (
        (labels < 0, "no image has a label"),
        (np.arange(100) < 51, "class 1 has"),
    ):
        with pytest.raises(InputError, match=message):
            next(alternating_batches(labels, few, 20, np.random.default_rng(0)))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_the_training(faces):
    data = open_world_set(faces, OpenWorldSetting(("JPEG", "median"), ("cosine",)), seed=0)
    training = OpenWorldTraining(steps=3, batch=4, learning_rate=1e30)
    with pytest.raises(InputError, match="step 3: lower the rate"):
        train_stage(build_network(3, seed=0), data, SUPERVISED, 3, training, seed=0)


def test_views_are_of_the_same_images_and_differ(faces):
    pixels = faces.pixels[..., None].repeat(3, -1)
    (one,) = np.split(augmented_views(pixels, 1, np.random.default_rng(0)), 1)
    plain = pixels / np.float32(127.5) - 1
    turned = [np.array_equal(a, b) for a, b in zip(one, plain, strict=True)]
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(one, plain, strict=True)]
    assert all(a or b for a, b in zip(turned, mirrored, strict=True))
    assert {*turned} == {*mirrored} == {True, False}
    first, second = np.split(augmented_views(pixels, 2, np.random.default_rng(0)), 2)
    assert (np.abs(first - second).max((1, 2, 3)) > 0).all()


def test_pseudo_labels_are_predictions_and_a_class_alone_has_none(faces, monkeypatch):
    setting = OpenWorldSetting(("JPEG", "median"), ("cosine",), labelled=0.5)
    data = open_world_set(faces, setting, seed=0)
    rest = np.flatnonzero(~data.test & ~data.labelled)
    predicted = np.zeros(len(rest), int)
    predicted[3] = 2  # a class of one image
    monkeypatch.setattr(experiment, "predict", lambda *_: (np.eye(3)[predicted], None))
    changed = pseudo_labelled(NeckedNetwork.__new__(NeckedNetwork), data)
    assert (changed.labels[rest[predicted == 0]] == 0).all()
    assert not changed.labelled[rest[3]]
    assert changed.labelled.sum() == (~data.test).sum() - 1
    assert not (changed.labelled & data.test).any()
    np.testing.assert_array_equal(changed.labels[data.labelled], data.labels[data.labelled])


@pytest.mark.slow
def test_an_interrupted_trial_ends_with_the_same_network(tmp_path, faces):
    setting = OpenWorldSetting(("JPEG", "median"), ("cosine",))
    data = open_world_set(faces, setting, seed=0)
    training = OpenWorldTraining(supervised=3, steps=3, batch=4)
    trial = OpenWorldTrial("", setting, SUPERVISED, training, 0)
    trained_network(tmp_path / "one", trial, data, print)
    trained_network(tmp_path / "two", trial.before, data, print)
    trained_network(tmp_path / "two", trial, data, print)  # goes on from the first stage
    name = f"networks/{trial.digest}.npz"
    one, two = (np.load(tmp_path / folder / name) for folder in ("one", "two"))
    for key in one.files:
        np.testing.assert_array_equal(one[key], two[key])


@pytest.mark.slow
def test_the_study_from_end_to_end(tmp_path, faces, monkeypatch, capsys):
    monkeypatch.setattr(run, "photographs", lambda offline: faces)
    small = OpenWorldTraining(supervised=6, steps=6, iterative=2, batch=16)
    monkeypatch.setattr(run, "DEFAULT_TRAINING", small)
    approaches = ["CE", "CPL, iterated"]
    command = ["study", "openworld", "--approaches", *approaches, "--seeds", "2"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    rows = [*approaches, "CE, k-means", "CE, semi-supervised k-means"]
    assert {*results["scores"]} == {*rows, "CE, number of classes estimated"}
    for row in results["scores"].values():
        mean, low, high = row["all accuracy"]
        assert 0 <= mean <= 1
        assert low <= mean <= high
    assert {k: len(v) for k, v in results["numbers of classes"].items()} == {
        "labels": 2,
        "silhouette": 2,
    }
    assert "over seeds" in capsys.readouterr().out
    page = (tmp_path / "openworld.html").read_text()
    assert page.count('class="card"') == len(KNOWN) + len(NOVEL)
    assert page.count("<image ") == 2 * len(KNOWN + NOVEL)  # two test faces of each family
    monkeypatch.setattr(experiment, "train_stage", None)  # finished networks are not trained again
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text()) == results
    capsys.readouterr()
    Image.fromarray(faces.pixels[0]).save(tmp_path / "face.png")
    explain = ["study", "openworld", "--explain", str(tmp_path / "face.png"), "--out"]
    assert main([*explain, str(tmp_path)]) == 0
    assert "nearest: " in capsys.readouterr().out
    row = json.loads((tmp_path / "attributed" / "face.json").read_text())
    assert row["known"] == (row["name"] in KNOWN)
    assert list(row["nearest"].values()) == sorted(row["nearest"].values(), reverse=True)
    assert main([*explain, str(tmp_path / "none")]) == 2
    assert "no attributor" in capsys.readouterr().err
    assert main(["study", "openworld", "--approaches", "SVM", "--out", str(tmp_path)]) == 2
    assert "no approach 'SVM'" in capsys.readouterr().err
    assert main(["study", "openworld", "--protocol", "1", "--out", str(tmp_path)]) == 2
    assert "--data DIR" in capsys.readouterr().err
