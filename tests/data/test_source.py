"""Sources know their ids and labels, in one order, before a pixel is read."""

import numpy as np
import pytest
from PIL import Image

from salix.data import Arrays, Folder, Joined, Table, Unlabelled, image_batches, open_source
from salix.preprocess import Preprocess
from salix.typing import InputError


@pytest.fixture
def folder(tmp_path):
    for name, grey in [("b/2.png", 2), ("a/10.png", 10), ("a/9.PNG", 9), ("root.png", 7)]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 4), grey, np.uint8)).save(path, "PNG")
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_folder_is_sorted_and_its_sub_folders_are_labels(folder):
    source = Folder(folder)
    assert list(source.ids) == ["a/10.png", "a/9.PNG", "b/2.png", "root.png"]
    assert list(source.labels) == ["a", "a", "b", None]
    assert np.asarray(source.read(1)).max() == 9


def test_a_given_label_holds_for_all(folder):
    assert set(Folder(folder, label="fake").labels) == {"fake"}


def test_table(folder):
    file = folder / "list.csv"
    file.write_text("label,path\nreal,b/2.png\n,root.png\nfake,a/10.png\n")
    source = Table(file)
    assert list(source.ids) == ["a/10.png", "b/2.png", "root.png"]
    assert list(source.labels) == ["fake", "real", None]
    assert np.asarray(source.read(2)).max() == 7


def test_joined_and_named_on_the_command_line(folder):
    source = open_source([f"real={folder / 'a'}", f"fake={folder / 'b'}"])
    assert list(source.ids) == ["real/10.png", "real/9.PNG", "fake/2.png"]
    assert list(source.labels) == ["real", "real", "fake"]
    assert np.asarray(source.read(2)).max() == 2
    assert set(Unlabelled(source).labels) == {None}


@pytest.mark.parametrize("names", [["asset:toy"], ["asset:toy", "x=asset:toy"]])
def test_an_asset_is_asked_for_once_for_each_name(folder, monkeypatch, names):
    asked = []
    monkeypatch.setattr("salix.data.opening.fetch", lambda n: asked.append(n) or folder / "a")
    ids = open_source(names).ids
    assert asked == ["toy"] * len(names)
    assert list(ids[:2]) == (["10.png", "9.PNG"] if len(names) == 1 else ["a/10.png", "a/9.PNG"])


def test_arrays_have_positions_as_ids():
    source = Arrays(np.zeros((3, 4, 4, 3), np.uint8), names=["real", None, "fake"])
    assert list(source.ids) == ["00000000", "00000001", "00000002"]
    assert Joined({"x": source}).ids[1] == "x/00000001"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: Folder(p / "none").ids, "not a folder"),
        (lambda p: Folder(p / "empty").ids, "contains no image"),
        (lambda p: Table(p / "none.csv").ids, "cannot be read"),
        (lambda p: Table(p / "wrong.csv").ids, "expected path"),
        (lambda p: Table(p / "twice.csv").ids, "'x.png' is empty or repeated"),
        (lambda p: Arrays(np.zeros((0, 2, 2), np.uint8)), "no image"),
        (lambda p: Arrays(np.zeros((2, 2, 2), np.uint8), names=["a"]), "1 names for 2 images"),
        (lambda p: Arrays(np.zeros((2, 2, 2), np.uint8), keys=["a", "a"]), "repeated"),
        (lambda p: open_source([f"a={p}", f"a={p}"]), "two sources"),
    ],
)
def test_bad_sources_say_what_is_wrong(tmp_path, make, message):
    (tmp_path / "empty").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "one.png")
    (tmp_path / "wrong.csv").write_text("file,kind\na,b\n")
    (tmp_path / "twice.csv").write_text("path\nx.png\nx.png\n")
    with pytest.raises(InputError, match=message):
        make(tmp_path)


class OneNotOf8Bits(Arrays):
    """Images of a source of one's own, whose fifth cannot be used."""

    def read(self, index):
        return np.zeros((2, 2), np.float32) if index == 4 else super().read(index)


def test_batches_hold_fixed_slots_and_say_why_one_is_empty():
    images = [np.full((2, 2), i, np.uint8) for i in range(7)]
    source = OneNotOf8Bits(images, reference_masks=[None, images[6], *[None] * 5])
    result = list(image_batches(source, Preprocess((2, 2), 1), 3, [0, 1, 2], 2, ahead=1))
    assert [list(b.indices) for b in result] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [b.valid.tolist() for b in result] == [
        [True] * 3,
        [True, False, True],
        [True, False, False],
    ]
    assert list(result[1].reasons) == [4]
    assert "float32" in result[1].reasons[4]
    assert result[1].examples["pixels"][:, 0, 0, 0].tolist() == [3, 0, 5]
    assert result[0].examples["reference_mask"] is not None
    assert result[0].examples["reference_mask"][:, 0, 0].tolist() == [0, 6, 0]


def test_later_batches_alone_are_the_same():
    source = Arrays(np.arange(40, dtype=np.uint8).reshape(10, 2, 2))
    to = Preprocess((2, 2), 1)
    every = list(image_batches(source, to, 3, range(4), 2))
    [last] = image_batches(source, to, 3, [3], 1)
    np.testing.assert_array_equal(last.examples["pixels"], every[3].examples["pixels"])


def test_a_reference_mask_of_another_shape_is_cropped_as_its_image():
    image = np.zeros((200, 400, 3), np.uint8)
    image[:, 100:200] = 255  # the left half of what the crop keeps
    reference_mask = np.zeros((16, 16), np.uint8)
    reference_mask[:, 4:8] = 255  # the same place of the whole picture
    to = Preprocess((32, 32), fit="crop")
    batch = next(image_batches(Arrays([image], reference_masks=[reference_mask]), to, 1, [0], 1))
    marked, shown = (
        batch.examples["reference_mask"][0] > 127,
        batch.examples["pixels"][0, ..., 0] > 127,
    )
    assert shown.mean() == pytest.approx(0.5, abs=0.05)
    assert (marked == shown).mean() > 0.95
