"""Necks of open-world attribution on a trunk."""

import numpy as np
import pytest
from flax import nnx

from salix.models.cifar import CifarResNet
from salix.studies.openworld.network import NeckedNetwork, cell_means
from salix.typing import InputError


@pytest.mark.parametrize(("height", "width"), [(3, 3), (8, 8), (7, 11)])
def test_cells_are_windows_up_to_the_border(height, width):
    features = np.random.default_rng(0).normal(size=(2, height, width, 4)).astype(np.float32)
    cells = np.asarray(cell_means(features, 3)).reshape(2, 3, 3, 4)
    strides = height // 3, width // 3
    sizes = height - 2 * strides[0], width - 2 * strides[1]
    for i in range(3):
        for j in range(3):
            top, left = i * strides[0], j * strides[1]
            window = features[:, top : top + sizes[0], left : left + sizes[1]]
            np.testing.assert_allclose(cells[:, i, j], window.mean((1, 2)), atol=1e-6)
    assert top + sizes[0] == height
    assert left + sizes[1] == width


def test_features_too_small_for_parts_are_named():
    with pytest.raises(InputError, match="2 x 5 have no 3 x 3 parts"):
        cell_means(np.zeros((1, 2, 5, 1), np.float32), 3)


@pytest.mark.slow
def test_outputs_have_normalised_features_and_the_network_is_cut_as_its_trunk():
    rngs = nnx.Rngs(0)
    network = NeckedNetwork(CifarResNet(1, 2, rngs=rngs), 64, 6, rngs=rngs)
    x = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype(np.float32)
    out = network.outputs(x)
    assert out.logits.shape == (8, 6)
    assert out.local_features.shape == (8, 9, 64)
    for features in (out.global_features, *np.moveaxis(np.asarray(out.local_features), 1, 0)):
        live = np.asarray(features).std(0) > 0.5  # a channel may be 0 everywhere
        np.testing.assert_allclose(np.asarray(features).mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(np.asarray(features).std(0)[live], 1, atol=2e-2)
        assert live.mean() > 0.5
    assert network.cuts == ("stage1", "stage2", "stage3")
    assert network.neck.bias is None
    network.eval()
    np.testing.assert_allclose(network.outputs(x).logits, network(x), atol=1e-7)
    np.testing.assert_array_equal(network.outputs(x).logits, network.outputs(x).logits)
