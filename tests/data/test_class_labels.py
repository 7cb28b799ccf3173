"""Labels as names, numbers and folders, and the classes that they are."""

import jax.numpy as jnp
import numpy as np
import pytest

from salix.data import Arrays
from salix.data.class_folders import FolderName
from salix.data.class_labels import class_indices
from salix.typing import InputError

CLASSES = ("real", "fake")
IMAGES = np.zeros((3, 2, 2), np.uint8)


class Categorical:
    """An array by protocol alone, as those of pandas and PyTorch."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        raise KeyError(index)  # an index of labels, not of positions

    def __array__(self, dtype=None, copy=None):
        return np.array(["real", "fake", "real"], object)


def indices(labels, classes=CLASSES):
    source = Arrays(IMAGES[: len(labels)], names=labels)
    return class_indices(source.labels, source.ids, classes, model="net")


@pytest.mark.parametrize(
    "labels",
    [
        ["real", "fake", "real"],
        ("REAL", " fake ", "Real"),
        np.array(["real", "fake", "real"]),
        np.array(["real", "fake", "real"], object),
        np.array([b"real", b"fake", b"real"]),
        Categorical(),
        [0, 1, 0],
        (np.int64(0), np.uint8(1), jnp.int32(0)),
        np.array([0, 1, 0], np.int8),
        np.array([0.0, 1.0, 0.0]),
        jnp.array([0, 1, 0]),
        [0, "fake", "real"],
        ["0", "1", "0"],
        ["0.0", "1.0", "0.0"],
        np.array(["0", "1", "0"]),
        range(3),
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_labels_of_any_array_and_list(labels):
    classes = ("real", "fake", "odd")
    expected = (0, 1, 2) if isinstance(labels, range) else (0, 1, 0)
    assert indices(labels, classes) == expected


@pytest.mark.parametrize(
    "labels", [["real", None, ""], [0, None, float("nan")], np.array([0, np.nan, np.nan])], ids=str
)
def test_unknown_labels(labels):
    assert indices(labels) == (0, None, None)


def test_numbers_that_are_names_of_classes_are_names():
    assert indices(["7", "9"], ("9", "7")) == (1, 0)
    assert indices(["0", "1"], ("0", "1")) == (0, 1)
    assert indices([1, 0], ("0", "1")) == (1, 0)
    with pytest.raises(InputError, match="label 1 of '00000000' is the name of one class and the"):
        indices([1, 1], ("1", "2"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], r"label 2 of '00000002' is not an index of the classes \(0 = real, 1 = fake\)"),
        ([0, -1], "label -1 of '00000001' is not an index .*nothing where the class is unknown"),
        (["0", "5"], "label 5 of '00000001' is not an index"),
        ([10**400], "label 10{19} of"),
        ([True, False], "label True is a bool: give the name of a class, or its index"),
        (np.array([True]), "label True is a bool"),
        (np.eye(2), r"labels of shape \[2, 2\]: .*labels.argmax\(1\)"),
        ([[0, 1], [1, 0]], r"label \[0, 1\] is a list"),
        ([0.5, 1.0], "label 0.5 is a float"),
        (["real", "Fake", "unreal"], "labels unreal are not classes of net: 1 images .*00000002"),
        (["real", "1"], r"labels 1 are not classes .*00000001 \(1\)"),
        (["9" * 5000], "labels 9+ are not classes"),
        (["real"] * 4, "4 names for 3 images"),
    ],
)
def test_labels_that_are_no_class(labels, message):
    with pytest.raises(InputError, match=message):
        Arrays(IMAGES, names=labels) if len(labels) > 3 else indices(labels)


def by_folder(*paths, classes=CLASSES):
    labels = [FolderName(p) if "/" in p else None for p in paths]
    return class_indices(labels, paths, classes, model="net")


@pytest.mark.parametrize(
    ("paths", "expected", "line"),
    [
        (("real/1", "fake/1", "2"), (0, 1, None), ""),
        (("Real/c23/000/1", "FAKE/f2f/c23/000/1"), (0, 1), ""),
        (("0_real/1", "1_fake/1"), (0, 1), "of level 1: 0_real = real, 1_fake = fake"),
        (("1-Real/1", "0 fake/1"), (0, 1), "of level 1: 0 fake = fake, 1-Real = real"),
        (("train/real/1", "test/fake/2"), (0, 1), "of level 2: fake = fake, real = real"),
        (("cat/0_real/1", "dog/1_fake/2"), (0, 1), "of level 2: 0_real = real, 1_fake = fake"),
        (("a/b/c/real/d/1", "a/b/c/fake/e/f/1"), (0, 1), "of level 4: fake = fake, real = real"),
        (("train/real/1", "train/2", "3"), (0, None, None),
         "of level 2: real = real; 1 images above it have no class"),
        (("0/1", "1/1"), (0, 1), "of level 1: 0 = real, 1 = fake"),
        (("train/1/1", "train/0/1"), (1, 0), "of level 2: 0 = real, 1 = fake"),
        (("real/real/1", "fake/fake/1"), (0, 1), ""),
        (("real/0/1", "fake/1/1", "fake/0/1"), (0, 1, 1), ""),
    ],
)  # fmt: skip
def test_the_level_of_folders_that_are_classes(caplog, paths, expected, line):
    assert by_folder(*paths) == expected
    assert caplog.messages == ([f"classes from the folders {line}"] if line else [])


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (("real/1", "other/1"), "labels real, other at level 1 are not classes of net"),
        (("0_real/1", "1_real/1"), "labels 0_real, 1_real at level 1 .* one folder for each"),
        (("real/1", "1_real/1", "fake/1"), "labels 1_real, fake, real at level 1"),
        (("real/fake/1", "fake/real/1"), "folders of real/fake name two classes, real and fake"),
        (("train/real/1", "val/masks/1"), "labels train, val at level 1; real, masks at level 2"),
        (("000/1", "001/1"), "labels 000, 001 at level 1"),
        (("0/1", "1/1", "2/1"), "labels 0, 1, 2 at level 1"),
        (("0/1",), "labels 0 at level 1"),
        (("1/0/1", "0/1/1"), "labels 0, 1 at level 1; 0, 1 at level 2"),
        (("train/real/1", "fake/x/1"), r"fake, train at level 1; real, x at level 2 .*real=DIR"),
    ],
)
def test_folders_without_one_level_of_classes(paths, message):
    with pytest.raises(InputError, match=message):
        by_folder(*paths)
