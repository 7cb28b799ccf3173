"""Workloads against their methods on single images, and their FLOPs."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from salix.adapters import from_function
from salix.attribution import CAM, GradCAM, Gradient, IntegratedGradients, SmoothGrad
from salix.bench import WORKLOADS, program, workloads
from salix.bench.arrays import images, smooth
from salix.bench.policy import missing, rounded
from salix.engine.classification import Classification
from salix.engine.flops import count_flops
from salix.measures.presets import PRESETS
from salix.metrics import deletion
from salix.precision import precision
from salix.scores import logit, probability
from salix.typing import InputError

BATCH, SIDE = 2, 16
FORWARD = 2 * BATCH * (SIDE**2 * 9 * (3 * 16 + 16 * 8) + 8 * 3)
KEYS = jax.random.split(jax.random.key(0), BATCH)
on_cpu = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="libraries hide their FLOPs there"
)
MEASURES = ("measures", "paper")
METHODS = {
    "cam": CAM(),
    "gradcam": GradCAM(),
    "saliency": Gradient(),
    "smoothgrad": SmoothGrad(Gradient(), samples=16, noise=0.15),
    "ig": IntegratedGradients(0.0, 16, "midpoint"),
}


@dataclass(frozen=True)
class Halved:
    """A measure of one pass: the mean map of the image with half its contrast."""

    def __call__(self, explain, image, clean, key):
        return {"halved": explain(image / 2, clean.target).map.mean()}


@pytest.fixture(scope="module")
def programs(net):
    """Every program of the network but those of the measures, which take long to compile."""
    model, params = net
    made = {n: w.program(model, params, BATCH) for n, w in WORKLOADS.items() if n not in MEASURES}
    assert set(made) == {"forward", "deletion", *METHODS}
    return made


def close(actual, expected):
    """Compare up to float32 rounding, which depends on fusion."""
    np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-6)


@pytest.mark.slow
def test_forward_gives_the_logits(net, programs):
    model, params = net
    x = images(model, BATCH)
    expected = np.stack([jax.jit(model.logits)(params, image) for image in x])
    assert expected.shape == (BATCH, 3)
    close(programs["forward"].run(x), expected)
    close(programs["forward"].run(jnp.asarray(x)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_maps_are_those_of_the_methods(net, programs, name):
    model, params = net
    x = images(model, BATCH)
    score = model.score(params, logit(0))
    expected = np.asarray(jax.jit(jax.vmap(partial(METHODS[name], score)))(x, KEYS))
    if expected.shape[-1] == 1:
        expected = expected[..., 0]
    assert expected.any()
    close(programs[name].run(x), expected)


def test_deletion_is_the_curve_of_the_maps(net, programs):
    model, params = net
    x, maps = images(model, BATCH), workloads.maps(BATCH, (SIDE, SIDE))
    values, area = programs["deletion"].run(x)
    score = model.score(params, probability(0))
    fractions = tuple(j / 16 for j in range(1, 17))
    one = jax.jit(lambda i, m: deletion(score, i, m, KEYS[0], fractions=fractions, fill="black"))
    curves = [one(image, map) for image, map in zip(x, maps, strict=True)]
    close(values, [curve.values for curve in curves])
    close(area, [curve.area for curve in curves])
    logits = jax.jit(model.logits)
    for image, map, curve in zip(x, maps, np.asarray(values), strict=True):
        for j, value in enumerate(curve, 1):
            left = image.copy().reshape(-1, 3)
            left[np.argsort(-map.ravel())[: SIDE**2 * j // 16]] = 0
            z = np.asarray(logits(params, left.reshape(image.shape)), float)
            close(value, np.exp(z[0]) / np.exp(z).sum())


@pytest.mark.slow
def test_measures_are_the_row_of_a_sweep(net, monkeypatch):
    model, params = net
    few = (Halved(),)
    monkeypatch.setitem(PRESETS, "standard", few)
    x = images(model, BATCH)
    columns = WORKLOADS["measures"].program(model, params, BATCH).run(x)
    pixels = np.asarray(x) * np.float32(model.preprocess.std) + np.float32(model.preprocess.mean)
    pixels = np.rint(255 * pixels).astype(np.uint8)
    task = Classification(model, CAM(), score=logit(0), measures=few)
    row = lambda p, k: task.row(params, {"pixels": p, "reference_mask": None}, k)  # noqa: E731
    expected = jax.jit(jax.vmap(row))(pixels, KEYS)
    assert set(columns) == set(expected)
    np.testing.assert_array_equal(columns["target"], 0)
    for name in set(expected) - {"map"}:
        close_enough = {"rtol": 1e-3, "atol": 1e-4, "err_msg": name}
        np.testing.assert_allclose(columns[name], expected[name], **close_enough)
    assert np.abs(np.asarray(columns["map"], int) - np.asarray(expected["map"], int)).max() <= 1


@on_cpu
def test_flops_are_those_of_the_passes(programs):
    assert programs["forward"].flops == FORWARD
    for name, made in programs.items():
        assert made.passes == WORKLOADS[name].passes
        assert made.flops == pytest.approx(made.passes * FORWARD, rel=2e-3), name
    assert programs["saliency"].passes == 2
    assert programs["ig"].flops == pytest.approx(16 * programs["saliency"].flops, rel=1e-3)


@pytest.mark.slow
@on_cpu
@pytest.mark.parametrize("name", MEASURES)
def test_measures_pass_the_model_as_often_as_they_say(net, name):
    model, params = net
    side = 32  # the paper's shifts are of 16 pixels
    model = replace(model, preprocess=replace(model.preprocess, size=(side, side)))
    task = WORKLOADS[name]
    arguments = params, images(model, 1), KEYS[:1], workloads.maps(1, (side, side))
    lowered = jax.jit(task.function(model, 1, "float32")).lower(*arguments)
    text = lowered.compile().as_text()
    once = 2 * side**2 * 9 * (3 * 16 + 16 * 8)
    assert count_flops(text).convolutions == task.passes * once


@on_cpu
def test_hidden_flops_are_counted_in_the_program_of_the_cpu(net, monkeypatch):
    model, params = net
    function = jax.vmap(model.logits, (None, 0))
    arguments = params, jnp.zeros((BATCH, SIDE, SIDE, 3))
    hidden = 'x = f32[2] custom-call(y), custom_call_target="__cudnn$convForward"'
    assert np.isnan(program.count(function, arguments, hidden))
    monkeypatch.setattr(program.jax, "default_backend", lambda: "gpu")
    assert program.count(function, arguments, hidden) == FORWARD


def test_parameters_are_arguments(net, programs):
    model, params = net
    doubled = jax.tree.map(lambda a: 2 * a, params)
    x = images(model, BATCH)
    other = replace(programs["forward"], leaves=tuple(jax.tree.leaves(doubled)))
    close(other.run(x), jax.vmap(model.logits, (None, 0))(doubled, x))
    assert programs["forward"].compile_seconds > 0


def test_steps_fill_a_batch():
    size = 8 if jax.default_backend() == "cpu" else 128
    chunks = {batch: workloads.chunk(batch) for batch in (1, 2, 3, 8, 64, 128, 1000)}
    assert all(16 % n == 0 for n in chunks.values())
    assert all(n == 1 or n * batch <= size for batch, n in chunks.items())
    assert all(n == 16 or 2 * n * batch > size for batch, n in chunks.items())


def test_what_a_model_lacks(net, bare, pooled):
    for name in ("cam", "gradcam", *MEASURES):
        assert WORKLOADS[name].missing(*net) == ""
        with pytest.raises(InputError, match="bare has no trunk: give its module"):
            WORKLOADS[name].program(*bare, BATCH)
        with pytest.raises(InputError, match=r"features of pooled have no grid: \(3,\)"):
            WORKLOADS[name].program(*pooled, BATCH)
    assert WORKLOADS["saliency"].missing(*bare) == ""


def test_precisions_reach_the_program(net, programs):
    model, params = net
    x = images(model, BATCH)
    made = WORKLOADS["forward"].program(model, params, BATCH, precision="bfloat16_dots")
    with precision("bfloat16_dots"):
        expected = jax.vmap(model.logits, (None, 0))(params, x)
    rounded_logits, exact = made.run(x), programs["forward"].run(x)
    close(rounded_logits, expected)
    assert 1e-5 < np.abs(rounded_logits - exact).max() < 0.05 * np.abs(exact).max()


def test_the_share_that_is_rounded(net, bare):
    model, params = net
    first, second, linear = (SIDE**2 * 9 * 3 * 16, SIDE**2 * 9 * 16 * 8, 8 * 3)
    total = first + second + linear
    assert rounded(model, params, "float32") == rounded(model, params, "tf32") == 0
    assert rounded(model, params, "bfloat16") == pytest.approx((first + second) / total)
    assert rounded(model, params, "bfloat16_dots") == pytest.approx(second / total, abs=0.05)
    assert missing(model, params, "bfloat16") == missing(model, params, "float32") == ""
    assert "bfloat16 applies to layers of salix.nn only" in missing(*bare, "bfloat16")


def test_products_in_a_loop_count_as_often_as_it_runs(bare):
    def apply(matrix, image):
        def again(x, _):
            return (x.astype(jnp.bfloat16) @ matrix.astype(jnp.bfloat16)).astype(x.dtype), None

        x, _ = lax.scan(again, image[0, :, :2], None, 3)
        return (x @ matrix)[0]

    about = {"preprocess": bare[0].preprocess, "name": "loop"}
    loop = from_function(apply, jnp.eye(2), **about)
    assert rounded(*loop, "float32") == pytest.approx(3 / 4)
    still, matrix = from_function(lambda _, image: image.mean((0, 1)), jnp.eye(2), **about)
    assert np.isnan(rounded(still, matrix, "bfloat16"))
    assert "still has none" in missing(replace(still, name="still"), matrix, "bfloat16")


@on_cpu
def test_the_cpu_has_no_tf32(net):
    assert "no tf32" in missing(*net, "tf32")


def test_images_and_maps_are_seeded_and_fill_their_range(net):
    model, _ = net
    x, fields = images(model, 3), smooth(3, (24, 16))
    assert x.shape == (3, SIDE, SIDE, 3)
    assert fields.shape == (3, 24, 16)
    assert x.dtype == fields.dtype == np.float32
    np.testing.assert_array_equal(fields.min((1, 2)), 0)
    np.testing.assert_array_equal(fields.max((1, 2)), 1)
    assert np.abs(np.diff(fields, axis=1)).max() < 0.7  # smooth
    assert np.abs(fields[0] - fields[1]).max() > 0.1
    np.testing.assert_array_equal(x, images(model, 3))
    assert (x != images(model, 3, seed=1)).any()
    pixels = 255 * (x * np.float32(model.preprocess.std) + np.float32(model.preprocess.mean))
    np.testing.assert_allclose(pixels, np.rint(pixels), atol=1e-3)
    assert pixels.min() == pytest.approx(0, abs=1e-3)
    assert pixels.max() == pytest.approx(255, abs=1e-3)
