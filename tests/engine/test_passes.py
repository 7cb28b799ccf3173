"""How often a sweep with measures passes the model, counted in its compiled program."""

import re
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

import salix
from salix.adapters import from_nnx
from salix.attribution import CAM, GradCAM, Gradient, SmoothGrad
from salix.engine.classification import Classification
from salix.engine.flops import Flops, count_flops
from salix.engine.program import abstract_arguments, batched
from salix.measures import (
    COSE,
    Agreement,
    Curves,
    Degradation,
    Evaluation,
    Geometry,
    Noise,
    Of,
    RelevanceMass,
)
from salix.measures.presets import PRESETS
from salix.metrics import deletion, gini
from salix.nn import Conv, batch_norm, max_pool
from salix.preprocess import Preprocess

pytestmark = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="libraries hide their FLOPs there"
)

# Of rows so short that convolutions have no pixels joined, and so no products with zeros.
SIDE, BATCH, WIDTHS = 56, 2, ((3, 8), (8, 16), (16, 16))
FEW = {  # few variants of every kind, and the passes that they take
    Noise(levels=(0.0, 0.1, 1.0)): 3,
    Geometry(("flip_lr", "shift_up"), angles=(15,)): 3,
    Degradation(("background", "object"), change=None): 2,
    Curves(fractions=(0, 0.5, 1), conditions=("most", "matched")): 6,
    COSE(("FlipLR", "Brightness"), magnitudes=2): 3,
    RelevanceMass(): 0,
    Agreement(): 0,
}


class Net(nnx.Module):
    """Three convolutions with all that a network has between them."""

    def __init__(self, rngs: nnx.Rngs):
        self.convolutions = nnx.List([Conv(i, o, 3, rngs=rngs) for i, o in WIDTHS])
        self.norms = nnx.List([batch_norm(o, rngs=rngs) for _, o in WIDTHS])
        self.linear = nnx.Linear(WIDTHS[-1][1], 2, rngs=rngs)

    def trunk(self, x):
        """Return features of an eighth of the image's side."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = max_pool(jax.nn.relu(norm(convolution(x))), 2, 2)
        return x

    def head(self, features):
        """Return logits."""
        return self.linear(features.mean((1, 2)))


PREPROCESS = Preprocess((SIDE, SIDE), mean=(0.5,) * 3, std=(0.25,) * 3)
NET = from_nnx(Net(nnx.Rngs(0)), preprocess=PREPROCESS, name="net")


def compiled(method, measures):
    model, params = NET
    problem = Classification(model, method, measures=tuple(measures), reference_masks=True)
    return jax.jit(batched(problem)).lower(*abstract_arguments(problem, params, BATCH)).compile()


def passes(method, measures) -> float:
    """Return the convolutions of a step over those of the forward pass, which is counted by hand.

    No measure has convolutions of its own.
    """
    one = sum(
        2 * BATCH * (SIDE // 2**depth) ** 2 * 9 * i * o for depth, (i, o) in enumerate(WIDTHS)
    )
    return count_flops(compiled(method, measures).as_text()).convolutions / one


@pytest.mark.slow
def test_each_variant_passes_the_trunk_once_for_both_classes():
    assert passes(CAM(), []) == 1
    assert passes(CAM(), FEW) == 1 + sum(FEW.values())
    assert passes(GradCAM(), [Noise(levels=(0.1, 0.5))]) == 1 + 2


@pytest.mark.slow
def test_the_paper_preset_passes_once_for_each_level_transform_and_degradation():
    assert passes(CAM(), PRESETS["paper"]) == 1 + 8 + 12 + 2


def random_effects(score, image, map, key):
    """Change of the score by noise in three random images, over the map's sum there."""

    def effect(key):
        noise = jax.random.normal(key, image.shape)
        return (score(image) - score(image + noise)) / (map * jnp.abs(noise).sum(-1)).sum()

    return lax.map(effect, jax.random.split(key, 3)).mean()


@pytest.mark.slow
def test_methods_share_the_passes_that_do_not_depend_on_their_maps():
    methods, few = (Gradient(), CAM(), GradCAM()), Of(deletion, fractions=(0, 0.5, 1))
    # XLA of JAX 0.12 does not merge the row's own explanation with that behind the barrier.
    own = 0 if jax.__version_info__ < (0, 12) else 2
    assert passes(Gradient(), [Evaluation(methods, (gini,))]) == 2 + own  # forward, back
    # A step of deletion is a pass for each map; a random image is one for all maps.
    both = 2 + own + 3 * len(methods) + 3
    assert passes(Gradient(), [Evaluation(methods, (gini, few, random_effects))]) == both


@pytest.mark.slow
def test_a_gradient_goes_forward_once_and_back_once_for_each_class():
    levels = (0.1, 0.5)
    assert passes(Gradient(), []) == 2
    assert passes(Gradient(), [Noise(levels=levels, repredict=False)]) == 2 + 2 * 2
    assert passes(Gradient(), [Noise(levels=levels)]) == 2 + 3 * 2


def test_samples_of_a_method_are_passes_of_their_own():
    assert passes(SmoothGrad(CAM(), samples=3), []) == 1 + 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("few", "many"),
    [
        (Noise(levels=(0.1, 0.5)), Noise(levels=tuple(i / 40 for i in range(40)))),
        (Geometry(("flip_lr",), angles=(5,)), Geometry(angles=tuple(range(5, 90, 5)))),
        (Curves(fractions=(0, 1)), Curves(fractions=tuple(i / 40 for i in range(41)))),
        tuple(
            Evaluation((CAM(), GradCAM()), (Of(deletion, fractions=f),))
            for f in ((0, 1), tuple(i / 40 for i in range(41)))
        ),
    ],
    ids=lambda m: type(m).__name__,
)
def test_memory_does_not_grow_with_the_number_of_variants(few, many):
    a, b = (compiled(CAM(), [m]).memory_analysis().temp_size_in_bytes for m in (few, many))
    assert b < 1.1 * a


@pytest.fixture
def counted():
    """A model, its parameters, and the shapes that its trunk is traced with."""
    traced = []

    class Counted(Net):
        def trunk(self, x):
            traced.append(x.shape)
            return super().trunk(x)

    return *from_nnx(Counted(nnx.Rngs(0)), preprocess=PREPROCESS, name="counted"), traced


@pytest.mark.slow
def test_a_model_is_traced_as_often_for_one_batch_as_for_many(counted, tmp_path):
    model, params, traced = counted
    images = np.random.default_rng(0).integers(0, 256, (11, SIDE, SIDE, 3), np.uint8)
    measures, counts = [Noise(levels=(0.5,)), RelevanceMass()], []
    for n in (2, 11):
        traced.clear()
        run = salix.sweep(
            model, params, images[:n], CAM(), measures, out=tmp_path / str(n), batch_size=2
        )
        assert len(run.rows["salt_and_pepper_area"]) == n
        counts.append(len(traced))
    assert counts[0] == counts[1] > 0


@pytest.mark.slow
def test_a_model_is_traced_once_and_a_step_compiled_once_a_run(counted, tmp_path, caplog):
    model, params, traced = counted
    images = np.random.default_rng(0).integers(0, 256, (11, SIDE, SIDE, 3), np.uint8)
    method, measures = SmoothGrad(samples=2), [Noise(levels=(0.5,))]

    def run():
        """Sweep batches of 4, the last with 3 images; return the programs that were compiled."""
        traced.clear()
        caplog.clear()
        with jax.log_compiles():
            out = tmp_path / "run"
            salix.sweep(model, params, images, method, measures, out=out, batch_size=4)
        said = [r.getMessage() for r in caplog.records]
        return [line for line in said if "Finished XLA compilation" in line]

    run()  # with what the first sweep of a process compiles
    for part in (tmp_path / "run").glob("part-*"):
        part.unlink()
    assert len(run()) == 1
    assert traced == [(1, SIDE, SIDE, 3)]
    assert run() == []  # nothing was left to do


@pytest.mark.slow
def test_a_step_sorts_no_pixels_and_holds_no_large_array():
    text = compiled(CAM(), PRESETS["standard"]).as_text()

    def sizes(kind):
        shapes = re.findall(rf"= \w+\[([\d,]*)\]\S* {kind}\(", text)
        return [prod(int(n) for n in shape.split(",") if n) for shape in shapes]

    assert sizes("sort") == [BATCH * (SIDE // 8) ** 2]  # cells of the maps, for their Gini index
    assert 100 < max(sizes("constant")) < 2000  # of resizing and of changes: no weights, no images


def test_flops_are_those_of_the_shapes():
    def work(image, kernel, matrix):
        wide = lax.conv_general_dilated(
            image, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return wide, jnp.dot(matrix, matrix.T, precision="highest")

    def shape(*sides):
        return jax.ShapeDtypeStruct(sides, np.float32)

    arguments = (shape(2, 16, 16, 4), shape(5, 3, 4, 6), shape(64, 96))
    found = count_flops(jax.jit(work).lower(*arguments).compile().as_text())
    convolution = 2 * (2 * 8 * 8 * 6) * (5 * 3 * 4)
    assert found == Flops(convolution, 2 * 64 * 64 * 96)
    gradient = jax.jit(jax.grad(lambda *given: (work(*given)[0] ** 2).sum()))
    found = count_flops(gradient.lower(*arguments).compile().as_text())
    assert found.convolutions == 2 * convolution  # there and back


def test_flops_of_branches_are_all_counted():
    def work(which, x):
        branches = [lambda x: x, lambda x: jnp.dot(x, x), lambda x: jnp.dot(x, jnp.dot(x, x.T))]
        return lax.switch(which, branches, x)

    arguments = jax.ShapeDtypeStruct((), np.int32), jax.ShapeDtypeStruct((64, 64), np.float32)
    found = count_flops(jax.jit(work).lower(*arguments).compile().as_text())
    assert found.products == 3 * 2 * 64**3


def test_flops_of_loops_are_counted_as_often_as_they_run():
    def once(x, _):
        return jnp.tanh(jnp.dot(x, x)), None

    def nested(x, _):
        return lax.scan(once, x, None, 5)

    def count(function):
        x = jax.ShapeDtypeStruct((64, 64), np.float32)
        program = jax.jit(function).lower(x).compile()
        return count_flops(program.as_text()).products / (2 * 64**3)

    assert count(lambda x: once(x, None)[0]) == 1
    assert count(lambda x: lax.scan(nested, x, None, 7)[0]) == 35
    unknown = count(lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: once(x, 0)[0], x))
    assert unknown == np.inf


def test_hidden_flops_are_not_a_number():
    hidden = 'ENTRY %main () -> f32[] {\n custom_call_target="__cudnn$convForward"\n}'
    assert np.isnan(count_flops(hidden).convolutions)
