"""Reference masks of a folder and of a table: matching to images, errors for missing ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from salix.data import Folder, Table, Unreadable, image_batches
from salix.data.reference_masks import match_reference_masks
from salix.preprocess import Preprocess
from salix.typing import InputError

SIZES = {"fake/a.jpg": (9, 6), "fake/b.1.png": (4, 4), "real/a.png": (5, 7), "plain.png": (3, 3)}


@pytest.fixture
def folder(tmp_path):
    """Folder of images, and masks of another size and suffix for two of them, each of one grey."""
    for i, (name, (height, width)) in enumerate(SIZES.items()):
        save(tmp_path / "data" / name, np.full((height, width, 3), 10 * i, np.uint8))
    save(tmp_path / "reference_masks/fake/a.png", np.full((2, 2), 100, np.uint8))
    save(tmp_path / "reference_masks/fake/b.1.bmp", np.full((30, 20), 200, np.uint8))
    return tmp_path


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def table(folder, text):
    file = folder / "list.csv"
    file.write_text(text)
    return Table(file)


def greys(source):
    """Return the grey of each mask, by id."""
    masks = [source.reference_mask(i) for i in range(len(source.ids))]
    return {
        id: None if m is None else int(m.max()) for id, m in zip(source.ids, masks, strict=True)
    }


def test_reference_masks_of_a_folder_match_by_name(folder):
    source = Folder(folder / "data", reference_masks=folder / "reference_masks")
    assert source.has_reference_masks
    assert greys(source) == {
        "fake/a.jpg": 100,
        "fake/b.1.png": 200,
        "plain.png": None,
        "real/a.png": None,
    }
    assert source.reference_mask(0).shape == (2, 2)
    assert not Folder(folder / "data").has_reference_masks
    assert Folder(folder / "data").reference_mask(0) is None


def test_reference_masks_below_the_images_are_not_a_class(folder):
    (folder / "reference_masks").rename(folder / "data" / "reference_masks")
    source = Folder(
        folder / "data", label="fake", reference_masks=folder / "data" / "reference_masks"
    )
    assert list(source.ids) == sorted(SIZES)
    assert greys(source)["fake/a.jpg"] == 100


def test_the_map_column(folder):
    source = table(
        folder,
        "path,map,label\n"
        "data/real/a.png,,real\n"
        "data/fake/b.1.png,reference_masks/fake/b.1.bmp,fake\n"
        "data/fake/a.jpg,reference_masks/fake/a.png,\n",
    )
    assert source.has_reference_masks
    assert list(source.labels) == [None, "fake", "real"]
    assert list(greys(source).values()) == [100, 200, None]
    (batch,) = image_batches(source, Preprocess((4, 4)), 3, [0], 1)
    assert batch.examples["reference_mask"].max((1, 2)).tolist() == [100, 200, 0]
    assert batch.examples["reference_mask"].min((1, 2)).tolist() == [100, 200, 0]
    assert batch.valid.all()


def test_an_empty_map_column_is_no_reference_mask(folder):
    source = table(folder, "path,map\ndata/real/a.png,\ndata/fake/a.jpg\n")
    assert not source.has_reference_masks
    assert source.reference_mask(0) is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("data/plain.png,lost.png", r"list.csv, line 2: the map, 'lost.png', is not a file"),
        (
            "data/plain.png,\ndata/fake/a.jpg,reference_masks\ndata/fake/b.1.png,x",
            r"line 3: the map, 'reference_masks', .* \(one of 2\)",
        ),
        (
            "lost.png,reference_masks/fake/a.png",
            r"line 2: the image of a map, 'lost.png', is not a file",
        ),
        (",reference_masks/fake/a.png", "line 2: path '' is empty or repeated"),
        ("a.png,\nb.png,\na.png,", "line 4: path 'a.png' is empty or repeated"),
        ("a.png,,real", "line 2 has more fields than columns"),
    ],
)
def test_missing_masks_are_reported_by_file_and_line(folder, rows, message):
    with pytest.raises(InputError, match=message):
        table(folder, f"path,map\n{rows}\n")


def test_an_image_without_map_may_be_missing(folder):
    source = table(folder, "path,map\ngone.png,\ndata/fake/a.jpg,reference_masks/fake/a.png,\n")
    (batch,) = image_batches(source, Preprocess((4, 4)), 2, [0], 1)
    assert batch.valid.tolist() == [True, False]


@pytest.mark.parametrize("of", ["folder", "table"])
def test_an_unreadable_mask_is_the_reason_for_skipping_an_image(folder, of):
    (folder / "reference_masks/fake/a.png").write_bytes(b"no image")
    source = (
        Folder(folder / "data", reference_masks=folder / "reference_masks")
        if of == "folder"
        else table(
            folder, "path,map\ndata/fake/a.jpg,reference_masks/fake/a.png\ndata/plain.png,\n"
        )
    )
    with pytest.raises(Unreadable, match=r"its reference mask .*a\.png: not an image"):
        source.reference_mask(0)
    (batch,) = image_batches(source, Preprocess((4, 4)), len(source.ids), [0], 1)
    assert list(batch.reasons) == [0]
    assert "its reference mask" in batch.reasons[0]
    (folder / "reference_masks/fake/a.png").unlink()
    with pytest.raises(Unreadable, match=r"its reference mask .*a\.png: .*No such file"):
        source.reference_mask(0)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "contains no reference mask"),
        (["a.png", "z.png"], r"1 reference masks in .* have no image, z first: .*example a\.png"),
        (["a.png", "a.bmp"], "a.bmp and .*a.png are masks of the same image"),
        (["b.bmp"], "b.bmp is the mask of 2 images"),
    ],
)
def test_reference_masks_that_fit_no_image_or_several(tmp_path, files, message):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=message):
        match_reference_masks(tmp_path, ["a.jpg", "b.jpg", "b.tif"])


def test_a_mask_of_the_same_suffix_matches_first(tmp_path):
    for name in ("b.jpg", "b.png", "img.0001.PNG"):
        (tmp_path / name).touch()
    files = match_reference_masks(tmp_path, ["b.jpg", "b.tif", "img.0001", "img.0002"])
    assert [None if f is None else f.name for f in files] == [
        "b.jpg",
        "b.png",
        "img.0001.PNG",
        None,
    ]


PARTS = st.text("abc.é", min_size=1, max_size=4).filter(lambda part: part.strip("."))
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@given(st.sets(PATHS, min_size=1), st.data())
def test_paths_of_a_table_are_sorted_and_have_one_spelling(tmp_path_factory, paths, data):
    paths = data.draw(st.permutations(sorted(paths)))
    spell = st.sampled_from(["{}", "./{}", " {} ", "x/../{}", ".//./{}", "{}/."])
    spelt = [data.draw(spell).format(p) for p in paths]
    folder = tmp_path_factory.mktemp("table")
    source = table(folder, "path,label\n" + "".join(f'"{p}",{i}\n' for i, p in enumerate(spelt)))
    assert list(source.ids) == sorted(paths)
    assert [paths[int(label)] for label in source.labels] == list(source.ids)
