"""Groups of dependent images: named by arrays, tables, folders and patterns, stored by a sweep."""

import numpy as np
import pytest
from PIL import Image

import salix
from salix.attribution import Gradient
from salix.cli.data_options import DataOptions
from salix.data import Arrays, Folder, Grouped, Joined, Table, Unlabelled, open_source
from salix.engine.labelled_images import GROUP, LabelledImages
from salix.train.reference_masks import WithReferenceMasks
from salix.train.streamed import Reordered
from salix.typing import InputError

IDS = ("real/033/1.png", "real/033/2.png", "fake/033/1.png", "fake/7/a/1.png", "loose.png")
IMAGES = np.zeros((5, 8, 8), np.uint8)


@pytest.fixture
def source():
    return Arrays(IMAGES, keys=IDS)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        (1, ["real", "real", "fake", "fake", None]),
        (2, ["real/033", "real/033", "fake/033", "fake/7", None]),
        (3, [None, None, None, "fake/7/a", None]),
        (-1, ["real/033", "real/033", "fake/033", "fake/7/a", None]),
        (-2, ["real", "real", "fake", "fake/7", None]),
        (r"/(\d+)/", ["033", "033", "033", "7", None]),
        (r"^(?:real|fake)/(\w+)", ["033", "033", "033", "7", None]),
        (r"/([a-z]?)\d*\.png", [None, None, None, None, None]),
    ],
)
def test_groups_by_folder_level_and_pattern(source, by, groups):
    if not any(groups):
        with pytest.raises(InputError, match="no image has a group by"):
            Grouped(source, by)
        return
    grouped = Grouped(source, by)
    assert list(grouped.groups) == groups
    assert (grouped.ids, grouped.labels) == (source.ids, source.labels)
    assert np.array_equal(grouped.read(2), source.read(2))
    assert not grouped.has_reference_masks
    assert grouped.reference_mask(0) is None


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (0, "1 is the first folder, -1 the image's own"),
        (9, r"by 9, for example 'real/033/1.png': give a level that this path has"),
        ("(", r"is no regular expression"),
        (r"\d+", "has 0 capture groups: put the part of the id"),
        (r"(\d)(\d)", "has 2 capture groups"),
        ("(nowhere)", "no image has a group"),
    ],
)
def test_levels_and_patterns_that_name_no_group(source, by, message):
    with pytest.raises(InputError, match=message):
        Grouped(source, by)


@pytest.mark.parametrize(
    "groups",
    [
        ["a", "a", None, "7", ""],
        ("a", "a", float("nan"), 7, "  "),
        np.array(["a", "a", None, 7, " "], object),
    ],
)
def test_arrays_name_groups_by_texts_and_numbers(groups):
    assert list(Arrays(IMAGES, groups=groups).groups) == ["a", "a", None, "7", None]


def test_numbers_beside_missing_ones_are_not_fractions():
    assert list(Arrays(IMAGES, groups=np.array([0, 0, 12, 12, np.nan])).groups) == [
        *("0", "0", "12", "12"),
        None,
    ]
    assert list(Arrays(IMAGES, groups=np.arange(5)).groups) == list("01234")
    with pytest.raises(InputError, match="2 groups for 5 images"):
        Arrays(IMAGES, groups=["a", "b"])


def test_groups_of_a_table_and_of_sources_made_of_others(source, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("path,group,label\nb.png,v1,real\na.png,,fake\nc.png,v1,fake\n")
    table = Table(file)
    assert list(table.groups) == [None, "v1", "v1"]
    joined = Joined({"t": table, "s": Grouped(source, 1)})
    assert list(joined.groups) == [None, "v1", "v1", "real", "real", "fake", "fake", None]
    assert list(Unlabelled(joined).groups) == list(joined.groups)
    assert Reordered(table, np.array([2, 0, 2]), set()).groups == ["v1", None, "v1"]
    assert list(source.groups) == [None] * 5


@pytest.fixture
def folder(tmp_path):
    for id in IDS:
        path = tmp_path / "data" / id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[0]).save(path)
    return tmp_path / "data"


def test_groups_of_what_the_command_line_names(folder, capsys):
    (folder.parent / "masks/real/033").mkdir(parents=True)
    Image.fromarray(IMAGES[0]).save(folder.parent / "masks/real/033/1.png")
    source = WithReferenceMasks(Folder(folder), folder.parent / "masks")
    assert list(source.groups) == [None] * 5
    names = [f"real={folder / 'real'}", f"fake={folder / 'fake'}"]
    assert list(open_source(names, group_by=1).groups) == [
        *("real/033", "real/033"),  # a level counts from each data folder, not from the name
        *("fake/033", "fake/7"),
    ]
    assert list(open_source(names, group_by=r"^\w+/(\d+)/").groups) == ["033", "033", "033", "7"]
    assert set(open_source([str(folder)]).groups) == {None}
    one = DataOptions((str(folder),), group_by="-1", no_labels=True).source()
    assert list(one.ids) == sorted(IDS)
    assert list(one.groups) == ["fake/033", "fake/7/a", None, "real/033", "real/033"]
    assert set(one.labels) == {None}
    assert capsys.readouterr().err == (
        "1 of 5 images have no group by -1: each is taken as independent of all others\n"
    )


@pytest.mark.slow
def test_a_sweep_stores_groups_where_there_are_any(tmp_path):
    model, params = salix.load("small")
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), np.uint8)
    some = Arrays(images, groups=["v", None, "v"])
    run = salix.sweep(model, params, some, Gradient(), out=tmp_path / "some")
    assert run.table["group"].to_pylist() == ["v", None, "v"]
    assert run.columns["group"] == GROUP
    assert list(run.read(["group"])["group"]) == ["v", None, "v"]
    none = salix.sweep(model, params, Arrays(images), Gradient(), out=tmp_path / "none")
    assert "group" not in none.columns
    assert "groups" not in none.manifest["config"]["data"]
    with pytest.raises(InputError, match="groups"):
        salix.sweep(model, params, some, Gradient(), out=tmp_path / "none")
    assert LabelledImages(some, model).describe(1, None) == {"label": None, "group": None}
