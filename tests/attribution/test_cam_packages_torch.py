"""Class activation maps of pytorch-grad-cam and torch-cam, run on the same network, against ours.

Where a package deviates from the paper, a test shows where the two agree and where they part. All
maps are compared on the features' grid, before any scaling.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from salix.attribution import (  # noqa: E402
    CAM,
    AblationCAM,
    EigenCAM,
    FinerCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    SmoothGradCAMPlusPlus,
    XGradCAM,
)
from salix.scores import logit  # noqa: E402
from salix.typing import Score  # noqa: E402

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
FIRST, SECOND = rng.normal(size=(6, 3, 3, 3)), 3 * rng.normal(size=(5, 6, 3, 3))
LINEAR = rng.normal(size=(4, 5))
POOLED = 60 * rng.normal(size=(4, 6))
IMAGE = rng.uniform(size=(17, 17, 3))
BATCH = torch.tensor(IMAGE.transpose(2, 0, 1)[None])
TARGET = 2


def package(name):
    # torchvision, which pytorch-grad-cam imports, warns beside another build of PyTorch.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


class Net(torch.nn.Module):
    """A convolution, whose features are explained, and one of two heads.

    `pooled` is a linear layer on their mean over the grid, else a further convolution precedes it.
    `same` keeps the grid of the image, `signed` leaves the ReLU of the features out.
    """

    def __init__(self, pooled=False, same=False, signed=False):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 6, 3, 1 if same else 2, 1, bias=False)
        self.features = torch.nn.Identity() if signed else torch.nn.ReLU()
        self.second = torch.nn.Conv2d(6, 5, 3, bias=False)
        self.linear = torch.nn.Linear(6 if pooled else 5, 4, bias=False)
        weights = FIRST, SECOND, POOLED if pooled else LINEAR
        modules = self.first, self.second, self.linear
        for module, weight in zip(modules, weights, strict=True):
            module.weight.data = torch.tensor(weight)
        self.pooled = pooled
        self.eval()

    def forward(self, x):
        x = self.features(self.first(x))
        return self.linear(x.mean((2, 3)) if self.pooled else self.second(x).tanh().mean((2, 3)))


def ours(method, pooled=False, same=False, signed=False, image=IMAGE):
    def convolve(x, kernel, stride=1, padding=0):
        dims = ("NHWC", "OIHW", "NHWC")
        return jax.lax.conv_general_dilated(
            x[None], jnp.asarray(kernel), [stride] * 2, [(padding,) * 2] * 2, dimension_numbers=dims
        )[0]

    def trunk(x):
        f = convolve(x, FIRST, 1 if same else 2, 1)
        return f if signed else jax.nn.relu(f)

    def logits(f):
        if pooled:
            return jnp.asarray(POOLED) @ f.mean((0, 1))
        return jnp.asarray(LINEAR) @ jnp.tanh(convolve(f, SECOND)).mean((0, 1))

    def explaining(score_of, cut=None):
        return Score(lambda f: score_of(logits(f)), trunk, score_of=score_of, rebuild=explaining)

    with jax.enable_x64(True):
        explain = jax.jit(partial(method, explaining(logit(TARGET))))
        return np.asarray(explain(jnp.asarray(image), KEY))[..., 0]


def grad_cam(name, signed_map=False, **net):
    """Return the map of a class of pytorch-grad-cam before its scaling."""
    peer = package("pytorch_grad_cam")
    targets = [peer.utils.model_targets.ClassifierOutputTarget(TARGET)]
    model = Net(**net)
    with getattr(peer, name)(model, [model.features]) as cam:
        cam(BATCH, targets)
        recorded = cam.activations_and_grads
        activations, gradients = (
            part[0].numpy() if part else None for part in (recorded.activations, recorded.gradients)
        )
        map = cam.get_cam_image(BATCH, model.features, targets, activations, gradients, False)[0]
    return map if signed_map else np.maximum(map, 0)


def torch_cam(name, options=None, **net):
    """Return the map of a class of torch-cam before its scaling."""
    peer = package("torchcam.methods")
    image = BATCH.clone().requires_grad_()
    with getattr(peer, name)(model := Net(**net), "features", **(options or {})) as cam:
        map = cam(TARGET, model(image), normalized=False)[0]
    return np.maximum(map[0].detach().numpy(), 0)


def check(mine, theirs, rtol=1e-5):
    assert np.abs(theirs).max() > 1e-3
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())


def deviates(mine, theirs):
    assert np.abs(mine - theirs).max() > 0.005 * np.abs(mine).max()


@pytest.mark.parametrize(
    ("method", "peer"),
    [
        (GradCAM(), "GradCAM"),
        (XGradCAM(), "XGradCAM"),
        (LayerCAM(), "LayerCAM"),
        (HiResCAM(relu=True), "HiResCAM"),
    ],
    ids=lambda m: m if isinstance(m, str) else "",
)
def test_pytorch_grad_cam(method, peer):
    check(ours(method), grad_cam(peer))


@pytest.mark.parametrize(
    ("method", "peer"),
    [(GradCAM(), "GradCAM"), (XGradCAM(), "XGradCAM"), (LayerCAM(), "LayerCAM")],
    ids=lambda m: m if isinstance(m, str) else "",
)
def test_torch_cam(method, peer):
    check(ours(method), torch_cam(peer))


def test_cam_of_torch_cam():
    theirs = torch_cam("CAM", {"fc_layer": "linear"}, pooled=True)
    check(np.maximum(ours(CAM(), pooled=True), 0), theirs)


def test_plus_plus_of_pytorch_grad_cam_for_gradients_that_are_not_small():
    """It adds 1e-6 to the denominator, whose unit is that of a squared gradient."""
    check(ours(GradCAMPlusPlus(), pooled=True), grad_cam("GradCAMPlusPlus", pooled=True))
    deviates(ours(GradCAMPlusPlus()), grad_cam("GradCAMPlusPlus"))


def test_plus_plus_of_torch_cam_has_no_denominator():
    r"""It divides a copy of the squared gradients, so that its weights are $\sum ReLU(g)^3$."""
    gradient = np.maximum(POOLED[TARGET] / 81, 0)  # equal over the grid of 9 x 9
    features = torch.relu(torch.nn.functional.conv2d(BATCH, torch.tensor(FIRST), None, 2, 1))
    undivided = np.einsum("k,kyx->yx", 81 * gradient**3, features[0].numpy())
    theirs = torch_cam("GradCAMpp", pooled=True)
    check(undivided, theirs)
    deviates(ours(GradCAMPlusPlus(), pooled=True), theirs)


def test_smooth_plus_plus_of_torch_cam_with_hardly_any_noise():
    """Its denominator sums gradient³ times activation, the paper's gradient³ stands before the sum:

    equal where the gradients are equal over the grid.
    """
    theirs = partial(torch_cam, "SmoothGradCAMpp", {"num_samples": 2, "std": 1e-12})
    quiet = SmoothGradCAMPlusPlus(samples=2, noise=0)
    check(ours(quiet, pooled=True), theirs(pooled=True))
    deviates(ours(quiet), theirs())


def test_eigencam_of_pytorch_grad_cam():
    """Its sign is that of the decomposition, and it centres the features, which the paper does not.

    Its projections are in single precision.
    """
    theirs = grad_cam("EigenCAM", signed_map=True)
    mine = ours(EigenCAM(centred=True))
    check(mine * np.sign((mine * theirs).sum()), theirs)
    deviates(ours(EigenCAM()), np.abs(theirs))


def test_scorecam_where_nothing_is_enlarged_is_that_of_both():
    """torch-cam scales the maps before it enlarges them, and pytorch-grad-cam aligns corners.

    The weights of pytorch-grad-cam are in single precision.
    """
    mine = ours(ScoreCAM(chunk=3), same=True)
    check(mine, torch_cam("ScoreCAM", same=True))
    check(mine, grad_cam("ScoreCAM", same=True))
    deviates(ours(ScoreCAM(chunk=3)), torch_cam("ScoreCAM"))
    deviates(ours(ScoreCAM(chunk=3)), grad_cam("ScoreCAM"))


def test_ablationcam_of_pytorch_grad_cam():
    """Features whose least value is not 0 it replaces by 1e7 less than that, the paper by 0."""
    check(ours(AblationCAM(relu=False)), grad_cam("AblationCAM", signed_map=True))
    mine = ours(AblationCAM(relu=False), signed=True)
    assert np.isfinite(mine).all()
    deviates(mine, grad_cam("AblationCAM", signed_map=True, signed=True))


@pytest.mark.parametrize(("method", "peer"), [(GradCAM(), "GradCAM"), (LayerCAM(), "LayerCAM")])
def test_finercam_with_one_rival_is_that_of_pytorch_grad_cam(method, peer):
    """With several it weighs them by their probability, and differentiates the weights too."""
    cams = package("pytorch_grad_cam")

    def theirs(rivals):
        model = Net()
        with cams.FinerCAM(model, [model.features], base_method=getattr(cams, peer)) as cam:
            map = cam(BATCH, None, alpha=0.6, comparison_categories=rivals, target_idx=TARGET)[0]
        return map

    enlarge = cams.utils.image.scale_cam_image

    def mine(rivals):
        map = ours(FinerCAM(method, rivals, 0.6))
        return enlarge(enlarge(map[None], IMAGE.shape[1::-1]))[0]

    check(mine(1), theirs([1]), 1e-4)
    deviates(mine(3), theirs([1, 2, 3]))
