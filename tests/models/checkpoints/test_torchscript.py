"""Weights in TorchScript archives: read by name, their code left alone."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix.models.checkpoints.formats import kind, read
from salix.models.checkpoints.torch import read_torch
from salix.typing import InputError

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def network() -> Any:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    return torch.nn.Sequential(layer, torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1, bias=False)).eval()


@pytest.mark.parametrize("way", ["script", "trace"])
def test_weights_have_the_names_of_the_state_dict(tmp_path: Path, way: str) -> None:
    torch = pytest.importorskip("torch")
    module, path = network(), tmp_path / "net.pt"
    example = torch.zeros(1, 3, 8, 8)
    saved = torch.jit.script(module) if way == "script" else torch.jit.trace(module, example)
    saved.save(str(path))
    assert kind(path) == "torch"
    arrays = read(path)
    expected = module.state_dict()
    assert set(arrays) == set(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name].numpy())


def program(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def script_class(name: str) -> bytes:
    return b"c__torch__\n" + name.encode() + b"\n)\x81"


WEIGHT = (  # "weight": a tensor of two numbers in the storage "0"
    b"X\x06\x00\x00\x00weightctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
    b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85"
    b"\x89ccollections\nOrderedDict\n)RtR"
)


def archive(path: Path, body: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/data.pkl", program(body))
        file.writestr("net/data/0", np.float32([1, 2]).tobytes())
        file.writestr("net/constants.pkl", b"\x80\x02).")
        file.writestr("net/code/__torch__.py", "raise SystemExit('the code of the archive ran')")
    return path


def test_attributes_of_modules_are_read_and_other_objects_dropped(tmp_path: Path) -> None:
    inner = b"X\x05\x00\x00\x00inner" + script_class("Inner") + b"}(" + WEIGHT + b"ub"
    other = b"X\x04\x00\x00\x00evil" + b"cposix\nsystem\n)\x81}X\x04\x00\x00\x00codeK\x01sb"
    called = b"X\x05\x00\x00\x00evil2cposix\nsystem\nX\x04\x00\x00\x00exit\x85R"
    body = script_class("Net") + b"}(" + inner + other + called + b"ub"
    arrays = read_torch(archive(tmp_path / "net.pt", body))
    assert list(arrays) == ["inner.weight"]
    np.testing.assert_array_equal(arrays["inner.weight"], [1, 2])


def test_packed_state_is_dropped_and_a_module_of_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    with pytest.raises(InputError, match="no tensors"):
        read_torch(archive(path, script_class("Packed") + b"(K\x01K\x02tb"))
    own = script_class("Net") + b"q\x00}(X\x04\x00\x00\x00selfh\x00" + WEIGHT + b"ub"
    with pytest.raises(InputError, match="nests containers"):
        read_torch(archive(path, own))
    twice = script_class("Net") + b"q\x00h\x00b" + b"}(" + WEIGHT + b"ub"
    assert list(read_torch(archive(path, twice))) == ["weight"]


def test_one_dictionary_is_not_copied_into_many_modules(tmp_path: Path) -> None:
    state = b"}q\x01(" + WEIGHT + b"u0"  # in the memo, off the stack
    modules = b"".join(script_class("Net") + b"h\x01b" for _ in range(3))
    arrays = read_torch(archive(tmp_path / "net.pt", state + b"](" + modules + b"e"))
    assert list(arrays) == ["0.weight"]
