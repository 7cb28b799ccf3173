"""Data of `salix train`: labels, layouts and faces of training and validation data."""

import csv
import json

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


NAMED = ("real={}/val/real", "fake={}/val/fake")
UNNAMED = ("folder:{}/{{split}}/{{label}}/*.png#train",)


def opened(folder, data=UNNAMED, validation=NAMED, labels=("real=youtube", "fake=*"), **options):
    command = Train(
        arch="small",
        data=tuple(text.format(folder) for text in data),
        out=folder / "out",
        validation=tuple(text.format(folder) for text in validation),
        labels=labels,
        **options,
    )
    return open_training(command)


def test_options_hold_where_the_data_take_them(folder):
    source, validation = opened(folder)
    assert list(source.labels) == ["fake", "real"]
    assert validation is not None
    assert list(validation.labels) == ["real", "fake"]


@pytest.mark.parametrize(
    ("data", "validation", "labels"),
    [
        (NAMED, UNNAMED, ("real=youtube", "fake=swap")),
        (("{}/train",), ("{}/a=b",), ("real=youtube", "fake=swap")),
        (("{}/train",), ("{}/more",), ("real=youtube", "fake=swap,other")),
        (("{}/train",), ("{}/val",), ("real=youtube", "fake=*")),
    ],
    ids=["validation alone", "a path with =", "a name of one", "classes by their names"],
)
def test_names_count_for_the_data_that_have_them(folder, data, validation, labels):
    for part in ("a=b/youtube", "a=b/swap", "more/youtube", "more/other"):
        (folder / part).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / part / "a.png")
    for source in opened(folder, data, validation, labels):
        assert source is not None
        assert dict(zip(source.ids, source.labels, strict=True)) == {
            id: "real" if id.split("/")[-2] in ("youtube", "real") else "fake" for id in source.ids
        }


def test_frames_and_root_count_for_the_data_that_take_them(folder):
    for number in range(4):
        for video in ("swap/v1", "youtube/v2"):
            (folder / "clips" / video).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(folder / "clips" / video / f"{number}.png")
    clips = "folder:{}/clips/{{label}}/{{group}}/*.png"
    choice = {"labels": ("real=youtube", "fake=swap"), "frames": "2"}
    for data, validation in [((clips,), UNNAMED), (UNNAMED, (clips,)), (NAMED, (clips,))]:
        source, checked = opened(folder, data, validation, **choice)
        assert checked is not None
        assert sorted((len(source.ids), len(checked.ids))) == [2, 4]
    (folder / "list.json").write_text(
        json.dumps(
            {
                "Own": {
                    kind: {"test": {"c23": {name: {"label": kind, "frames": [f"{kind}/a.png"]}}}}
                    for name, kind in (("v1", "real"), ("v2", "fake"))
                }
            }
        )
    )
    lists = ("deepfakebench:{}/list.json#test/c23",)
    names = {"labels": ("real=real", "fake=fake"), "root": folder / "val"}
    source, checked = opened(folder, NAMED, lists, **names)
    assert checked is not None
    assert list(checked.labels) == ["fake", "real"]
    for option in ({"frames": "2"}, {"root": folder}):
        with pytest.raises(InputError, match=f"--{next(iter(option))} .*in --data"):
            opened(folder, NAMED, NAMED, (), **option)


def test_faces_of_training_and_validation_data(folder):
    options = FaceOptions(folder / "faces.csv", no_face="whole")
    source, validation = opened(folder, faces=options)
    assert validation is not None
    sizes = [s.read(i).size for s in (source, validation) for i in range(2)]
    assert sizes == [(4, 4), (8, 8), (4, 4), (4, 4)]
    with pytest.raises(InputError, match="no network can decide about faces before"):
        opened(folder, faces=FaceOptions(folder / "faces.csv", several="max"))
