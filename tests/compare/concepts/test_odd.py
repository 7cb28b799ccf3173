import numpy as np
import pytest

from salix.compare.concepts import cluster_regions
from salix.compare.odd import odd_concepts


@pytest.fixture(scope="module")
def planted(blobs):
    """Return regions with a small tight group, their concepts, and shares of two models."""
    values, image, _ = blobs(5, regions=800)
    rng = np.random.default_rng(1)
    values[::16] = 6 + 0.1 * rng.standard_normal((50, 12))
    concepts = cluster_regions(values, image, count=6, restarts=3, resamples=1)
    a, b = (rng.uniform(0.05, 0.2, (100, 6)).astype(np.float32) for _ in range(2))
    square = int(concepts.labels[0])
    a[:, square], b[:, square] = rng.uniform(0.3, 0.5, 100), rng.uniform(0, 0.1, 100)
    a[1::2, square] = b[1::2, square] = np.nan  # images without it
    return values, concepts, a, b, square


def test_small_tight_one_sided_concept_raises_the_alarm(planted):
    values, concepts, a, b, square = planted
    (odd,) = odd_concepts(values, concepts, a, b)
    assert odd.concept == square
    assert odd.spread < 0.1
    assert odd.balance > 0.5
    assert (odd.images, odd.prevalence) == (50, 0.5)
    assert odd.size == pytest.approx(50 / (800 / 6))


def test_swapped_models_have_the_opposite_balance(planted):
    values, concepts, a, b, _ = planted
    (one,), (other,) = odd_concepts(values, concepts, a, b), odd_concepts(values, concepts, b, a)
    assert (one.balance, one.p, one.spread) == (-other.balance, other.p, other.spread)


def test_each_condition_is_needed(planted):
    values, concepts, a, b, _ = planted
    assert odd_concepts(values, concepts, a, a) == ()
    assert odd_concepts(values, concepts, a, b, most=0.05) == ()
    assert odd_concepts(values, concepts, a, b, spread=0.001) == ()
    assert odd_concepts(values, concepts, a, b, balance=0.95) == ()
    few = np.where(np.arange(100)[:, None] < 8, a, np.nan)
    assert odd_concepts(values, concepts, few, b) == ()  # p: four images


def test_spread_is_one_minus_the_simplified_silhouette(planted):
    values, concepts, a, b, square = planted
    own = np.linalg.norm(values - concepts.centres[concepts.labels], axis=1)
    other = [
        min(np.linalg.norm(v - c) for k, c in enumerate(concepts.centres) if k != label)
        for v, label in zip(values, concepts.labels, strict=True)
    ]
    (odd,) = odd_concepts(values, concepts, a, b)
    assert odd.spread == pytest.approx((own / other)[concepts.labels == square].mean(), abs=1e-3)


def test_equal_models_raise_few_alarms(planted):
    values, concepts, a, _, _ = planted
    rng = np.random.default_rng(0)
    base = np.where(np.isnan(a), np.nan, 0.1)
    alarms = [
        odd_concepts(values, concepts, *(base * rng.lognormal(0, 1, (2, 100, 6))))
        for _ in range(100)
    ]
    assert sum(len(x) > 0 for x in alarms) <= 1
