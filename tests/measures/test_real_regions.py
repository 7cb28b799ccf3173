"""Regions of an authentic image in the place of salient ones: a planted detector, slow NumPy."""

from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.measures import MEASURES, RealRegions
from salix.perturb.partition import Grid
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SIDE, MEAN, STD = 12, (0.5, 0.4, 0.6), (0.2, 0.3, 0.25)
GRID = Grid(4)  # 16 segments of 3 x 3
PRISTINE = rng.uniform(0.2, 0.8, (SIDE, SIDE, 3)).astype(np.float32)
LABELS = np.asarray(GRID(PRISTINE))
FORGED_SEGMENTS = (6, 9)
SHIFT = np.where(np.isin(LABELS, FORGED_SEGMENTS), 0.1, 0)[..., None].astype(np.float32)
FORGED = PRISTINE + SHIFT
OTHERS = rng.uniform(0.2, 0.8, (3, SIDE, SIDE, 3)).astype(np.float32)
FRACTIONS = (0.0, 1 / 16, 0.125, 0.5, 1.0)
MAP = np.zeros((SIDE, SIDE), np.float32)
for strength, segment in ((1.0, 6), (0.8, 9), (0.3, 2)):
    MAP[segment == LABELS] = strength


def normalised(pixels):
    return ((pixels - np.float32(MEAN)) / np.float32(STD)).astype(np.float32)


def odds(pixels):
    """Log odds of the forged class: its trace in the two segments, against the pristine image."""
    inside = np.isin(LABELS, FORGED_SEGMENTS)
    return 60 * (pixels - PRISTINE)[inside].mean() - 2


def explain(image, target):
    z = odds(Explainer(explain, MEAN, STD).pixels(image))
    logits = jnp.stack([-z / 2, z / 2])
    target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    return Explanation(logits, target, jnp.asarray(MAP))


EXPLAINER = Explainer(explain, MEAN, STD)
REFERENCES = normalised(np.stack([*OTHERS, PRISTINE]))


def measured(pixels=FORGED, map=MAP, **options):
    fields = {"references": REFERENCES, "fractions": FRACTIONS, "partition": GRID} | options
    measure = RealRegions(**fields)
    call = jax.jit(lambda x, m: measure(EXPLAINER, x, replace(EXPLAINER(x), map=m), KEY))
    values = call(normalised(pixels), map)
    assert {c.name for c in measure.columns} == set(values)
    return {name: np.asarray(value) for name, value in values.items()}


def slow(order, before, after):
    """Return probabilities while segments change in an order, one by one."""
    values = []
    for share in FRACTIONS:
        image = before.copy()
        for segment in order[: round(share * 16)]:
            image[segment == LABELS] = after[segment == LABELS]
        values.append(1 / (1 + np.exp(-odds(image))))
    return np.array(values)


@pytest.mark.parametrize("kind", ["real", "forged"])
def test_the_nearest_reference_is_the_pristine_image_and_curves_are_those_of_a_loop(kind):
    values = measured(kind=kind, authentic=0)
    order = [6, 9, 2, *(s for s in range(16) if s not in (6, 9, 2))]
    images = (FORGED, PRISTINE) if kind == "real" else (PRISTINE, FORGED)
    expected = slow(order, *images)
    name = f"{kind}_regions"
    np.testing.assert_allclose(values[f"{name}_most_probability"], expected, rtol=1e-4)
    np.testing.assert_array_equal(values[f"{name}_most_flip"], expected < 0.5)
    area = np.trapezoid(expected, FRACTIONS)
    assert values[f"{name}_most_area"] == pytest.approx(area, rel=1e-4)
    random = values[f"{name}_random_probability"]
    np.testing.assert_allclose(random[[0, -1]], expected[[0, -1]], rtol=1e-4)
    gap = (values[f"{name}_random_area"] - area) * (1 if kind == "real" else -1)
    assert values[f"{name}_gap"] == pytest.approx(gap, abs=1e-5)
    assert gap > 0.1
    distance = np.sqrt((SHIFT**2 * np.ones(3)).mean())
    assert values[f"{name}_distance"] == pytest.approx(distance, rel=1e-4)
    changes = 0.1 * 9 * np.minimum([0, 1, 2, 2, 2], 2) / SIDE**2
    changes = changes if kind == "real" else changes[-1] - changes
    np.testing.assert_allclose(values[f"{name}_most_change"], changes, atol=1e-6)


def test_a_random_reference_depends_on_the_key():
    keys = jax.random.split(KEY, 40)
    measure = RealRegions(REFERENCES, partner="random", fractions=(0, 1), partition=GRID)
    image = normalised(FORGED)
    values = jax.jit(jax.vmap(lambda k: measure(EXPLAINER, image, EXPLAINER(image), k)))(keys)
    distances = np.asarray(values["real_regions_distance"])
    counts = Counter(np.unique(distances, return_inverse=True)[1].tolist())
    expected = [np.sqrt(((FORGED - x) ** 2).mean()) for x in (PRISTINE, *OTHERS)]
    np.testing.assert_allclose(sorted(set(distances)), sorted(expected), rtol=1e-4)
    assert len(counts) == 4


def test_authentic_images_and_constant_maps_are_undefined():
    assert np.isnan(measured(PRISTINE, authentic=0)["real_regions_gap"])
    assert np.isfinite(measured(PRISTINE)["real_regions_gap"])
    values = measured(map=np.zeros_like(MAP))
    assert all(np.isnan(value).all() for value in values.values())


def test_unusable_references_are_refused():
    assert parse("RealRegions(authentic=0)", MEASURES).authentic == 0
    with pytest.raises(InputError, match="RealRegions has no references: give an array"):
        measured(references=None)
    with pytest.raises(InputError, match=r"references have the shape \(4, 6, 12, 3\) and"):
        measured(references=REFERENCES[:, :6])
    with pytest.raises(InputError, match="references is array"):
        RealRegions(np.full((1, 2, 2, 1), np.nan))
    with pytest.raises(InputError, match="kind is 'fake': choose one of real, forged"):
        RealRegions(kind="fake")
