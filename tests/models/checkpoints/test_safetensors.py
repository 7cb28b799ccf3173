"""Safetensors files: round trip, metadata, damage."""

from pathlib import Path

import jax
import numpy as np
import pytest

from salix.models.checkpoints.formats import read
from salix.models.checkpoints.safetensors import read_metadata, write_safetensors
from salix.typing import InputError


def test_safetensors_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
        "b": np.array(2.5, np.float16),
        "c": np.zeros((0, 3), np.int8),
        "d": np.array([1, 2]).astype(jax.numpy.bfloat16),
    }
    write_safetensors(path, arrays, {"architecture": "x"})
    restored = read(path)
    assert set(restored) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(restored[name], array, strict=True)
    assert read_metadata(path) == {"architecture": "x"}
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]  # nothing half-written
    content = path.read_bytes()
    for length in (0, 5, 20, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"damaged|is empty"):
            read(path)
    with pytest.raises(InputError, match="cannot be written"):
        write_safetensors(tmp_path / "none" / "net.safetensors", arrays, {})
