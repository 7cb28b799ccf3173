import numpy as np
import pytest


@pytest.fixture(scope="session")
def blobs():
    """Return the function that draws normal groups of regions, their images and groups."""

    def draw(count, seed=0, *, regions=1600, d=12, separation=3.0, per_image=8):
        rng = np.random.default_rng(seed)
        group = rng.integers(count, size=regions)
        values = rng.standard_normal((count, d))[group] * separation
        values += rng.standard_normal((regions, d))
        return values.astype(np.float32), np.arange(regions) // per_image, group

    return draw
