"""Planted truth, small: the leaderboard ranks methods as known relevant pixels do."""

import numpy as np
import pytest

from salix.attribution import FeatureAblation, GradCAM, Gradient, IntegratedGradients
from salix.perturb.partition import Grid

METHODS = (Gradient(), IntegratedGradients(steps=4), GradCAM(), FeatureAblation(Grid(side=4)))
METRICS = ("deletion(fill='mean', fractions=(0.0, 0.02, 0.06, 0.2, 1.0))",)


@pytest.fixture(scope="module")
def truth(scripts):
    return scripts["planted_truth"]


def test_closed_forms_read_the_square_and_nothing_else(truth):
    for name, build in (("patch", truth.patch_model), ("texture", truth.texture_model)):
        images = truth.draw_images(8, seed=3, fixed=name == "patch", vertical=True)
        change = truth.outside_change(*build(), images)
        assert change["outside"] == 0
        assert change["inside"] > 0.4
        assert (images.masks.sum((1, 2)) == truth.SQUARE**2).all()


def test_controls_do_not_depend_on_the_model(truth):
    image, key = np.random.default_rng(0).uniform(size=(6, 6, 3)), truth.jax.random.key(0)
    for control in truth.CONTROLS:
        one, two = (control(score, image, key) for score in (lambda x: x.sum(), lambda x: 0))
        np.testing.assert_array_equal(one, two)
        assert one.shape == (6, 6, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["patch", "texture"])
def test_the_leaderboard_ranks_as_the_truth_with_controls_last(truth, tmp_path, name):
    model, params = truth.MODELS[name]()
    images = truth.draw_images(24, seed=0, fixed=name == "patch", vertical=True)
    board = truth.evaluate(model, params, images, METHODS, METRICS, tmp_path / "run")
    rows = truth.compare_with_truth(board, METRICS)
    assert rows["truth"]["controls_last"]
    assert rows["overall"]["controls_last"]
    assert rows["overall"]["tau"] > 0.5  # below 1 by ties
