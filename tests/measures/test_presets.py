"""Presets: their columns are apart and described, and each has the settings of its name."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix import spec
from salix.measures import ARGUMENTS, MEASURES, Degradation, Noise
from salix.measures.presets import PRESETS
from salix.metrics import Similarity
from salix.typing import Explainer, Explanation, InputError, Measure


def explain(image, target):
    logits = jnp.stack([image.mean(), 1 - image.mean()])
    return Explanation(logits, jnp.int32(0) if target is None else target, image[4::8, 4::8, 0])


@pytest.fixture(scope="module")
def columns():
    """The shapes of what each preset's measures return for an image of 64 x 64."""
    image = jax.ShapeDtypeStruct((64, 64, 3), np.float32)

    def measured(image, measure):
        segments = jnp.zeros((3, 64, 64), jnp.uint16)
        clean = replace(explain(image, None), attribution=image, segments=segments)
        explainer = Explainer(explain, trunk=lambda x: x[::8, ::8])
        return measure(explainer, image, clean, jax.random.key(0))

    return {
        name: [jax.eval_shape(lambda x, m=m: measured(x, m), image) for m in measures]
        for name, measures in PRESETS.items()
    }


def test_columns_of_all_presets_are_apart(columns):
    names = [c for measures in columns.values() for result in measures for c in result]
    assert len(names) == len(set(names))
    paper = [c for result in columns["paper"] for c in result]
    assert paper
    assert all(c.startswith("paper_") for c in paper)


def test_every_column_says_what_it_is(columns):
    for name, measures in PRESETS.items():
        for measure, result in zip(measures, columns[name], strict=True):
            described = {q.name: q for q in measure.columns}
            assert set(described) == set(result)
            for column, value in result.items():
                coordinates, dims = described[column].coordinates, described[column].dims
                assert value.ndim == len(dims or coordinates[:1])
                assert not coordinates or value.shape == (len(coordinates),)


def test_presets_are_measures_that_their_text_names():
    for measures in PRESETS.values():
        for measure in measures:
            assert isinstance(measure, Measure)
            assert spec.parse(repr(measure), MEASURES, ARGUMENTS) == measure


def test_paper_has_the_released_settings_and_standard_the_defaults():
    noise, geometry, degradation = PRESETS["paper"]
    assert noise.strengths == (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
    assert noise.eight_bit == "truncate"
    assert len(geometry.names) == 12
    assert geometry.shift == 16
    assert degradation.conditions == ("background", "object")
    assert degradation.change is None
    assert [m.upscaled for m in PRESETS["paper"]] == [True] * 3
    assert not any(m.upscaled for m in (Noise(), Degradation()))
    assert PRESETS["standard"] == tuple(type(m)() for m in PRESETS["standard"])


def test_an_argument_of_a_measure_is_no_measure():
    with pytest.raises(InputError, match="unknown 'Similarity': choose one of Agreement, "):
        spec.parse("Similarity()", MEASURES, ARGUMENTS)


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, 41])
def test_paper_maps_are_enlarged_to_the_image_of_the_network(side):
    """A network of 299 pixels compares maps of 299: the side is the image's own."""
    rng = np.random.default_rng(side)
    image = jnp.asarray(rng.uniform(size=(side, side, 3)), jnp.float32)
    sides = []

    class Recorded(Similarity):
        def __call__(self, a, b):
            sides.append(self.prepare(a).shape)
            return super().__call__(a, b)

    noise, _, degradation = PRESETS["paper"]
    for measure in (noise, degradation):
        measure = replace(measure, similarity=Recorded())
        measure(Explainer(explain), image, explain(image, None), jax.random.key(0))
    assert set(sides) == {(side, side)}
    with pytest.raises(InputError, match=f"an image of {side} x 30.*upscaled=False"):
        noise(Explainer(explain), image[:, :30], explain(image, None), jax.random.key(0))
