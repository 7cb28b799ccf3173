"""Grids, superpixels and given labels, and images with masked segments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.hyperparameters import check_value
from salix.perturb.partition import PARTITION, PARTITIONS, Grid, Labels, Superpixels
from salix.perturb.segment_masks import apply_mask
from salix.spec import parse
from salix.typing import InputError

rng = np.random.default_rng(0)


@pytest.mark.parametrize("space", [(6,), (9, 15), (4, 6, 5)], ids=len)
@pytest.mark.parametrize("side", [1, 4, 7])
def test_blocks_of_a_grid_are_those_of_array_split(space, side):
    image = np.zeros((*space, 2), np.float32)
    labels = np.asarray(Grid(side)(image))
    count = Grid(side).count(image.shape)
    np.testing.assert_array_equal(np.unique(labels), np.arange(count))
    sizes = [[len(b) for b in np.array_split(np.arange(n), min(side, n))] for n in space]
    expected = np.sort(np.prod(np.meshgrid(*sizes, indexing="ij"), axis=0).ravel())
    np.testing.assert_array_equal(np.sort(np.bincount(labels.ravel())), expected)
    if side == 1:
        assert not labels.any()


def test_blocks_of_a_grid_by_hand():
    expected = [[0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [2, 2, 2, 3, 3]]
    np.testing.assert_array_equal(Grid(2)(np.zeros((3, 5, 1), np.float32)), expected)


def blocks(low, high, channels=3):
    """A noisy picture of four flat quarters."""
    quarters = rng.permutation(4).reshape(2, 2).repeat(12, 0).repeat(16, 1)[..., None] / 3
    picture = quarters * np.linspace(1, 0.5, channels) + 0.01 * rng.normal(size=(24, 32, channels))
    return (low + (high - low) * picture).astype(np.float32)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-2.5, 2.5), (0, 1000)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_superpixels_are_bounded_dense_and_follow_edges_in_any_range(low, high, channels):
    image = blocks(low, high, channels)
    partition = Superpixels(12, compactness=0.1 if channels != 3 else 10)
    labels = np.asarray(partition(image))
    count = partition.count(image.shape)
    assert count == 12
    found = np.unique(labels)
    np.testing.assert_array_equal(found, np.arange(len(found)))
    assert 4 <= len(found) <= count
    quarters = np.arange(4).reshape(2, 2).repeat(12, 0).repeat(16, 1)
    pure = sum(np.bincount(quarters[labels == n]).max() for n in found)
    assert pure / labels.size > 0.9


@pytest.mark.parametrize("asked", [1, 2, 3, 5, 50, 300])
def test_superpixels_are_never_more_than_asked_for(asked):
    image = rng.uniform(size=(17, 13, 3)).astype(np.float32)
    labels = np.asarray(Superpixels(asked)(image))
    assert labels.max() < Superpixels(asked).count(image.shape) == min(asked, 17 * 13)


def test_superpixels_inside_programs_depend_on_their_image_alone():
    batch = np.stack([blocks(0, 1), blocks(-1, 1), blocks(0, 1)])
    alone = [np.asarray(Superpixels(9)(x)) for x in batch]
    together = jax.jit(jax.vmap(Superpixels(9)))(batch)
    np.testing.assert_array_equal(together, np.stack(alone))
    assert together.dtype == jnp.int32
    slope = jax.grad(lambda x: (x * Superpixels(9)(x)[..., None].astype(x.dtype)).sum())
    np.testing.assert_array_equal(slope(batch[0])[..., 0], alone[0])


@pytest.mark.parametrize("value", [0.0, 3.5, np.nan, np.inf])
def test_an_image_that_is_constant_or_not_finite_is_one_superpixel(value):
    assert not np.asarray(Superpixels()(np.full((9, 8, 3), value, np.float32))).any()


@pytest.mark.parametrize("space", [(40,), (8, 7, 6)], ids=len)
def test_superpixels_of_sequences_and_volumes(space):
    image = np.moveaxis(np.indices(space), 0, -1).astype(np.float32)
    labels = np.asarray(Superpixels(6)(image))
    assert labels.shape == space
    assert 1 < labels.max() + 1 <= 6


def test_superpixels_of_more_axes_are_refused():
    with pytest.raises(InputError, match=r"shape \(2, 2, 2, 2, 1\): give partition=Grid\(\)"):
        Superpixels()(np.zeros((2, 2, 2, 2, 1), np.float32))


def test_labels_are_numbered_in_order():
    partition = Labels(np.array([[7, 7, -3], [0, 7, 0]]))
    image = np.zeros((2, 3, 4), np.float32)
    np.testing.assert_array_equal(partition(image), [[2, 2, 0], [1, 2, 1]])
    assert partition.count(image.shape) == 3
    assert hash(partition) is not None
    for wrong in (np.zeros((3, 2, 4), np.float32), np.zeros((2, 3), np.float32)):
        with pytest.raises(InputError, match=r"shape \(2, 3\)"):
            partition(wrong)
    for array in (np.zeros((2, 2)), np.zeros((0, 2), int), np.ones((2, 2), bool)):
        with pytest.raises(InputError, match="give an array of whole numbers"):
            Labels(array)


@pytest.mark.parametrize("text", ["Grid(side=5)", "Superpixels(segments=20, compactness=0.5)"])
def test_text_reads_back(text):
    assert repr(parse(text, PARTITIONS)) == text
    assert check_value("partition", parse(text, PARTITIONS), PARTITION) == parse(text, PARTITIONS)


@pytest.mark.parametrize("text", ["Grid(0)", "Grid(2.5)", "Superpixels(0)", "Superpixels(5, 0)"])
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"side|segments|compactness"):
        parse(text, PARTITIONS)
    for value in (7, "Grid", Grid, None):
        with pytest.raises(InputError, match=r"partition is .*Grid\(side=7\)"):
            check_value("partition", value, PARTITION)


def test_masked_segments_are_filled():
    labels = np.array([[0, 1, 2], [2, 1, 0]])
    image, fill = rng.uniform(size=(2, 2, 3, 4)).astype(np.float32)
    out = apply_mask(image, fill, labels, np.array([True, False, True]))
    np.testing.assert_array_equal(out, np.where((labels == 1)[..., None], fill, image))
    shares = np.array([1, 0.25, 0], np.float32)
    mixed = apply_mask(image, fill, labels, shares)
    m = shares[labels][..., None]
    np.testing.assert_allclose(mixed, m * image + (1 - m) * fill, rtol=1e-6)
    assert (
        apply_mask(image.astype(jnp.bfloat16), fill.astype(jnp.bfloat16), labels, shares).dtype
        == jnp.bfloat16
    )
