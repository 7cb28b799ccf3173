"""Agg²Exp: aggregation, windows and explained scalars against slow NumPy versions."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import Gradient, IntegratedGradients, KernelSHAP, SmoothGrad
from salix.models import UNet3D
from salix.studies.agg2exp.aggregation import (
    RegionTotals,
    lift,
    mass,
    mean,
    region_sums,
    region_voxels,
)
from salix.studies.agg2exp.distance import ENDS, SHELLS, distance_lift
from salix.studies.agg2exp.explain import attribution_map, chunk_of, explain_scan, target_totals
from salix.studies.agg2exp.methods import METHODS, BoundSegments, PredictedSegments
from salix.studies.agg2exp.scores import ScanScores
from salix.studies.agg2exp.segmenter import Segmenter, predict
from salix.studies.agg2exp.task import Task
from salix.studies.agg2exp.windows import SlidingWindows
from salix.typing import InputError

SHAPE = (6, 7, 5)


def local_segmenter(classes: int = 3, side: int = 1) -> Segmenter:
    """Return logits that are a smooth function of the `side`^3 voxels around each one."""
    rng = np.random.default_rng(0)
    params = {
        "mix": jnp.asarray(rng.normal(size=(side**3, 4)), jnp.float32),
        "out": jnp.asarray(rng.normal(size=(4, classes)), jnp.float32),
    }
    half = side // 2

    def logits(params: Any, volume: Any) -> Any:
        x = jnp.pad(volume[..., 0], half)
        space = volume.shape[:3]
        around = [
            x[a : a + space[0], b : b + space[1], c : c + space[2]]
            for a, b, c in itertools.product(range(side), repeat=3)
        ]
        return jnp.tanh(jnp.stack(around, -1) @ params["mix"]) @ params["out"]

    return Segmenter(logits, params, tuple("abcdefgh"[:classes]))


def random_volume(shape: tuple[int, ...] = SHAPE, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*shape, 1)).astype(np.float32)


def scores_of(segmenter: Segmenter, volume: Any, predicted: Any, target_of: Any, plan: Any) -> Any:
    names = segmenter.classes
    return ScanScores.of_task(segmenter, Task(predicted, target_of, predicted, names), plan)(volume)


def slow_sums(attribution: np.ndarray, regions: np.ndarray, count: int) -> np.ndarray:
    sums = np.zeros((2, attribution.shape[-1], count))
    for place in np.ndindex(*regions.shape):
        for t, a in enumerate(attribution[place]):
            sums[int(a < 0), t, regions[place]] += abs(float(a))
    return sums


def test_one_segment_sum_is_the_loop_over_voxels() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(*SHAPE, 4)).astype(np.float32)
    regions = rng.integers(0, 5, SHAPE).astype(np.int32)
    sums = slow_sums(a, regions, 6)
    np.testing.assert_allclose(region_sums(a, regions, 6), sums, rtol=1e-5)
    totals = RegionTotals(sums[0], sums[1], region_voxels(regions, 6))
    for part, phi in (
        ("absolute", np.abs(a)),
        ("positive", np.maximum(a, 0)),
        ("negative", np.maximum(-a, 0)),
    ):
        for t, r in np.ndindex(4, 5):
            inside = phi[..., t][regions == r].astype(np.float64)
            share = inside.sum() / phi[..., t].sum(dtype=np.float64)
            assert mass(totals, part)[t, r] == pytest.approx(share, rel=1e-6)
            assert mean(totals, part)[t, r] == pytest.approx(inside.mean(), rel=1e-6)
            expected = share / (regions == r).mean()
            assert lift(totals, part)[t, r] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(mean(totals)[:, 5]).all()
    assert np.isnan(lift(totals)[:, 5]).all()
    merged = totals.merge_regions(np.array([0, 0, 1, 2, 2, 2]))
    union = slow_sums(a, np.array([0, 0, 1, 2, 2, 2])[regions], 3)
    np.testing.assert_allclose(merged.part(), union.sum(0), rtol=1e-12)


@pytest.mark.slow
def test_lift_at_equal_distance_is_the_loop_over_voxels() -> None:
    segmenter, x = local_segmenter(side=3), random_volume()
    predicted = np.zeros(SHAPE, np.int32)
    predicted[:2, :3, :2], predicted[2:4, :, :2] = 1, 2
    task, plan = Task.of_classes(predicted, segmenter.classes), SlidingWindows().plan(SHAPE)
    totals = explain_scan(segmenter, x, task, Gradient(), plan)
    voxels = np.argwhere(np.ones(SHAPE, bool))
    for t in range(3):
        a = np.abs(attribution_map(segmenter, x, task, Gradient(), plan, t)).ravel()
        inside = voxels[(predicted == t).ravel()]
        distance = np.abs(voxels[:, None] - inside).max(2).min(1)
        shell = np.array([sum(d > end for end in ENDS) for d in distance])
        for r in range(3):
            own = (predicted == r).ravel()
            expected, actual = 0.0, 0.0
            for s in range(1, SHELLS):
                others = a[~own & (shell == s)]
                if len(others):
                    expected += (own & (shell == s)).sum() * others.mean()
                    actual += a[own & (shell == s)].sum()
            value = distance_lift(totals)[t, r]
            if t == r:
                assert np.isnan(value)
            else:
                assert value == pytest.approx(actual / expected, rel=1e-4)
    assert np.isfinite(distance_lift(totals)).sum() == 6
    assert totals.near is not None
    np.testing.assert_allclose(totals.near.sum(-1), totals.part(), rtol=1e-12)


def test_segment_sum_of_a_million_voxels_keeps_its_digits() -> None:
    a = np.random.default_rng(0).random((64, 128, 128, 1), np.float32)
    sums = region_sums(a, np.zeros(a.shape[:3], np.int32), 1)
    assert float(sums[0, 0, 0]) == pytest.approx(a.sum(dtype=np.float64), rel=1e-6)


def test_plan_of_windows_covers_each_voxel_and_blends_to_one() -> None:
    plan = SlidingWindows(4, 0.5, "gaussian").plan((9, 4, 11))
    assert plan.starts.tolist() == [[z, 0, x] for z in (0, 2, 4, 5) for x in (0, 2, 4, 6, 7)]
    total = np.zeros((9, 4, 11))
    for z, y, x in plan.starts:
        part = (slice(z, z + 4), slice(y, y + 4), slice(x, x + 4))
        total[part] += plan.weights * plan.inverse[part]
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    with pytest.raises(InputError, match="multiples of 8; give --window 8"):
        SlidingWindows(9).plan((9, 16, 16), 8)


@pytest.mark.parametrize("blending", ["gaussian", "constant"])
@pytest.mark.slow
def test_windows_equal_the_volume_where_the_network_is_local(blending: str) -> None:
    segmenter, x = local_segmenter(), random_volume()
    predicted = predict(segmenter, x, SlidingWindows())
    np.testing.assert_array_equal(
        predicted, predict(segmenter, x, SlidingWindows(3, 0.5, blending))
    )
    task = Task.of_classes(predicted, segmenter.classes)
    plans = [SlidingWindows().plan(SHAPE), SlidingWindows(3, 0.5, blending).plan(SHAPE)]
    for method in (Gradient(), SmoothGrad(samples=3), IntegratedGradients(steps=4)):
        whole, parts = (explain_scan(segmenter, x, task, method, p) for p in plans)
        np.testing.assert_allclose(whole.part(), parts.part(), rtol=2e-5)


@pytest.mark.slow
def test_blending_weights_are_in_the_gradient() -> None:
    segmenter, x = local_segmenter(side=3), random_volume()  # context is cut at windows
    windows = SlidingWindows(4, 0.25)
    plan = windows.plan(SHAPE)

    def blended(volume: Any) -> Any:
        """Return the blended logits by a loop over windows."""
        total = 0
        for start in plan.starts:
            part = tuple(slice(a, a + n) for a, n in zip(start, plan.size, strict=True))
            share = plan.weights * plan.inverse[part]
            s = segmenter.logits(segmenter.params, volume[part])
            total += jnp.zeros((*SHAPE, 3)).at[part].set(share[..., None] * s)
        return total

    logits, predicted = jax.jit(blended)(x), predict(segmenter, x, windows)
    np.testing.assert_array_equal(predicted, logits.argmax(-1))
    masks = np.stack([predicted == c for c in range(3)], -1).astype(np.float32)
    scores = scores_of(segmenter, x, predicted, (0, 1, 2), plan)
    np.testing.assert_allclose(scores, (logits * masks).sum((0, 1, 2)), rtol=1e-4)
    slopes = jax.jit(jax.jacrev(lambda v: (blended(v) * masks).sum((0, 1, 2))))(x)
    task = Task.of_classes(predicted, segmenter.classes)
    for c in range(3):
        a = attribution_map(segmenter, x, task, Gradient(), plan, c)
        np.testing.assert_allclose(a, slopes[c, ..., 0], rtol=1e-3, atol=1e-5)


def test_mask_is_fixed_by_the_clean_volume() -> None:
    segmenter, x = local_segmenter(), random_volume()
    predicted = predict(segmenter, x, SlidingWindows())
    plan = SlidingWindows().plan(SHAPE)
    other = x + 2 * random_volume(seed=2)
    logits = np.asarray(segmenter.logits(segmenter.params, jnp.asarray(other)))
    assert (logits.argmax(-1) != predicted).mean() > 0.2
    expected = [logits[..., c][predicted == c].sum() for c in range(3)]
    scores = scores_of(segmenter, other, predicted, (0, 1, 2), plan)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    merged = scores_of(segmenter, other, predicted, (0, 1, 1), plan)
    np.testing.assert_allclose(merged, [expected[0], sum(expected[1:])], rtol=1e-4)


def test_integrated_gradients_are_complete_and_absent_targets_have_no_mass() -> None:
    segmenter, x = local_segmenter(classes=4), random_volume()
    predicted = np.where(
        predict(segmenter, x, SlidingWindows()) == 3, 0, predict(segmenter, x, SlidingWindows())
    )
    plan = SlidingWindows().plan(SHAPE)
    method = IntegratedGradients(steps=40)
    task = Task.of_classes(predicted.astype(np.int32), segmenter.classes)
    totals = explain_scan(segmenter, x, task, method, plan)
    ends = [scores_of(segmenter, v, task.predicted, (0, 1, 2, 3), plan) for v in (x, 0 * x)]
    change = np.asarray(ends[0] - ends[1])
    residual = (totals.positive - totals.negative).sum(1) - change
    assert np.abs(residual).max() < 1e-3 * np.abs(change).max()
    shares = mass(totals)
    assert not task.is_present[3]
    assert task.is_present.sum() > 1
    assert np.isnan(shares[~task.is_present]).all()
    np.testing.assert_allclose(shares[task.is_present].sum(1), 1, rtol=1e-6)


@pytest.mark.slow
def test_shapley_values_of_organs_add_up_and_are_those_of_all_coalitions() -> None:
    segmenter, x = local_segmenter(side=3), random_volume()
    plan = SlidingWindows().plan(SHAPE)
    predicted = predict(segmenter, x, SlidingWindows())
    regions = (np.arange(SHAPE[0])[:, None, None] // 2 * 2 + np.zeros(SHAPE)).astype(np.int32)
    task = Task(predicted, (0, 1, 2), regions, tuple("pqrst"))  # 1 and 3 without a voxel
    totals = explain_scan(segmenter, x, task, KernelSHAP(PredictedSegments()), plan)

    def score(present: tuple[int, ...]) -> np.ndarray:
        image = np.where(np.isin(regions, present)[..., None], x, 0)
        return np.asarray(scores_of(segmenter, image, predicted, (0, 1, 2), plan))

    values = dict.fromkeys((0, 2, 4), 0)
    for order in itertools.permutations((0, 2, 4)):
        for i, player in enumerate(order):
            values[player] = values[player] + (score(order[: i + 1]) - score(order[:i])) / 6
    signed = totals.positive - totals.negative
    for player, value in values.items():
        np.testing.assert_allclose(signed[:, player], value, rtol=1e-3, atol=1e-3)


def test_regions_as_segments_have_no_gaps() -> None:
    regions = jnp.asarray([[[0, 2], [4, 2]]])
    segments = BoundSegments(regions, 6)(regions[..., None].astype(float))
    assert segments.tolist() == [[[0, 1], [2, 1]]]


@pytest.mark.slow
def test_memory_is_flat_in_targets() -> None:
    """Six targets at once need no more than one, but for their attributions and sums."""
    segmenter = local_segmenter(classes=8, side=3)
    shape = (16, 16, 16)
    x = jnp.asarray(random_volume(shape))
    predicted = predict(segmenter, x, SlidingWindows())
    task = Task.of_classes(predicted, segmenter.classes)
    scores = ScanScores.of_task(segmenter, task, SlidingWindows().plan(shape))

    def temporary(targets: int) -> int:
        numbers = jnp.arange(targets, dtype=jnp.int32)
        shells = jnp.zeros((targets, *shape), jnp.uint8)
        program = target_totals.lower(scores, Gradient(), x, numbers, shells, jax.random.key(0))
        return program.compile().memory_analysis().temp_size_in_bytes

    assert temporary(6) < temporary(1) + 3 * 5 * x.nbytes
    assert [chunk_of(n) for n in (1, 5, 6, 7, 17)] == [1, 5, 6, 4, 6]


@pytest.mark.slow
def test_methods_run_on_a_network_of_three_dimensions() -> None:
    from dataclasses import replace

    from flax import nnx

    module = UNet3D(1, 3, (4, 4), nnx.Rngs(0))
    segmenter = Segmenter.of_module(module, ("background", "a", "b"), multiple=4)
    x = random_volume((8, 8, 8))
    predicted = predict(segmenter, x, SlidingWindows())
    task = Task.of_classes(predicted, segmenter.classes)
    for name, method in METHODS.items():
        few = {k: 3 for k in ("samples", "steps") if hasattr(method, k)}
        totals = explain_scan(
            segmenter, x, task, replace(method, **few), SlidingWindows().plan((8, 8, 8), 4)
        )
        assert np.isfinite(mass(totals)[task.is_present]).all(), name


def test_mistakes_are_explained() -> None:
    segmenter = local_segmenter()
    with pytest.raises(InputError, match="expected 0 to 1"):
        region_voxels(np.full((2, 2, 2), 7), 2)
    wrong = Segmenter(segmenter.logits, segmenter.params, ("a", "b"))
    with pytest.raises(InputError, match="a logit for each of its classes"):
        predict(wrong, random_volume(), SlidingWindows())
