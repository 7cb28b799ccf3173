"""TP-GAN: counts and shapes, transposed convolution, layout and fusion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from salix.models.facemesh import TFJS, FaceMesh
from salix.models.tpgan import Generator, check_size
from salix.models.tpgan_discriminator import Discriminator
from salix.models.tpgan_layers import transposed_conv
from salix.models.tpgan_local import fuse
from salix.models.tpgan_patches import FRONTAL, PATCHES, patch_boxes
from salix.typing import InputError


def count(*modules) -> int:
    leaves = [leaf for m in modules for leaf in jax.tree.leaves(nnx.state(m, nnx.Param))]
    return sum(int(np.prod(leaf.shape)) for leaf in leaves)


@pytest.mark.slow
def test_full_width_has_the_published_counts():
    g = nnx.eval_shape(lambda: Generator(340, rngs=nnx.Rngs(0)))
    encoder, local = count(g.encoder, g.bottleneck), count(g.parts)
    decoder = count(g.seed, g.seeds, g.skips, g.mixers, g.ups, g.small, g.last, g.out)
    millions = [round(n / 1e6, 2) for n in (encoder, decoder, local)]
    assert millions == [39.42, 49.20, 68.80]
    assert (encoder + decoder + local, count(g)) == (157_416_390, 157_416_390 + 340 * 257)
    d = nnx.eval_shape(lambda: Discriminator(rngs=nnx.Rngs(0)))
    assert count(d) == 13_357_441


@pytest.mark.slow
@pytest.mark.parametrize(("side", "local"), [(64, True), (128, False)])
def test_images_have_three_sizes_at_any_width(side, local):
    def run():
        module = Generator(5, 8, side, local=local, rngs=nnx.Rngs(0))
        faces = jnp.zeros((2, side, side, 3))
        boxes = patch_boxes(side).values()
        patches = [faces[:, top:bottom, left:right] for top, left, bottom, right in boxes]
        critic = Discriminator(8, rngs=nnx.Rngs(0))
        s = module(faces, patches, jnp.zeros((2, 100)), jax.random.key(0))
        return s.images, s.locals, s.features, s.identity, critic(s.images[0])

    images, parts, features, identity, logits = jax.eval_shape(run)
    assert [i.shape for i in images] == [(2, side // n, side // n, 3) for n in (1, 2, 4)]
    sizes = [(2, h * side // 128, w * side // 128, 3) for h, w in PATCHES.values()]
    assert [i.shape for i in parts] == (sizes if local else [])
    assert features.shape == (2, 256)
    assert (identity.shape, logits.shape) == ((2, 5), (2, side // 32, side // 32))


@pytest.mark.parametrize("stride", [2, 4])
def test_transposed_convolution_scatters_the_kernel(stride):
    rng = np.random.default_rng(stride)
    x, kernel = rng.normal(size=(1, 3, 4, 2)), rng.normal(size=(3, 3, 2, 3))
    slow = np.zeros((1, 3 * stride + 3, 4 * stride + 3, 3))
    for i in range(3):
        for j in range(4):
            top, left = stride * i, stride * j
            slow[0, top : top + 3, left : left + 3] += np.einsum("i,uvio->uvo", x[0, i, j], kernel)
    fast = transposed_conv(x.astype(np.float32), jnp.asarray(kernel, jnp.float32), stride)
    np.testing.assert_allclose(fast, slow[:, : 3 * stride, : 4 * stride], atol=1e-5)


def test_fusion_places_patches_and_takes_the_maximum():
    levels = dict(zip(PATCHES, (1.0, 2.0, 3.0, -4.0), strict=True))
    maps = [np.full((1, *size, 1), levels[part]) for part, size in PATCHES.items()]
    slow = np.full((128, 128), -np.inf)
    for part, (top, left, bottom, right) in patch_boxes().items():
        own = np.zeros((128, 128))
        own[top:bottom, left:right] = levels[part]
        slow = np.maximum(slow, own)
    np.testing.assert_array_equal(fuse([jnp.asarray(m) for m in maps], 128)[0, :, :, 0], slow)


def test_patches_are_centred_on_landmarks_and_stay_inside():
    boxes = patch_boxes()
    assert boxes["left eye"] == (21, 24, 61, 64)
    assert boxes["nose"][2] == round(FRONTAL[2, 1] + 10)
    assert boxes["mouth"] == (73, 41, 105, 89)
    beyond = patch_boxes(64, FRONTAL - [60, 0])
    assert beyond["left eye"][1] == 0
    assert all(
        b - t == h // 2
        for (t, _, b, _), (h, _) in zip(beyond.values(), PATCHES.values(), strict=True)
    )


@pytest.mark.parametrize(("width", "side"), [(4, 128), (12, 128), (8, 100)])
def test_sizes_that_do_not_divide_are_refused(width, side):
    with pytest.raises(InputError, match="multiple of"):
        check_size(width, side)


def test_every_weight_of_the_mesh_has_a_name():
    state = nnx.state(nnx.eval_shape(lambda: FaceMesh(nnx.Rngs(0))), nnx.Param)
    names = {".".join(map(str, path)) for path, _ in nnx.to_flat_state(state)}
    assert names == set(TFJS)
    assert len({theirs for theirs, _ in TFJS.values()}) == len(names)
