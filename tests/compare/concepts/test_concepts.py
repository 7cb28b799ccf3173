import numpy as np
import pytest

from salix.compare.concept_count import choose_count
from salix.compare.concepts import cluster_regions
from salix.compare.grouping import agreement
from salix.typing import InputError


def fit(values, image, **options):
    return cluster_regions(values, image, **{"restarts": 2, "resamples": 4, **options})


def test_separate_groups_are_recovered_with_full_stability(blobs):
    values, image, group = blobs(6)
    concepts = fit(values, image, count=6, restarts=8)
    assert agreement(concepts.labels, group) == 1
    assert concepts.seed_stability == concepts.resample_stability == (1.0, 1.0)
    np.testing.assert_array_equal(concepts.concept_stability, 1)
    assert concepts.silhouette > 0.4
    np.testing.assert_array_equal(concepts.sizes, np.sort(np.bincount(group))[::-1])
    means = [values[concepts.labels == k].mean(0) for k in range(6)]
    np.testing.assert_allclose(concepts.centres, means, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, 8])
def test_count_is_chosen(blobs, count):
    values, image, group = blobs(count, regions=800)
    concepts = fit(values, image, counts=(2, 3, 4, 6, 7, 8, 9, 12))
    assert concepts.supported == (count > 1)
    assert concepts.count == (count if count > 1 else 12)
    if count > 1:
        assert agreement(concepts.labels, group) == 1
    assert [g.count for g in concepts.grid] == [2, 3, 4, 6, 7, 8, 9, 12]


def test_noise_has_low_stability(blobs):
    values, image, _ = blobs(1)
    concepts = fit(values, image, count=6)
    assert concepts.resample_stability[0] < 0.4
    assert concepts.concept_stability.max() < 0.6


@pytest.mark.slow
def test_elongated_noise_is_not_two_concepts(blobs):
    values, image, _ = blobs(1)
    values[:, 0] *= 6  # cutting it across is stable, as for the Gaussian reference
    concepts = fit(values, image, counts=(2, 3, 4, 5, 6))
    assert concepts.grid[0].stability > 0.8
    assert not concepts.supported


def test_same_for_a_seed_and_any_order_of_regions(blobs):
    values, image, _ = blobs(1, regions=600)  # noise: labels depend on every draw
    first = fit(values, image, count=5, seed=3)
    again = fit(values, image, count=5, seed=3)
    np.testing.assert_array_equal(first.labels, again.labels)
    order = np.random.default_rng(0).permutation(600)
    shuffled = fit(values[order], image[order], count=5, seed=3)
    np.testing.assert_array_equal(first.labels[order], shuffled.labels)
    np.testing.assert_array_equal(first.concept_stability, shuffled.concept_stability)
    assert first.resample_stability == shuffled.resample_stability
    renamed = fit(values, 1000 - image, count=5, seed=3)
    np.testing.assert_array_equal(first.labels, renamed.labels)


def test_small_sample_of_images_finds_the_same_concepts(blobs):
    values, image, group = blobs(4)
    concepts = fit(values, image, count=4, most=200)
    assert agreement(concepts.labels, group) == 1


def test_equal_embeddings_are_one_concept():
    image = np.arange(40) // 2
    concepts = cluster_regions(np.ones((40, 3), np.float32), image)
    assert concepts.count == 1
    assert np.isnan(concepts.seed_stability).all()
    with pytest.raises(InputError, match="--concepts 2 with 1 distinct regions"):
        cluster_regions(np.ones((40, 3), np.float32), image, count=2)


def test_repeated_embeddings_are_grouped():
    values = np.repeat(np.eye(3, dtype=np.float32), 20, 0)
    concepts = fit(values, np.arange(60) % 20)
    assert concepts.count == 3
    assert concepts.seed_stability == (1.0, 1.0)


@pytest.mark.parametrize(
    ("regions", "images", "count", "message"),
    [
        (0, 1, None, "no regions"),
        (30, 4, 5, "--concepts 5 with 4 images: give between 1 and 4"),
        (30, 30, 31, "--concepts 31 with 30 images"),
        (30, 30, 0, "--concepts 0"),
        (30, 3, None, "3 images with 30 regions are too few to choose"),
    ],
)
def test_too_few_images_or_regions(regions, images, count, message):
    values = np.random.default_rng(0).standard_normal((regions, 4)).astype(np.float32)
    with pytest.raises(InputError, match=message):
        cluster_regions(values, np.arange(regions) % images, count=count)


def test_stability_is_measured_over_clusters_of_dependent_images(blobs):
    values, image, _ = blobs(3, regions=800)
    clusters = np.arange(100) % 5  # fewer than the concepts that are asked for
    concepts = fit(values, image, clusters=clusters, count=6)
    assert concepts.count == 6
    # every cluster has its own kind of regions: no half of the clusters has all kinds
    own = values + 20 * np.eye(12, dtype=np.float32)[clusters[image]]
    own_stability = fit(own, image, clusters=clusters, count=5).resample_stability[0]
    assert own_stability < fit(own, image, count=5).resample_stability[0] == 1
    two = fit(own, image, clusters=clusters % 2, count=5)  # too few clusters: over images
    assert two.resample_stability[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("count", "d"), [(3, 12), (12, 30)])
def test_count_is_right_in_nine_of_ten_seeds(blobs, count, d):
    counts = []
    for seed in range(10):
        values, image, _ = blobs(count, seed, regions=800, d=d)
        grid = (2, 3, 4, 5, 6, 10, 12, 15)
        counts.append(choose_count(values, image, counts=grid, seed=seed)[0])
    assert counts.count(count) >= 9
