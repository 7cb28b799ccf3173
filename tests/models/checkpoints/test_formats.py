"""Detection of the format of weight files and folders, and the names of those that are not read."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save, save_file

from salix import models
from salix.models.checkpoints import formats
from salix.models.checkpoints.formats import read
from salix.models.checkpoints.npz import read_npz
from salix.typing import InputError

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (zipped("net/data.pkl"), "net.h5", "torch"),
        (zipped("config.json", "model.weights.h5"), "net.pth", "keras"),
        (zipped("a.npy"), "net.bin", "npz"),
        (b"\x89HDF\r\n\x1a\nrest", "net.pth", "keras"),
        (b"\x02" + b"\0" * 7 + b"{}", "net.bin", "safetensors"),
        (LEGACY, "net.p", "torch"),
        (LEGACY, "net", "torch"),
        (b"\x80\x02rest", "net.pt", "torch"),
        (b"\x80\x02rest", "net.tar", "torch"),
        (b"\x08\x07rest", "net.onnx", "onnx"),
        (b"{}", "model.safetensors.index.json", "shards"),
        (b"{}", "model.json", "tfjs"),
    ],
)
def test_format_is_detected_by_content_then_by_suffix(
    tmp_path: Path, content: bytes, name: str, kind: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert formats.kind(path) == kind


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "net.pth", r"empty \(0 bytes\): download or copy it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "net.h5", "a Git LFS pointer.*lfs pull`"),
        (b"\n<!DOCTYPE html><html>", "net.safetensors", "a web page, not weights: download the"),
        (b"<?xml version='1.0'?><Error>", "net.pt", "an XML document"),
        (b"GGUF\x03", "net.bin", "a GGUF file"),
        (b"\x93NUMPY\x01\x00", "net.npy", "one NumPy array without a name.*numpy.savez"),
        (b"\x1f\x8b\x08", "net.pth", "gzip-compressed: unpack it"),
        (b"\0" * 257 + b"ustar", "net.tar", "a tar archive: unpack it"),
        (b"\0\0\0\0TFL3", "net", "a TensorFlow Lite model"),
        (b"\x08\x01\x12", "saved_model.pb", "a TensorFlow graph: load it in TensorFlow or Keras"),
        (b"x", "net.ckpt.data-00000-of-00001", "a part of a TensorFlow checkpoint"),
        (b"x", "net.ckpt.index", "a part of a TensorFlow checkpoint"),
        (b"x\x9c", "net.joblib", "a Python pickle"),
        (b"\x82", "flax_model.msgpack", "a Flax msgpack file: restore it with flax"),
        (b"x", "net.mlmodel", "a Core ML model"),
        (b"\x83", "checkpoint_7", "a Flax msgpack file"),
        (b"{}", "config.json", "a configuration, not weights: name the folder"),
        (b"{}", "net.weights.json", "the index of Keras weights in shards: save them in one"),
        (b"ftrt", "net.engine", "a TensorRT engine, compiled for one GPU"),
        (b"x", "net.pth.part", "an unfinished download"),
        (b"\0" * 600, "net.pth", "zeros, the start of an unfinished download"),
        (b"\x89PNG\r\n\x1a\n", "net.pth", "a picture: name the weight file with --weights"),
        (zipped("net/data.pkl")[:-10], "net.pth", "a truncated or damaged zip archive.*again"),
        (zipped("net.pt", "MAR-INF/MANIFEST.json"), "net.mar", "a TorchServe archive: unpack it"),
        (zipped("a/b.txt", "c.pth"), "net.zip", r"a zip archive of 2 files \(a/b.txt, c.pth\)"),
        (zipped(), "net.pth", "a zip archive of 0 files"),
        (b"Weights.", "net", "not a weight file of PyTorch, Keras, safetensors, NumPy, Hugging"),
    ],
)  # fmt: skip
def test_other_files_are_named_with_what_to_do(
    tmp_path: Path, content: bytes, name: str, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name} is {message}") as caught:
        read(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["saved_model.pb", "variables/"], "a TensorFlow SavedModel"),
        (["net.ckpt.index", "net.ckpt.data-00000-of-00001"], "a TensorFlow checkpoint"),
        ([".metadata", "__0_0.distcp"], "a distributed PyTorch checkpoint.*dcp_to_torch_save"),
        (["data.pkl", "data/", "version"], "an unpacked PyTorch archive: pack it again"),
        (["model_index.json", "unet/"], "a pipeline of Diffusers"),
        (["config.json", "tf_model.h5"], "a Hugging Face folder with TensorFlow weights alone"),
        (["adapter_config.json", "adapter_model.safetensors"], "an adapter"),
        ([], "an empty folder"),
        (["snapshots/", "snapshots/a"], "a repository of the Hugging Face cache: name a folder"),
        (["epoch1.pth", "epoch2.pth", "log.txt"], r"not a folder.*one of its files, epoch1\.pth"),
    ],
)  # fmt: skip
def test_other_folders_are_named_with_what_to_do(
    tmp_path: Path, names: list[str], message: str
) -> None:
    for name in names:
        path = tmp_path / name
        path.mkdir() if name.endswith("/") else path.write_bytes(b"x")
    with pytest.raises(InputError, match=f" is {message}"):
        read(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.pth")


def test_an_unreadable_file_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(LEGACY)

    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(formats, "first_bytes", refuse)
    with pytest.raises(InputError, match=r"net\.pth cannot be read \(Permission denied\)"):
        formats.kind(path)


def test_hugging_face_folders(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text("{}")
    ones, twos = {"a": np.ones(1, np.float32)}, {"b": np.full(1, 2, np.float32)}
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    save_file(ones, tmp_path / "model-1.safetensors")
    with pytest.raises(InputError, match=r"lacks 1 of its 2 shards: model-2\.safetensors"):
        read(tmp_path)
    save_file(ones, tmp_path / "model-2.safetensors")
    with pytest.raises(InputError, match=r"model-2\.safetensors: lacks b of the index"):
        read(tmp_path)
    save_file(twos | {"extra": twos["b"]}, tmp_path / "model-2.safetensors")
    assert {name: array.tolist() for name, array in read(index).items()} == {"a": [1], "b": [2]}
    save_file(ones, tmp_path / "model.safetensors")
    assert formats.weights_file(tmp_path).name == "model.safetensors"
    assert set(read(tmp_path)) == {"a"}
    for wrong in ('{"weight_map": {"a": "../x"}}', '{"weight_map": {"a": "/etc/x"}}', "[", "[]",
                  '{"weight_map": {"a": 1}}', "[" * 100_000):  # fmt: skip
        index.write_text(wrong)
        with pytest.raises(InputError, match=r"index\.json: (damaged|has a shard outside)"):
            read(index)


def test_float8_and_bfloat16_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    values = np.array([[0.5, -2], [3, 240]], np.float32)
    for dtype in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        array = values.astype(getattr(ml_dtypes, dtype))
        names = {"bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}
        about = {"dtype": names[dtype], "shape": [2, 2], "data_offsets": [0, array.nbytes]}
        header = json.dumps({"a": about}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + array.tobytes())
        restored = read(path)["a"]
        assert restored.dtype == dtype
        assert (restored.astype(np.float32) == array.astype(np.float32)).all()
    about = {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}
    scale = {"dtype": "F32", "shape": [1], "data_offsets": [1, 5]}
    header = json.dumps({"a.weight": about, "a.weight_scale_inv": scale}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(5))
    with pytest.raises(InputError, match=r"to float8 with scales \(a\.weight_scale_inv\)"):
        read(path)
    content = save({"a": values})
    path.write_bytes(content[:-1])
    with pytest.raises(InputError, match="damaged, or not a safetensors file"):
        read(path)
    path.write_bytes(content[:12])
    with pytest.raises(InputError, match=r"damaged or truncated.*its header has"):
        read(path)


def test_deep_metadata_name_no_classes(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    about = {"architecture": "small", "classes": "[" * 100_000}
    save_file({"a": np.ones(1, np.float32)}, path, about)
    with pytest.raises(InputError, match="its metadata names no classes"):
        models.load("small", path)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_numpy_archives(tmp_path: Path, write: Callable[..., None]) -> None:
    path = tmp_path / "net.npz"
    arrays: dict[str, Any] = {"a.weight": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(
        np.arange(6).reshape(2, 3)), "n": np.float32(3)}  # fmt: skip
    write(path, **arrays)
    restored = read(path)
    assert list(restored) == list(arrays)
    assert all((restored[name] == array).all() for name, array in arrays.items())
    write(path, a=np.array([{}], object))
    with pytest.raises(InputError, match=r"contains no plain numbers at a\.npy"):
        read(path)


def test_hostile_numpy_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    header = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": (1 << 32,)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + b"1234")
    with pytest.raises(InputError, match=r"has 4 bytes at a\.npy, not \(4294967296,\) float32"):
        read_npz(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1 << 29))
    with pytest.raises(InputError, match="declares 536870912 bytes of members, more than its size"):
        read_npz(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", b"x")
    with pytest.raises(InputError, match=r"oddly compressed member a\.npy"):
        read_npz(path)


def test_names_of_other_networks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file({"vision_model.embeddings.class_embedding": np.ones(3, np.float32)}, path)
    with pytest.raises(InputError, match=r"name no architecture.*those of CLIP or SigLIP"):
        models.load("clip_vit_b16", path)
    save_file({"vit.encoder.layer.0.output.dense.bias": np.ones(3, np.float32)}, path)
    with pytest.raises(InputError, match="its names are those of a ViT of transformers, not of r"):
        models.load("resnet18", path)
