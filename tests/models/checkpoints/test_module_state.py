"""Fitting of arrays to the weights of an architecture."""

from typing import Any

import jax
import numpy as np
import pytest

from salix.models.checkpoints.module_state import match
from salix.typing import InputError

SHAPES = {name: jax.ShapeDtypeStruct((2, 3), np.float32) for name in "abcdefg"}


def test_fitting_arrays_are_cast_to_the_expected_types() -> None:
    arrays = {name: np.ones((2, 3), np.float64) for name in SHAPES}
    fitted = match(SHAPES, arrays, "net.pth", "net")
    assert all(array.dtype == np.float32 for array in fitted.values())


def test_all_faults_of_a_file_are_reported_at_once() -> None:
    arrays: dict[str, Any] = {name: np.ones((2, 3), np.float32) for name in SHAPES}
    del arrays["a"]
    arrays["b"] = np.ones((3, 2), np.float32)
    arrays["c"] = np.ones((2, 3), np.int8)
    arrays["d"][0, 0] = np.nan
    arrays["e"][0, 0] = -np.inf
    arrays["f"] = np.full((2, 3), 1e300)  # infinite in float32
    arrays |= dict.fromkeys(("w", "x", "y", "z\n"), np.ones(1))
    with pytest.raises(InputError) as caught:
        match(SHAPES, arrays, "net.pth", "tiny")
    assert str(caught.value) == (
        "net.pth does not fit tiny: missing 1 (a); unknown 4 (w, x, y and 1 more); "
        "misshaped 2 (b (3, 2), not (2, 3), c int8, not float32); not finite 3 (d, e, f)"
    )
