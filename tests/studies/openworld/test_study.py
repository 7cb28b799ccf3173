"""Families, data, batches and the study of open-world attribution."""

import json
from itertools import islice

import numpy as np
import pytest

from salix.cli import main
from salix.studies.openworld import run
from salix.studies.openworld.data import KNOWN, NOVEL, OpenWorldSetting, open_world_set
from salix.studies.openworld.families import FAMILIES, forge_faces
from salix.studies.openworld.training import (
    OpenWorldTraining,
    alternating_batches,
    train_open_world,
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
    training = OpenWorldTraining(supervised=0, steps=3, batch=4, learning_rate=1e30)
    with pytest.raises(InputError, match="step 3: lower the rate"):
        train_open_world(data, run.LOSSES["CE"], training, seed=0)


@pytest.mark.slow
def test_the_study_from_end_to_end(tmp_path, faces, monkeypatch, capsys):
    monkeypatch.setattr(run, "photographs", lambda offline: faces)
    small = OpenWorldTraining(supervised=10, steps=10, batch=16)
    monkeypatch.setattr(run, "DEFAULT_TRAINING", small)
    command = ["study", "openworld", "--losses", "CE", "CPL", "--seeds", "2"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results["scores"]) == ["CE", "CE, k-means", "CPL"]
    for row in results["scores"].values():
        mean, low, high = row["all accuracy"]
        assert 0 <= mean <= 1
        assert low <= mean <= high
    assert "over seeds" in capsys.readouterr().out
    monkeypatch.setattr(run, "train_open_world", None)  # finished networks are not trained again
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert main(["study", "openworld", "--losses", "SVM", "--out", str(tmp_path)]) == 2
    assert "no loss 'SVM'" in capsys.readouterr().err
