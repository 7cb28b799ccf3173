from itertools import combinations

import numpy as np
import pytest
from scipy.special import comb

from salix.compare.concept_count import silhouette
from salix.compare.grouping import (
    agreement,
    best_jaccard,
    half_samples,
    image_codes,
    mean_agreements,
    sample_images,
)


def test_adjusted_rand_index_is_that_of_the_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.integers(3, size=40), rng.integers(4, size=40)
    pairs = list(combinations(range(40), 2))
    together = sum(a[i] == a[j] and b[i] == b[j] for i, j in pairs)
    in_a, in_b = (comb(np.bincount(x), 2).sum() for x in (a, b))
    expected = in_a * in_b / len(pairs)
    index = (together - expected) / ((in_a + in_b) / 2 - expected)
    assert agreement(a, b) == pytest.approx(index, abs=1e-12)
    assert agreement(a, a) == 1


def test_mean_agreement_leaves_out_the_partition_itself():
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    np.testing.assert_allclose(
        mean_agreements([a, a, b]), [(1 + agreement(a, b)) / 2] * 2 + [agreement(a, b)]
    )


def test_silhouette_is_that_of_the_definition():
    x = np.array([[0.0], [1.0], [5.0], [7.0]])
    # a, b of each point: mean distance within its group and to the other group
    own, other = np.array([1, 1, 2, 2]), np.array([6, 5, 4.5, 6.5])
    expected = ((other - own) / np.maximum(own, other)).mean()
    assert silhouette(x, np.array([0, 0, 1, 1])) == pytest.approx(expected)
    assert np.isnan(silhouette(x, np.zeros(4, int)))


def test_best_jaccard_of_groups():
    labels, others = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(best_jaccard(labels, others, 4), [2 / 3, 1 / 2, np.nan, 1 / 4])


def test_half_samples_take_whole_images():
    codes = np.repeat(np.arange(7), 3)
    masks = list(half_samples(codes, 30, 0))
    assert all(mask.reshape(7, 3).sum(1).tolist() in ([],) or mask.sum() == 12 for mask in masks)
    assert all(len(np.unique(mask.reshape(7, 3).mean(1) % 1)) == 1 for mask in masks)
    assert len({mask.tobytes() for mask in masks}) > 10


def test_sample_of_images_keeps_to_its_size():
    codes = np.repeat(np.arange(10), 4)
    rng = np.random.default_rng(0)
    for most in (1, 4, 9, 40):
        mask = sample_images(codes, most, rng)
        assert mask.sum() == max(4, most // 4 * 4)
        assert set(np.bincount(codes[mask])) <= {0, 4}


def test_codes_of_images_follow_their_first_region():
    np.testing.assert_array_equal(image_codes(np.array([9, 4, 9, 7, 4])), [0, 1, 0, 2, 1])
