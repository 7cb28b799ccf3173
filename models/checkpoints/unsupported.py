"""Files and folders that are not weights Salix reads, with what to do about each."""

import re
import zipfile
from pathlib import Path

from salix.models.checkpoints.errors import printable

__all__ = ["describe_file", "describe_folder"]

_SAVE = "save the weights from the program that made it, as safetensors, PyTorch or ONNX"
_AGAIN = "download or copy it again"
_UNPACK = "unpack it and name the weight file inside"
_PICKLE = (
    "a Python pickle, which can run any program when it is loaded: load it where you trust it, and "
    "save the tensors with torch.save(model.state_dict(), ...) or safetensors"
)
_TF = "load it in TensorFlow or Keras and save with model.save_weights('net.weights.h5')"

_FLAX = (
    "a Flax msgpack file: restore it with flax.serialization.msgpack_restore and save the tree "
    "with orbax.checkpoint.StandardCheckpointer"
)

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the weights: run `git lfs pull`"),
    (b"GGUF", f"a GGUF file of llama.cpp: {_SAVE}"),
    (b"ggml", f"a GGML file: {_SAVE}"),
    (b"\x93NUMPY", "one NumPy array without a name: save the arrays by name with numpy.savez"),
    (b"\x1f\x8b", f"gzip-compressed: {_UNPACK} (gunzip or tar -xzf)"),
    (b"BZh", f"bzip2-compressed: {_UNPACK}"),
    (b"\xfd7zXZ", f"xz-compressed: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"zstd-compressed: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    (b"Rar!", f"a RAR archive: {_UNPACK}"),
    (b"\x89PNG", "a picture: name the weight file with --weights, the pictures with --data"),
    (b"\xff\xd8\xff", "a picture: name the weight file with --weights, the pictures with --data"),
    (b"%PDF", "a PDF document: name the weight file"),
    (b"<?xml", f"an XML document, as of OpenVINO or of a failed download: {_AGAIN}, or {_SAVE}"),
    (b"ftrt", f"a TensorRT engine, compiled for one GPU: {_SAVE}"),
    (b"ptrt", f"a TensorRT engine, compiled for one GPU: {_SAVE}"),
    (b"MATLAB 5.0", f"a MATLAB file: {_SAVE}"),
    (b"model_checkpoint_path:", f"the index of a TensorFlow checkpoint: {_TF}"),
)

_SUFFIXES: dict[str, str] = {
    **dict.fromkeys(("index", "meta"), f"a part of a TensorFlow checkpoint: {_TF}"),
    **dict.fromkeys(("pb", "pbtxt"), f"a TensorFlow graph: {_TF}"),
    "tflite": f"a TensorFlow Lite model: {_TF}",
    "msgpack": _FLAX,
    **dict.fromkeys(("pkl", "p", "pickle", "joblib", "sav", "dill"), _PICKLE),
    **dict.fromkeys(("mlmodel", "mlpackage"), f"a Core ML model: {_SAVE}"),
    **dict.fromkeys(("engine", "plan", "trt"), f"a TensorRT engine, compiled for one GPU: {_SAVE}"),
    **dict.fromkeys(("gguf", "ggml"), f"a file of llama.cpp: {_SAVE}"),
    **dict.fromkeys(("part", "crdownload", "download", "tmp"), f"an unfinished download: {_AGAIN}"),
    "npy": "one NumPy array without a name: save the arrays by name with numpy.savez",
    "mat": f"a MATLAB file: {_SAVE}",
    "pdparams": f"a PaddlePaddle file: {_SAVE}",
    **dict.fromkeys(("caffemodel", "prototxt"), f"a Caffe file: {_SAVE}"),
    **dict.fromkeys(("params", "mnn", "param"), f"a file of MXNet, MNN or ncnn: {_SAVE}"),
    "weights": f"a Darknet file: {_SAVE}",
    "pte": f"an ExecuTorch program: {_SAVE}",
    "rknn": f"a model compiled for one chip: {_SAVE}",
    "distcp": "a part of a distributed PyTorch checkpoint: join it with "
    "torch.distributed.checkpoint.format_utils.dcp_to_torch_save",
}

_FOLDERS: tuple[tuple[str, str], ...] = (
    ("saved_model.pb", f"a TensorFlow SavedModel: {_TF}"),
    ("*.ckpt*.index", f"a TensorFlow checkpoint: {_TF}"),
    ("*.index", f"a TensorFlow checkpoint: {_TF}"),
    (".metadata", f"a distributed PyTorch checkpoint: {_SUFFIXES['distcp'].split(': ', 1)[1]}"),
    ("*.distcp", f"a distributed PyTorch checkpoint: {_SUFFIXES['distcp'].split(': ', 1)[1]}"),
    ("data.pkl", "an unpacked PyTorch archive: pack it again, from the folder above it, with "
     "`zip -0 -r net.pth FOLDER`, or download it without unpacking"),
    ("model_index.json", "a pipeline of Diffusers: name the folder of one of its models"),
    ("adapter_config.json", "an adapter (LoRA) without the model it changes: merge it and save"),
    ("tf_model.h5", f"a Hugging Face folder with TensorFlow weights alone: {_TF}"),
    ("flax_model.msgpack", f"a Hugging Face folder with Flax weights alone: {_SAVE}"),
    ("snapshots/*", "a repository of the Hugging Face cache: name a folder in its snapshots"),
    ("Manifest.json", f"a Core ML package: {_SAVE}"),
)  # fmt: skip


def _describe_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return f"a truncated or damaged zip archive (PyTorch, Keras and NumPy write such): {_AGAIN}"
    if "MAR-INF/MANIFEST.json" in names:
        return f"a TorchServe archive: {_UNPACK}"
    listed = ", ".join(map(printable, names[:3])) + (", ..." if len(names) > 3 else "")
    return f"a zip archive of {len(names)} files ({listed}): {_UNPACK}"


def describe_file(path: Path, head: bytes) -> str | None:
    """Return what a file is and what to do, from its first 512 bytes, else from its suffix.

    None where neither is known.
    """
    if not head:
        return f"empty (0 bytes): {_AGAIN}"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")):
        return "a web page, not weights: download the file itself, by its own link or logged in"
    for start, description in _STARTS:
        if head.startswith(start):
            return description
    if head[4:8] == b"TFL3":
        return _SUFFIXES["tflite"]
    if head[257:262] == b"ustar":
        return f"a tar archive: {_UNPACK} (tar -xf)"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _describe_zip(path)
    if not head.strip(b"\0"):
        return f"zeros, the start of an unfinished download or of a damaged copy: {_AGAIN}"
    if path.name in ("config.json", "preprocessor_config.json"):
        return "a configuration, not weights: name the folder, or the weight file beside it"
    if path.name.endswith(".weights.json"):
        return "the index of Keras weights in shards: save them in one file, net.weights.h5"
    if re.fullmatch(r"checkpoint_\d+", path.name):
        return _FLAX
    if ".data-0" in path.name:
        return _SUFFIXES["index"]
    return _SUFFIXES.get(path.suffix.lower().lstrip("."))


def describe_folder(path: Path) -> str | None:
    """Return what a folder is and what to do, from its names; None where that is not known."""
    if path.suffix.lower() == ".mlpackage":
        return _SUFFIXES["mlpackage"]
    for pattern, description in _FOLDERS:
        if any(path.glob(pattern)):
            return description
    names = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    if not names:
        return "an empty folder: name the weight file"
    return None
