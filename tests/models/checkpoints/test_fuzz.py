"""Mutated weight files of every format: an InputError or arrays, nothing else."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import orbax.checkpoint as ocp
import pytest
from safetensors.numpy import save_file

from salix.models.checkpoints.formats import FORMATS, read
from salix.typing import InputError

ARRAYS = {f"layer{i}.weight": np.full((4, 5), i, np.float32) for i in range(4)}


def write_keras_2(path: Path) -> Path:
    with h5py.File(path / "net.h5", "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in ARRAYS]
        for name, array in ARRAYS.items():
            file.create_group(name).attrs["weight_names"] = [b"kernel:0"]
            file[name].create_dataset("kernel:0", data=array, chunks=(2, 5), compression="gzip")
    return path / "net.h5"


def write_keras_3(path: Path) -> Path:
    with h5py.File(path / "net.weights.h5", "w") as file:
        for i, array in enumerate(ARRAYS.values()):
            file[f"layers/dense_{i}/vars/0"] = array
            file[f"layers/dense_{i}/vars"].attrs["name"] = f"dense_{i}"
    return path / "net.weights.h5"


def write_archive(path: Path) -> Path:
    with zipfile.ZipFile(path / "net.keras", "w") as archive:
        listed = [{"class_name": "Dense", "config": {"name": f"dense_{i}"}} for i in range(4)]
        archive.writestr("config.json", json.dumps({"config": {"layers": listed}}))
        archive.write(write_keras_3(path), "model.weights.h5")
    return path / "net.keras"


def write_safetensors(path: Path) -> Path:
    save_file(ARRAYS, path / "net.safetensors", {"format": "pt"})
    return path / "net.safetensors"


def write_npz(path: Path) -> Path:
    np.savez_compressed(path / "net.npz", **ARRAYS)
    return path / "net.npz"


def write_tfjs(path: Path) -> Path:
    entries = [{"name": n, "shape": [4, 5], "dtype": "float32"} for n in ARRAYS]
    (path / "s.bin").write_bytes(b"".join(a.tobytes() for a in ARRAYS.values()))
    manifest = {"weightsManifest": [{"paths": ["s.bin"], "weights": entries}]}
    (path / "model.json").write_text(json.dumps(manifest))
    return path / "model.json"


def write_shards(path: Path) -> Path:
    write_safetensors(path)
    index = path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(ARRAYS, "net.safetensors")}))
    return index


def write_orbax(path: Path) -> Path:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path / "net", {"params": ARRAYS})
    return path / "net"


def mutated(content: bytes, draw: np.random.Generator) -> bytes:
    """Return bytes with one to four changes: of a bit, a byte or a number, a cut, a repetition."""
    data = bytearray(content)
    for _ in range(draw.integers(1, 5)):
        near = draw.random() < 0.5  # headers stand in front
        at = int(draw.integers(0, max(1, min(len(data), 600) if near else len(data))))
        match int(draw.integers(0, 6)):
            case 0:
                data[at : at + 1] = bytes([data[at] ^ 1 << draw.integers(0, 8)]) if data else b""
            case 1:
                data[at : at + 1] = draw.bytes(1)
            case 2:
                data[at : at + 8] = [b"\xff" * 8, b"\0" * 8, b"\x7f" * 8][draw.integers(0, 3)]
            case 3:
                del data[at : at + int(draw.integers(1, 40))]
            case 4:
                data[at:at] = data[at : at + int(draw.integers(1, 40))]
            case _:
                del data[max(1, len(data) - int(draw.integers(1, 60))) :]
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "count"),
    [
        (write_keras_2, 12),  # a child process each
        (write_keras_3, 12),
        (write_archive, 8),
        (write_orbax, 16),
        (write_safetensors, 300),
        (write_npz, 300),
        (write_tfjs, 300),
        (write_shards, 100),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_mutated_files_are_read_or_refused(
    tmp_path: Path, write: Callable[[Path], Path], count: int
) -> None:
    path, draw = write(tmp_path), np.random.default_rng(0)
    assert len(read(path)) == 4
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    contents = [file.read_bytes() for file in files]
    messages: list[str] = []
    for _ in range(count):
        which = int(draw.integers(0, len(files)))
        files[which].write_bytes(mutated(contents[which], draw))
        try:
            arrays = FORMATS["orbax"].read(path) if path.is_dir() else read(path)
            assert sum(a.nbytes for a in arrays.values()) < 1 << 20
        except InputError as error:
            messages.append(str(error))
        files[which].write_bytes(contents[which])
    assert len(messages) > count / 10
    assert all(m.startswith(str(path.parent)) and m.isprintable() for m in messages)
