"""Maps as records of ArrayRecord files, the bytes of one map in each."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from salix.optional import import_extra
from salix.typing import Column

FILE = 1 << 30  # bytes of the largest column in one file
MODULE = "array_record.python.array_record_module"
OPTIONS = "group_size:1"  # a record is read by itself


class RecordMaps:
    """Files `map-00000-of-00002.array_record` in a folder, those of each column in their order.

    A record is one row: its numbers in row-major order, little-endian. `maps.json` has the number
    of rows, and the files, type and shape of each column with its description.
    """

    def __init__(self, folder: Path, columns: Sequence[Column], count: int):
        largest = max(np.dtype(c.dtype).itemsize * int(np.prod(c.shape)) for c in columns)
        self._rows = max(1, FILE // largest)  # of a file
        files = max(1, -(-count // self._rows))
        self._folder = folder
        self._names = {
            c.name: [
                f"{quote(c.name, safe=' ')}-{k:05d}-of-{files:05d}.array_record"
                for k in range(files)
            ]
            for c in columns
        }
        about = [asdict(c) | {"files": self._names[c.name]} for c in columns]
        content = {"rows": count, "rows_per_file": self._rows, "columns": about}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / "maps.json").write_text(text, encoding="utf-8")
        self._number = 0
        self._writers = self._open()

    @staticmethod
    def require() -> Any:
        """Return the module that writes; raises `InputError` where it is not installed."""
        return import_extra(MODULE, "array_record", "array-record")

    def write(self, first: int, block: Mapping[str, np.ndarray]) -> None:
        """Append rows, each in the file of its number."""
        length = len(next(iter(block.values())))
        for row in range(length):
            if (number := (first + row) // self._rows) != self._number:
                self.close()
                self._number = number
                self._writers = self._open()
            for name, values in block.items():
                little = values[row].astype(values.dtype.newbyteorder("<"), copy=False)
                self._writers[name].write(little.tobytes())

    def close(self) -> None:
        """Finish and sync the files of the present number."""
        for name, writer in self._writers.items():
            writer.close()
            with (self._folder / self._names[name][self._number]).open("rb") as file:
                os.fsync(file.fileno())

    def _open(self) -> dict[str, Any]:
        module = self.require()
        return {
            name: module.ArrayRecordWriter(str(self._folder / files[self._number]), OPTIONS)
            for name, files in self._names.items()
        }
