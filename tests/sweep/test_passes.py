"""How often a sweep with measures passes the model, counted in its compiled program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from jax.sharding import Mesh

import salix
from salix.attribution import CAM, GradCAM, Gradient, SmoothGrad
from salix.data import Arrays
from salix.measures import COSE, Agreement, Curves, Degradation, Geometry, Inside, Noise
from salix.measures.presets import PRESETS
from salix.model import Preprocess, from_nnx, logit
from salix.models.layers import Conv, batch_norm, max_pool
from salix.sweep.once import Once
from salix.sweep.operations import Operations, operations
from salix.sweep.program import abstract_arguments, compile_step
from salix.sweep.step import Task

SIDE, BATCH = 64, 2
FEW = {  # few variants of every kind, and the passes that they take
    Noise(levels=(0.0, 0.1, 1.0)): 3,
    Geometry(("flip_lr", "shift_up"), angles=(15,)): 3,
    Degradation(("background", "object"), change=None): 2,
    Curves(fractions=(0, 0.5, 1), arms=("most", "matched")): 6,
    COSE(("FlipLR", "Brightness"), magnitudes=2): 3,
    Inside(): 0,
    Agreement(): 0,
}


class Net(nnx.Module):
    """Three convolutions with all that a network has between them."""

    def __init__(self, pools: bool, rngs: nnx.Rngs):
        sizes = ((3, 8), (8, 16), (16, 16))
        self.convolutions = nnx.List([Conv(i, o, 3, rngs=rngs) for i, o in sizes])
        self.norms = nnx.List([batch_norm(o, rngs=rngs) for _, o in sizes])
        self.linear = nnx.Linear(16, 2, rngs=rngs)
        self.pools = pools

    def trunk(self, x):
        """Return features, an eighth of the image's side or all of it."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = jax.nn.relu(norm(convolution(x)))
            x = max_pool(x, 2, 2) if self.pools else x
        return x

    def head(self, features):
        """Return logits."""
        return self.linear(features.mean((1, 2)))


def network(pools: bool):
    preprocess = Preprocess((SIDE, SIDE), mean=(0.5,) * 3, std=(0.25,) * 3)
    return from_nnx(Net(pools, nnx.Rngs(0)), preprocess=preprocess, name="net")


POOLED, PLAIN = network(True), network(False)


def compiled(net, method, measures):
    model, params = net
    source = Arrays(np.zeros((BATCH, SIDE, SIDE, 3), np.uint8), guides=[None] * BATCH)
    arguments = abstract_arguments(model, params, source, BATCH)
    mesh = Mesh(np.array(jax.devices()[:1]), ("batch",))
    return compile_step(Task(model, method, logit(), tuple(measures)), arguments, mesh)


def passes(net, method, measures) -> float:
    """Return the convolutions of a step over those of the forward pass, which is counted by hand.

    No measure has convolutions of its own.
    """
    side, one = SIDE, 0
    for i, o in ((3, 8), (8, 16), (16, 16)):
        one += 2 * BATCH * side**2 * o * 9 * i
        side //= 2 if net is POOLED else 1
    return operations(compiled(net, method, measures).as_text()).convolutions / one


@pytest.mark.parametrize("method", [CAM(), GradCAM()], ids=repr)
def test_each_variant_passes_the_trunk_once_for_both_classes(method):
    assert passes(POOLED, method, []) == 1
    assert passes(POOLED, method, FEW) == 1 + sum(FEW.values())


def test_presets_take_as_many_passes_as_they_say():
    assert passes(POOLED, CAM(), PRESETS["paper"]) == 1 + 8 + 12 + 2
    assert passes(POOLED, CAM(), PRESETS["standard"]) == 1 + 8 + 12 + 4


def test_a_gradient_goes_forward_once_and_back_once_for_each_class():
    levels = (0.1, 0.5)
    assert passes(PLAIN, Gradient(), []) == 2
    assert passes(PLAIN, Gradient(), [Noise(levels=levels, free=False)]) == 2 + 2 * 2
    assert passes(PLAIN, Gradient(), [Noise(levels=levels)]) == 2 + 3 * 2
    # What the compiler moves out of the loop here keeps it from seeing that forward passes are
    # equal: at most one more for each class.
    assert 2 + 3 * 2 <= passes(POOLED, Gradient(), [Noise(levels=levels)]) <= 2 + 5 * 2


def test_samples_of_a_method_are_passes_of_their_own():
    assert passes(POOLED, SmoothGrad(CAM(), samples=3), []) == 1 + 3


@pytest.mark.parametrize(
    ("few", "many"),
    [
        (Noise(levels=(0.1, 0.5)), Noise(levels=tuple(i / 40 for i in range(40)))),
        (Geometry(("flip_lr",), angles=(5,)), Geometry(angles=tuple(range(5, 90, 5)))),
        (Curves(fractions=(0, 1)), Curves(fractions=tuple(i / 40 for i in range(41)))),
    ],
    ids=lambda m: type(m).__name__,
)
def test_memory_does_not_grow_with_the_number_of_variants(few, many):
    a, b = (compiled(POOLED, CAM(), [m]).memory_analysis().temp_size_in_bytes for m in (few, many))
    assert b < 1.1 * a


def test_a_model_is_traced_as_often_for_one_batch_as_for_many(tmp_path):
    traced = []
    module = Net(True, nnx.Rngs(0))

    class Counted(type(module)):
        def trunk(self, x):
            traced.append(x.shape)
            return super().trunk(x)

    model, params = from_nnx(
        Counted(True, nnx.Rngs(0)), preprocess=Preprocess((SIDE, SIDE)), name="counted"
    )
    images = np.random.default_rng(0).integers(0, 256, (11, SIDE, SIDE, 3), np.uint8)
    measures, counts = [Noise(levels=(0.5,)), Inside()], []
    for n in (2, 11):
        traced.clear()
        run = salix.sweep(
            model, params, images[:n], CAM(), measures, out=tmp_path / str(n), batch_size=2
        )
        assert len(run.rows["salt_and_pepper_area"]) == n
        counts.append(len(traced))
    assert counts[0] == counts[1] > 0


def test_operations_are_those_of_the_shapes():
    def work(image, kernel, matrix):
        wide = lax.conv_general_dilated(
            image, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return wide.sum(), jnp.dot(matrix, matrix.T, precision="highest")

    def shape(*sides):
        return jax.ShapeDtypeStruct(sides, np.float32)

    arguments = (shape(2, 16, 16, 4), shape(5, 3, 4, 6), shape(64, 96))
    found = operations(jax.jit(work).lower(*arguments).compile().as_text())
    assert found == Operations(2 * (2 * 8 * 8 * 6) * (5 * 3 * 4), 2 * 64 * 64 * 96)


def test_operations_of_loops_are_counted_as_often_as_they_run():
    def once(x, _):
        return jnp.tanh(jnp.dot(x, x)), None

    def nested(x, _):
        return lax.scan(once, x, None, 5)

    def count(function):
        x = jax.ShapeDtypeStruct((64, 64), np.float32)
        program = jax.jit(function).lower(x).compile()
        return operations(program.as_text()).products / (2 * 64**3)

    assert count(lambda x: once(x, None)[0]) == 1
    assert count(lambda x: lax.scan(nested, x, None, 7)[0]) == 35
    unknown = count(lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: once(x, 0)[0], x))
    assert unknown == np.inf


def test_hidden_operations_are_not_a_number():
    hidden = 'ENTRY %main () -> f32[] {\n custom_call_target="__cudnn$convForward"\n}'
    assert np.isnan(operations(hidden).convolutions)


def test_the_last_image_is_remembered_where_it_was_seen():
    seen = []

    def function(image):
        seen.append(image.shape)
        return 2 * image

    def inside_and_outside(image):
        once = Once(function)

        def body(i):
            return once(image) + once(image) + i

        within = lax.map(body, jnp.arange(3.0))
        return within, once(image), once(image), once(image + 1)

    within, *outside = jax.jit(inside_and_outside)(jnp.float32(1))
    np.testing.assert_array_equal(within, [4, 5, 6])
    np.testing.assert_array_equal(outside, [2, 2, 4])
    assert len(seen) == 3  # in the loop, after it, and for another image
