"""The vision transformer against NumPy, and the cut that makes its class token a sum of patches."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.adapters import from_nnx
from salix.attribution import CAM, GradCAM
from salix.models.checkpoints.module_state import arrays, expected
from salix.models.vit import Attention, TransformerBlock, ViT
from salix.scores import logit
from salix.typing import InputError

WIDTH, HEADS, GRID, PATCH = 24, 3, 3, 4


def small(depth: int = 2) -> ViT:
    """A transformer of images 12x12, its weights large enough that attention is not even."""
    module = ViT(WIDTH, depth, HEADS, 10, GRID, PATCH, rngs=nnx.Rngs(0))
    draw = np.random.default_rng(0)
    state = nnx.state(module, nnx.Param)
    scales = {1: 0.5, 2: 0.4, 4: 0.3}

    def drawn(x: Any) -> Any:
        return jnp.asarray(draw.normal(size=x.shape) * scales[x.ndim], x.dtype)

    nnx.update(module, jax.tree.map(drawn, state))
    return module


def slow_norm(x: np.ndarray, w: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    centred = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return centred * w[f"{name}.scale"] + w[f"{name}.bias"]


def slow_linear(x: np.ndarray, w: dict[str, np.ndarray], name: str) -> np.ndarray:
    return x @ w[f"{name}.kernel"] + w[f"{name}.bias"]


def slow_attention(x: np.ndarray, w: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Token by token and head by head, in float64."""
    q, k, v = (slow_linear(x, w, f"{name}{part}") for part in ("query", "key", "value"))
    mixed, d = np.zeros_like(x), x.shape[1] // HEADS
    for head in range(HEADS):
        part = slice(head * d, (head + 1) * d)
        for i in range(len(x)):
            e = np.exp([q[i, part] @ k[j, part] / np.sqrt(d) for j in range(len(x))])
            mixed[i, part] = sum(e[j] / e.sum() * v[j, part] for j in range(len(x)))
    return slow_linear(mixed, w, f"{name}out")


def slow_block(x: np.ndarray, w: dict[str, np.ndarray], name: str) -> np.ndarray:
    x = x + slow_attention(slow_norm(x, w, f"{name}norm1"), w, f"{name}attention.")
    h = slow_linear(slow_norm(x, w, f"{name}norm2"), w, f"{name}wide")
    return x + slow_linear(h / (1 + np.exp(-1.702 * h)), w, f"{name}narrow")


def slow(image: np.ndarray, w: dict[str, np.ndarray], depth: int) -> float:
    """z of one image, patches cut out one by one, the last block like the others."""
    tokens = [w["token"]]
    for row in range(0, image.shape[0], PATCH):
        for column in range(0, image.shape[1], PATCH):
            patch = image[row : row + PATCH, column : column + PATCH]
            tokens.append(np.einsum("yxc,yxck->k", patch, w["patches.kernel"]))
    h = slow_norm(np.stack(tokens) + w["positions"], w, "before")
    for index in range(depth):
        h = slow_block(h, w, f"blocks.{index}.")
    e = slow_norm(h[0], w, "after") @ w["projection.kernel"]
    return float((e / np.linalg.norm(e) @ w["probe.kernel"] + w["probe.bias"])[0])


def wide(module: nnx.Module) -> dict[str, np.ndarray]:
    return {name: a.astype(np.float64) for name, a in arrays(nnx.state(module)).items()}


@pytest.mark.slow
def test_attention_is_a_weighted_sum_of_values() -> None:
    module = small().blocks[0].attention
    assert isinstance(module, Attention)
    x = np.random.default_rng(1).normal(size=(1, 7, WIDTH)).astype(np.float32)
    expected = slow_attention(x[0].astype(np.float64), wide(module), "")
    np.testing.assert_allclose(module(x)[0], expected, atol=1e-5)
    shares = module.contributions(x)[0]
    np.testing.assert_allclose(shares.sum(0), expected[0], atol=1e-5)
    # and each share is what is lost with its value alone
    v = module.value
    only = jnp.zeros((1, 7, 1)).at[0, 3].set(1)
    module.value = lambda tokens: only * v(tokens)
    np.testing.assert_allclose(module(x)[0, 0] - module.out.bias[...], shares[3], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 3])
def test_logits_agree_with_numpy(depth: int) -> None:
    module = small(depth)
    model, params = from_nnx(module)
    image = np.random.default_rng(2).normal(size=(12, 12, 3)).astype(np.float32)
    z = slow(image.astype(np.float64), wide(module), depth)
    np.testing.assert_allclose(model.logits(params, image), [-z / 2, z / 2], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_features_sum_to_the_class_token() -> None:
    module = small()
    image = np.random.default_rng(3).normal(size=(2, 12, 12, 3)).astype(np.float32)
    features = module.trunk(image)
    assert features.shape == (2, GRID, GRID, WIDTH)
    last = module.blocks[-1]
    assert isinstance(last, TransformerBlock)
    inputs: list[Any] = []
    think = last.perceptron
    last.perceptron = lambda tokens: inputs.append(tokens) or think(tokens)
    module.head(features)
    tokens = inputs[0]
    last.perceptron = think
    # the state of the class token after the whole of the last attention
    h = module.patches(image).reshape(2, -1, WIDTH)
    first = jnp.broadcast_to(module.token[...], (2, 1, WIDTH))
    h = module.before(jnp.concatenate([first, h], axis=1) + module.positions[...][None])
    h = module.blocks[0](h)
    expected = h + last.attention(last.norm1(h))
    np.testing.assert_allclose(tokens, expected[:, 0], atol=1e-5)
    # shares of two patches differ by what the last attention takes from them
    contributions = last.attention.contributions(last.norm1(h))
    flat = features.reshape(2, -1, WIDTH)
    np.testing.assert_allclose(
        flat[:, 0] - flat[:, 8], contributions[:, 1] - contributions[:, 9], atol=1e-6
    )


@pytest.mark.slow
def test_maps_share_the_linearisation_of_the_head_among_the_patches() -> None:
    model, params = from_nnx(small())
    image = np.random.default_rng(4).normal(size=(12, 12, 3)).astype(np.float32)
    score, key = model.score(params, logit(1)), jax.random.key(0)
    cam = CAM()(score, image, key)[..., 0] / GRID**2  # whose weights are summed over cells
    signed = GradCAM(relu=False)(score, image, key)[..., 0]
    np.testing.assert_allclose(signed, cam, rtol=1e-5)
    features = model.features(params, image)
    total, slope = jax.jvp(score.head, (features,), (features,))
    assert np.isfinite(total)
    np.testing.assert_allclose(cam.sum(), slope, rtol=1e-4, atol=1e-6)
    assert np.ptp(cam) > 1e-3


@pytest.mark.slow
def test_the_tower_of_clip_has_its_size() -> None:
    shapes = expected(lambda rngs: ViT(rngs=rngs))
    sizes = {name: int(np.prod(leaf.shape)) for name, leaf in shapes.items()}
    assert sum(sizes[name] for name in sizes if not name.startswith("probe")) == 86_192_640
    table = models.MODELS["clip_vit_b16"].tables["onnx"]
    assert not callable(table)
    assert set(table) == set(shapes)
    assert len({theirs for theirs, _ in table.values()}) == len(table)


@pytest.mark.slow
def test_saved_parameters_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = models.MODELS["clip_vit_b16"]
    monkeypatch.setitem(
        models.MODELS, "clip_vit_b16", replace(about, build=lambda rngs, classes: small())
    )
    path = tmp_path / "net.safetensors"
    model, params = from_nnx(small())
    models.save("clip_vit_b16", path, params)
    again, actual = models.load("clip_vit_b16", path)
    assert again.classes == ("real", "fake")
    image = np.random.default_rng(5).normal(size=(12, 12, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.logits(actual, image), model.logits(params, image))
    with pytest.raises(InputError, match="has 2 classes, not 3"):
        models.load("clip_vit_b16", path, classes=("a", "b", "c"))
