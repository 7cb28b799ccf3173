"""Source of TensorFlow data sets: a small one, prepared without TensorFlow."""

import contextlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from salix.data import Joined, Unlabelled, Unreadable, image_batches, open_source
from salix.data.datasets import Dataset, open_dataset
from salix.preprocess import Preprocess
from salix.typing import InputError

TRAIN, TEST = 56, 4  # over 16 a file: TensorFlow would read by turns
FORMATS = ["array_record", "parquet"]
if importlib.util.find_spec("tensorflow"):
    FORMATS.append("tfrecord")

BUILDER = """
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.features import ClassLabel, Image, Scalar, Sequence, Text

FOLDER = Path(__file__).parent


class NAME(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = {
            "image": Image(), "map": Image(shape=(None, None, 1)),
            "label": ClassLabel(names=["real", "fake"]), "filename": Text(), "twice": Text(),
            "number": Scalar(np.int64), "score": Scalar(np.float32), "parts": Sequence(np.int64),
        }
        if "NAME" == "Bare":
            features = {"image": Image(), "label": Scalar(np.float32)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        counts = {"train": TRAIN, "test": TEST}
        return {of: self._generate_examples(of, n) for of, n in counts.items()}

    def _generate_examples(self, split, count):
        for i in range(count):
            example = {
                "image": FOLDER / f"{split}-{i}.png", "map": FOLDER / f"map-{i}.png",
                "label": -1 if i == 3 else i % 2,
                "filename": f"{split}/é{i}.png", "twice": "same", "number": 100 + i,
                "score": 0.5, "parts": [i] * (i % 3),
            }
            if "NAME" == "Bare":
                example = {"image": example["image"], "label": 0.5}
            yield i, example
"""


def truth(split, i):
    """Return pixels, map and label of the example that was made as the i-th."""
    pixels = np.full((6 + i, 8, 3), 4 * i + (split == "test"), np.uint8)
    return pixels, np.full((2, 3), 4 * i, np.uint8), None if i == 3 else ("real", "fake")[i % 2]


def relist(folder, length):
    """Set the number of examples that a prepared data set lists for each of its files."""
    about = next(folder.rglob("dataset_info.json"))
    info = json.loads(about.read_text())
    for split in info["splits"]:
        split["shardLengths"] = [str(length)] * len(split["shardLengths"])
    about.write_text(json.dumps(info))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder with a folder for each format, each with the prepared data sets `toy` and `bare`."""
    tfds = pytest.importorskip("tensorflow_datasets")
    root = tmp_path_factory.mktemp("tfds")
    package = root / "toys"
    package.mkdir()
    (package / "__init__.py").touch()
    for i in range(TRAIN):
        Image.fromarray(truth("train", i)[0]).save(package / f"train-{i}.png")
        Image.fromarray(truth("test", i)[0]).save(package / f"test-{i}.png")
        Image.fromarray(truth("train", i)[1]).save(package / f"map-{i}.png")
    for name in ("Toy", "Bare"):
        text = BUILDER.replace("NAME", name)
        text = text.replace("TRAIN", str(TRAIN)).replace("TEST", str(TEST))
        (package / f"{name.lower()}.py").write_text(text)
    shards = tfds.download.DownloadConfig(num_shards=3)
    # Not registered, they are found by their files alone; the module's name must be importable.
    with (
        pytest.MonkeyPatch.context() as patch,
        tfds.core.registered.skip_registration(),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        patch.syspath_prepend(root)
        for name in ("Toy", "Bare"):
            build = getattr(importlib.import_module(f"toys.{name.lower()}"), name)
            for format in FORMATS if name == "Toy" else FORMATS[:1]:
                builder = build(data_dir=root / format, file_format=format)
                builder.download_and_prepare(download_config=shards)
    return root


@pytest.fixture
def data(made):
    """Function that opens a split of `toy` in one format."""
    return lambda format=FORMATS[0], split="train", **options: Dataset(
        "toy", split, data_dir=made / format, **options
    )


def test_array_record_files_are_read_without_their_builder(made):
    files = sorted(map(str, (made / "array_record").rglob("toy-train.array_record*")))
    assert len(files) == 3
    source, expected = open_source(files), Dataset("toy", "train", data_dir=made / "array_record")
    assert [f"train/{id}" for id in source.ids] == [*expected.ids]
    assert [None if n is None else ("real", "fake")[n] for n in source.labels] == [*expected.labels]
    for i in (0, 20, TRAIN - 1):
        np.testing.assert_array_equal(source.read(i), expected.read(i))
        np.testing.assert_array_equal(source.reference_mask(i), expected.reference_mask(i))


@pytest.mark.parametrize("format", FORMATS)
def test_every_example_is_read(data, format):
    source = data(format)
    numbers = [int(id.removeprefix("train/train/é").removesuffix(".png")) for id in source.ids]
    assert sorted(numbers) == list(range(TRAIN))
    assert numbers != sorted(numbers)  # stored in another order
    assert source.has_reference_masks
    for position, i in enumerate(numbers):
        pixels, mask, label = truth("train", i)
        np.testing.assert_array_equal(np.asarray(source.read(position)), pixels)
        np.testing.assert_array_equal(source.reference_mask(position), mask)
        assert source.labels[position] == label


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("split", "taken"),
    [
        ("train[:4]", [("train", range(4))]),
        ("train[5:9]+test", [("train", range(5, 9)), ("test", range(TEST))]),
        ("test+train[-2:]", [("test", range(TEST)), ("train", range(TRAIN - 2, TRAIN))]),
        ("train[7:]+train[:2]", [("train", [*range(7, TRAIN), 0, 1])]),
        ("all", [("train", range(TRAIN)), ("test", range(TEST))]),
        ("train[:50%]", [("train", range(28))]),
    ],
)
def test_parts_have_the_ids_of_the_full_split(data, format, split, taken):
    part = data(format, split, key="")
    assert list(part.ids) == [f"{name}/{i:08d}" for name, indices in taken for i in indices]
    full = {name: data(format, name) for name in ("train", "test")}
    rows = [(full[name], i) for name, indices in taken for i in indices]
    assert list(data(format, split).ids) == [source.ids[i] for source, i in rows]
    assert list(part.labels) == [source.labels[i] for source, i in rows]
    for position, (source, i) in enumerate(rows):
        np.testing.assert_array_equal(np.asarray(part.read(position)), np.asarray(source.read(i)))


@pytest.mark.parametrize("format", FORMATS)
def test_formats_agree(data, format):
    first, other = data(), data(format)
    assert (first.ids, first.labels) == (other.ids, other.labels)


def test_a_source_for_the_command_line(data, made, monkeypatch):
    import tensorflow_datasets as tfds

    original = tfds.builder
    monkeypatch.setattr(
        tfds, "builder", lambda name, data_dir: original(name, data_dir=made / FORMATS[0])
    )
    for text in ("tfds:toy:train[:3]", "tfds:toy:1.2.0:train[:3]", "tfds:toy:1.*.*:train[:3]"):
        assert open_source([text]).ids == data(split="train[:3]").ids
    folder = made / "toys"
    both = open_source(["tfds:toy:test", f"real={folder}"])
    assert isinstance(both, Joined)
    assert Counter(id.split("/")[0] for id in both.ids) == {"toy:test": 4, "real": 3 * TRAIN}
    (batch,) = image_batches(Unlabelled(both), Preprocess((4, 4)), 4, [0], 2)
    assert batch.valid.all()
    assert batch.examples["reference_mask"].any((1, 2)).sum() == 3  # the map of the first is black
    with pytest.raises(InputError, match="leave out fake="):
        open_source(["fake=tfds:toy:test"])


def test_a_data_set_is_known_by_its_files_range_and_features(made, tmp_path):
    def identity(root, split="train[:50%]", **options):
        return Dataset("toy", split, data_dir=root, **options).identity()

    moved = shutil.copytree(made / "array_record", tmp_path / "moved")
    first = identity(made / "array_record")
    assert identity(moved) == first
    assert identity(moved, "train[50%:]") != first
    assert identity(moved, image="map") != first
    file = sorted(moved.rglob("*train*.array_record*"))[-1]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    assert identity(moved)["files"] != first["files"]


def test_own_keys_and_features(data, made):
    assert data(key="number").ids[0].startswith("train/1")
    assert not data(map="").has_reference_masks
    assert data(map="").reference_mask(0) is None
    assert set(data(label="").labels) == {None}
    np.testing.assert_array_equal(np.asarray(data(image="map").read(0)), data().reference_mask(0))
    with pytest.raises(InputError, match="'twice' is repeated, train/same first"):
        data(key="twice").ids  # noqa: B018
    bare = Dataset("bare", "test", data_dir=made / FORMATS[0])
    assert not bare.has_reference_masks
    assert list(bare.ids) == [f"test/{i:08d}" for i in range(TEST)]
    assert list(bare.labels) == [None] * TEST  # a feature called label that is no class


def test_floats_are_no_pictures(made, tmp_path):
    shutil.copytree(made / FORMATS[0] / "bare", tmp_path / "bare")
    about = next(tmp_path.rglob("features.json"))
    text = about.read_text().replace('"uint8"', '"float32"').replace('"3"', '"1"')
    about.write_text(text)
    with pytest.raises(InputError, match=r"can be its image; .* one of another data set"):
        Dataset("bare", "test", data_dir=tmp_path)


def test_ids_by_position_read_nothing(data, made, tmp_path, monkeypatch):
    shutil.copytree(made / FORMATS[0], tmp_path / "x")
    relist(tmp_path / "x" / "bare", 1_000_000)
    for file in (tmp_path / "x" / "bare").rglob("*array_record*"):
        file.unlink()
    source = Dataset("bare", "test[10:]", data_dir=tmp_path / "x")
    assert len(source.ids) == 2_999_990
    assert source.ids[-1] == "test/02999999"
    with pytest.raises(Unreadable, match="its record: "):
        source.read(0)


def test_broken_records_are_counted_and_reported(data, made, tmp_path):
    shutil.copytree(made / FORMATS[0], tmp_path / "x")
    for file in (tmp_path / "x/toy").rglob("*test*00001-of*"):
        content = bytearray(file.read_bytes())
        middle = len(content) // 2
        content[middle - 200 : middle + 200] = bytes(400)
        file.write_bytes(content)
    source = Dataset("toy", "test", data_dir=tmp_path / "x")
    with pytest.warns(
        UserWarning, match=r"[12] records? of tfds:toy:test cannot be read \(example"
    ):
        labels = list(source.labels)
    intact = list(data(split="test").labels)
    assert len(labels) == TEST
    broken = [
        i for i in range(TEST) if labels[i] != intact[i] or source.ids[i].endswith(f"{i:08d}")
    ]
    assert 0 < len(broken) < TEST
    for i in broken:
        assert source.ids[i] == f"test/{i:08d}"
        with pytest.raises(Unreadable, match="its record: "):
            source.read(i)
    (batch,) = image_batches(source, Preprocess((4, 4)), TEST, [0], 2)
    assert list(batch.reasons) == broken


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "val"}, r"tfds:toy:val: Unknown split 'val'.*; there are train, test"),
        ({"split": "train[:"}, "Error parsing split"),
        ({"split": "train[:99]"}, "incompatible with 56 examples"),
        ({"split": "train[4:2]"}, "contains no example"),
        ({"split": "train[3:3]"}, "contains no example"),
        ({"split": "train+train[:2]"}, "has examples of train twice"),
        (
            {"image": "picture"},
            r"'picture' is not a feature that can be its image.* of image, map$",
        ),
        ({"image": ""}, "'' is not a feature that can be its image"),
        ({"label": "filename"}, r"can be its label; give Dataset\(label=\) one of label$"),
        ({"map": "label"}, "can be its map"),
        ({"key": "score"}, "can be its key; .* one of filename, number, twice"),
    ],
)
def test_unknown_names_are_reported(data, options, message):
    with pytest.raises(InputError, match=message):
        data(**options)


@pytest.mark.parametrize("name", ["toyz", "toy:9.9.9", "toy/none", "mnist", "no name"])
def test_a_data_set_that_is_not_prepared(made, name):
    with pytest.raises(InputError, match=f"tfds:{name}:train.*TFDS_DATA_DIR"):
        Dataset(name, "train", data_dir=made / FORMATS[0])


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "array_record"])
def test_memory_is_limited(data, format):
    with pytest.raises(InputError, match=r"over 1,000, as its files are not array_record"):
        data(format, memory=1000)
    if format == "tfrecord":
        assert len(data(format, "train[:2]", memory=1000).ids) == 2


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "array_record"])
def test_files_with_missing_examples(made, tmp_path, format):
    shutil.copytree(made / format, tmp_path / "x")
    relist(tmp_path / "x" / "toy", 6)
    messages = {
        "parquet": "^tfds:toy:test: the files of test contain 4 examples of 18: run tfds build",
        "tfrecord": "^tfds:toy:test: .* contain 18 elements but .* only 4.*; prepare it anew$",
    }
    with pytest.raises(InputError, match=messages[format]):
        Dataset("toy", "test", data_dir=tmp_path / "x")


def test_files_that_only_tensorflow_reads(made, tmp_path, monkeypatch):
    shutil.copytree(made / FORMATS[0], tmp_path / "x")
    about = next((tmp_path / "x" / "toy").rglob("dataset_info.json"))
    about.write_text(about.read_text().replace('"array_record"', '"tfrecord"'))
    for file in about.parent.glob("*array_record*"):
        file.rename(str(file).replace("array_record", "tfrecord"))
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "tensorflow" else find(n, *a)
    )
    with pytest.raises(InputError, match=r"tfrecord, which TensorFlow alone reads: .*tfds build"):
        Dataset("toy", "train", data_dir=tmp_path / "x")
    if "tfrecord" in FORMATS:
        monkeypatch.undo()
        with pytest.raises(InputError, match="prepare it anew"):
            Dataset("toy", "train", data_dir=tmp_path / "x")


@pytest.mark.parametrize(
    "text", ["tfds:", "tfds:toy", "tfds:toy:", "tfds:toy:1.0.0", "tfds::train"]
)
def test_a_place_without_a_split(text):
    with pytest.raises(InputError, match="write tfds:NAME:SPLIT"):
        open_dataset(text)


def test_a_missing_package_is_reported_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"pip install 'salix\[tfds\]'"):
        open_source(["tfds:mnist:train[:100]"])


@pytest.mark.skipif("tfrecord" not in FORMATS, reason="there is no TensorFlow")
def test_reading_does_not_import_tensorflow(made):
    code = (
        "import sys; from salix.data.datasets import Dataset; from pathlib import Path\n"
        f"d = Dataset('toy', 'test', data_dir=Path({str(made / FORMATS[0])!r}))\n"
        "d.read(0), d.labels, print('tensorflow' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
