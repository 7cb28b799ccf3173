"""What the command line names as data: folders of one class, nested classes, single images."""

import os

import numpy as np
import pytest
from PIL import Image

from salix.cli import main
from salix.data import Folder, open_source
from salix.store import Run
from salix.typing import InputError

IDS = ("cat/0_real/0.png", "cat/1_fake/0.png", "dog/0_real/0.png", "dog/1_fake/0.png", "loose")


@pytest.fixture
def root(tmp_path, monkeypatch):
    for grey, id in enumerate(IDS):
        (tmp_path / id).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(tmp_path / id, "PNG")
    (tmp_path / "list.tsv").write_text("path\tlabel\ncat/0_real/0.png\treal\n")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def greys(source):
    return [int(np.asarray(source.read(i)).max()) for i in range(len(source.ids))]


@pytest.mark.parametrize(
    ("texts", "ids", "labels", "values"),
    [
        (["real=cat/0_real", "real=dog/0_real", "fake=cat/1_fake"],
         ["real/cat/0_real/0.png", "real/dog/0_real/0.png", "fake/0.png"],
         ["real", "real", "fake"], [0, 2, 1]),
        (["real={}/cat/0_real", "real=dog"],
         ["real/0_real/0.png", "real/dog/0_real/0.png", "real/dog/1_fake/0.png"],
         ["real"] * 3, [0, 2, 3]),
        (["cat/0_real", "dog/0_real/"],
         ["cat/0_real/0.png", "dog/0_real/0.png"], [None, None], [0, 2]),
        (["cat/0_real/0.png"], ["0.png"], [None], [0]),
        (["./loose"], ["loose"], [None], [4]),
        (["fake=cat/1_fake/0.png"], ["fake/0.png"], ["fake"], [1]),
        (["fake=cat/1_fake/0.png", "real=loose", "fake=dog/1_fake/0.png"],
         ["fake/cat/1_fake/0.png", "fake/dog/1_fake/0.png", "real/loose"],
         ["fake", "fake", "real"], [1, 3, 4]),
        (["loose", "cat/1_fake/0.png"], ["cat/1_fake/0.png", "loose"], ["cat", None], [1, 4]),
        (["list.tsv"], ["cat/0_real/0.png"], ["real"], [0]),
        (["list.tsv", "x=dog/1_fake"], ["list.tsv/cat/0_real/0.png", "x/0.png"],
         ["real", "x"], [0, 3]),
        ([" real =cat/0_real"], ["real/0.png"], ["real"], [0]),
    ],
)  # fmt: skip
def test_what_is_named(root, texts, ids, labels, values):
    source = open_source([t.replace("{}", str(root)) for t in texts])
    assert list(source.ids) == ids
    assert list(source.labels) == labels
    assert greys(source) == values


def test_the_folder_in_which_one_is_has_its_name(root, monkeypatch):
    monkeypatch.chdir(root / "cat")
    assert open_source([".", "../dog"]).ids[::2] == ["cat/0_real/0.png", "dog/0_real/0.png"]


def test_a_home_folder_behind_an_equals_sign(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root))
    assert greys(open_source(["real=~/cat/0_real"])) == [0]


def test_a_folder_within_another_is_spoken_of(root, caplog):
    open_source(["real=cat", "fake=cat/1_fake"])
    assert caplog.messages[-1].endswith("cat: its images are in the data twice")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no data given"),
        (["nowhere"], "nowhere is not a folder: give a folder of images, an image, or a table"),
        (["real=cat", "real=./cat"], "two sources are called 'real' and are both of .*cat: give"),
        (["cat", "cat"], "two sources are called 'cat'"),
        (["loose", "./loose"], "loose is given twice"),
        (["cat", "cat/0_real", "dog/0_real"], "'cat/0_real/0.png' is in the data twice"),
        (["=cat"], "'=cat' has no class before its =: write CLASS=DIR"),
        (["notes.txt"], r"notes.txt is neither an image nor a table \(.csv, .tsv, .parquet"),
        (["film.mp4"], "film.mp4 is neither an image nor a table .*: name their folder videos:DIR"),
        (["real=list.tsv"], "real=list.tsv: a table has its own labels, leave out real="),
        (["pipe"], "pipe is neither an image nor a table"),
    ],
)
def test_what_is_no_data(root, texts, message):
    os.mkfifo("pipe")
    with pytest.raises(InputError, match=message):
        open_source(texts)


def test_named_files_of_a_folder(root):
    source = Folder(root, files=("dog/0_real/0.png", "cat/1_fake/0.png"), label="x")
    assert (list(source.ids), list(source.labels)) == (
        ["cat/1_fake/0.png", "dog/0_real/0.png"],
        ["x", "x"],
    )


def sweep(root, *data):
    out = root / "run"
    options = ["--attribution", "Gradient()", "--maps", "none", "--out", str(out)]
    status = main(["sweep", "--model", "small", *options, "--data", *data])
    return status, Run(out).table.to_pydict() if status < 2 else {}


@pytest.mark.slow
def test_nested_classes_with_indices_on_the_command_line(root, caplog):
    status, table = sweep(root, str(root))
    assert status == 0
    assert dict(zip(table["id"], table["label"], strict=True)) == dict(
        zip(IDS, [0, 1, 0, 1, None], strict=True)
    )
    assert caplog.messages == [
        f"{root.name}: 3 files left out: 1 .mp4 (name their folder videos:DIR), 1 .tsv, 1 .txt",
        "classes from the folders of level 2: 0_real = real, 1_fake = fake",
    ]


def test_a_run_without_a_readable_image_ends_with_status_1(root, capsys):
    (root / "lost.csv").write_text("path,label\nno/0.png,real\nno/1.png,fake\n")
    status, table = sweep(root, "lost.csv")
    assert (status, len(table["id"])) == (1, 2)
    out, err = capsys.readouterr()
    reason = "No such file or directory, relative to the folder of the table"
    assert f"skipped no/0.png: {reason}" in out
    assert err.strip().endswith("salix: no image could be read: see the reasons above")


@pytest.mark.parametrize(
    "form", [["--data", "real=cat", "--data", "fake=dog"], ["--data=a", "--data=b"]]
)
def test_an_option_that_is_given_twice_is_refused(root, capsys, form):
    assert main(["sweep", "--model", "small", "--out", "run", *form]) == 2
    assert "--data is given several times: write its values after one" in capsys.readouterr().err
