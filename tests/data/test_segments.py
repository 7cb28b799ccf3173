"""Cache of segments: one computation for all models, damage, processes; masks of the user."""

import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from salix.data import Arrays, ImageExamples, Unreadable
from salix.data.segment_cache import SegmentCache, folder
from salix.data.segments import STRETCHED, ImageSegments, sample_labels
from salix.perturb.segmentation import SLIC
from salix.perturb.user_masks import UserMasks
from salix.preprocess import Preprocess
from salix.typing import InputError

FEW = SLIC(segments=(4, 9))
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), np.uint8)
STRETCH = Preprocess((16, 16))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SALIX_CACHE", str(tmp_path / "cache"))


def files():
    return sorted(p for p in folder().rglob("*") if p.is_file())


def load_all(to, segmentation=FEW):
    images = ImageExamples(Arrays(IMAGES), to, segmentation=segmentation)
    return [images.load(i)["segments"] for i in range(3)], images.segments.counts


def test_models_of_any_size_share_one_computation(monkeypatch):
    first, counts = load_all(STRETCH)
    assert counts == {"computed": 3, "cached": 0}
    assert len(files()) == 3
    monkeypatch.setattr(SLIC, "__call__", lambda self, pixels: pytest.fail("computed again"))
    for to in (STRETCH, Preprocess((24, 9), 1), Preprocess((8, 8), fit="crop")):
        again, counts = load_all(to)
        assert counts == {"computed": 0, "cached": 3}
        if to == STRETCH:
            np.testing.assert_array_equal(first, again)


def test_other_settings_and_versions_are_computed_anew(monkeypatch):
    load_all(STRETCH)
    assert load_all(STRETCH, replace(FEW, sigma=2))[1]["computed"] == 3
    monkeypatch.setattr(SLIC, "version", "2")
    assert load_all(STRETCH)[1]["computed"] == 3
    assert len(files()) == 9


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-5],
        lambda b: b"",
        lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:],
        lambda b: b[:32] + zlib.compress(bytes(2 * 2 * 224 * 224)),
    ],
    ids=["cut", "empty", "flipped", "replaced"],
)
def test_a_damaged_file_is_computed_anew(damage):
    first, _ = load_all(STRETCH)
    victim = files()[1]
    sound = victim.read_bytes()
    victim.write_bytes(damage(sound))
    again, counts = load_all(STRETCH)
    np.testing.assert_array_equal(first, again)
    assert counts == {"computed": 1, "cached": 2}
    assert victim.read_bytes() == sound


@pytest.mark.parametrize("off", ["0", "off"])
def test_the_cache_can_be_turned_off(monkeypatch, off):
    monkeypatch.setenv("SALIX_SEGMENT_CACHE", off)
    first, counts = load_all(STRETCH)
    assert counts == {}
    assert not folder().exists()
    monkeypatch.delenv("SALIX_SEGMENT_CACHE")
    np.testing.assert_array_equal(first, load_all(STRETCH)[0])


def test_a_folder_that_is_not_writable_is_noted_once(caplog):
    folder().parent.mkdir(parents=True)
    folder().write_text("a file in its place")
    first, counts = load_all(STRETCH)
    assert counts == {"computed": 3, "cached": 0}
    assert len(caplog.messages) == 1
    assert "SALIX_SEGMENT_CACHE=0" in caplog.messages[0]
    folder().unlink()
    np.testing.assert_array_equal(first, load_all(STRETCH)[0])


@pytest.mark.slow
def test_threads_and_processes_share_the_cache(tmp_path):
    pixels = np.asarray(STRETCHED.on_host(Image.fromarray(IMAGES[0])))
    np.save(tmp_path / "pixels.npy", pixels)
    code = "\n".join(
        (
            "import sys, numpy as np",
            "from salix.data.segment_cache import SegmentCache",
            "from salix.perturb.segmentation import SLIC",
            "labels = SegmentCache(SLIC(segments=(4, 9)))(np.load(sys.argv[1]))",
            "np.save(sys.argv[2], labels)",
        )
    )
    argument = str(tmp_path / "pixels.npy")
    processes = [
        subprocess.Popen([sys.executable, "-c", code, argument, str(tmp_path / f"{i}.npy")])
        for i in range(2)
    ]
    cache = SegmentCache(FEW)
    with ThreadPoolExecutor(4) as pool:
        labels = list(pool.map(cache, [pixels] * 8))
    assert [p.wait(120) for p in processes] == [0, 0]
    for other in (*labels, *(np.load(tmp_path / f"{i}.npy") for i in range(2))):
        np.testing.assert_array_equal(other, labels[0])
    assert len(files()) == 1  # no temporary file stays
    assert cache.read + cache.computed == 8


@dataclass(frozen=True)
class Halves:
    """A segmentation of the user, without a version."""

    bottom: int = 2
    dtype: type = np.uint16
    count: int = 2
    levels: int = 1

    def __call__(self, pixels):
        rows = np.repeat(np.array([1, self.bottom], self.dtype), 112)
        return np.repeat(rows[None, :, None], 224, axis=2)


def test_a_segmentation_without_a_version_is_not_cached():
    labels, counts = load_all(STRETCH, Halves())
    assert counts == {}
    assert not folder().exists()
    np.testing.assert_array_equal(labels[0][0, :, 0], np.repeat([1, 2], 8))


@pytest.mark.parametrize("wrong", [{"bottom": 3}, {"dtype": np.int64}, {"levels": 2}], ids=str)
def test_labels_that_break_the_contract_end_the_sweep(wrong):
    with pytest.raises(InputError, match="Halves returns labels"):
        load_all(STRETCH, Halves(**wrong))


@pytest.mark.parametrize("frame", [(224, 224), (100, 448)])
@pytest.mark.parametrize("to", [Preprocess((56, 112)), Preprocess((100, 50), fit="crop")])
def test_labels_are_those_at_the_centres_of_pixels(frame, to):
    """A slow loop over the model's pixels, each traced back to the image and to the labels."""
    labels = np.arange(2 * 224 * 224).reshape(2, 224, 224).astype(np.uint16)
    ours = sample_labels(labels, frame, to)
    left, top, right, bottom = to.box(*frame)
    height, width = to.size
    for y, x in [(0, 0), (height - 1, width - 1), (13, 7), (height // 2, width // 3)]:
        row = (top + (bottom - top) * (y + 0.5) / height) / frame[0]
        column = (left + (right - left) * (x + 0.5) / width) / frame[1]
        np.testing.assert_array_equal(ours[:, y, x], labels[:, int(row * 224), int(column * 224)])


def user_labels(masks, **options):
    segments = ImageSegments(UserMasks(masks, **options), ["a.jpg", "b.jpg"])
    image = np.zeros((30, 40, 3), np.uint8)
    return [segments.load(i, image, Preprocess((6, 8))) for i in range(2)]


LABELS = np.kron(np.array([[0, 1], [2, 300]]), np.ones((3, 4), int)).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif", "npy"])
def test_label_images_are_read_as_they_are(tmp_path, suffix):
    file = tmp_path / "masks" / f"a.{suffix}"
    file.parent.mkdir()
    np.save(file, LABELS) if suffix == "npy" else Image.fromarray(LABELS).save(file)
    first, second = user_labels(str(file.parent), count=300)
    np.testing.assert_array_equal(first[0], LABELS)
    assert not second.any()  # it has no file


def test_indices_of_a_palette_are_labels(tmp_path):
    image = Image.new("P", LABELS.shape[::-1])
    image.putdata((LABELS % 256).ravel().tolist())
    image.putpalette([7, 9, 11] * 256)
    image.save(tmp_path / "b.png")
    _, second = user_labels(tmp_path)
    np.testing.assert_array_equal(second[0], LABELS % 256)


def test_a_mapping_names_images_by_their_ids():
    first, second = user_labels({"b.jpg": LABELS}, count=300)
    assert not first.any()
    np.testing.assert_array_equal(second[0], LABELS)


def test_overlapping_masks_are_laid_out_on_levels():
    masks = np.zeros((4, 6, 8), bool)
    masks[0, :4], masks[1, 2:], masks[2, 5:], masks[3, :1] = True, True, True, True
    labels, _ = user_labels([masks, None], levels=2)
    for i, mask in enumerate(masks, 1):
        np.testing.assert_array_equal((labels == i).any(0), mask)
    assert [set(np.unique(level)) - {0} for level in labels] == [{1, 3}, {2, 4}]
    with pytest.raises(Unreadable, match=r"levels=2"):
        user_labels([masks, None])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (LABELS, r"count=300"),
        (LABELS.astype(float), "float64"),
        (np.array([[-1]]), "from -1"),
        (np.ones((2, 4, 4), int), "label 1 on several levels"),
        (np.zeros((0, 4, 4), bool), "shape"),
    ],
    ids=["count", "float", "negative", "levels", "empty"],
)
def test_an_unusable_item_is_the_reason_of_a_skipped_row(item, message):
    with pytest.raises(Unreadable, match=f"its segment masks: .*{message}"):
        user_labels([item, None], levels=2)


def test_colours_and_lossy_files_are_no_labels(tmp_path):
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.png")
    with pytest.raises(Unreadable, match="mode RGB"):
        user_labels(tmp_path)
    (tmp_path / "a.png").unlink()
    Image.fromarray(IMAGES[0, ..., 0]).save(tmp_path / "a.jpg")
    with pytest.raises(Unreadable, match=r"a.jpg"):
        user_labels(tmp_path)


def test_a_pickle_is_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(Unreadable, match=r"a.npy: ValueError"):
        user_labels(tmp_path)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"c.jpg": LABELS}, "c.jpg first"),
        ([LABELS], "1 items for 2 images"),
        (3, "give a folder"),
        ("nowhere", "contains no segment mask"),
    ],
    ids=["id", "length", "type", "folder"],
)
def test_masks_that_do_not_match_the_images_are_refused(masks, message):
    with pytest.raises(InputError, match=message):
        user_labels(masks)


def test_a_file_without_its_image_is_refused(tmp_path):
    Image.fromarray(LABELS).save(Path(tmp_path) / "c.png")
    with pytest.raises(InputError, match="have no image, c first"):
        user_labels(tmp_path)
