"""Simulations in one thread, and the share of intervals that cover the truth."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Thousands of small matrix products run faster in one thread."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def coverage():
    """Return the function (intervals, truth) -> share of the intervals that cover the truth."""
    return lambda intervals, truth: np.mean([i.low <= truth <= i.high for i in intervals])
