"""Simulations in one thread."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Thousands of small matrix products run faster in one thread."""
    with threadpool_limits(1):
        yield
