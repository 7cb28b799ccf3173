"""Tables of regions from sweeps of two small models."""

import numpy as np
import pytest

from salix.attribution import IntegratedGradients
from salix.compare import concept_shares, read_regions
from salix.engine.image_sweep import sweep
from salix.measures import Regions
from salix.perturb.segmentation import SLIC

pytestmark = pytest.mark.slow  # compiles two sweeps


@pytest.fixture(scope="module")
def runs(tinies, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    measure = Regions(segmentation=SLIC(segments=(4, 9)), side=16, embeddings=(), occlusion=False)
    method = IntegratedGradients(steps=4)
    return [
        sweep(
            model, params, pictures, method, [measure],
            out=folder / name, name=name, targets="label", batch_size=8,
        )
        for name, (model, params) in zip("AB", tinies, strict=True)
    ]  # fmt: skip


def test_swept_regions_are_read_with_their_masks_and_numbers(runs):
    table = read_regions(runs)
    rows = runs[0].read()
    assert table.ids.tolist() == rows["id"].tolist()
    assert table.explained == "the label of each image"
    assert table.segmentation.startswith("SLIC(segments=(4, 9)")
    # On a grid of all pixels a region's mask has its area and its share of the map.
    masks = table.mask(slice(None)).reshape(len(table.image), -1)
    assert np.allclose(masks.mean(1), table.area, atol=1e-6)
    for m in range(2):
        for maps, numbers in ((table.density, table.share), (table.signed, table.mass)):
            inside = (masks * maps[m, table.image].astype(float)).mean(1)
            assert np.allclose(inside, numbers[m], atol=2e-3)
    assert ((table.rank > 0).any(0) != table.floor).all()
    assert table.embeddings == {}


def test_a_swept_run_beside_itself_has_no_difference(runs):
    table = read_regions([runs[1], runs[1]])
    shares = concept_shares(table, np.zeros(len(table.image), int), 1)
    assert np.array_equal(shares[0], shares[1], equal_nan=True)
    assert np.isfinite(shares).all()
