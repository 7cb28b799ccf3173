"""Definitions of torch-cam and pytorch-grad-cam, written again in PyTorch, against ours."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from salix.attribution import (  # noqa: E402
    AblationCAM,
    AttentionGradient,
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    SmoothGradCAMPlusPlus,
    XGradCAM,
)
from salix.scores import difference  # noqa: E402
from salix.typing import Score  # noqa: E402

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
KERNEL, PLACE = rng.normal(size=(6, 3, 3, 3)), 0.3 * rng.normal(size=(6, 4, 3))
IMAGE = rng.uniform(size=(9, 8, 3))


def trunk(x):
    dims = ("NHWC", "OIHW", "NHWC")
    out = jax.lax.conv_general_dilated(
        x[None], jnp.asarray(KERNEL), (2, 2), "VALID", dimension_numbers=dims
    )[0]
    return jax.nn.relu(out + 1)


def ours(method):
    with jax.enable_x64(True):
        place = PLACE.transpose(1, 2, 0)
        score = Score(lambda f: (place * f).sum() + (0.2 * place * f**2).sum(), trunk)
        return np.asarray(jax.jit(partial(method, score))(jnp.asarray(IMAGE), KEY))[..., 0]


BATCH = torch.tensor(IMAGE.transpose(2, 0, 1)[None])


def torch_trunk(batch):
    return torch.relu(torch.nn.functional.conv2d(batch, torch.tensor(KERNEL), stride=2) + 1)


def torch_head(features):
    place = torch.tensor(PLACE)
    return (place * features).sum((1, 2, 3)) + (0.2 * place * features**2).sum((1, 2, 3))


@pytest.fixture(scope="module")
def recorded():
    """Return activations and gradients [1 k y x], as hooks record them."""
    features = torch_trunk(BATCH).detach().requires_grad_()
    torch_head(features).sum().backward()
    return features.detach(), features.grad


def sum_over_channels(weights, activations):
    return torch.relu((weights * activations).sum(1))[0].numpy()


def plus_plus_of_pytorch_grad_cam(a, g):
    alpha = g**2 / (2 * g**2 + a.sum((2, 3), keepdim=True) * g**3 + 1e-6)
    alpha = torch.where(g != 0, alpha, 0)
    return sum_over_channels((torch.relu(g) * alpha).sum((2, 3), keepdim=True), a)


def plus_plus_of_torch_cam(a, g):
    alpha = g**2 / (2 * g**2 + (g**3 * a).sum((2, 3), keepdim=True))
    return sum_over_channels((torch.relu(g) * alpha).sum((2, 3), keepdim=True), a)


def xgrad_of_both(a, g):
    weights = (g * a).sum((2, 3), keepdim=True) / (a.sum((2, 3), keepdim=True) + 1e-7)
    return sum_over_channels(weights, a)


PEERS = {
    GradCAM(): lambda a, g: sum_over_channels(g.mean((2, 3), keepdim=True), a),
    GradCAMPlusPlus(): plus_plus_of_pytorch_grad_cam,
    XGradCAM(): xgrad_of_both,
    LayerCAM(): lambda a, g: sum_over_channels(torch.relu(g), a),
    HiResCAM(relu=True): lambda a, g: sum_over_channels(g, a),
}


@pytest.mark.parametrize("method", PEERS, ids=repr)
def test_parity(method, recorded):
    np.testing.assert_allclose(ours(method), PEERS[method](*recorded), rtol=1e-4, atol=1e-6)


def test_torch_cam_has_another_denominator_for_grad_cam_plus_plus(recorded):
    """It sums the cubes over the grid with the activations; the paper's cube is the position's.

    This is its formula: its code loses the division (`test_cam_packages_torch.py`).
    """
    theirs = plus_plus_of_torch_cam(*recorded)
    assert np.abs(ours(GradCAMPlusPlus()) - theirs).max() > 0.01 * theirs.max()


@pytest.mark.parametrize("centred", [False, True])
def test_eigencam_is_the_projection_on_the_first_right_singular_vector(recorded, centred):
    activations, _ = recorded
    matrix = activations[0].reshape(6, -1).T
    if centred:  # as pytorch-grad-cam does, whose sign is that of the decomposition
        matrix = matrix - matrix.mean(0)
    projection = (matrix @ torch.linalg.svd(matrix, full_matrices=False)[2][0]).numpy()
    out = ours(EigenCAM(centred=centred)).reshape(-1)
    np.testing.assert_allclose(out * np.sign(out @ projection), projection, rtol=1e-6, atol=1e-8)


def score_cam(activations, aligned=False, scaled_first=False):
    def unit(maps):
        low, high = (getattr(maps, n)((-2, -1), keepdim=True) for n in ("amin", "amax"))
        return (maps - low) / (high - low)

    maps = unit(activations) if scaled_first else activations
    masks = torch.nn.functional.interpolate(
        maps, IMAGE.shape[:2], mode="bilinear", align_corners=aligned
    )[0]
    masks = masks if scaled_first else unit(masks)
    weights = torch.softmax(torch_head(torch_trunk(masks[:, None] * BATCH)), 0)
    return sum_over_channels(weights[None, :, None, None], activations)


def test_scorecam(recorded):
    """The paper's masks s(Up(A)); torch-cam scales first, pytorch-grad-cam aligns corners."""
    activations, _ = recorded
    out = ours(ScoreCAM(chunk=4))
    np.testing.assert_allclose(out, score_cam(activations), rtol=1e-6)
    for peer in ({"scaled_first": True}, {"aligned": True}):
        assert np.abs(out - score_cam(activations, **peer)).max() > 1e-4 * out.max()


def test_ablationcam(recorded):
    """pytorch-grad-cam's layer that sets one channel to zero, and its weights."""
    activations, _ = recorded
    ablated = activations.repeat(6, 1, 1, 1)
    ablated[range(6), range(6)] = 0
    whole = torch_head(activations)
    weights = ((whole - torch_head(ablated)) / whole)[None, :, None, None]
    expected = sum_over_channels(weights, activations)
    np.testing.assert_allclose(ours(AblationCAM()), expected, rtol=1e-6, atol=1e-9)


def test_smooth_grad_cam_plus_plus_without_noise(recorded):
    """torch-cam's numerator is ours; its denominator is that of its Grad-CAM++."""
    expected = plus_plus_of_pytorch_grad_cam(*recorded)
    out = ours(SmoothGradCAMPlusPlus(samples=2, noise=0))
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-6)


def test_finercam():
    """pytorch-grad-cam's target with equal weights; its own weights are softmax probabilities."""
    z = torch.tensor([1.0, 0.4, 3.0, 0.9], dtype=torch.float64)
    rivals = torch.argsort((z - z[0]).abs())[1:3]
    equal = (z[0] - 0.6 * z[rivals]).mean()
    share = torch.softmax(z, 0)[rivals]
    weighted = (share * (z[0] - 0.6 * z[rivals])).sum() / share.sum()
    value = float(difference(0, 2, 0.6)(jnp.asarray(z.numpy(), jnp.float32)))
    assert value == pytest.approx(float(equal), rel=1e-6)
    assert abs(value - float(weighted)) > 0.01


def test_attention_gradient_is_chefers_relevance():
    """The released code for ViT: (gradient * weights) clamped, mean over heads, R += cam @ R."""
    layers = rng.normal(size=(3, 3, 8, 8)) / 2
    tokens = rng.normal(size=(5, 8))
    last = rng.normal(size=8)

    def split(x):
        return x.reshape(5, 2, 4)

    x, weights = torch.tensor(tokens), []
    for q, k, v in torch.tensor(layers):
        products = torch.einsum("qhd,khd->hqk", split(x @ q), split(x @ k))
        weights.append(torch.softmax(products, -1).requires_grad_())
        weights[-1].retain_grad()
        x = x + torch.einsum("hqk,khd->qhd", weights[-1], split(x @ v)).reshape(5, 8)
    (x[0] @ torch.tensor(last)).backward()
    relevance = torch.eye(5, dtype=torch.float64)
    for w in weights:
        cam = (w.grad * w.detach()).clamp(min=0).mean(0)
        relevance = relevance + cam @ relevance

    def score(image):
        x = jnp.asarray(tokens) * image.sum()
        for q, k, v in layers:
            products = jnp.einsum("qhd,khd->hqk", split(x @ q), split(x @ k))
            mixed = jnp.einsum("hqk,khd->qhd", jax.nn.softmax(products, -1), split(x @ v))
            x = x + mixed.reshape(5, 8)
        return x[0] @ last

    with jax.enable_x64(True):
        image = jnp.zeros((4, 4, 1)).at[0, 0].set(1.0)  # of the sum 1
        out = jax.jit(partial(AttentionGradient(), score))(image, KEY)
    np.testing.assert_allclose(out.reshape(-1), relevance[0, 1:], rtol=1e-6)
