"""Scores at named cuts and of other functions of the logits; maps of several cuts; Finer-CAM."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import salix
from salix.adapters import from_function, from_nnx
from salix.attribution import (
    CAM,
    METHODS,
    AtCuts,
    FinerCAM,
    GradCAM,
    Gradient,
    HiResCAM,
    LayerCAM,
    SmoothGrad,
)
from salix.engine.model_check import check_model
from salix.engine.traced_model import traced_once
from salix.preprocess import Preprocess
from salix.scores import difference, logit, margin
from salix.spec import parse
from salix.typing import InputError, Passes, Score

KEY = jax.random.key(0)
PREPROCESS = Preprocess(size=(8, 16))
CLASSES = ("cat", "dog", "car", "bus")


class Cut(nnx.Module):
    """Three convolutions, each after a step of 2, and a linear layer of four classes."""

    cuts = ("first", "second", "third")

    def __init__(self, rngs):
        channels = zip((3, 4, 6), (4, 6, 5), strict=True)
        self.stages = nnx.List([nnx.Conv(i, o, (3, 3), strides=2, rngs=rngs) for i, o in channels])
        self.linear = nnx.Linear(5, 4, rngs=rngs)

    def trunk(self, x, cut=None):
        """Return the features of a batch at a cut, by default the last."""
        for name, stage in zip(self.cuts, self.stages, strict=True):
            x = jax.nn.relu(stage(x) + np.float32(0.5))
            if name == cut:
                break
        return x

    def head(self, features, cut=None):
        """Return the logits of a batch of features at a cut."""
        for stage in list(self.stages)[self.cuts.index(cut or self.cuts[-1]) + 1 :]:
            features = jax.nn.relu(stage(features) + np.float32(0.5))
        return self.linear(features.mean((1, 2)))


MODEL, PARAMS = from_nnx(Cut(nnx.Rngs(0)), preprocess=PREPROCESS, classes=CLASSES)
IMAGE = np.random.default_rng(0).normal(size=(8, 16, 3)).astype(np.float32)
SCORE = MODEL.score(PARAMS, logit("dog"))
close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)


def run(method, score=SCORE):
    return np.asarray(jax.jit(partial(method, score))(IMAGE, KEY))


def values(*functions):
    """Return functions of the image, in one compilation."""
    return jax.tree.map(np.asarray, jax.jit(lambda x: [f(x) for f in functions])(IMAGE))


def test_a_score_is_cut_at_each_place_of_its_model():
    assert SCORE.cuts == MODEL.cuts
    assert SCORE.score_of == logit(1)
    ours, theirs = [], []
    for cut in MODEL.cuts:
        there, model = SCORE.at(cut), MODEL.at(cut)
        other = there.explaining(margin(1))  # divided at the same place
        ours += [there.trunk, there, there.at("second").trunk, other.trunk, other]
        features = partial(model.trunk, PARAMS)
        second = partial(MODEL.at("second").trunk, PARAMS)
        theirs += [features, SCORE, second, features, MODEL.score(PARAMS, margin(1))]
    jax.tree.map(close, values(*ours), values(*theirs))
    with pytest.raises(InputError, match="no cut 'x': choose one of first, second, third"):
        SCORE.at("x")


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.at("layer2"),
        lambda s: s.explaining(logit()),
        lambda s: AtCuts(GradCAM(), ("layer2",))(s, IMAGE, KEY),
        lambda s: AtCuts()(s, IMAGE, KEY),
        lambda s: FinerCAM()(s, IMAGE, KEY),
    ],
)
def test_a_function_of_the_image_has_no_cuts(ask):
    with pytest.raises(InputError, match=r"needs the score of a model.* model\.score\(params"):
        ask(Score(lambda f: f.sum(), lambda x: x[::2, ::2]))


@pytest.mark.parametrize("combine", ["mean", "max"])
def test_maps_of_several_cuts_are_scaled_enlarged_and_combined(combine):
    first, third = (run(HiResCAM(), SCORE.at(cut)) for cut in ("first", "third"))
    assert first.shape == (4, 8, 1)
    assert third.shape == (1, 2, 1)
    wide = jax.image.resize(third / np.abs(third).max(), (4, 8, 1), "linear")
    pair = np.stack([first / np.abs(first).max(), wide])
    expected = pair.mean(0) if combine == "mean" else pair.max(0)
    close(run(AtCuts(HiResCAM(), ("first", "third"), combine)), expected)
    assert np.abs(expected).max() <= 1


def test_without_names_every_cut_is_taken_and_one_cut_is_its_scaled_map():
    close(run(AtCuts(GradCAM())), run(AtCuts(GradCAM(), MODEL.cuts)))
    one = run(GradCAM(), SCORE.at("second"))
    close(run(AtCuts(GradCAM(), ("second",))), one / one.max())


def test_a_map_of_zeros_stays_zero_and_one_not_finite_spreads():
    dark = MODEL.score(PARAMS, lambda logits: 0 * logits.sum())
    np.testing.assert_array_equal(run(AtCuts(GradCAM()), dark), 0)
    broken = MODEL.score(PARAMS, lambda logits: jnp.nan * logits.sum())
    assert np.isnan(run(AtCuts(LayerCAM()), broken)).all()


def test_costs_multiply_and_wrappers_nest():
    method = AtCuts(SmoothGrad(GradCAM(), samples=3), ("first", "third"))
    assert method.passes((8, 16, 3)) == Passes(gradients=6)
    assert run(method).shape == (4, 8, 1)
    assert run(SmoothGrad(AtCuts(GradCAM(), ("second",)), samples=2)).shape == (2, 4, 1)
    assert AtCuts(Gradient(), ("first",)).pooling == "abs_sum"
    assert run(AtCuts(Gradient(), ("first",))).shape == IMAGE.shape
    with pytest.raises(InputError, match=r"AtCuts\(cuts="):
        AtCuts().passes((8, 16, 3))


def test_cuts_that_make_no_sense_are_refused():
    for text in ("AtCuts(cuts=('a', 'a'))", "AtCuts(cuts='a')", "AtCuts(combine='sum')"):
        with pytest.raises(InputError, match=r"cuts|combine"):
            parse(text, METHODS)
    with pytest.raises(InputError, match="no cut 'layer9': choose one of first"):
        check_model(MODEL, PARAMS, AtCuts(cuts=("layer9",)))
    with pytest.raises(InputError, match="no cut 'layer9': choose one of first"):
        check_model(MODEL, PARAMS, SmoothGrad(AtCuts(cuts=("layer9",))))
    nameless, params = from_function(
        lambda w, f: f.mean((0, 1)) @ w, np.ones((3, 4), np.float32), trunk=lambda w, x: x[::2],
        preprocess=PREPROCESS, classes=CLASSES, batched=False,
    )  # fmt: skip
    with pytest.raises(InputError, match="a model that names cuts"):
        AtCuts()(nameless.score(params, logit(1)), IMAGE, KEY)


def test_a_stack_of_layers_is_explained_at_its_layers():
    """Such a model has no trunk of its own, but places behind each layer."""
    layers = nnx.Sequential(
        nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0)), jax.nn.relu, lambda x: x.mean((1, 2)),
    )  # fmt: skip
    model, params = from_nnx(layers, preprocess=PREPROCESS, classes=CLASSES)
    method = AtCuts(GradCAM(), ("0", "1"))
    assert check_model(model, params, method) == 4
    assert run(method, model.score(params, logit(1))).shape == (8, 16, 1)
    with pytest.raises(InputError, match="GradCAM needs the features of a trunk"):
        check_model(model, params, GradCAM())


def test_models_traced_once_are_cut_as_others():
    traced = traced_once(MODEL, "float32")
    close(run(AtCuts(), traced.score(PARAMS, logit(1))), run(AtCuts()))


@pytest.mark.slow
def test_a_sweep_at_cuts(tmp_path):
    data = np.random.default_rng(1).integers(0, 255, (3, 8, 16, 3)).astype(np.uint8)
    attribution = parse("AtCuts(FinerCAM(GradCAM(), 2), cuts=('first', 'third'))", METHODS)
    rows = salix.sweep(MODEL, PARAMS, data, attribution, out=tmp_path / "run").table
    assert len(rows) == 3
    assert rows["finite"].to_pylist() == [True] * 3
    assert not any(rows["constant_map"].to_pylist())


def test_difference_in_loops():
    z = np.array([2.0, 0.5, 1.8, -1.0, 2.9], np.float32)
    expected = {
        difference(0, 2, 0.5): 2.0 - 0.5 * (1.8 + 2.9) / 2,
        difference(0, rivals=(1, 3)): 2.0 - (0.5 - 1.0) / 2,
        difference(0, rivals=9): 2.0 - (0.5 + 1.8 - 1.0 + 2.9) / 4,
        difference(1, alpha=0): 0.5,
        difference(2, 1): 1.8 - 2.0,  # nearer than 2.9, which is higher
        difference(rivals=1): 2.9 - 2.0,  # of the predicted class
    }
    close(jax.jit(lambda z: jnp.stack([f(z) for f in expected]))(z), list(expected.values()))
    close(jax.jit(jax.grad(difference(0, 2, 0.5)))(z), [1, 0, -0.25, 0, -0.25])


def test_difference_of_two_classes_is_their_margin():
    pair = np.array([0.3, 1.1], np.float32)
    assert difference(1)(pair) == margin(1)(pair)  # of two classes


@pytest.mark.parametrize("text", ["difference(rivals=0)", "difference(rivals=())",
    "difference(rivals=(0.5,))", "difference(alpha=1e999)", "difference('')"])  # fmt: skip
def test_differences_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"rivals|alpha|target"):
        parse(text, {"difference": difference})
    with pytest.raises(InputError, match="rivals has 7: give indices from 0 to 3"):
        difference(rivals=(1, 7))(np.ones(4, np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("method", [CAM(), GradCAM(relu=False), Gradient()], ids=repr)
def test_finercam_is_the_method_less_the_mean_of_the_rivals_maps(method):
    logits = np.asarray(MODEL.logits(PARAMS, IMAGE))
    near = sorted((abs(logits[k] - logits[1]), k) for k in (0, 2, 3))[:2]
    rivals = [run(method, MODEL.score(PARAMS, logit(k))) for _, k in near]
    expected = run(method) - 0.7 * np.mean(rivals, axis=0)
    close(run(FinerCAM(method, 2, 0.7)), expected, atol=1e-5)
    close(run(method, SCORE.explaining(difference(1, 2, 0.7))), expected, atol=1e-5)
    close(run(FinerCAM(method, alpha=0)), run(method))


def test_finercam_nests_with_cuts_in_either_order():
    inside = run(AtCuts(FinerCAM(GradCAM(), 1), ("first", "third")))
    outside = run(FinerCAM(AtCuts(GradCAM(), ("first", "third")), 1))
    close(inside, outside)


def test_finercam_needs_a_class():
    with pytest.raises(InputError, match=r"max names no class: give logit\(\)"):
        FinerCAM()(MODEL.score(PARAMS, jnp.max), IMAGE, KEY)
