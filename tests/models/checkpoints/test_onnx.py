"""Reader of ONNX files: hand-made, damaged and hostile files."""

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix.models.checkpoints import formats, onnx, protobuf
from salix.models.checkpoints.onnx import read_onnx
from salix.typing import InputError

NUMBERS = {
    "f4": 1,
    "u1": 2,
    "i1": 3,
    "u2": 4,
    "i2": 5,
    "i4": 6,
    "i8": 7,
    "?": 9,
    "f2": 10,
    "f8": 11,
}
NUMBERS |= {"u4": 12, "u8": 13}


def varint(value: int) -> bytes:
    value, out = value & (1 << 64) - 1, b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name: str, array: np.ndarray, shape: Any = None, more: bytes = b"") -> bytes:
    dims = b"".join(number(1, n) for n in (array.shape if shape is None else shape))
    kind = number(2, NUMBERS[array.dtype.str[1:].replace("b1", "?")])
    return dims + kind + chunk(8, name.encode()) + chunk(9, array.tobytes()) + more


def model(*tensors: bytes) -> bytes:
    """A model with a version, a producer, and a graph of a node, the tensors and a name."""
    graph = chunk(1, chunk(4, b"MatMul")) + b"".join(chunk(5, t) for t in tensors)
    return number(1, 8) + chunk(2, b"salix") + chunk(7, graph + chunk(2, b"g"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


def test_raw_tensors_of_all_types(path: Path) -> None:
    rng = np.random.default_rng(0)
    stored = {k: rng.integers(0, 100, (2, 3)).astype(k) for k in NUMBERS}
    stored |= {"scalar": np.array(2.5, np.float32), "none": np.zeros((0, 3), np.int64)}
    path.write_bytes(model(*(tensor(name, array) for name, array in stored.items())))
    assert formats.kind(path) == "onnx"
    restored = formats.read(path)
    assert list(restored) == list(stored)
    for name, array in stored.items():
        np.testing.assert_array_equal(restored[name], array, strict=True)


def test_lists_of_numbers(path: Path) -> None:
    def packed(field: int, values: list[int]) -> bytes:
        return chunk(field, b"".join(map(varint, values)))

    def head(name: str, kind: int, count: int) -> bytes:
        return packed(1, [count]) + number(2, kind) + chunk(8, name.encode())

    tensors = [
        head("floats", 1, 2) + chunk(4, struct.pack("<2f", 0.5, -2)),
        head("doubles", 11, 1) + chunk(10, struct.pack("<d", 0.1)),
        head("small", 3, 4) + packed(5, [-1, 127, -128, 0]),
        head("one by one", 6, 3) + b"".join(number(5, v) for v in (7, -(2**31), 2**31 - 1)),
        head("long", 7, 3) + packed(7, [-(2**63), 2**63 - 1, 300]),
        head("unsigned", 13, 2) + packed(11, [2**64 - 1, 1]),
        head("half", 10, 2) + packed(5, [0x3C00, 0xC000]),
        head("brain", 16, 2) + packed(5, [0x3F80, 0xC000]),
    ]
    path.write_bytes(model(*tensors))
    restored = read_onnx(path)
    expected = {
        "floats": np.array([0.5, -2], np.float32),
        "doubles": np.array([0.1]),
        "small": np.array([-1, 127, -128, 0], np.int8),
        "one by one": np.array([7, -(2**31), 2**31 - 1], np.int32),
        "long": np.array([-(2**63), 2**63 - 1, 300]),
        "unsigned": np.array([2**64 - 1, 1], np.uint64),
        "half": np.array([1, -2], np.float16),
    }
    assert set(restored) == {*expected, "brain"}
    for name, array in expected.items():
        np.testing.assert_array_equal(restored[name], array, strict=True)
    assert restored["brain"].dtype.name == "bfloat16"
    np.testing.assert_array_equal(restored["brain"].astype(np.float32), [1, -2])


def quantised(q: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> bytes:
    parts = {"w_quantized": q, "w_scale": scale, "w_zero_point": zero}
    return model(*(tensor(name, array) for name, array in parts.items()))


def test_quantised_tensors_are_restored(path: Path) -> None:
    rng = np.random.default_rng(0)
    scale, zero = rng.uniform(0.1, 1, 3).astype(np.float32), np.array([0, -5, 127], np.int8)
    q = rng.integers(-128, 128, (4, 3)).astype(np.int8)
    path.write_bytes(quantised(q, scale, zero))
    restored = read_onnx(path)
    assert list(restored) == ["w"]
    assert restored["w"].dtype == np.float32
    for i in range(4):
        for o in range(3):
            assert restored["w"][i, o] == scale[o] * np.float32(int(q[i, o]) - int(zero[o]))
    q = rng.integers(0, 256, (3, 2, 1, 1)).astype(np.uint8)  # a convolution, by output
    zero = np.array([0, 128, 255], np.uint8)
    path.write_bytes(quantised(q, scale, zero))
    steps = q.astype(np.float32) - zero.reshape(3, 1, 1, 1)
    np.testing.assert_array_equal(read_onnx(path)["w"], scale.reshape(3, 1, 1, 1) * steps)
    path.write_bytes(quantised(q, np.array(0.5, np.float32), np.array(7, np.uint8)))
    np.testing.assert_array_equal(read_onnx(path)["w"], 0.5 * (q.astype(np.float32) - 7))


def test_scales_must_fit(path: Path) -> None:
    q, ones, zeros = np.zeros((4, 3), np.int8), np.ones(3, np.float32), np.zeros(3, np.int8)
    for content, message in [
        (model(tensor("w_quantized", q)), "lacks the scales of w_quantized"),
        (quantised(q, ones, zeros[:2]), "lacks the scales"),
        (quantised(q, ones[:2], zeros[:2]), "2 scales for w_quantized of shape"),
        (quantised(q, zeros, zeros), "no integers with scales"),
        (quantised(q.astype(np.float32), ones, zeros), "no integers with scales"),
    ]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_onnx(path)


ONE = np.ones(2, np.float32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an ONNX file"),
        (b"\x0b", "is not a protocol buffer"),
        (number(7, 1), "is not an ONNX file"),
        (chunk(7, number(5, 1)), "is not an ONNX file"),
        (model() + model(), "is not an ONNX file"),
        (model(), "contains no initialisers"),
        (b"\x3a" + varint(1 << 62), "is truncated"),
        (model(tensor("x", ONE))[:-1], "is truncated"),
        (b"\xff" * 11, "more than ten bytes"),
        (model(tensor("x", ONE), tensor("x", ONE)), "has x twice"),
        (model(tensor("x", ONE, more=number(14, 1))), "stores x in another file"),
        (model(tensor("x", ONE, (3,))), r"contains 2 elements of x, not \[3\]"),
        (model(tensor("x", ONE, (-1, -2))), "contains 2 elements of x"),
        (model(tensor("x", ONE, (1 << 62, 1 << 62))), "contains 2 elements of x"),
        (model(tensor("x", ONE, (2,) + (1,) * 64)), "contains 2 elements of x"),
        (model(tensor("x", ONE, more=number(2, 8))), "contains x of an unknown type"),
        (model(tensor("x", ONE, more=chunk(2, b"1"))), "unknown type"),
        (model(tensor("x", ONE, more=number(9, 1))), "malformed list"),
        (model(tensor("x", ONE, more=chunk(9, b"abc"))), "broken number of elements"),
        (model(tensor("x", ONE, more=number(8, 1))), "malformed name"),
        (model(tensor("x", ONE, more=chunk(8, b"\xff\xfe"))), "damaged, or not an ONNX file"),
        (model(tensor("x", ONE, more=chunk(1, b"\x80"))), "malformed list"),
        (model(tensor("x", ONE, more=chunk(1, b"\x80" * 10 + b"\x01"))), "malformed list"),
        (model(tensor("x\n" * 99, ONE, (3,))), r"elements of x\\nx\\n"),
    ],
)
def test_hostile_files_are_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_no_damage_is_fatal(path: Path) -> None:
    packed = number(1, 4) + number(2, 3) + chunk(8, b"p") + chunk(5, bytes([1, 2, 3, 4]))
    intact = model(
        tensor("a", np.arange(6, dtype=np.int16).reshape(2, 3)), tensor("b", ONE), packed
    )
    rng = np.random.default_rng(0)
    shorter = [intact[:n] for n in range(len(intact))]
    damaged = []
    for _ in range(600):
        data = bytearray(intact)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            data[at] = rng.integers(0, 256)
        damaged.append(bytes(data))
    refused = 0
    for data in shorter + damaged:
        path.write_bytes(data)
        with warnings.catch_warnings(action="ignore"):  # a NaN may be cast
            try:
                read_onnx(path)
            except InputError:
                refused += 1
    assert refused > len(shorter) + 150


def test_fields_without_number_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, kind = b"\x08\x01", number(2, 1)
    for hostile in (
        start * 10**6,  # dimensions
        kind + number(5, 1) * 10**6,  # integers that are not packed
        kind + b"\x25\0\0\0\0" * 10**6,  # numbers of four bytes
    ):
        path.write_bytes(model(hostile))
        with pytest.raises(InputError, match="has a message of more than 128 fields"):
            read_onnx(path)
    path.write_bytes(b"\x80" * 10**6)
    with pytest.raises(InputError, match="a number of more than ten bytes"):
        read_onnx(path)
    with pytest.raises(InputError, match="more than 100 fields"):
        list(protobuf.fields(memoryview(start * 101), 100))
    monkeypatch.setattr(onnx, "_TENSORS", 10)
    path.write_bytes(model(*(tensor(str(i), ONE) for i in range(11))))
    with pytest.raises(InputError, match="of at most 10 tensors"):
        read_onnx(path)


def test_a_folder_is_read_with_the_heads_beside_it(path: Path) -> None:
    folder, head = path.parent, path.parent / "head.json"
    with pytest.raises(InputError, match="no such file"):
        formats.kind(path)
    with pytest.raises(InputError, match="contains 0 ONNX files, not one"):
        read_onnx(folder)
    path.write_bytes(model(tensor("x", ONE)))
    head.write_text(json.dumps({"weights": [0.5, 1], "bias": -2, "note": "ignored"}))
    assert formats.kind(folder) == "onnx"
    restored = formats.read(folder)
    np.testing.assert_array_equal(restored["head.weights"], np.array([0.5, 1], np.float32))
    assert (restored["head.bias"], list(restored)) == (-2, ["x", "head.weights", "head.bias"])
    for wrong in (
        "",
        "[]",
        "{}",
        '{"weights": ["a"], "bias": 0}',
        '{"weights": [[1], []], "bias": 0}',
        "[" * 100_000,
        '{"weights": {}, "bias": 1}',
        "1" * 5000,
    ):
        head.write_text(wrong)
        with pytest.raises(InputError, match=r"head\.json: no linear head in JSON"):
            read_onnx(folder)
    head.unlink()
    (folder / "other.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="contains 2 ONNX files"):
        read_onnx(folder)
