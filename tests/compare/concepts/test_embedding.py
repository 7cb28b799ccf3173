import numpy as np
import pytest

from salix.compare.embedding import embed_regions
from salix.typing import InputError

RNG = np.random.default_rng(0)
A, B = (RNG.standard_normal((50, 8)).astype(np.float16) for _ in range(2))


def test_components_keep_the_distances_of_standardised_values():
    embedding = embed_regions({"descriptor": A, "m": B}, "descriptor", variance=1)
    x = A.astype(np.float64)
    x = (x - x.mean(0)) / x.std(0)
    distances = np.linalg.norm(x[:, None] - x, axis=2)
    y = embedding.values
    np.testing.assert_allclose(np.linalg.norm(y[:, None] - y, axis=2), distances, atol=1e-4)
    assert embedding.variance == pytest.approx(1)
    assert embedding.sources == ("descriptor",)


def test_least_number_of_components_with_the_share_of_variance():
    x = RNG.standard_normal((500, 3)) @ RNG.standard_normal((3, 40))  # three dimensions
    assert embed_regions({"m": x}, "m").values.shape[1] <= 3
    embedding = embed_regions({"m": RNG.standard_normal((500, 90))}, "m")
    assert embedding.values.shape == (500, 50)
    assert 0.5 < embedding.variance < 0.95
    spectrum = np.linalg.eigvalsh(np.corrcoef(x.T))[::-1].cumsum() / 40
    for variance in (0.3, 0.8):
        embedding = embed_regions({"m": x}, "m", variance=variance)
        count = np.argmax(spectrum >= variance) + 1
        assert embedding.values.shape[1] == count
        assert embedding.variance == pytest.approx(spectrum[count - 1])


def test_features_of_all_models_are_the_same_in_any_order_and_scale():
    one = embed_regions({"a": A, "b": B, "descriptor": B}, "features")
    other = embed_regions({"b": B * np.float16(4), "a": A}, "features")
    np.testing.assert_allclose(one.values, other.values, atol=1e-4)
    assert one.sources == ("a", "b")


def test_equal_embeddings_have_one_constant_component():
    embedding = embed_regions({"m": np.ones((9, 4))}, "m")
    np.testing.assert_array_equal(embedding.values, np.zeros((9, 1)))
    assert np.isnan(embedding.variance)


@pytest.mark.parametrize(
    ("embeddings", "which", "message"),
    [
        ({"descriptor": A, "m": B}, "n", "'n' is not stored in these runs: give one of"),
        ({"descriptor": A}, "features", "'features' is not stored.*one of descriptor"),
        ({"m": A[:0]}, "m", "no regions"),
        ({"m": np.where(np.arange(50)[:, None] == 3, np.inf, A)}, "m", "1 of 50 regions"),
    ],
)
def test_unusable_embeddings(embeddings, which, message):
    with pytest.raises(InputError, match=message):
        embed_regions(embeddings, which)
