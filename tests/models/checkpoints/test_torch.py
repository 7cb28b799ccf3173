"""Reader of PyTorch files: hand-made files, and hostile ones that are refused without running."""

import builtins
import contextlib
import functools
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salix.models.checkpoints.torch import MAGIC, PROTOCOL, read_torch
from salix.typing import InputError

PAIR = np.arange(6, dtype=np.float32)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def row(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def tensor(
    size: tuple[int, ...],
    stride: tuple[int, ...],
    offset: int = 0,
    count: int = 6,
    kind: str = "FloatStorage",
    key: str = "0",
) -> bytes:
    storage = b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count)
    hooks = name("collections", "OrderedDict") + b")R"
    arguments = storage + b"tQ" + number(offset) + row(*size) + row(*stride) + b"\x89" + hooks
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"tR"


def tree(**items: bytes) -> bytes:
    inside = b"".join(text(key) + value for key, value in items.items())
    return b"\x80\x02}(" + inside + b"u."


def zipped(path: Path, program: bytes, order: str = "", **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", program)
        if order:
            archive.writestr("net/byteorder", order)
        for key, raw in storages.items():
            archive.writestr(f"net/data/{key.lstrip('k')}", raw)
    return path


def legacy(path: Path, program: bytes, **storages: tuple[int, bytes]) -> Path:
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True}))
    keys = pickle.dumps([key.lstrip("k") for key in storages], 2)
    tail = b"".join(struct.pack("<q", count) + raw for count, raw in storages.values())
    path.write_bytes(head + program + keys + tail)
    return path


def written(folder: Path, form: str, program: bytes, raw: bytes = PAIR.tobytes()) -> Path:
    if form == "zip":
        return zipped(folder / "net.pth", program, k0=raw)
    used = {"k0": (len(raw) // 4, raw)} if text("0") in program else {}
    return legacy(folder / "net.pth", program, **used)


both = pytest.mark.parametrize("form", ["zip", "legacy"])


@both
def test_shapes_strides_and_offsets_are_honoured(tmp_path: Path, form: str) -> None:
    program = tree(
        plain=tensor((2, 3), (3, 1)),
        turned=tensor((3, 2), (1, 3)),
        part=tensor((2,), (2,), offset=1),
        scalar=tensor((), (), offset=5),
        spread=tensor((2, 3), (1, 0), offset=2),
        empty=tensor((0, 4), (4, 1)),
    )
    arrays = read_torch(written(tmp_path, form, program))
    expected = {
        "plain": PAIR.reshape(2, 3),
        "turned": PAIR.reshape(2, 3).T,
        "part": PAIR[[1, 3]],
        "scalar": PAIR[5],
        "spread": np.array([[2, 2, 2], [3, 3, 3]], np.float32),
        "empty": np.zeros((0, 4), np.float32),
    }
    assert list(arrays) == list(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(arrays[key], array, strict=True)
    assert np.shares_memory(arrays["plain"], arrays["turned"])
    assert not arrays["plain"].flags.writeable


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("DoubleStorage", "float64"),
        ("HalfStorage", "float16"),
        ("LongStorage", "int64"),
        ("IntStorage", "int32"),
        ("ShortStorage", "int16"),
        ("CharStorage", "int8"),
        ("ByteStorage", "uint8"),
        ("BoolStorage", "bool"),
    ],
)
@pytest.mark.parametrize("order", ["little", "big", ""])
def test_types_and_byte_orders(tmp_path: Path, kind: str, dtype: str, order: str) -> None:
    values = np.array([0, 1, 3, 100]).astype(dtype)
    raw = values.astype(values.dtype.newbyteorder(">" if order == "big" else "<")).tobytes()
    program = tree(x=tensor((4,), (1,), count=4, kind=kind))
    array = read_torch(zipped(tmp_path / "x.pt", program, order, k0=raw))["x"]
    np.testing.assert_array_equal(array, values, strict=True)


def test_bfloat16(tmp_path: Path) -> None:
    raw = struct.pack("<3H", 0x3F80, 0xC000, 0x3E80)  # the upper halves of 1, -2 and 1/4
    program = tree(x=tensor((3,), (1,), count=3, kind="BFloat16Storage"))
    array = read_torch(zipped(tmp_path / "x.pt", program, k0=raw))["x"]
    assert array.dtype.name == "bfloat16"
    assert array.astype(np.float32).tolist() == [1, -2, 0.25]


@both
def test_containers_become_dotted_names(tmp_path: Path, form: str) -> None:
    element = tensor((1,), (1,))
    parameter = name("torch._utils", "_rebuild_parameter") + b"(" + element + b"\x88}tR"
    ordered = name("collections", "OrderedDict") + b")R(" + text("w") + element + b"u"
    state = ordered + b"}" + text("_metadata") + b"}sb"  # BUILD, as a state dict has it
    pairs = name("collections", "OrderedDict") + b"(]]" + text("w") + b"a" + element + b"aatR"
    program = tree(net=state, epoch=number(3), many=b"](" + element + parameter + b"e", py2=pairs)
    arrays = read_torch(written(tmp_path, form, program))
    assert list(arrays) == ["net.w", "many.0", "many.1", "py2.w"]


class Calls:
    """Object whose pickle calls a function, as an attack does."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def attacks(mark: Path) -> dict[str, Any]:
    touch = f"open({str(mark)!r}, 'w').close()"
    return {
        "system": Calls(os.system, f"touch {mark}"),
        "eval": Calls(eval, touch),
        "exec": Calls(exec, touch),
        "getattr": Calls(Calls(getattr, builtins, "eval"), touch),
        "partial": Calls(functools.partial(eval, touch)),
        "open": Calls(open, str(mark), "w"),
        "as value": {"weight": [Calls(os.mkdir, str(mark))]},
        "as key": {Calls(os.system, f"touch {mark}"): 1},
        "by state": Calls(type, "Net", (), {}),
    }


ATTACKS = sorted(set(attacks(Path("x"))) - {"getattr"})  # pickle cannot write modules


@both
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_pickle_is_not_run(tmp_path: Path, form: str, protocol: int, attack: str) -> None:
    mark = tmp_path / "mark"
    program = pickle.dumps(attacks(mark)[attack], protocol)
    path = written(tmp_path, form, program)
    with pytest.raises(InputError, match=r"net\.pth: contains no tensors") as caught:
        read_torch(path)
    assert "\n" not in str(caught.value)
    assert not mark.exists()
    beside = written(tmp_path, form, tree(a=TENSOR, b=program[:-1]))  # without its end
    assert list(read_torch(beside)) == ["a"]
    assert not mark.exists()
    if attack not in ("by state", "as key", "open"):
        pickle.loads(program)  # the attack is a real one
        assert mark.exists()


TENSOR = tensor((1,), (1,))
PROGRAMS = {
    "a name imported by INST": (b"(S'true'\nios\nsystem\n.", "no tensors .*only os.system"),
    "OBJ": (b"(cos\nsystem\n" + text("true") + b"o.", "only os.system"),
    "NEWOBJ": (b"c__main__\nNet\n)\x81.", "only __main__.Net"),
    "NEWOBJ_EX": (b"\x80\x04c__main__\nNet\n)}\x92.", "only __main__.Net"),
    "BUILD on a dict": (b"}}b.", "sets the state of a dict"),
    "BUILD on a name": (b"c__main__\nNet\n}b.", "no tensors"),
    "an extension code": (b"\x80\x02\x82\x01)R.", "only extension 1"),
    "a loader of bytes": (
        b"ctorch.storage\n_load_from_bytes\n(" + b"U\x01." + b"tR.",
        "torch.storage._load_from_bytes",
    ),
    "a tensor that is called": (b"\x80\x02" + TENSOR + b")R.", "calls a TensorRecord"),
    "a call by a dotted name": (
        b"\x80\x04" + text("torch") + text("hub.load") + b"\x93)R.",
        r"torch\.hub\.load",
    ),
    "terminal codes in a name": (b"c__main__\n\x1b[2J\n)R.", r"\\x1b\[2J"),
    "a strange escape in a name": (b"c__main__\n\\i\n)R.", "damaged"),
    "a list with itself in it": (b"](h\x00q\x00e.", "damaged"),
    "itself as a member": (b"]q\x00h\x00a.", "nests containers"),
    "a tuple as a key": (b"})Ns.", "no tensors"),
    "a persistent id of a name": (b"Pnet\n.", "asks for PERSID"),
    "a buffer that is elsewhere": (b"\x80\x05\x97.", "asks for NEXT_BUFFER"),
    "a mark as a storage": (
        name("torch._utils", "_rebuild_tensor_v2") + b"(cn\nS\n)R" + number(0) + b"))\x89NtR.",
        "malformed tensor",
    ),
    "a mark as a shape": (
        name("torch._utils", "_rebuild_tensor_v2")
        + TENSOR.partition(b"v2\n")[2].partition(number(0))[0]
        + number(0)
        + b"cn\nS\n)Rcn\nS\n)R\x89NtR.",
        "malformed tensor",
    ),
    "a whole module by its state": (
        b"cn\nNet\n)\x81}(" + text("_parameters") + b"}" + text("_modules") + b"}ub.",
        r"a whole module, n\.Net",
    ),
    "a module beside an optimiser": (
        tree(
            model=b"cn\nNet\n)\x81}(" + text("_parameters") + b"}" + text("_modules") + b"}ub",
            optimizer=b"}" + text("exp_avg") + TENSOR + b"s",
        ),
        r"a whole module, n\.Net at 'model'",
    ),
    "a quantised tensor": (
        tree(a=name("torch._utils", "_rebuild_qtensor") + b")R"),
        "a quantised tensor",
    ),
    "a whole module": (b"(" + text("module") + b"cn\nNet\nNNtQ.", "a whole module"),
    "an unknown storage": (
        b"\x80\x02" + tensor((1,), (1,), kind="QInt8Storage") + b".",
        "torch.QInt8Storage",
    ),
    "a storage of two types": (
        tree(a=TENSOR, b=tensor((1,), (1,), kind="IntStorage")),
        "two types",
    ),
    "a negative size": (tree(a=tensor((-1,), (1,))), "malformed shape"),
    "a negative stride": (tree(a=tensor((2,), (-1,), offset=3)), "malformed shape"),
    "a negative offset": (tree(a=tensor((1,), (1,), offset=-1)), "malformed shape"),
    "a stride that is missing": (tree(a=tensor((1, 1), (1,))), "malformed tensor"),
    "65 axes": (tree(a=tensor((1,) * 65, (1,) * 65)), "malformed tensor"),
    "one element too many": (tree(a=tensor((7,), (1,))), "outside its storage"),
    "an offset too far": (tree(a=tensor((2, 3), (3, 1), offset=1)), "outside its storage"),
    "a stride too far": (tree(a=tensor((2, 3), (4, 1))), "outside its storage"),
    "terabytes of one number": (tree(a=tensor((1 << 40,), (0,))), "larger than the file"),
    "a shape beyond counting": (tree(a=tensor((1 << 62,) * 8, (0,) * 8)), "larger than the file"),
    "an empty shape beyond counting": (tree(a=tensor((0, 1 << 62), (1, 1))), "damaged"),
    "a storage that is not there": (tree(a=tensor((1,), (1,), key="9")), "damaged|lacks"),
    "one name twice": (
        tree(**{"a": b"}" + text("b") + TENSOR + b"s", "a.b": TENSOR}),
        "one name twice",
    ),
    "a name without end": (tree(**{"a" * 1001: TENSOR}), "a name of more than 1000"),
    "no tensors": (tree(epoch=number(1)), "no tensors"),
    "no end": (b"}", "damaged"),
    "nothing on the stack": (b".", "damaged"),
    "an integer of a gigabyte": (b"\x8b\xff\xff\xff\x3f.", "damaged"),
    "text of 16 exabytes": (b"\x8d" + b"\xff" * 7 + b"\x7f.", "damaged"),
}


@both
@pytest.mark.parametrize("fault", PROGRAMS)
def test_anything_but_plain_tensors_is_refused(tmp_path: Path, form: str, fault: str) -> None:
    program, message = PROGRAMS[fault]
    path = written(tmp_path, form, program)
    with pytest.raises(InputError, match=message) as caught:
        read_torch(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


def test_names_are_never_imported(tmp_path: Path) -> None:
    sys.modules.pop("antigravity", None)
    path = written(tmp_path, "zip", tree(a=TENSOR, b=name("antigravity", "fly")))
    assert list(read_torch(path)) == ["a"]
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("wide", "depth"), [(2, 60), (100, 12), pytest.param(1000, 12, marks=pytest.mark.slow)]
)
def test_references_that_multiply_are_stopped(tmp_path: Path, wide: int, depth: int) -> None:
    def layers(open_: bytes, close: bytes) -> bytes:
        level = TENSOR + b"r" + struct.pack("<I", 100)
        for level_number in range(depth):
            again = b"j" + struct.pack("<I", 100 + level_number)
            level += open_ + again * wide + close + b"r" + struct.pack("<I", 101 + level_number)
        return b"\x80\x02" + level + b"."

    with pytest.raises(InputError, match=r"nests|too many"):
        read_torch(written(tmp_path, "zip", layers(b"](", b"e")))
    with pytest.raises(InputError, match=r"nests|too many"):
        read_torch(written(tmp_path, "zip", layers(b"(", b"t")))
    pairs = name("collections", "OrderedDict") + b"(](]("
    with pytest.raises(InputError):
        read_torch(written(tmp_path, "zip", layers(pairs, b"eetR")))


def test_a_pickle_of_endless_steps_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 2000000 steps"):
        read_torch(written(tmp_path, "zip", b"\x80\x02" + b"N" * 2_000_001 + b"."))


@both
def test_every_truncation_is_refused(tmp_path: Path, form: str) -> None:
    content = written(tmp_path, form, tree(a=tensor((2, 3), (3, 1)))).read_bytes()
    path = tmp_path / "part.pth"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"part\.pth: "):
            read_torch(path)


INTACT = tree(a=tensor((2, 3), (3, 1)), b=tensor((), ()))


@both
@settings(max_examples=300, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1))
def test_damage_is_read_or_refused(
    tmp_path_factory: Any, form: str, edits: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path = written(folder, form, INTACT)
    raw = bytearray(path.read_bytes())
    for position, value in edits:
        raw[position % len(raw)] = value
    path.write_bytes(raw)
    with contextlib.suppress(InputError):  # and nothing else
        assert all(isinstance(array, np.ndarray) for array in read_torch(path).values())


def test_archives_of_another_making_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    program = tree(a=tensor((2, 3), (3, 1)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", program + b"\0" * 10**6)
    with pytest.raises(InputError, match=r"compressed or truncated member net/data\.pkl"):
        read_torch(path)
    with pytest.raises(InputError, match="truncated member net/data/0"):
        read_torch(zipped(path, program, k0=PAIR.tobytes()[:-1]))
    with pytest.raises(InputError, match="lacks its member net/data/0"):
        read_torch(zipped(path, program))
    with pytest.raises(InputError, match="length"):
        read_torch(legacy(path, program, k0=(5, PAIR.tobytes())))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"without the data\.pkl"):
        read_torch(path)
    for content in (b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\x80\x02K\x01."):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a PyTorch file"):
            read_torch(path)
    with pytest.raises(InputError, match="no such file"):
        read_torch(tmp_path)


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    path, inner = tmp_path / "net.pth", tmp_path / "inner.zip"
    zipped(path, tree())
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("net/data/1", bytes(10_000))
        record = inner.read_bytes()
        item = archive.infolist()[0]
    with zipfile.ZipFile(path, "a") as archive:
        start = archive.start_dir
        archive.writestr("net/data/0", record)  # the record of a member is the content of another
        item.header_offset = start + 30 + len("net/data/0")
        archive.filelist.append(item)
    with pytest.raises(InputError, match=r"net\.pth: has members that overlap"):
        read_torch(path)
