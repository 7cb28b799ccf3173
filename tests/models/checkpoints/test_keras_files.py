"""Files of Keras 3 under the names of Keras 2, and hostile HDF5 files within limits of memory."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest

from salix import models
from salix.models.checkpoints.formats import kind, read
from salix.models.checkpoints.keras import read_keras
from salix.models.checkpoints.module_state import arrays
from salix.typing import InputError

PARTS: dict[str, tuple[str, ...]] = {"conv2d": ("kernel", "bias"), "dense": ("kernel", "bias")}
PARTS["batch_normalization"] = ("gamma", "beta", "moving_mean", "moving_variance")


def meso_layers(seed: int) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Random weights of Meso4 by Keras' layers, and by our names."""
    draw = np.random.default_rng(seed)
    ours = {
        name: draw.normal(size=array.shape).astype(np.float32)
        for name, array in arrays(models.load("meso4")[1]).items()
    }
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, (theirs, _) in models.MODELS["meso4"].tables["keras"].items():  # pyright: ignore
        layer, part = theirs.split("/")
        layers.setdefault(layer, {})[part] = ours[name]
    return layers, ours


def write_numbered(
    path: Path,
    layers: dict[str, dict[str, np.ndarray]],
    titles: Callable[[str], str | None] = str,
    root: str = "layers",
) -> Path:
    """Write layers as Keras 3 does, with the attribute of their names."""
    with h5py.File(path, "w") as file:
        for key, parts in layers.items():
            group = file.create_group(f"{root}/{key}/vars")
            title = titles(key)
            if title is not None:
                group.attrs["name"] = title
            order = PARTS.get(key.rstrip("_0123456789"), tuple(parts))
            for number, part in enumerate(order):
                group[str(number)] = parts[part]
        file["optimizer/vars/0"] = np.ones(3)
        file["seed_generator/vars/0"] = np.zeros(2, np.uint32)
    return path


def shifted(key: str) -> str:
    """A name of a later session: conv2d_2 is conv2d_19."""
    kind, _, number = key.rpartition("_")
    return f"{kind}_{int(number) + 17}" if number.isdigit() else f"{key}_17"


@pytest.mark.slow
@pytest.mark.parametrize(
    "titles",
    [str, lambda key: None, shifted, lambda key: f"mine_{key}"],
    ids=["its own", "none", "of a later session", "of a user"],
)
def test_keras_3_weights_have_the_names_of_keras_2(tmp_path: Path, titles: Any) -> None:
    layers, ours = meso_layers(1)
    path = write_numbered(tmp_path / "net.weights.h5", layers, titles)
    restored = arrays(models.load("meso4", path)[1])
    assert all((restored[name] == array).all() for name, array in ours.items())


def test_layers_are_ordered_by_their_making_where_keras_named_them(tmp_path: Path) -> None:
    layers = {
        "conv2d": {"kernel": np.full((1, 1, 1, 1), 1.0), "bias": np.ones(1)},
        "conv2d_1": {"kernel": np.full((1, 1, 1, 1), 2.0), "bias": np.ones(1)},
    }
    made = {"conv2d": "conv2d_9", "conv2d_1": "conv2d_8"}  # the second of the model was made first
    path = write_numbered(tmp_path / "a.h5", layers, made.get)
    assert read_keras(path)["conv2d/kernel"] == 2
    one = {"conv2d": "conv2d_9", "conv2d_1": "mine"}  # then the order of the model decides
    assert read_keras(write_numbered(path, layers, one.get))["conv2d/kernel"] == 1


@pytest.mark.slow
def test_models_within_models_are_read(tmp_path: Path) -> None:
    layers, ours = meso_layers(3)
    paths = [tmp_path / name for name in ("a.h5", "b.h5", "c.h5", "d.h5")]
    write_numbered(paths[0], layers, shifted, "layers/functional/layers")
    write_numbered(paths[1], layers, lambda key: None, "layers/functional/layers")
    with h5py.File(paths[2], "w") as file:  # attributes of the user's own class
        for i, (key, parts) in enumerate(layers.items()):
            group = file.create_group(f"part{i}/vars")
            group.attrs["name"] = shifted(key)
            for number, part in enumerate(PARTS[key.rstrip("_0123456789")]):
                group[str(number)] = parts[part]
    with h5py.File(paths[3], "w") as file:  # Keras 2
        file.attrs["layer_names"] = [b"rescaling", b"model_1"]
        file.create_group("rescaling").attrs["weight_names"] = []
        names = {f"{shifted(k)}/{p}:0": a for k, parts in layers.items() for p, a in parts.items()}
        file.create_group("model_1").attrs["weight_names"] = [name.encode() for name in names]
        for name, array in names.items():
            file[f"model_1/{name}"] = array
    for path in paths:
        restored = arrays(models.load("meso4", path)[1])
        assert all((restored[name] == array).all() for name, array in ours.items()), path


def write_archive(path: Path, weights: Path, config: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.write(weights, "model.weights.h5")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("root", ["layers", "_layer_checkpoint_dependencies"])
def test_archives_take_the_names_of_their_config(tmp_path: Path, root: str) -> None:
    layers, ours = meso_layers(2)
    weights = write_numbered(tmp_path / "w.h5", layers, lambda key: None, root)
    classes = {"conv2d": "Conv2D", "dense": "Dense", "batch_normalization": "BatchNormalization"}
    listed = [
        {"class_name": classes[key.rstrip("_0123456789")], "config": {"name": shifted(key)}}
        for key in layers
    ]
    config = {
        "config": {"layers": [{"class_name": "InputLayer", "config": {"name": "i"}}, *listed]}
    }
    path = write_archive(tmp_path / "net.keras", weights, config)
    assert kind(path) == "keras"
    restored = arrays(models.load("meso4", path)[1])
    assert all((restored[name] == array).all() for name, array in ours.items())
    with pytest.raises(InputError, match=r"net\.keras: damaged, or not a Keras weight file"):
        read(write_archive(path, weights, "[" * 100_000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(1 << 29))
    with pytest.raises(InputError, match="declares 536870912 bytes of members, more than its size"):
        read(path)


def test_ambiguous_variables_stay_numbered(tmp_path: Path) -> None:
    layers = {"batch_normalization": {"a": np.ones(2), "b": np.ones(2), "c": np.ones(2)}}
    with h5py.File(tmp_path / "net.h5", "w") as file:
        for number, array in enumerate(layers["batch_normalization"].values()):
            file[f"layers/batch_normalization/vars/{number}"] = array
    names = set(read_keras(tmp_path / "net.h5"))
    assert names == {f"batch_normalization/vars.{i}" for i in range(3)}
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["layers/dense/vars/1"] = np.ones(2)
    with pytest.raises(InputError, match="lacks variables of its layer dense"):
        read_keras(tmp_path / "net.h5")


def test_long_lists_of_names_and_bfloat16_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:  # Keras splits a list of more than 64 KB
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"dense"], [b"dense_1"]
        for name in ("dense", "dense_1"):
            file.create_group(name).attrs["weight_names"] = [b"kernel"]
            file[f"{name}/kernel"] = np.arange(3, dtype=ml_dtypes.bfloat16).view("V2")
    restored = read_keras(path)
    assert list(restored) == ["dense/kernel", "dense_1/kernel"]
    assert restored["dense/kernel"].dtype == ml_dtypes.bfloat16
    assert restored["dense/kernel"].tolist() == [0, 1, 2]


def unwritten(file: Any) -> None:
    for i in range(10):
        file.create_dataset(f"layers/dense_{i}/vars/0", (1 << 28,), np.float32)


def unwritten_chunks(file: Any) -> None:
    array = file.create_dataset("layers/dense/vars/0", (1 << 29,), np.float32, chunks=(1 << 12,))
    array[:4096] = 1


def bomb(file: Any) -> None:
    array = file.create_dataset(
        "layers/dense/vars/0", (1 << 27,), np.float32, chunks=(1 << 27,), compression="gzip"
    )
    array.id.write_direct_chunk((0,), b"\0" * 1000)


def many_links(file: Any) -> None:
    file["x"] = np.ones(1 << 20, np.float32)
    for i in range(3000):
        file[f"layers/dense_{i}/vars/0"] = file["x"]


def cycle(file: Any) -> None:
    group = file.create_group("layers")
    group["a"] = group["b"] = group


def many_groups(file: Any) -> None:
    for i in range(20_001):
        file.create_group(f"layers/{i}")


def deep(file: Any) -> None:
    file["/".join(["layers"] * 100)] = np.ones(1)


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((3,), np.float64)
    layout[:] = h5py.VirtualSource("secret.h5", "x", (3,))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def soft(file: Any) -> None:
    file["x"] = np.ones(3)
    file["layers/dense/vars/0"] = h5py.SoftLink("/x")


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (unwritten, "declares 1073741824 bytes at 'layers/dense_0/vars/0', of which 0 are in the"),
        (unwritten_chunks, "declares 2147483648 bytes at 'layers/dense/vars/0', of which 16384"),
        (bomb, "declares 536870912 bytes of arrays, more than its size explains"),
        (many_links, "bytes of arrays, more than its size explains"),
        (cycle, "nests groups more than 64 deep"),
        (many_groups, "has more than 20000 groups and arrays"),
        (deep, "nests groups more than 64 deep"),
        (virtual, "stores 'layers/dense/vars/0' in another file, which is not read"),
        (soft, "contains a link at 'layers/dense/vars/0', which is not followed"),
    ],
)
def test_hostile_files_are_refused_before_an_array_is_read(
    tmp_path: Path, attack: Any, message: str
) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.ones(3)
    path = tmp_path / "net.weights.h5"
    with h5py.File(path, "w") as file:
        attack(file)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
