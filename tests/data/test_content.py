"""Identity of data: equal content is equal anywhere, a change of one byte is a difference."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from salix.data import Arrays, Folder, Joined, Table, Unlabelled
from salix.data.content import (
    UNREADABLE,
    array_digest,
    file_digest,
    files_digest,
    source_identity,
)
from salix.train.reference_masks import WithReferenceMasks
from salix.typing import InputError


def digest_of(path, content, **options):
    path.write_bytes(content)
    return file_digest(path, **options)


def changed(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("size", [1, 1000, 256 * 1024])
def test_small_files_count_by_every_byte(tmp_path, size):
    content = os.urandom(size)
    first = digest_of(tmp_path / "a", content)
    assert digest_of(tmp_path / "b", content) == first
    for at in {0, size // 3, size - 1}:
        assert digest_of(tmp_path / "a", changed(content, at)) != first
    assert digest_of(tmp_path / "a", content + b"0") != first


def test_large_files_count_by_size_and_windows_or_by_every_byte(tmp_path):
    content = os.urandom(1 << 20)
    first, full = (digest_of(tmp_path / "a", content, full=f) for f in (False, True))
    window = 16 * 1024
    between = changed(content, 3 * window)  # the second window starts at (2**20 - window) / 15
    assert digest_of(tmp_path / "a", between) == first
    assert digest_of(tmp_path / "a", between, full=True) != full
    for at in (0, (len(content) - window) // 15, len(content) - 1):
        assert digest_of(tmp_path / "a", changed(content, at)) != first
    assert digest_of(tmp_path / "a", content[:-1]) != first


def test_files_that_cannot_be_read_have_a_digest_that_says_so(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    odd = [tmp_path / "fifo", tmp_path / "dangling", tmp_path, Path("/dev/zero"), Path("a\0b")]
    assert {file_digest(path) for path in odd} == {UNREADABLE}
    (tmp_path / "empty").write_bytes(b"")
    assert file_digest(tmp_path / "empty") != UNREADABLE


def test_the_order_and_the_gaps_of_files_count_and_their_names_do_not(tmp_path):
    names = [tmp_path / n for n in "abc"]
    for i, path in enumerate(names):
        path.write_bytes(bytes([i]))
    shutil.copytree(tmp_path, tmp_path / "moved")
    first = files_digest(names)
    assert files_digest([tmp_path / "moved" / n for n in "abc"]) == first
    assert files_digest(names[::-1]) != first
    assert files_digest([*names, None]) != files_digest([None, *names])


def test_arrays_count_by_type_shape_and_bytes():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert array_digest(image[:, ::-1][:, ::-1]) == array_digest(image.tolist() and image.copy())
    assert array_digest(np.asfortranarray(image)) == array_digest(image)
    others = [image.astype(np.int16), image.reshape(4, 2, 3), image + 1, image[:1]]
    assert len({array_digest(a) for a in (image, *others)}) == 5
    objects = [np.array(v, object) for v in ([1, "x"], [1, "y"])]
    assert array_digest(objects[0]) != array_digest(objects[1])
    assert array_digest(np.zeros((0, 3), np.float16))


@pytest.fixture
def folder(tmp_path):
    """Four images of two classes and their reference masks, in a folder that can move."""
    root = tmp_path / "first"
    rng = np.random.default_rng(0)
    for name in ("real/a", "real/b", "fake/a", "fake/b"):
        for part, shape in (("images", (8, 8, 3)), ("masks", (8, 8))):
            path = root / part / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
    lines = [f"images/{n}.png,{n[:4]},masks/{n}.png" for n in ("real/a", "fake/a", "fake/b")]
    (root / "table.csv").write_text("\n".join(["path,label,map", *lines]))
    return root


SOURCES = {
    "folder": lambda root: Folder(root / "images", reference_masks=root / "masks"),
    "table": lambda root: Table(root / "table.csv"),
    "joined": lambda root: Joined(
        {"x": Unlabelled(Folder(root / "images/fake")), "y": Table(root / "table.csv")}
    ),
    "training masks": lambda root: WithReferenceMasks(Folder(root / "images"), root / "masks"),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_source_of_files_is_known_by_the_content_of_images_and_masks(folder, name, part):
    first = SOURCES[name](folder).identity()
    moved = folder.parent / "second"
    shutil.copytree(folder, moved)
    assert SOURCES[name](moved).identity() == first
    Image.new("L", (8, 8), 7).save(moved / part / "fake/b.png")
    assert SOURCES[name](moved).identity() != first
    os.utime(folder / "images/fake/b.png", (0, 0))
    assert SOURCES[name](folder).identity() == first
    assert str(folder) not in repr(first)


def test_arrays_in_memory_are_known_by_images_and_masks():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    masks = [None, images[0, ..., 0], None]
    first = Arrays(images, reference_masks=masks).identity()
    assert Arrays(list(images), reference_masks=masks).identity() == first
    other = images.copy()
    other[2, 7, 7, 2] ^= 1
    assert Arrays(other, reference_masks=masks).identity()["images"] != first["images"]
    assert Arrays(images, reference_masks=masks[::-1]).identity() == first
    assert Arrays(images, reference_masks=[masks[1], None, None]).identity() != first
    assert Arrays(images).identity() != first


class Own:
    """A source of a user, with an identity that has no options."""

    def __init__(self, **options):
        self.source = Arrays(np.zeros((2, 8, 8), np.uint8))
        self.__dict__ |= options

    def __getattr__(self, name):
        if name == "identity":
            raise AttributeError(name)
        return getattr(self.source, name)


def test_the_identity_of_a_source_is_required_and_its_option_is_not():
    own = Own(identity=lambda: {"images": "x"})
    assert source_identity(own, full=True) == {"images": "x"}
    assert source_identity(Arrays(np.zeros((2, 8, 8), np.uint8)), full=True)["images"]
    with pytest.raises(InputError, match=r"the source Own has no identity\(\): let it return"):
        source_identity(Own(), full=False)
