"""Keras weight files: names, numbering, refused files."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from salix.models.checkpoints.keras import read_keras
from salix.typing import InputError


def layer(file: h5py.Group, name: str, weights: dict[str, np.ndarray]) -> None:
    group = file.create_group(name)
    group.attrs["weight_names"] = [f"{name}/{weight}:0".encode() for weight in weights]
    for weight, array in weights.items():
        group[f"{name}/{weight}:0"] = array


def test_layers_are_numbered_from_the_first_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    order = ["conv2d_10", "conv2d_9", "block_3", "dense"]
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights")  # as in a saved model
        root.attrs["layer_names"] = [name.encode() for name in order]
        for position, name in enumerate(order):
            layer(root, name, {"kernel": np.full((2,), position, np.float32)})
    arrays = read_keras(path)
    positions = {name: int(array[0]) for name, array in arrays.items()}
    assert positions == {
        "conv2d_1/kernel": 0,
        "conv2d/kernel": 1,
        "block_3/kernel": 2,
        "dense/kernel": 3,
    }
    assert arrays["dense/kernel"].dtype == np.float32


def one_layer(path: Path, name: str = "dense") -> Any:
    file: Any = h5py.File(path, "w")
    file.attrs["layer_names"] = [name.encode()]
    file.create_group(name).attrs["weight_names"] = [f"{name}/kernel:0".encode()]
    file[name].create_group(name)
    return file


def test_other_files_are_refused(tmp_path: Path) -> None:
    path, secret = tmp_path / "net.h5", tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones(3)
    with one_layer(path):
        pass
    with pytest.raises(InputError, match=r"net\.h5: lacks plain numbers at 'dense/dense/kernel:0'"):
        read_keras(path)
    with one_layer(path) as file:
        file["dense/dense/kernel:0"] = h5py.ExternalLink(str(secret), "/x")
    with pytest.raises(InputError, match="contains a link at 'dense/dense/kernel:0'"):
        read_keras(path)
    with one_layer(path) as file:
        file["far"] = np.ones(3)
        del file["dense"]
        file["dense"] = h5py.ExternalLink(str(secret), "/")
    with pytest.raises(InputError, match="contains a link at 'dense'"):
        read_keras(path)
    with one_layer(path) as file:
        file["dense"].create_dataset(
            "dense/kernel:0", (3,), np.float64, external=[(str(secret), 0, 24)]
        )
    with pytest.raises(InputError, match="in another file, which is not read"):
        read_keras(path)
    with one_layer(path) as file:
        file["dense"].create_dataset("dense/kernel:0", (1 << 40,), np.float32, chunks=(1024,))
    with pytest.raises(InputError, match="declares 4398046511104 bytes"):
        read_keras(path)
    with one_layer(path) as file:
        file["dense/dense/kernel:0"] = "text"
    with pytest.raises(InputError, match="lacks plain numbers at"):
        read_keras(path)
    with pytest.raises(InputError, match="without the layers of Keras"):
        read_keras(secret)
    content = secret.read_bytes()
    for part in (b"", b"hello", content[:100], content[: len(content) // 2]):
        path.write_bytes(part)
        with pytest.raises(InputError, match=r"net\.h5: damaged"):
            read_keras(path)
    with pytest.raises(InputError, match="no such file"):
        read_keras(tmp_path)
