"""XRAI beside PAIR's package, a slow greedy order and its invariants."""

import os
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import dilation, disk
from skimage.segmentation import felzenszwalb
from skimage.transform import resize

from salix import sweep
from salix.attribution import XRAI, Gradient, IntegratedGradients, rank_segments
from salix.attribution.felzenszwalb import felzenszwalb_levels
from salix.attribution.mask_bits import cut, dilate, pack_labels, pack_masks
from salix.typing import InputError

KEY = jax.random.key(0)
SCRIPT = Path(__file__).parents[2] / "benchmarks/peers/xrai_reference.py"
PAIR = SimpleNamespace(**run_path(str(SCRIPT)))
REFERENCE = np.load(Path(__file__).parent / "pair_xrai.npz")


def bits(planes, count):
    return np.stack([planes[m // 64] >> np.uint64(m % 64) & np.uint64(1) for m in range(count)])


class Fixed:
    """A method whose attribution is given."""

    def __init__(self, values):
        self.values = values

    def __call__(self, score, image, key):
        return jnp.asarray(self.values)


@pytest.mark.parametrize("order", ["full", "fast"])
@pytest.mark.parametrize("name", PAIR.SAMPLES)
def test_ranks_and_gains_are_those_of_pair(name, order):
    image = PAIR.sample(name, (120, 160))
    labels = felzenszwalb_levels((image / 255).astype(np.float32))
    masks = bits(dilate(pack_labels(labels), 5), labels.max()).astype(bool)
    ranked = rank_segments(PAIR.attribution(image).max(-1), masks, order=order)
    np.testing.assert_array_equal(ranked.rank, REFERENCE[f"{name} {order} rank"])
    np.testing.assert_allclose(ranked.gains, REFERENCE[f"{name} {order} gains"], rtol=1e-9)


def test_the_method_is_the_function_of_its_parts():
    image = PAIR.sample("cat", (120, 160))
    method = XRAI(Fixed(PAIR.attribution(image).astype(np.float32)))
    heatmap = method(lambda x: x.sum(), jnp.asarray(image / 255, jnp.float32), KEY)
    rank, gains = (REFERENCE[f"cat full {part}"] for part in ("rank", "gains"))
    np.testing.assert_allclose(heatmap[..., 0], gains[rank - 1], rtol=1e-5, atol=1e-7)


def test_attributions_on_a_grid_are_enlarged():
    image = jnp.asarray(PAIR.sample("cat", (64, 64)) / 255, jnp.float32)
    grid = np.random.default_rng(0).normal(size=(4, 4, 1)).astype(np.float32)
    full = jax.image.resize(grid, (64, 64, 1), "linear")
    score = lambda x: x.sum()  # noqa: E731
    together = XRAI(Fixed(grid))(score, image, KEY)
    np.testing.assert_array_equal(together, XRAI(Fixed(full))(score, image, KEY))


def test_images_of_one_value_are_one_segment():
    image = jnp.full((32, 48, 3), 0.25)
    heatmap = jax.jit(lambda x: XRAI()(lambda x: (x[:8] ** 2).sum(), x, KEY))(image)
    assert heatmap.shape == (32, 48, 1)
    assert np.unique(heatmap).size == 1
    base = XRAI().base(lambda x: (x[:8] ** 2).sum(), image, KEY)
    np.testing.assert_allclose(heatmap.sum(), base.max(-1).sum(), rtol=1e-5)


def test_maps_that_are_not_finite_give_nan():
    values = np.ones((16, 16, 1), np.float32)
    values[3, 3] = np.inf
    image = np.random.default_rng(0).uniform(size=(2, 16, 16, 3)).astype(np.float32)
    bad = jnp.stack([jnp.asarray(values), jnp.ones((16, 16, 1))])
    explain = lambda x, a: XRAI(Fixed(a))(lambda x: x.sum(), x, KEY)  # noqa: E731
    heatmaps = jax.jit(jax.vmap(explain))(image, bad)
    assert np.isnan(heatmaps[0]).all()
    assert (heatmaps[1] == 1).all()


def test_images_with_other_axes_are_refused():
    with pytest.raises(InputError, match=r"\(4, 6, 2, 3\): explain it by IntegratedGradients"):
        XRAI()(lambda x: x.sum(), jnp.ones((4, 6, 2, 3)), KEY)


masks_and_maps = st.tuples(st.integers(1, 80), st.integers(0, 2**32 - 1), st.booleans())


def random_masks(count, seed, ties):
    """Overlapping rectangles, and a map whose few values make ties or whose many do not."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, 20, 15), bool)
    for mask in masks:
        y, x = rng.integers(0, 20), rng.integers(0, 15)
        mask[y : y + rng.integers(0, 9), x : x + rng.integers(0, 9)] = True
    map = rng.integers(-1, 2, (20, 15)) * 0.1 if ties else rng.normal(size=(20, 15))
    return masks, map


def greedy(map, masks, least, area):
    """Return the chosen masks, segments and gains by the definition, pixel by pixel."""
    covered, left, steps = np.zeros(map.shape, bool), list(range(len(masks))), []
    while covered.mean() <= area:
        left = [m for m in left if (masks[m] & ~covered).sum() >= least]
        if not left:
            break
        gains = [np.float64(np.rint(map[masks[m] & ~covered] * 1e4).mean()) for m in left]
        best = left.pop(int(np.argmax(gains)))
        steps.append((best, masks[best] & ~covered))
        covered |= masks[best]
    return steps, ~covered


@settings(deadline=None, max_examples=60)
@given(masks_and_maps, st.integers(1, 20), st.sampled_from([0.1, 0.5, 1.0]))
def test_full_order_is_the_greedy_one(case, least, area):
    masks, map = random_masks(*case)
    map = np.rint(map * 1e4) / 1e4
    steps, rest = greedy(map, masks, least, area)
    ranked = rank_segments(map, masks, least_pixels=least, area=area)
    steps.sort(key=lambda s: -np.rint(map[s[1]] * 1e4).mean())
    expected = [m for m, _ in steps] + [-1] * bool(rest.any())
    assert ranked.masks.tolist() == expected
    for place, segment in enumerate([s for _, s in steps] + [rest] * bool(rest.any())):
        np.testing.assert_array_equal(ranked.rank == place + 1, segment)


@settings(deadline=None, max_examples=60)
@given(masks_and_maps, st.sampled_from(["full", "fast"]))
def test_invariants(case, order):
    masks, map = random_masks(*case)
    ranked = rank_segments(map, masks, order=order, least_pixels=5)
    count = len(ranked.gains)
    assert np.unique(ranked.rank).tolist() == list(range(1, count + 1))
    chosen = count - (ranked.masks[-1] == -1)
    assert (np.diff(ranked.gains[:chosen]) <= 1e-12).all()
    assert len(set(ranked.masks)) == count
    np.testing.assert_array_equal(ranked.heatmap, ranked.gains[ranked.rank - 1])
    for place, mask in enumerate(ranked.masks, 1):
        pixels = ranked.rank == place
        assert pixels.sum() >= 5 or mask == -1
        assert mask == -1 or not (pixels & ~masks[mask]).any()
        np.testing.assert_allclose(ranked.heatmap[pixels].sum(), map[pixels].sum(), atol=1e-12)
    tenfold = rank_segments(10 * map, masks, order=order, least_pixels=5)
    if not case[2]:
        np.testing.assert_array_equal(tenfold.rank, ranked.rank)


def test_equal_means_are_ties_of_which_the_earliest_mask_wins():
    masks = np.zeros((3, 30, 30), bool)
    masks[0, 20:], masks[1, :7], masks[2, 5:25] = True, True, True
    ranked = rank_segments(np.full((30, 30), 0.1), masks)
    assert ranked.masks.tolist() == [0, 1, 2]


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("shape", [(40, 30), (4, 6), (1, 20)])
def test_dilation_is_that_of_scikit_image(radius, shape):
    masks = np.random.default_rng(radius).uniform(size=(70, *shape)) < 0.02
    planes = dilate(pack_masks(masks), radius)
    for mask, dilated in zip(masks, bits(planes, 70), strict=True):
        np.testing.assert_array_equal(dilated, dilation(mask, disk(radius)))


def test_labels_are_masks():
    labels = np.random.default_rng(0).integers(0, 140, (2, 9, 11)) % [[[90]], [[140]]]
    masks = np.stack([(labels == m).any(0) for m in range(1, labels.max() + 1)])
    np.testing.assert_array_equal(pack_labels(labels), pack_masks(masks))
    map = np.random.default_rng(1).normal(size=(9, 11))
    one, other = (rank_segments(map, m, least_pixels=1) for m in (labels, masks))
    np.testing.assert_array_equal(one.rank, other.rank)
    np.testing.assert_array_equal(
        rank_segments(map, labels[0], least_pixels=1).rank,
        rank_segments(map, labels[:1], least_pixels=1).rank,
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 150), st.integers(0, 2**32 - 1))
def test_atoms_are_the_sets_of_equal_members(count, seed):
    masks = np.random.default_rng(seed).uniform(size=(count, 7, 9)) < 0.01
    atoms = cut(pack_masks(masks), count)
    np.testing.assert_array_equal(atoms.members[atoms.pixel], np.moveaxis(masks, 0, -1))
    assert len(np.unique(atoms.members, axis=0)) == len(atoms.members)


@pytest.mark.parametrize(
    ("map", "masks", "message"),
    [
        (np.full((4, 4), np.nan), np.ones((1, 4, 4), bool), "finite"),
        (np.zeros(4), np.ones((1, 4, 4), bool), "finite"),
        (np.zeros((4, 4)), np.ones((1, 4, 5), bool), r"bool\[1, 4, 5\]"),
        (np.zeros((4, 4)), np.ones((4, 4), bool), r"bool\[4, 4\]"),
        (np.zeros((4, 4)), np.ones((1, 4, 4)), "float64"),
        (np.zeros((4, 4)), -np.ones((1, 4, 4), int), "0 for no segment"),
    ],
)
def test_unusable_maps_and_masks_are_refused(map, masks, message):
    with pytest.raises(InputError, match=message):
        rank_segments(map, masks)


@pytest.mark.parametrize("options", [{"order": "best"}, {"area": 1.5}, {"least_pixels": -1}])
def test_unusable_options_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        rank_segments(np.zeros((4, 4)), np.ones((1, 4, 4), bool), **options)
    with pytest.raises(InputError, match=next(iter(options))):
        XRAI(**options)


def test_no_masks_at_all_leave_one_segment():
    ranked = rank_segments(np.ones((4, 4)), np.zeros((0, 4, 4), bool))
    assert ranked.masks.tolist() == [-1]
    assert (ranked.rank == 1).all()
    assert (ranked.heatmap == 1).all()


def test_segments_of_the_default_base_sum_to_its_map():
    image = jnp.asarray(PAIR.sample("coffee", (48, 64)) / 255, jnp.float32)
    score = lambda x: (x**2)[10:30].sum()  # noqa: E731
    heatmap = XRAI(IntegratedGradients(steps=4))(score, image, KEY)
    base = IntegratedGradients(steps=4)(score, image, KEY)
    np.testing.assert_allclose(heatmap.sum(), base.max(-1).sum(), rtol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_images_of_any_number_of_channels_are_segmented(channels):
    image = np.zeros((32, 32, channels), np.float32)
    image[:, 16:, -1] = 1
    (labels,) = felzenszwalb_levels(image, scales=(50,))
    assert not set(labels[8:24, :8].ravel()) & set(labels[8:24, 24:].ravel())


def test_labels_are_unique_over_levels_and_those_of_scikit_image_resized():
    image = (PAIR.sample("cat", (40, 300)) / 255).astype(np.float32)
    labels = felzenszwalb_levels(image, scales=(50, 500))
    assert labels[0].max() < labels[1].min()
    unit = (image - image.min()) / np.ptp(image) * 2 - 1
    small = resize(unit, (224, 224), order=3, mode="constant")
    for level, scale in zip(labels, (50, 500), strict=True):
        expected = felzenszwalb(small, scale=scale, sigma=0.8, min_size=150)
        expected = resize(expected, (40, 300), order=0, preserve_range=True, anti_aliasing=False)
        np.testing.assert_array_equal(level - level.min(), expected - expected.min())


@pytest.mark.slow
def test_a_sweep_gives_the_same_rows_in_any_batch(tiny, pictures, tmp_path):
    model, params = tiny
    maps = []
    for size in (1, 3):
        options = {"out": tmp_path / str(size), "batch_size": size}
        rows = sweep(model, params, pictures.images[:3], XRAI(Gradient()), **options).rows
        assert rows["finite"].all()
        maps.append(rows["map"])
    np.testing.assert_array_equal(*maps)


IDENTITY = """
import jax
from salix.attribution import XRAI, Gradient
from salix.engine.traced_identity import traced_identity
for options in ({}, {"dilation": 3}, {"order": "fast"}):
    explain = lambda x: XRAI(Gradient(), **options)(lambda x: (x**2).sum(), x, jax.random.key(0))
    program = jax.jit(jax.vmap(explain)).trace(jax.ShapeDtypeStruct((2, 8, 8, 3), "float32"))
    print(traced_identity(program.jaxpr))
"""


@pytest.mark.slow
def test_the_identity_is_that_of_the_settings_in_every_process():
    command, pipe = [sys.executable, "-c", IDENTITY], subprocess.PIPE
    both = [
        subprocess.Popen(command, env=os.environ | {"PYTHONHASHSEED": s}, stdout=pipe, text=True)
        for s in ("1", "2")
    ]
    first, second = (process.communicate()[0].splitlines() for process in both)
    assert first == second
    assert len(set(first)) == 3
