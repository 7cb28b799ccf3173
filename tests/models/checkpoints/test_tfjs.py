"""Reader of TensorFlow.js models: restored weights, refused files."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix.models.checkpoints import formats, tfjs_manifest
from salix.models.checkpoints.tfjs import read_tfjs
from salix.typing import InputError

RNG = np.random.default_rng(0)
FLOATS = RNG.normal(size=(2, 3)).astype(np.float32)
HALVES = RNG.normal(size=5).astype(np.float16)
BYTES = RNG.integers(0, 256, (3, 2), np.uint8)
WORDS = RNG.integers(0, 1 << 16, 4).astype(np.uint16)
COUNTS = np.array([7, 8], np.uint8)
SIZES = np.array([-1, 12], np.int32)

ENTRIES: list[dict[str, Any]] = [
    {"name": "a/kernel", "shape": [2, 3], "dtype": "float32"},
    {
        "name": "b",
        "shape": [5],
        "dtype": "float32",
        "quantization": {"dtype": "float16", "original_dtype": "float32"},
    },
    {
        "name": "c",
        "shape": [3, 2],
        "dtype": "float32",
        "quantization": {"dtype": "uint8", "scale": 0.013, "min": -1.5},
    },
    {
        "name": "d",
        "shape": [4],
        "dtype": "float32",
        "quantization": {"dtype": "uint16", "scale": 1e-4, "min": 0.0},
    },
    {
        "name": "e",
        "shape": [2],
        "dtype": "int32",
        "quantization": {"dtype": "uint8", "scale": 1, "min": -9},
    },
    {"name": "f", "shape": [2], "dtype": "int32"},
    {"name": "g", "shape": [], "dtype": "bool"},
]
DATA = b"".join(a.tobytes() for a in (FLOATS, HALVES, BYTES, WORDS, COUNTS, SIZES)) + b"\1"


def write(
    folder: Path, entries: Any = ENTRIES, shards: dict[str, bytes] | None = None, **manifest: Any
) -> Path:
    shards = {"group1-shard1of2.bin": DATA[:20], "b.bin": DATA[20:]} if shards is None else shards
    group = {"paths": list(shards), "weights": entries}
    content = {"format": "graph-model", "modelTopology": {}, "weightsManifest": [group], **manifest}
    for name, data in shards.items():
        (folder / name).write_bytes(data)
    path = folder / "model.json"
    path.write_text(json.dumps(content))
    return path


def check(weights: dict[str, np.ndarray]) -> None:
    assert list(weights) == ["a/kernel", "b", "c", "d", "e", "f", "g"]
    np.testing.assert_array_equal(weights["a/kernel"], FLOATS, strict=True)
    np.testing.assert_array_equal(weights["b"], HALVES.astype(np.float32), strict=True)
    c = [[np.float32(int(x) * 0.013 - 1.5) for x in row] for row in BYTES]
    np.testing.assert_array_equal(weights["c"], np.array(c), strict=True)
    d = np.array([np.float32(int(x) * 1e-4) for x in WORDS])
    np.testing.assert_array_equal(weights["d"], d, strict=True)
    np.testing.assert_array_equal(weights["e"], np.array([-2, -1], np.int32), strict=True)
    np.testing.assert_array_equal(weights["f"], SIZES, strict=True)
    assert weights["g"].shape == ()
    assert weights["g"]


def test_every_type_is_dequantised(tmp_path: Path) -> None:
    path = write(tmp_path)
    check(read_tfjs(path))
    check(read_tfjs(tmp_path))
    assert formats.kind(path) == formats.kind(tmp_path) == "tfjs"
    check(formats.read(tmp_path))
    path.rename(tmp_path / "other.json")
    check(read_tfjs(tmp_path))


# as a bundler writes it: names without quotes, numbers without zeros, booleans as !0
def bundle(entries: list[dict[str, Any]], shards: list[str]) -> str:
    weights = json.dumps(entries, separators=(",", ":"))
    for name in ("name", "shape", "dtype", "quantization", "original_dtype", "scale", "min"):
        weights = weights.replace(f'"{name}":', f"{name}:")
    weights = weights.replace(":0.013", ":.013").replace(":-1.5", ":-1.5e0")
    group = f"weightsManifest:[{{paths:{json.dumps(shards)},weights:{weights}}}]"
    start = '!function(a){if(!1)return{b:.5}}(function(i,e){e.exports={a:!0,text:"b:!1,{.5",'
    return start + group + "}},{}]},{},[1])(1)});"


def test_bundles_of_javascript_are_read_and_not_run(tmp_path: Path) -> None:
    names = ["group1-shard1of2", "group1-shard2of2"]
    path = tmp_path / "model.min.js"
    path.write_text(bundle(ENTRIES, names))
    for name, data in zip(names, (DATA[:23], DATA[23:]), strict=True):
        text = f'e.exports="{base64.b64encode(data).decode()}"'
        (tmp_path / f"{name}.min.js").write_text(f"!function(e){{{text}}},{{}}]}},{{}},[1])(1)}});")
    check(read_tfjs(tmp_path))
    assert formats.kind(path) == formats.kind(tmp_path) == "tfjs"
    path.write_text(bundle(ENTRIES, names) * 2)
    with pytest.raises(InputError, match="no bundle of one"):
        read_tfjs(path)
    path.write_text(bundle(ENTRIES, names))
    for text in ("", 'e.exports="AAA', 'e.exports="A!"', 'e.exports="QQ==" e.exports="QQ=="'):
        (tmp_path / f"{names[1]}.min.js").write_text(text)
        with pytest.raises(InputError, match="no base64 in its shard group1-shard2of2"):
            read_tfjs(path)
    (tmp_path / f"{names[1]}.min.js").write_text('e.exports="QQQ"')
    with pytest.raises(InputError, match="damaged"):
        read_tfjs(path)


def test_shards_must_have_their_sizes(tmp_path: Path) -> None:
    size = len(DATA)
    for shards, message in [
        ({"a.bin": DATA[:-1]}, f"has shards of {size - 1} bytes, not {size}"),
        ({"a.bin": DATA + b"x"}, f"has shards of {size + 1} bytes, not {size}"),
        ({"a.bin": DATA, "b.bin": b"x"}, f"has shards of {size + 1} bytes, not {size}"),
        ({"a.bin": b"", "b.bin": DATA}, f"has shards of 0 bytes, not {size}"),
        ({}, f"has shards of 0 bytes, not {size}"),
        ({"a.bin": DATA + bytes(10_000)}, f"has a shard of {size + 10_000} bytes"),
    ]:
        path = write(tmp_path, shards=shards)
        with pytest.raises(InputError, match=rf"model\.json: {message}"):
            read_tfjs(path)


def test_shards_lie_in_the_folder_of_the_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(DATA)
    path = write(folder, shards={"a.bin": DATA})
    good = path.read_text()
    (folder / "link.bin").symlink_to(tmp_path / "secret")
    for name in ("../secret", str(tmp_path / "secret"), "./../net/../secret", "link.bin"):
        path.write_text(good.replace('"a.bin"', json.dumps(name)))
        with pytest.raises(InputError, match="a shard outside its folder"):
            read_tfjs(path)
    for name in ("none.bin", "", ".", "a.bin\0", "http://host/a.bin"):
        path.write_text(good.replace('"a.bin"', json.dumps(name)))
        with pytest.raises(InputError, match="lacks its shard"):
            read_tfjs(path)
    (tmp_path / "other").symlink_to(folder)  # a link to the folder itself is the user's own
    path.write_text(good)
    check(read_tfjs(tmp_path / "other"))


FLOAT = {"name": "x", "shape": [1], "dtype": "float32"}
HALF = {"dtype": "float16"}


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        ({}, np.float32([np.nan]).tobytes(), "a NaN or an infinity in x"),
        ({"quantization": HALF}, np.float16([np.inf]).tobytes(), "a NaN or an infinity in x"),
        (
            {"quantization": {"dtype": "uint8", "scale": 1e308, "min": 1e308}},
            b"\xff",
            "a NaN or an infinity in x",
        ),
        (
            {"dtype": "int32", "quantization": {"dtype": "uint8", "scale": 1e9, "min": 0}},
            b"\xff",
            "a NaN or an infinity in x",
        ),
        ({"shape": [-1]}, b"", "x of a malformed shape"),
        ({"shape": [1.0]}, b"", "x of a malformed shape"),
        ({"shape": [True]}, b"", "x of a malformed shape"),
        ({"shape": [1] * 65}, b"", "x of a malformed shape"),
        ({"shape": "11"}, b"", "x of a malformed shape"),
        ({"shape": [1 << 31]}, b"", "declares 8589934592 bytes of weights"),
        ({"shape": [10**9] * 9}, b"", "bytes of weights, more than"),
        ({"dtype": "string"}, b"", "x of type string"),
        ({"dtype": ["float32"]}, b"", "damaged"),
        ({"quantization": {"dtype": "int4"}}, b"", "x of type int4"),
        ({"quantization": {"dtype": "uint8", "scale": 1}}, b"\1", "damaged.*min"),
        ({"quantization": [1]}, b"", "damaged"),
        ({"name": 3}, b"", "a weight without a name"),
        ({"name": "é\n" * 99}, b"", r"has shards of 0 bytes"),
    ],
)
def test_malformed_weights_are_refused(
    tmp_path: Path, change: Any, data: bytes, message: str
) -> None:
    path = write(tmp_path, [{**FLOAT, **change}], {"a.bin": data})
    with pytest.raises(InputError, match=message) as caught:
        read_tfjs(path)
    assert str(caught.value).isprintable()


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, [FLOAT, FLOAT], {"a.bin": bytes(8)})
    with pytest.raises(InputError, match="has x twice"):
        read_tfjs(path)
    nested = "[" * 100_000
    for text in ("", "{", "[]", "3", '{"a": 1}', '{"weightsManifest": {"a": 1}}', "é", nested):
        path.write_text(text)
        with pytest.raises(InputError, match=r"json: (damaged|contains no weights|has no weights)"):
            read_tfjs(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="damaged"):
        read_tfjs(path)
    path.write_text('{"weightsManifest": [NaN]}')
    with pytest.raises(InputError, match="has NaN in its manifest"):
        read_tfjs(path)
    path.write_text('{"weightsManifest": []}')
    with pytest.raises(InputError, match="contains no weights"):
        read_tfjs(path)
    path.rename(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(InputError, match="contains 2 manifests"):
        read_tfjs(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_tfjs(tmp_path / "none.json")
    monkeypatch.setattr(tfjs_manifest, "_MANIFEST_LIMIT", 1)
    with pytest.raises(InputError, match="larger than 1 bytes"):
        read_tfjs(tmp_path / "b.json")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"empty is an empty folder: name the weight file"):
        formats.kind(empty)


def test_hostile_bundles_take_no_time(tmp_path: Path) -> None:
    path, start = tmp_path / "model.min.js", time.process_time()
    for text in ("a" * 300_000, '"' * 99_999, '"\\\n' * 50_000, ". " * 50_000, "$:" * 50_000):
        path.write_text(text)
        with pytest.raises(InputError, match="no bundle"):
            read_tfjs(path)
    assert time.process_time() - start < 20  # minutes, were it not linear
