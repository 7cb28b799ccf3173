"""Data of `salix train`: labels, layouts and faces of training and validation data."""

import csv

import pytest
from PIL import Image

from salix.cli.face_options import FaceOptions
from salix.cli.train import Train
from salix.cli.train_data import open_training
from salix.typing import InputError


@pytest.fixture
def folder(tmp_path):
    for part in ("train/youtube", "train/swap", "val/real", "val/fake"):
        (tmp_path / part).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / part / "a.png")
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "x0", "y0", "x1", "y1"))
        writer.writerows((f"{id}/a.png", 0, 0, 4, 4) for id in ("train/swap", "real", "fake"))
    return tmp_path


def opened(folder, **options):
    command = Train(
        arch="small",
        data=(f"folder:{folder}/{{split}}/{{label}}/*.png#train",),
        out=folder / "out",
        validation=(f"real={folder}/val/real", f"fake={folder}/val/fake"),
        labels=("real=youtube", "fake=*"),
        **options,
    )
    return open_training(command)


def test_options_hold_where_the_data_take_them(folder):
    source, validation = opened(folder)
    assert list(source.labels) == ["fake", "real"]
    assert validation is not None
    assert list(validation.labels) == ["real", "fake"]


def test_faces_of_training_and_validation_data(folder):
    options = FaceOptions(folder / "faces.csv", no_face="whole")
    source, validation = opened(folder, faces=options)
    assert validation is not None
    sizes = [s.read(i).size for s in (source, validation) for i in range(2)]
    assert sizes == [(4, 4), (8, 8), (4, 4), (4, 4)]
    with pytest.raises(InputError, match="no network can decide about faces before"):
        opened(folder, faces=FaceOptions(folder / "faces.csv", several="max"))
