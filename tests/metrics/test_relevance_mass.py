"""The share of mass inside a mask."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from salix import metrics
from salix.typing import InputError

relevance_mass = jax.jit(metrics.relevance_mass)  # one compilation a shape
rng = np.random.default_rng(0)
shape = st.shared(st.sampled_from([(9,), (4, 5), (3, 4, 2)]))
maps = hnp.arrays(
    np.float32, shape, elements=st.floats(-100, 100, width=32, allow_subnormal=False)
).filter(lambda m: np.abs(m).max() > 1e-3)
masks = hnp.arrays(np.bool_, shape).filter(np.any)


def test_by_hand():
    m = np.array([[1, -2], [3, 4]], np.float32)
    assert float(relevance_mass(m, np.array([[1, 1], [0, 0]], bool))) == pytest.approx(0.3)
    assert float(relevance_mass(m, np.array([[0.5, 0], [0, 0.25]], np.float32))) == pytest.approx(
        0.15
    )
    assert float(relevance_mass(m, np.array([[0, 255], [0, 51]], np.uint8))) == pytest.approx(0.28)
    grey = np.array([[100, 200], [0, 100]], np.uint8)
    assert float(relevance_mass(grey, np.array([[0, 1], [0, 0]], bool))) == pytest.approx(0.5)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(maps, masks)
def test_laws(m, mask):
    share = float(relevance_mass(m, mask))
    a = np.abs(m.astype(np.float64))
    assert share == pytest.approx(a[mask].sum() / a.sum(), abs=1e-5)
    assert 0 <= share <= 1 + 1e-6
    assert float(relevance_mass(m, np.ones_like(mask))) == pytest.approx(1, abs=1e-6)
    if not mask.all():
        assert share + float(relevance_mass(m, ~mask)) == pytest.approx(1, abs=1e-5)
    assert float(relevance_mass(m * np.float32(-1e30), mask)) == pytest.approx(share, abs=1e-5)
    assert float(relevance_mass(np.ones_like(m), mask)) == pytest.approx(mask.mean(), abs=1e-6)
    for other in (mask.astype(np.float32), 255 * mask.astype(np.uint8)):
        assert float(relevance_mass(m, other)) == pytest.approx(share, abs=1e-6)


def test_undefined_is_nan():
    m, mask = np.ones((3, 3), np.float32), np.eye(3, dtype=np.float32)
    assert np.isfinite(relevance_mass(m, mask))
    assert np.isnan(relevance_mass(0 * m, mask))
    assert np.isnan(relevance_mass(m, 0 * mask))
    assert np.isnan(relevance_mass(m, np.zeros((3, 3), np.uint8)))
    for bad in (-0.5, 1.5, np.nan):
        assert np.isnan(relevance_mass(m, np.where(mask > 0, bad, mask).astype(np.float32)))
    m[0, 0] = np.inf
    assert np.isnan(relevance_mass(m, mask))


def test_shapes_must_agree():
    with pytest.raises(InputError, match=r"\(3, 3\).*\(6, 6\)"):
        relevance_mass(np.ones((3, 3), np.float32), np.ones((6, 6), bool))
