"""Objects beside the tensors of a checkpoint: dropped, whatever they are, and never made."""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import pathlib
import pickle
import re
import struct
import types
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix.models.checkpoints.torch import MAGIC, PROTOCOL, is_pickle, read_torch
from salix.typing import InputError

CALLED: list[str] = []  # what the objects below did when a file was read


class Colour(enum.Enum):
    """A member of an enumeration is a call of its class."""

    RED = 1


@dataclasses.dataclass
class Config:
    """A configuration with a state."""

    rate: float = 0.1
    inner: Any = None


class Remembers:
    """An object that would know if it were made again."""

    def __init__(self) -> None:
        self.value = 1

    def __setstate__(self, state: Any) -> None:
        CALLED.append("setstate")


class Attributes(dict):
    """A dict of another class, as of easydict and Lightning."""


def remade(*arguments: Any) -> Any:
    """Constructor that a file names."""
    CALLED.append("remade")
    return arguments


class Reduced:
    """An object that is made by a function."""

    def __reduce__(self) -> Any:
        return remade, (1, "x"), {"state": 2}, iter([1]), iter([("k", 1)])


Point = collections.namedtuple("Point", "x y")


def endless() -> argparse.Namespace:
    """A namespace that refers to itself."""
    loop = argparse.Namespace()
    loop.itself = [loop, {"again": loop}]
    return loop


LEAVES: dict[str, Any] = {
    "float64": np.float64(0.9),
    "int64": np.int64(3),
    "bool_": np.bool_(True),
    "dtype": np.dtype("f4"),
    "array of texts": np.array(["real", "fake"]),
    "array of objects": np.array([{"a": 1}, None], dtype=object),
    "array of records": np.zeros(2, [("x", "f4"), ("y", "i4")]),
    "array of dates": np.array(["2024-01-01"], "datetime64[D]"),
    "generator": np.random.default_rng(0),
    "state of random": np.random.RandomState(0).get_state()[0],
    "namespace": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/x")),
    "simple namespace": types.SimpleNamespace(a=1),
    "endless": endless(),
    "path": pathlib.PurePosixPath("/data/x"),
    "counter": collections.Counter([30, 60]),
    "counter of tuples": collections.Counter([(1, 2)]),
    "defaultdict": collections.defaultdict(dict, a=1),
    "ordered": collections.OrderedDict(a=1),
    "deque": collections.deque([1.0, 2.0], maxlen=5),
    "chain": collections.ChainMap({"a": 1}),
    "set": {1, 2},
    "empty set": set(),
    "frozenset": frozenset({"a"}),
    "enum": Colour.RED,
    "dataclass": Config(inner=Config()),
    "datetime": datetime.datetime(2024, 1, 2, 3, 4),
    "timedelta": datetime.timedelta(seconds=3),
    "timezone": datetime.UTC,
    "partial": functools.partial(remade, 1),
    "function": remade,
    "builtin": len,
    "type": Config,
    "setstate": Remembers(),
    "reduced": Reduced(),
    "dict of a class": Attributes(lr=0.1, inner=Attributes(a=1)),
    "named tuple": Point(1, 2),
    "decimal": decimal.Decimal("0.1"),
    "uuid": uuid.UUID(int=3),
    "pattern": re.compile("a+"),
    "range": range(3),
    "slice": slice(1, 2),
    "complex": 1j,
    "bytes": b"abc",
    "bytearray": bytearray(b"abc"),
    "exception": ValueError("x"),
    "keys of all kinds": {None: 1, 1.5: 2, (1, 2): 3, True: 4, b"k": 5, Colour.RED: 6},
    "history": [{"loss": 0.5, "epoch": i} for i in range(200)],
}
FORMS = [(True, 2), (True, 5), (False, 2), (False, 4)]


@pytest.mark.parametrize(("new", "protocol"), FORMS)
def test_every_object_beside_tensors_is_dropped(tmp_path: Path, new: bool, protocol: int) -> None:
    torch: Any = pytest.importorskip("torch")
    weight = torch.arange(3.0)
    own = {"device": torch.device("cpu"), "size": torch.Size([1, 2]), "type": torch.float16}
    own["layout"] = torch.strided
    for name, leaf in (LEAVES | own).items():
        tree = {"state_dict": {"weight": weight}, "extra": leaf, "in a list": [leaf, 1]}
        path = tmp_path / "c.pth"
        torch.save(tree, path, _use_new_zipfile_serialization=new, pickle_protocol=protocol)
        arrays = read_torch(path)
        assert list(arrays) == ["state_dict.weight"], name
        np.testing.assert_array_equal(arrays["state_dict.weight"], weight.numpy())
    assert CALLED == []


def test_a_long_history_is_no_attack(tmp_path: Path) -> None:
    tree = {"weight": np.ones(2, "f4"), "loss": [0.5] * 200_000}
    (tmp_path / "c.pkl").write_bytes(pickle.dumps(tree, 4))
    assert list(read_torch(tmp_path / "c.pkl")) == ["weight"]


def test_state_of_schedules_and_optimisers(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    net = torch.nn.Linear(2, 2)
    adam = torch.optim.AdamW(net.parameters())
    schedules = [
        torch.optim.lr_scheduler.MultiStepLR(adam, [3, 5]),
        torch.optim.lr_scheduler.OneCycleLR(adam, 0.1, 10),
        torch.optim.lr_scheduler.LambdaLR(adam, remade_rate),
    ]
    checkpoint = {
        "net": net.state_dict(),
        "adam": adam.state_dict(),
        "schedules": [schedule.state_dict() for schedule in schedules],
        "object": schedules[0],
        "rng": torch.get_rng_state(),
    }
    torch.save(checkpoint, tmp_path / "c.ckpt")
    assert set(read_torch(tmp_path / "c.ckpt")) == {"net.weight", "net.bias", "rng"}


def remade_rate(epoch: int) -> float:
    """Factor of the learning rate."""
    CALLED.append("rate")
    return 1.0


ARRAYS = {
    "float": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big": np.arange(3, dtype=">f4"),
    "half": np.arange(3, dtype=np.float16),
    "int": np.arange(4, dtype=np.int64),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
    "scalar": np.array(2.5),
    "bytes": np.arange(256, dtype=np.uint8),
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("suffix", [".pkl", ".p", "", ".bin"])
def test_arrays_of_numpy_are_weights(tmp_path: Path, protocol: int, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(pickle.dumps({"net": ARRAYS, "epoch": np.int64(3)}, protocol))
    actual = read_torch(path)
    assert list(actual) == [f"net.{name}" for name in ARRAYS]
    for name, array in ARRAYS.items():
        native = array.astype(array.dtype.newbyteorder("="))
        np.testing.assert_array_equal(actual[f"net.{name}"], native, strict=True)


def test_files_are_known_by_their_first_bytes() -> None:
    for protocol in range(2, 6):
        assert is_pickle(pickle.dumps(MAGIC, protocol)[:9])
        assert is_pickle(pickle.dumps({"a": 1}, protocol)[:9])
    for length in (0x0280, 0x0480, 0x280280, 0x8A0280, 0x950480):  # of a safetensors header
        assert not is_pickle(struct.pack("<Q", length) + b"{")
    for other in (b"", b"\x80", b"\x80\x01", b"\x89HDF\r\n\x1a\n\0", b"hello"):
        assert not is_pickle(other)


def raw(value: Any) -> bytes:
    """The opcodes of a value, without the frame of a file."""
    return pickle.dumps(value, 2)[2:-1]


def legacy(path: Path, program: bytes, keys: bytes) -> Path:
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {}))
    path.write_bytes(head + program + keys)
    return path


def multiplied(name: bytes) -> bytes:
    """Sixty tuples, each of the last one twice: hashing it takes 2^60 steps."""
    return name + b")" + b"0" + b")" + b"".join(b"q\x01h\x01\x86" for _ in range(60))


BOMBS = {
    "tuples in tuples": b"\x80\x02)" + b"\x85" * 30_000 + b".",
    "a key to hash": b"\x80\x02}" + multiplied(b"") + b"Ns.",
    "marks on marks": b"\x80\x02cos\nsystem\n" + b")R" * 30_000 + b".",
    "states of marks": b"\x80\x02cos\nsystem\n)R" + b"}b" * 30_000 + b".",
    "a memo of huge numbers": b"\x80\x02" + b"Nr\xff\xff\xff\xff0" * 20_000 + b"N.",
    "pops of nothing": b"\x80\x02" + b"0" * 10 + b".",
    "duplicates": b"\x80\x02]" + b"2" * 30_000 + b".",
    "marks in marks": b"\x80\x02" + b"(" * 30_000 + b".",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_programs_that_grow_are_refused(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(BOMBS[bomb])
    with pytest.raises(InputError, match=r"net\.pth: "):
        read_torch(path)
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {}))
    path.write_bytes(head + BOMBS[bomb] + pickle.dumps([]))
    with pytest.raises(InputError, match=r"net\.pth: "):
        read_torch(path)


def test_keys_of_storages_are_not_hashed(tmp_path: Path) -> None:
    keys = b"\x80\x02](" + multiplied(b"") + b"e."
    with pytest.raises(InputError):
        read_torch(legacy(tmp_path / "net.pth", pickle.dumps({"a": 1}, 2), keys))


@pytest.mark.parametrize("order", ["<", ">"])
def test_one_text_is_not_copied_many_times(tmp_path: Path, order: str) -> None:
    """A thousand arrays of the same megabyte, in a file of a megabyte."""
    array = np.zeros(1 << 18, f"{order}f4")
    text = b"X" + struct.pack("<I", array.nbytes) + array.tobytes()
    make = b"cnumpy.core.multiarray\n_reconstruct\n)R"
    kind = raw(array.dtype)
    state = b"(K\x01" + raw(array.shape) + kind + b"\x89c_codecs\nencode\n(h\x07"
    state += b"X\x06\x00\x00\x00latin1tRtb"
    program = b"\x80\x02](" + text + b"q\x07" + (make + state) * 1000 + b"e."
    (tmp_path / "net.pkl").write_bytes(b"\x80\x02}X\x01\x00\x00\x00a" + program[2:-1] + b"s.")
    with pytest.raises(InputError, match="arrays larger than the file"):
        read_torch(tmp_path / "net.pkl")


def test_arrays_that_lie_about_their_size_are_refused(tmp_path: Path) -> None:
    honest = pickle.dumps({"a": np.zeros(4, np.float32)}, 4)
    path = tmp_path / "net.pkl"
    for before, after, message in (
        (b"K\x04\x85", b"K\x05\x85", "another size"),
        (b"K\x04\x85", b"\x8a\x01\xff\x85", "malformed shape"),
    ):
        assert before in honest
        path.write_bytes(honest.replace(b"\x95" + honest[3:11], b"").replace(before, after))
        with pytest.raises(InputError, match=message):
            read_torch(path)
