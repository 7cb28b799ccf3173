"""Weight files of all kinds: choosing, writing, matching."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from salix.models.checkpoints import weights
from salix.typing import InputError


def test_a_file_is_known_by_its_content_then_by_its_suffix(tmp_path: Path) -> None:
    for content, suffix, kind in [
        (b"PK\x03\x04rest", "h5", "torch"),
        (b"\x89HDF\r\n\x1a\nrest", "pth", "keras"),
        (b"\x02" + b"\0" * 7 + b"{}", "bin", "safetensors"),
        (b"\x80\x02rest", "pt", "torch"),
        (b"\x80\x02rest", "tar", "torch"),
    ]:
        path = tmp_path / f"net.{suffix}"
        path.write_bytes(content)
        assert weights.kind(path) == kind
    path = tmp_path / "net.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match="not a weight file"):
        weights.kind(path)
    with pytest.raises(InputError, match="no such file"):
        weights.read(tmp_path / "none.pth")


def test_safetensors_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
        "b": np.array(2.5, np.float16),
        "c": np.zeros((0, 3), np.int8),
        "d": np.array([1, 2]).astype(jax.numpy.bfloat16),
    }
    weights.write(path, arrays, {"architecture": "x"})
    found = weights.read(path)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert weights.manifest(path) == {"architecture": "x"}
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]  # nothing half-written
    whole = path.read_bytes()
    for length in (0, 5, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged"):
            weights.read(path)
    with pytest.raises(InputError, match="cannot be written"):
        weights.write(tmp_path / "none" / "net.safetensors", arrays, {})


def test_layouts() -> None:
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert weights.conv(array)[1, 2, 0, 1] == array[1, 0, 1, 2]
    assert weights.transposed(array)[1, 2, 0, 1] == array[0, 1, 4 - 1 - 1, 5 - 1 - 2]
    assert weights.dense(array[0, 0]).shape == (5, 4)


EXPECTED = {name: jax.ShapeDtypeStruct((2, 3), np.float32) for name in "abcdefg"}


def test_a_fitting_file_is_taken_in_the_expected_types() -> None:
    held = {name: np.ones((2, 3), np.float64) for name in EXPECTED}
    found = weights.match(EXPECTED, held, "net.pth", "net")
    assert all(array.dtype == np.float32 for array in found.values())


def test_every_fault_of_a_file_is_told_at_once() -> None:
    held: dict[str, Any] = {name: np.ones((2, 3), np.float32) for name in EXPECTED}
    del held["a"]
    held["b"] = np.ones((3, 2), np.float32)
    held["c"] = np.ones((2, 3), np.int8)
    held["d"][0, 0] = np.nan
    held["e"][0, 0] = -np.inf
    held["f"] = np.full((2, 3), 1e300)  # infinite in float32
    held |= dict.fromkeys(("w", "x", "y", "z\n"), np.ones(1))
    with pytest.raises(InputError) as caught:
        weights.match(EXPECTED, held, "net.pth", "tiny")
    assert str(caught.value) == (
        "net.pth does not fit tiny: missing 1 (a); unknown 4 (w, x, y and 1 more); "
        "misshaped 2 (b (3, 2), not (2, 3), c int8, not float32); not finite 3 (d, e, f)"
    )


def test_conversion_keeps_what_it_does_not_know() -> None:
    table = {"k": ("net.weight", weights.conv), **weights.batch_norm("n", "net.1")}
    held = {
        "net.weight": np.zeros((1, 2)),
        "net.1.running_var": np.ones(3),
        "net.1.num_batches_tracked": np.array(7),
        "other": np.ones(2),
    }
    found = weights.convert(table, held)
    assert {name: array.shape for name, array in found.items()} == {
        "k": (1, 2),
        "n.var": (3,),
        "other": (2,),
    }
