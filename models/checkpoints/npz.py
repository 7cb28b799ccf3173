"""Reader of NumPy archives (.npz) of plain arrays."""

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from salix.models.checkpoints.archives import checked_members
from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.naming import NamedArrays
from salix.typing import InputError

__all__ = ["read_npz"]

_DAMAGE = (
    *(ValueError, OSError, EOFError, KeyError, TypeError, RuntimeError, NotImplementedError),
    *(SyntaxError, RecursionError, MemoryError, OverflowError, zipfile.BadZipFile, zlib.error),
)


def read_npz(path: str | Path) -> NamedArrays:
    """Return the arrays of an .npz archive by name, as `numpy.savez` and `savez_compressed` write.

    Nothing is unpickled. Raises InputError, naming the file, for objects, for other members, and
    for arrays of another size than their member.
    """
    path = existing_file(path)
    arrays: NamedArrays = {}
    with input_errors(path, "a NumPy archive", *_DAMAGE), zipfile.ZipFile(path) as archive:
        for name, item in checked_members(path, archive).items():
            if not name.endswith(".npy"):
                raise InputError(f"contains {printable(name)}, not an array of NumPy")
            with archive.open(item) as member:
                version = np.lib.format.read_magic(member)
                header = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    header = np.lib.format.read_array_header_2_0
                shape, fortran, dtype = header(member)
                if dtype.hasobject or dtype.kind not in "fiub":
                    raise InputError(f"contains no plain numbers at {printable(name)}")
                raw = member.read()
            if math.prod(shape) * dtype.itemsize != len(raw):
                raise InputError(f"has {len(raw)} bytes at {printable(name)}, not {shape} {dtype}")
            array = np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")
            arrays[name.removesuffix(".npy")] = array
        if not arrays:
            raise InputError("contains no arrays")
    return arrays
