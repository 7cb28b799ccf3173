"""Regions of an image: sums, order, passes and completeness against slow versions."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import IntegratedGradients
from salix.measures import ARGUMENTS, MEASURES, Regions
from salix.measures.region_order import greedy_order
from salix.measures.region_passes import GREY, project, region_passes
from salix.measures.region_sums import segment_boxes, segment_sums
from salix.measures.regions import sum_channels
from salix.model import Model
from salix.perturb.segmentation import SLIC
from salix.preprocess import Preprocess
from salix.scores import logit
from salix.spec import parse
from salix.store import describe
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(0)
H, W, COUNT = 20, 30, 9
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
rng = np.random.default_rng(0)
FILTERS, HEAD = (rng.normal(size=s).astype(np.float32) for s in ((3, 5), (5, 2)))
MODEL = Model(
    lambda gain, x: jnp.maximum(jnp.asarray(x)[::2, ::2] @ FILTERS, 0) ** 1.5,
    lambda gain, f: gain * (f.mean((0, 1)) @ HEAD),
    preprocess=Preprocess((H, W), mean=MEAN, std=STD),
)
IMAGE = np.asarray(MODEL.preprocess(rng.integers(0, 256, (H, W, 3), np.uint8)))
PIXELS = IMAGE * np.float32(STD) + np.float32(MEAN)


@dataclass(frozen=True)
class Tiles:
    """A partition into four tiles, labels 1 to 4, and boxes that overlap it; 8 is missing."""

    levels: int = 2
    count: int = COUNT

    def __call__(self, pixels):
        raise AssertionError("the tests give the segments themselves")


SEGMENTS = np.zeros((2, H, W), np.uint16)
SEGMENTS[0, :11, :13], SEGMENTS[0, :11, 13:] = 1, 2
SEGMENTS[0, 11:, :13], SEGMENTS[0, 11:, 13:] = 3, 4
SEGMENTS[1, 2:9, 3:20], SEGMENTS[1, 12:18, 1:5], SEGMENTS[1, 15:16, 20:21] = 5, 6, 7
SEGMENTS[1, 10:12, 8:28] = 9
MASKS = [(i == SEGMENTS).any(0) for i in range(1, COUNT + 1)]
MEASURE = Regions(Tiles(), cover=0.5, side=10, dimensions=4)
IG = IntegratedGradients("black_white", 32)


def explainer(gain=1.0, method=IG, model=MODEL):
    """The explainer of a sweep of the model above for the logit of class 1."""
    score = model.score(jnp.float32(gain), logit(1))

    def explain(image, target):
        a = method(score, image, KEY)
        logits = model.logits(jnp.float32(gain), image)
        return Explanation(logits, jnp.int32(1), jnp.abs(a).sum(-1), attribution=a)

    return Explainer(
        explain,
        *(MEAN, STD),
        trunk=score.trunk,
        baselines=(lambda x: method.baselines(score, x)) if hasattr(method, "baselines") else None,
    )


@jax.jit
def measured(gain):
    """The values of the measure for the model's logits times a number, and the attribution."""
    explain = explainer(gain)
    clean = replace(explain(IMAGE), segments=SEGMENTS)
    return MEASURE(explain, IMAGE, clean, KEY), clean.attribution.sum(-1)


QUICK = Regions(Tiles(), cover=1, side=7, embeddings=(), occlusion=False)


@jax.jit
def sums_of(attribution):
    """The values of a measure without passes of the model, for any attribution."""
    explain = explainer()
    clean = replace(explain(IMAGE), segments=SEGMENTS, attribution=attribution)
    return QUICK(explain, IMAGE, clean, KEY)


@pytest.fixture(scope="module")
def values():
    """Values of the measure."""
    return jax.tree.map(np.asarray, measured(1.0)[0])


@pytest.fixture(scope="module")
def a():
    """The attribution, summed over channels."""
    return np.asarray(measured(1.0)[1])


def test_sums_are_those_of_a_loop_over_masks(values, a):
    for i, mask in enumerate(MASKS):
        assert values["region_area"][i] == pytest.approx(mask.mean())
        assert values["region_mass"][i] == pytest.approx(a[mask].sum(), abs=1e-6)
        assert values["region_absolute"][i] == pytest.approx(np.abs(a[mask]).sum(), abs=1e-6)
    assert values["region_count"] == 8
    assert values["region_total"] == pytest.approx(a.sum(), rel=1e-5)
    assert values["region_absolute_total"] == pytest.approx(np.abs(a).sum(), rel=1e-6)


def test_a_partition_sums_to_the_fall_of_the_score(values):
    black, white = (MODEL.preprocess(np.full((H, W, 3), v, np.uint8)) for v in (0, 255))
    f = lambda x: float(MODEL.logits(jnp.float32(1), x)[1])  # noqa: E731
    change = f(IMAGE) - (f(black) + f(white)) / 2
    partition = values["region_mass"][:4].sum()
    assert partition == pytest.approx(values["region_total"], rel=1e-5)
    assert partition == pytest.approx(change, rel=2e-3)
    assert values["region_completeness"] == pytest.approx(partition - change, abs=1e-5)


def greedy(mass, cover):
    """XRAI's order by boolean masks."""
    covered, rank = np.zeros((H, W), bool), np.zeros(COUNT, int)
    while covered.mean() < cover:
        density = np.full(COUNT, -np.inf)
        for i, mask in enumerate(MASKS):
            new = mask & ~covered
            if not rank[i] and new.sum() >= 1:
                density[i] = mass[new].mean()
        if density.max() == -np.inf:
            break
        rank[density.argmax()] = rank.max() + 1
        covered |= MASKS[density.argmax()]
    return rank


@pytest.mark.parametrize(("cover", "least"), [(0.1, 1), (0.5, 2), (1, 4)])
def test_rank_is_the_greedy_order_of_a_loop_over_masks(cover, least, a):
    rank = jax.jit(lambda m, s, ok: greedy_order(m, s, COUNT, cover, ok))
    expected = greedy(np.abs(a), cover)
    np.testing.assert_array_equal(rank(np.abs(a), SEGMENTS, True), expected)
    assert expected.max() >= least
    assert not np.asarray(rank(np.abs(a), SEGMENTS, False)).any()


def test_drop_is_that_of_explicit_masking(values):
    logit_of = jax.jit(lambda x: MODEL.logits(jnp.float32(1), x)[1])
    fill = PIXELS.mean((0, 1))
    for i, mask in enumerate(MASKS):
        filled = np.where(mask[..., None], fill, PIXELS)
        masked = ((filled - MEAN) / STD).astype(np.float32)
        expected = logit_of(IMAGE) - logit_of(masked) if mask.any() else np.nan
        assert values["region_drop"][i] == pytest.approx(float(expected), abs=2e-5, nan_ok=True)
    assert np.abs(values["region_drop"][:6]).max() > 0.01


def test_features_are_those_of_the_crop(values):
    raw = []
    for mask in MASKS:
        if not mask.any():
            raw.append(np.zeros(5, np.float32))
            continue
        ys, xs = np.nonzero(mask)
        filled = np.where(mask[..., None], PIXELS, np.float32(GREY))
        # Linear enlargement, as by interpolation between the centres of pixels.
        y, x = (
            np.clip(v.min() + (np.arange(n) + 0.5) * (v.max() + 1 - v.min()) / n - 0.5, 0, n - 1)
            for v, n in ((ys, H), (xs, W))
        )
        rows = np.stack([[np.interp(x, np.arange(W), r[:, c]) for c in range(3)] for r in filled])
        crop = np.stack(
            [[np.interp(y, np.arange(H), rows[:, c, j]) for j in range(W)] for c in range(3)]
        )
        crop = (crop.transpose(2, 1, 0) - MEAN) / STD
        raw.append(np.asarray(MODEL.trunk(None, crop.astype(np.float32))).mean((0, 1)))
    expected = np.asarray(project(jnp.asarray(np.stack(raw)), 4))
    np.testing.assert_allclose(values["region_features"].astype(float), expected, atol=2e-3)
    lengths = np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(lengths, [mask.any() for mask in MASKS], atol=1e-6)


def test_projection_keeps_distances():
    points = rng.normal(size=(40, 300)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    projected = np.asarray(project(jnp.asarray(points), 64))
    error = np.linalg.norm(projected[:20] - projected[20:], axis=1) / np.linalg.norm(
        points[:20] - points[20:], axis=1
    )
    assert np.abs(error - 1).max() < 0.3


def test_labels_and_maps_on_a_grid(values, a):
    for level in range(2):
        expected = [[SEGMENTS[level, 2 * i + 1, 3 * j + 1] for j in range(10)] for i in range(10)]
        np.testing.assert_array_equal(values["region_labels"][level], expected)
    for name, map in {"region_attribution": a, "region_absolute_map": np.abs(a)}.items():
        blocks = map.reshape(10, 2, 10, 3).mean((1, 3)) / np.abs(a).mean()
        np.testing.assert_allclose(values[name].astype(float), blocks, rtol=2e-3, atol=1e-3)
    coarse = sums_of(a[..., None])  # 7 x 7: blocks share pixels
    assert coarse["region_absolute_map"].astype(float).mean() == pytest.approx(1, rel=1e-3)


def test_logits_times_ten_leave_shares_ranks_and_looks(values):
    tenfold = measured(10.0)[0]
    for name in ("region_mass", "region_absolute", "region_drop"):
        np.testing.assert_allclose(tenfold[name], 10 * values[name], rtol=1e-4, atol=1e-4)
    share = lambda v: v["region_absolute"] / v["region_absolute_total"]  # noqa: E731
    np.testing.assert_allclose(share(tenfold), share(values), rtol=1e-5)
    for name in ("rank", "labels", "descriptor", "features"):
        np.testing.assert_array_equal(tenfold[f"region_{name}"], values[f"region_{name}"])
    for name in ("region_attribution", "region_absolute_map"):
        np.testing.assert_allclose(tenfold[name], values[name], rtol=2e-3, atol=1e-3)


def test_a_map_on_the_trunks_grid_keeps_its_sum():
    cam = rng.normal(size=(5, 3, 1)).astype(np.float32)
    values = sums_of(cam)
    assert values["region_total"] == pytest.approx(cam.sum(), rel=1e-5)
    assert values["region_mass"][:4].sum() == pytest.approx(cam.sum(), rel=1e-4)
    corner = np.zeros((5, 3, 1), np.float32)
    corner[0, 0] = 1
    enlarged = np.asarray(sum_channels(jnp.asarray(corner), (H, W)))
    assert enlarged[:2, :5] == pytest.approx(15 / (H * W))
    assert not enlarged[6:].any()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_attributions_of_16_bits_are_summed_in_32(dtype, a):
    narrow = jnp.asarray(a[..., None], dtype)
    wide = np.asarray(narrow.astype(jnp.float32))[..., 0]
    np.testing.assert_array_equal(sum_channels(narrow, (H, W)), wide)
    assert sum_channels(narrow, (H, W)).dtype == jnp.float32


def test_constant_and_undefined_attributions():
    zeros = jnp.zeros((H, W, 3))
    zero = sums_of(zeros)
    assert zero["region_absolute_total"] == 0
    assert not zero["region_rank"].any()
    assert np.isnan(zero["region_attribution"]).all()
    bad = sums_of(zeros.at[0, 0].set(jnp.nan))
    for name in ("mass", "absolute", "attribution", "total", "completeness", "drop"):
        assert np.isnan(bad[f"region_{name}"]).all(), name
    assert not bad["region_rank"].any()
    assert bad["region_area"][0] > 0


def test_both_forms_of_the_sums_agree():
    fields = rng.normal(size=(H, W, 4)).astype(np.float32)
    expected = np.stack([fields[mask].sum(0) for mask in MASKS])
    program = jax.make_jaxpr(lambda v, s: segment_sums(v, s, COUNT))(fields, SEGMENTS)
    (cond,) = (e for e in program.eqns if e.primitive.name == "cond")
    flat = fields.reshape(-1, 4), SEGMENTS.reshape(2, -1).astype(np.int32)
    for branch in cond.params["branches"]:
        (sums,) = jax.core.eval_jaxpr(branch.jaxpr, branch.consts, *flat)
        np.testing.assert_allclose(sums, expected, atol=1e-4)


def test_text_reads_back_and_fields_are_checked():
    for measure in (Regions(), Regions(SLIC((9, 20)), 0.3, 28, ("features",), 32, "blur", False)):
        assert parse(describe(measure), MEASURES, ARGUMENTS) == measure
    for field, value in {
        "cover": 0,
        "side": 0,
        "embeddings": ("colour",),
        "dimensions": 0,
        "fill": "white",
    }.items():
        with pytest.raises(InputError, match=f"{field} (is|has)"):
            Regions(**{field: value})


def test_what_it_lacks_is_named():
    clean = explainer()(IMAGE)
    with pytest.raises(InputError, match=r"segments of a sweep.*segments="):
        MEASURE(explainer(), IMAGE, clean, KEY)
    trunkless = replace(explainer(), trunk=None)
    with pytest.raises(InputError, match=r"trunk.*embeddings=\('descriptor',\)"):
        MEASURE(trunkless, IMAGE, replace(clean, segments=SEGMENTS), KEY)
    flat = replace(clean, segments=SEGMENTS, attribution=jnp.zeros((49, 1)))
    with pytest.raises(InputError, match=r"\(49, 1\)"):
        MEASURE(explainer(), IMAGE, flat, KEY)


@pytest.mark.slow
def test_passes_end_with_the_last_label_of_the_image():
    passes = []

    def counted(image, target):
        jax.debug.callback(lambda: passes.append(1))
        return Explanation(image.mean((0, 1)), target, image[..., 0])

    def passed(segments, chunk):
        explain = Explainer(counted, trunk=lambda x: x[::5, ::5])
        _, boxes = passes.clear(), segment_boxes(segments, COUNT)
        out = jax.jit(
            lambda image, segments: region_passes(
                explain,
                image,
                jnp.int32(1),
                segments,
                boxes,
                replacement=jnp.zeros_like(image),
                features=True,
                chunk=chunk,
            )
        )(IMAGE, segments)
        jax.block_until_ready(out)
        jax.effects_barrier()
        return jax.tree.map(np.asarray, out), len(passes)

    few = jnp.asarray(np.where(SEGMENTS > 5, 0, SEGMENTS).astype(np.int32))
    one, count = passed(few, 1)
    assert count == 5
    several, count = passed(few, 4)
    assert count == 2  # batches
    for name, result in one.items():
        np.testing.assert_allclose(several[name][:5], result[:5], rtol=1e-5, atol=1e-6)
        assert len(result) == COUNT


@pytest.mark.slow
def test_passes_of_an_image_do_not_depend_on_the_others_of_its_batch():
    explain = Explainer(
        lambda image, target: Explanation(image.mean((0, 1)), target, image[..., 0]),
        trunk=lambda x: x[::5, ::5],
    )

    def passed(image, segments):
        boxes, options = segment_boxes(segments, COUNT), {"features": True, "chunk": 1}
        fill = jnp.zeros_like(image)
        target = jnp.int32(1)
        return region_passes(explain, image, target, segments, boxes, replacement=fill, **options)

    few = np.where(SEGMENTS > 5, 0, SEGMENTS)
    images, segments = np.stack([IMAGE, IMAGE[::-1]]), np.stack([few, SEGMENTS]).astype(np.int32)
    batch = jax.jit(jax.vmap(passed))(images, segments)
    alone = jax.jit(passed)(images[0], segments[0])
    for name, result in alone.items():
        np.testing.assert_allclose(batch[name][0], result, atol=1e-6)
        assert not np.asarray(result[5:]).any()
        assert np.asarray(batch[name][1][8]).all()
