"""ArrayRecord files of tf.train.Example: features, ids, damage, and files that mean harm."""

import io
import os
import pickle
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from salix.data import Records, Unreadable, image_batches, open_source, record_index
from salix.data.class_labels import class_indices
from salix.data.content import source_identity
from salix.data.record_chunks import check_chunks
from salix.data.tf_examples import parse_example
from salix.preprocess import Preprocess
from salix.typing import InputError

array_record = pytest.importorskip("array_record.python.array_record_module")


def png(grey, shape=(8, 8, 3)):
    file = io.BytesIO()
    Image.fromarray(np.full(shape, grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def varint(number):
    number &= (1 << 64) - 1
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(**features):
    """Return the bytes of a tf.train.Example, by the format alone."""
    entries = b""
    for name, value in features.items():
        values = value if isinstance(value, list) else [value]
        if isinstance(values[0], bytes):
            kind = field(1, b"".join(field(1, v) for v in values))
        elif isinstance(values[0], float):
            kind = field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
        else:  # integers, one by one, as old writers leave them unpacked
            kind = field(3, b"".join(b"\x08" + varint(v) for v in values))
        entries += field(1, field(1, name.encode()) + field(2, kind))
    return field(1, entries)


def write(path, records, options="group_size:1"):
    writer = array_record.ArrayRecordWriter(str(path), options)
    for record in records:
        writer.write(record)
    writer.close()
    return path


def greys(source):
    return [int(np.asarray(source.read(i)).max()) for i in range(len(source.ids))]


@pytest.fixture
def files(tmp_path):
    for k in range(2):
        records = [example(image=png(10 * k + i), label=i % 2) for i in range(3)]
        write(tmp_path / f"toy-test.array_record-{k:05d}-of-00002", records)
    return tmp_path


def test_messages_are_parsed():
    features = parse_example(example(a=b"x", b=[1, -2], c=[0.5, 2.0], d=[b"y", b""]))
    assert {name: [*values] for name, values in features.items()} == {
        "a": [b"x"], "b": [1, -2], "c": [0.5, 2.0], "d": [b"y", b""],
    }  # fmt: skip
    assert parse_example(b"") == {}
    for broken in (b"\xff" * 9, example(a=b"text")[:-2], b"no message"):
        with pytest.raises(ValueError, match=r"it is no tf\.train\.Example"):
            parse_example(broken)


def test_files_are_gathered_by_class(files, monkeypatch):
    monkeypatch.chdir(files)
    names = sorted(os.listdir(files))
    source = open_source(names)
    assert [*source.ids][2:4] == [
        "toy-test-00000-of-00002/00000002",
        "toy-test-00001-of-00002/00000000",
    ]
    assert greys(source) == [0, 1, 2, 10, 11, 12]
    assert class_indices(source.labels, source.ids, ("a", "b"), model="m") == (0, 1, 0) * 2
    pattern = open_source(["toy-test.array_record-{00000..00001}-of-00002"])
    assert [*pattern.ids] == [*source.ids]
    shutil.copy(names[0], "plain")
    assert greys(open_source(["array_record:plain"])) == [0, 1, 2]
    source = open_source([f"real={names[0]}", "fake=array_record:plain"])
    assert [*source.labels] == ["real"] * 3 + ["fake"] * 3
    assert source.ids[0] == "real/00000000"


def test_features_of_a_record(tmp_path):
    records = [
        example(image=png(1), label=b"fake", group=7, filename=b"a/\xff.png", map=png(9, (4, 4))),
        example(**{"image/encoded": png(2), "id": 12, "label": -1}),
        example(image=b"no image", label=[1, 2]),
        example(image=3),
        example(text=b"no image"),
        b"no message",
    ]
    source = open_source([str(write(tmp_path / "a.array_record", records))])
    assert [*source.ids] == ["a/\\xff.png", "12", *(f"{i:08d}" for i in range(2, 6))]
    assert [*source.labels] == ["fake", *[None] * 5]
    assert [*source.groups] == ["7", *[None] * 5]
    assert source.has_reference_masks
    assert source.reference_mask(0).tolist() == [[9] * 4] * 4
    assert source.reference_mask(1) is None
    assert int(np.asarray(source.read(1)).max()) == 2
    reasons = ("not an image", "image of its record is no", "none of the features", "no tf.train")
    for index, reason in enumerate(reasons, 2):
        with pytest.raises(Unreadable, match=reason):
            source.read(index)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "a.array_record contains no record"),
        ([example(id=b"x"), example(id=b"x")], "two images with the id 'x'"),
        ([example(label=0.5)], "a.array_record, record 0: label 0.5 is a float"),
    ],
)
def test_contents_that_are_refused(tmp_path, records, message):
    with pytest.raises(InputError, match=message):
        Records((write(tmp_path / "a.array_record", records),))


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "footer", "pipe", "gone"])
def test_damaged_files_are_refused_on_one_line(files, damage):
    path = next(files.glob("*00000-of*"))
    content = path.read_bytes()
    path.unlink()
    if damage == "pipe":
        os.mkfifo(path)
    elif damage != "gone":
        footer = content[:-65_536] + bytes(4096) + content[-61_440:]
        text = b"text" * 50_000
        changed = {"truncated": content[:70_000], "text": text, "empty": b"", "footer": footer}
        path.write_bytes(changed[damage])
    with pytest.raises(InputError, match=r"is no ArrayRecord file, or damaged|cannot be read") as e:
        open_source([str(path)])
    assert "\n" not in str(e.value)
    assert path.name in str(e.value)


def test_a_damaged_record_is_a_skipped_row(tmp_path):
    path = write(
        tmp_path / "a.array_record",
        [example(image=png(0), label=i % 2, note=os.urandom(500)) for i in range(9)],
    )
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(content)
    source = open_source([str(path)])
    assert len(source.ids) == 9
    (batch,) = image_batches(source, Preprocess((8, 8)), 9, [0], 2)
    ((index, reason),) = batch.reasons.items()
    assert [*source.labels] == [None if i == index else i % 2 for i in range(9)]
    assert reason.startswith("its record: Corrupted Riegeli/records file: chunk data hash")


def test_a_file_that_is_changed_meanwhile_skips_its_images(files):
    source = open_source([str(next(files.glob("*00000-of*")))])
    os.truncate(source.files[0], 100)
    with pytest.raises(Unreadable, match="damaged or truncated"):
        source.read(0)


def test_chunks_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    for options in ("group_size:1", "group_size:7", "uncompressed", "transpose:true"):
        sizes = [0, 10, 65_400, *range(65_430, 65_480, 3), 200_000]
        path = write(tmp_path / "a.array_record", map(os.urandom, sizes), options)
        check_chunks(path, path.stat().st_size)
    bomb = write(tmp_path / "bomb.array_record", [b"", bytes(2_000_000)])
    assert bomb.stat().st_size < 200_000
    monkeypatch.setattr("salix.data.record_chunks.MAX_FILE", 1_000_000)
    with pytest.raises(InputError, match=r"bomb.array_record has a chunk of 2 MB when unpacked"):
        open_source([str(bomb)])


def test_addresses_and_a_missing_package_are_refused(files, monkeypatch):
    with pytest.raises(InputError, match="files are read from this machine: copy it here"):
        open_source(["memory://bucket/a.array_record"])
    monkeypatch.setattr(record_index, "MODULE", "array_record.gone")
    record_index._reader.cache_clear()
    with pytest.raises(InputError, match=r"pip install 'salix\[array-record\]'"):
        open_source([str(next(files.glob("*00000-of*")))])


def test_the_content_decides_the_identity(files):
    first, second = sorted(files.iterdir())
    before = source_identity(Records((first,)), full=False)
    assert (
        source_identity(Records((first.rename(files / "moved.array_record"),)), full=False)
        == before
    )
    assert source_identity(Records((second,)), full=False) != before


def test_threads_and_copies_read_one_file(files):
    source = open_source([str(p) for p in sorted(files.iterdir())])
    copy = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(8) as pool:
        images = [*pool.map(copy.read, [*range(6)] * 50)]
    assert [int(np.asarray(i).max()) for i in images[-6:]] == greys(source)


@pytest.mark.slow
def test_random_damage_is_one_line_or_skipped_rows(tmp_path):
    rng = np.random.default_rng(0)
    records = [example(image=png(i), note=rng.bytes(300)) for i in range(12)]
    content = write(tmp_path / "a.array_record", records).read_bytes()
    outcomes = set()
    for k in range(100):
        damaged = bytearray(content)
        for place in rng.integers(0, (9000, len(content))[k % 2], 2):
            damaged[place] = rng.integers(256)
        path = tmp_path / f"{k}.array_record"
        path.write_bytes(damaged)
        try:
            source = Records((path,))
            for i in range(len(source.ids)):
                source.read(i)
        except (InputError, Unreadable) as error:
            outcomes.add(f"{type(error).__name__} {str(error).count(chr(10))}")
    assert outcomes == {"InputError 0", "Unreadable 0"}
