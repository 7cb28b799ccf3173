"""Layout of a packed data set: a description, and shards of rows in Arrow's file format.

| file | contents |
|---|---|
| `salix-packed.json` | format, settings, source, and for each shard its rows, bytes and digest |
| `packed-00000.arrow`, … | rows in the order of the data, uncompressed, at most about 1 GiB |

| column of a shard | contents |
|---|---|
| `id` | The id of the image in its source. |
| `label`, `label_kind` | Class: a `name`, an `index` or the `folder`s of the path; else null. |
| `group` | Name of the group of dependent images, or null. |
| `skipped` | Reason why the image could not be read, else null. |
| `height`, `width` | Size of the image in its file. |
| `pixels` | 8-bit tensor [height width channels], zero where skipped. |
| `pixels_sha256` | SHA-256 of height and width (int64, little-endian), and the pixels; else null. |
| `reference_mask`, `reference_mask_sha256` | 8-bit tensor [h w]; where the source has masks. |
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.class_folders import FolderName
from salix.data.class_labels import Label
from salix.preprocess import Preprocess
from salix.typing import InputError

DESCRIPTION, FORMAT = "salix-packed.json", 1
OWNER = b"salix_packing"  # key in the metadata of a shard: the digest of settings and source
SMALL = ("id", "label", "label_kind", "group", "skipped", "height", "width")


@dataclass(frozen=True)
class PackedLayout:
    """Schema of the shards of one packed data set, and the rows of their record batches."""

    to: Preprocess
    reference_masks: bool
    batch_rows: int
    owner: str  # the digest of settings and source

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the tensors by column."""
        pixels = {"pixels": (*self.to.size, self.to.channels)}
        return pixels | ({"reference_mask": self.to.size} if self.reference_masks else {})

    @property
    def row_bytes(self) -> int:
        """Bytes of the tensors of a row."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @property
    def schema(self) -> Any:
        """Arrow schema."""
        import pyarrow as pa

        numbers = ("height", "width")
        fields = [pa.field(n, pa.int32() if n in numbers else pa.string()) for n in SMALL]
        for name, shape in self.shapes.items():
            fields.append(pa.field(name, pa.fixed_shape_tensor(pa.uint8(), shape)))
            fields.append(pa.field(f"{name}_sha256", pa.binary(32)))
        return pa.schema(fields, metadata={OWNER: self.owner})


@dataclass(frozen=True)
class PackedShard:
    """Entry of a shard in the description."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Packing:
    """Description of a packed data set: what decides its rows, and its shards once it is whole."""

    config: Mapping[str, Any]
    shards: tuple[PackedShard, ...] | None = None

    @property
    def layout(self) -> PackedLayout:
        """Schema of the shards."""
        config = self.config
        size = tuple(config["preprocess"]["size"])
        to = Preprocess(**{**config["preprocess"], "size": size})
        masks, rows = config["reference_masks"], config["batch_rows"]
        return PackedLayout(to, masks, rows, json_digest(config))

    def to_json(self) -> str:
        """Return the text of the description."""
        shards = None if self.shards is None else [vars(s) for s in self.shards]
        return json.dumps({"format": FORMAT, "config": self.config, "shards": shards}, indent=1)


def is_packed(path: Path) -> bool:
    """Whether a folder is a packed data set, whole or not."""
    return (path / DESCRIPTION).is_file()


def read_packing(path: Path) -> Packing:
    """Read the description of a packed data set; raises `InputError` for a damaged one."""
    file = path / DESCRIPTION
    try:
        content = json.loads(file.read_text("utf-8"))
        version = content["format"]
        if version == FORMAT:
            shards = content["shards"]
            entries = None if shards is None else tuple(PackedShard(**s) for s in shards)
            packing = Packing(content["config"], entries)
            if any(Path(s.file).name != s.file for s in entries or ()):
                raise ValueError("a shard outside of the folder")
            if min(packing.layout.batch_rows, *(s.rows for s in entries or ()), 1) < 1:
                raise ValueError("no rows")
            return packing
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{file} is damaged ({str(error)[:100]}): remove {path} and run salix pack again"
        ) from None
    raise InputError(f"{file} has format {version!r}, this Salix reads {FORMAT}: pack again")


def json_digest(value: Any) -> str:
    """Return a sha256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def items_digest(items: Sequence[Any]) -> str:
    """Return a sha256 of texts, numbers and None in their order."""
    sha = hashlib.sha256()
    for item in items:
        sha.update(json.dumps(item).encode() + b"\n")
    return sha.hexdigest()


def tensor_digest(tensor: np.ndarray, frame: tuple[int, int]) -> bytes:
    """Return the sha256 of the size of an image in its file, and of its pixels or mask."""
    sha = hashlib.sha256(np.array(frame, "<i8").tobytes())
    sha.update(np.ascontiguousarray(tensor).data)
    return sha.digest()


def write_label(label: Label) -> tuple[str | None, str | None]:
    """Return a label as text and its kind."""
    if isinstance(label, FolderName):
        return "/".join(label.folders), "folder"
    return (None, None) if label is None else (str(label), _kind(label))


def _kind(label: str | int) -> str:
    return "name" if isinstance(label, str) else "index"


def read_label(text: str | None, kind: str | None) -> Label:
    """Return the label that `write_label` wrote."""
    if text is None or kind is None:
        return None
    return FolderName(f"{text}/") if kind == "folder" else int(text) if kind == "index" else text
