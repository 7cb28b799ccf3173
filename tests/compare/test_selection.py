"""Selection of regions against slow loops over pixels."""

import numpy as np
import pytest

from salix.compare.masks import boxes, counts, overlaps, pack, unpack
from salix.compare.selection import _draw_floor, random_draws, select_regions
from tests.compare.synthetic_runs import attributions, scene

IMAGES, SEGMENTS, SIDE = 12, 60, 24
OPTIONS = {"cover": 1.0, "most": 6, "floor": 2, "least_area": 0.001}


@pytest.fixture(scope="module")
def inputs():
    """Labels, ranks and shares of three models, areas and draws of a dozen images."""
    content = scene(range(IMAGES), segments=SEGMENTS, seed=5, side=SIDE)
    models = [attributions(content, np.random.default_rng(m), 3.0, 1.0) for m in range(3)]
    rank, share = (np.stack([m[n] for m in models]) for n in ("region_rank", "region_absolute"))
    # Equal ranks and shares of several models: only a symmetric rule has one answer.
    share[1, :, ::3] = share[0, :, ::3]
    area = models[0]["region_area"].astype(np.float32)
    ids = np.array([f"a/{i}.png" for i in range(IMAGES)], object)
    return content.labels, rank, share.astype(np.float32), area, random_draws(ids, 3, SEGMENTS)


def masks_of(labels):
    """Return the set of pixels of each segment of one image, by loops."""
    pixels = {}
    for level in labels:
        for y in range(SIDE):
            for x in range(SIDE):
                if level[y, x]:
                    pixels.setdefault(int(level[y, x]) - 1, set()).add((y, x))
    return pixels


def slow_tops(labels, rank, share, *, most, cover):
    """Return the top regions of one image, in order: the definition, in loops."""
    masks = masks_of(labels)
    best = {}
    for own in rank:
        covered = set()
        for r in sorted((r for r in masks if 0 < own[r] <= most), key=lambda r: own[r]):
            if len(covered) < cover * SIDE**2:
                best[r] = min(best.get(r, 10**6), own[r])
            covered |= masks[r]
    tops = []
    for r in sorted(best, key=lambda r: (best[r], -max(share[:, r]), r)):
        ratios = [len(masks[r] & masks[t]) / len(masks[r] | masks[t]) for t in tops]
        if max(ratios, default=0) <= 0.5:
            tops.append(r)
    return tops


@pytest.mark.parametrize("cover", [1.0, 0.1])
def test_top_regions_are_those_of_the_definition(inputs, cover):
    labels, rank, share, area, draw = inputs
    chosen = select_regions(labels, rank, share, area, draw, **{**OPTIONS, "cover": cover})
    for i in range(IMAGES):
        tops = chosen.region[(chosen.image == i) & ~chosen.floor]
        slow = slow_tops(labels[i], rank[:, i], share[:, i], most=6, cover=cover)
        assert tops.tolist() == slow


def test_floor_regions_are_random_unpicked_and_of_similar_area(inputs):
    labels, rank, share, area, draw = inputs
    chosen = select_regions(labels, rank, share, area, draw, **OPTIONS)
    assert np.bincount(chosen.image[chosen.floor], minlength=IMAGES).max() == 2
    assert chosen.floor.sum() > IMAGES
    for i in range(IMAGES):
        own = chosen.image == i
        tops, floor = chosen.region[own & ~chosen.floor], chosen.region[own & chosen.floor]
        masks = masks_of(labels[i])
        for r in floor:
            assert (rank[:, i, r] == 0).all()
            ratio = area[i, tops] / area[i, r]
            assert ((ratio <= 2.0001) & (ratio >= 0.4999)).any()
            assert max(len(masks[r] & masks[t]) / len(masks[r] | masks[t]) for t in tops) <= 0.5
    top = np.argsort(-share[0], 1)[:, :3]
    drawn, valid = _draw_floor(area, (rank == 0).all(0), top, np.ones(top.shape, bool), draw, 12)
    assert all(len(set(d[v])) == v.sum() for d, v in zip(drawn, valid, strict=True))
    other = select_regions(labels, rank, share, area, draw[::-1], **OPTIONS)
    assert not np.array_equal(chosen.region[chosen.floor], other.region[other.floor])


def test_floor_is_uniform_over_the_regions_of_similar_area(inputs):
    labels, rank, share, area, _ = (x[..., :1, :, :] if i == 0 else x for i, x in enumerate(inputs))
    labels = inputs[0][:1]
    n = 2000
    draw = random_draws(np.array([f"{i}" for i in range(n)], object), 0, SEGMENTS)
    repeated = (np.repeat(x, n, axis=-2) for x in (rank[:, :1], share[:, :1], area[:1]))
    chosen = select_regions(np.repeat(labels, n, 0), *repeated, draw, **{**OPTIONS, "floor": 1})
    times = np.bincount(chosen.region[chosen.floor], minlength=SEGMENTS)
    free = (rank[:, 0] == 0).all(0)
    assert times[~free].sum() == 0
    assert times.max() < 0.2 * n
    assert (times > 0).sum() >= 10


def test_an_image_depends_neither_on_the_others_nor_on_the_order_of_models(inputs):
    labels, rank, share, area, draw = inputs
    together = select_regions(labels, rank, share, area, draw, **OPTIONS)
    order = np.array([7, 2, 11])
    swapped = select_regions(
        labels[order],
        rank[::-1][:, order],
        share[::-1][:, order],
        area[order],
        draw[order],
        **OPTIONS,
    )
    for new, old in enumerate(order):
        a, b = together.image == old, swapped.image == new
        for name in ("region", "floor", "box", "masks"):
            assert np.array_equal(getattr(together, name)[a], getattr(swapped, name)[b])


def test_draws_depend_on_id_and_seed_alone_and_are_uniform():
    ids = np.array([f"image {i}" for i in range(500)], object)
    draw = random_draws(ids, 0, 145)
    assert np.array_equal(random_draws(ids[::-1], 0, 145), draw[::-1])
    assert not np.isin(random_draws(ids, 1, 145), draw).any()
    assert draw.min() >= 0
    assert draw.max() < 1
    assert np.allclose(np.histogram(draw, 20, (0, 1))[0] * 20 / draw.size, 1, atol=0.05)
    assert abs(np.corrcoef(draw[:, 0, :-1].ravel(), draw[:, 0, 1:].ravel())[0, 1]) < 0.02


def test_small_segments_and_those_between_the_grid_points_are_left_out(inputs):
    labels, rank, share, area, draw = inputs
    area = area.copy()
    area[:, 0] = 0.0009
    rank = np.zeros_like(rank)
    rank[:, :, 0], rank[:, :, 1] = 1, 2
    labels = np.where(labels == 2, 3, labels)  # segment 1 has no cell
    chosen = select_regions(labels, rank, share, area, draw, **{**OPTIONS, "floor": 0})
    assert chosen.region.size == 0


@pytest.mark.parametrize("side", [7, 8, 24])
def test_masks_survive_packing_and_overlaps_are_jaccard(side):
    rng = np.random.default_rng(side)
    masks = rng.uniform(size=(3, 5, side, side)) < rng.uniform(size=(3, 5, 1, 1))
    bits = pack(masks.reshape(3, 5, -1))
    assert bits.shape[-1] % 8 == 0
    assert np.array_equal(unpack(bits, side), masks)
    assert np.array_equal(counts(bits), masks.sum((2, 3)))
    expected = [[[(a & b).sum() / (a | b).sum() for b in m] for a in m] for m in masks]
    assert np.allclose(overlaps(bits), expected)


def test_boxes_are_shares_of_the_frame():
    masks = np.zeros((2, 10, 10), bool)
    masks[0, 2:5, 7:9] = masks[1] = True
    masks[0, 4, 3] = True
    assert np.allclose(boxes(masks), [[0.2, 0.3, 0.5, 0.9], [0, 0, 1, 1]])
    masks[1] = False
    masks[1, 9, 0] = True
    assert np.allclose(boxes(masks)[1], [0.9, 0, 1, 0.1])
