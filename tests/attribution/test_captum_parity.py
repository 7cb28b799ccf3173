"""The same small network in PyTorch: Captum's maps are ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from salix.attribution import (  # noqa: E402
    LIME,
    ExpectedGradients,
    FeatureAblation,
    GradCAM,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    ShapleySampling,
    SmoothGrad,
    VarGrad,
)
from salix.perturb.partition import Grid  # noqa: E402
from salix.typing import Score  # noqa: E402

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
KERNEL, LINEAR = rng.normal(size=(6, 3, 3, 3)), rng.normal(size=(2, 6))
IMAGE = rng.uniform(size=(9, 8, 3))
BATCH = torch.tensor(IMAGE.transpose(2, 0, 1)[None], requires_grad=True)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 6, 3, stride=2, bias=False, dtype=torch.float64)
        self.linear = torch.nn.Linear(6, 2, bias=False, dtype=torch.float64)
        self.conv.weight.data, self.linear.weight.data = map(torch.tensor, (KERNEL, LINEAR))

    def forward(self, x):
        return self.linear(torch.tanh(self.conv(x)).square().mean((2, 3)))


def ours(method):
    def trunk(x):
        dims = ("NHWC", "OIHW", "NHWC")
        return jax.lax.conv_general_dilated(
            x[None], jnp.asarray(KERNEL), (2, 2), "VALID", dimension_numbers=dims
        )[0]

    with jax.enable_x64(True):
        score = Score(lambda f: LINEAR[1] @ (jnp.tanh(f) ** 2).mean((0, 1)), trunk)
        return np.asarray(method(score, jnp.asarray(IMAGE), KEY))


def theirs(attribution):
    return attribution.detach().numpy()[0].transpose(1, 2, 0)


@pytest.mark.parametrize(
    ("method", "peer"),
    [
        (Gradient(), lambda n: captum.Saliency(n).attribute(BATCH, target=1, abs=False)),
        (InputXGradient(), lambda n: captum.InputXGradient(n).attribute(BATCH, target=1)),
        (
            IntegratedGradients(steps=9),
            lambda n: captum.IntegratedGradients(n).attribute(
                BATCH, target=1, n_steps=9, method="riemann_middle"
            ),
        ),
        (
            IntegratedGradients(0.5, 9, "gauss_legendre"),
            lambda n: captum.IntegratedGradients(n).attribute(BATCH, 0.5, target=1, n_steps=9),
        ),
        (GradCAM(relu=False), lambda n: captum.LayerGradCam(n, n.conv).attribute(BATCH, target=1)),
        (
            GradCAM(),
            lambda n: captum.LayerGradCam(n, n.conv).attribute(
                BATCH, target=1, relu_attributions=True
            ),
        ),
    ],
    ids=lambda m: repr(m) if not callable(m) or hasattr(m, "__dataclass_fields__") else "captum",
)
def test_parity(method, peer):
    # Captum keeps its step sizes and weights in single precision
    np.testing.assert_allclose(ours(method), theirs(peer(Net())), rtol=1e-5, atol=1e-8)


BLOCKS, FOUR = (torch.tensor(np.array(Grid(n)(IMAGE)))[None, None] for n in (3, 2))


@pytest.mark.parametrize(
    ("method", "peer"),
    [
        (
            Occlusion((4, 3), 2, 0.25),
            lambda n: captum.Occlusion(n).attribute(
                BATCH, (3, 4, 3), strides=(3, 2, 2), baselines=0.25, target=1
            ),
        ),
        (
            FeatureAblation(Grid(3), 0.25),
            lambda n: captum.FeatureAblation(n).attribute(
                BATCH, 0.25, target=1, feature_mask=BLOCKS
            ),
        ),
        (
            KernelSHAP(Grid(2), 14, 0.25),  # all coalitions: exact Shapley values
            lambda n: captum.ShapleyValues(n).attribute(BATCH, 0.25, target=1, feature_mask=FOUR),
        ),
    ],
    ids=lambda m: repr(m) if hasattr(m, "__dataclass_fields__") else "captum",
)
def test_drops_are_those_of_every_channel(method, peer):
    expected = theirs(peer(Net()))
    np.testing.assert_allclose(ours(method).repeat(3, -1), expected, rtol=1e-6, atol=1e-9)


def test_lime_on_the_same_samples():
    """Captum's defaults are others: 50 samples, a distance of images, a Lasso of 0.01."""
    samples, count = 40, 9
    _, key = jax.random.split(KEY)
    flip = lambda i: jax.random.bernoulli(jax.random.fold_in(key, i), shape=(count,))  # noqa: E731
    with jax.enable_x64(True):
        flags = np.array(jax.vmap(flip)(np.arange(samples)))
    flags[0] = True
    draws = iter(torch.tensor(flags, dtype=torch.float64)[:, None])
    ridge = pytest.importorskip("captum._utils.models.linear_model").SkLearnRidge
    method = captum.Lime(
        Net(),
        ridge(alpha=0.5),
        lambda image, copy, z, **_: torch.exp(-((1 - z.mean().sqrt()) ** 2) / 2 / 0.25**2),
        lambda image, **_: next(draws),
    )
    expected = theirs(
        method.attribute(BATCH, 0.25, target=1, feature_mask=BLOCKS, n_samples=samples)
    )
    mine = ours(LIME(Grid(3), samples, 0.25, ridge=0.5)).repeat(3, -1)
    np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-6)


def tunnel(kind):
    return lambda n: captum.NoiseTunnel(captum.Saliency(n)).attribute(
        BATCH, nt_type=kind, nt_samples=4000, nt_samples_batch_size=500,
        stdevs=0.1 * float(np.ptp(IMAGE)), target=1, abs=False,
    )  # fmt: skip


REFERENCES = rng.uniform(size=(3, 9, 8, 3))
SAMPLED = [
    (SmoothGrad(samples=4000, noise=0.1), tunnel("smoothgrad")),
    (SmoothGrad(samples=4000, noise=0.1, square=True), tunnel("smoothgrad_sq")),
    (VarGrad(samples=4000, noise=0.1), tunnel("vargrad")),
    (
        ExpectedGradients(REFERENCES, 4000),
        lambda n: captum.GradientShap(n).attribute(
            BATCH, torch.tensor(REFERENCES.transpose(0, 3, 1, 2)), 4000, target=1
        ),
    ),
    (
        ShapleySampling(Grid(2), 300, 0.25),
        lambda n: captum.ShapleyValueSampling(n).attribute(
            BATCH, 0.25, target=1, feature_mask=FOUR, n_samples=300
        ),
    ),
    (
        KernelSHAP(Grid(3), 1000, 0.25),
        lambda n: captum.KernelShap(n).attribute(
            BATCH, 0.25, target=1, feature_mask=BLOCKS, n_samples=2000
        ),
    ),
]


@pytest.mark.parametrize(
    ("method", "peer"), SAMPLED, ids=lambda v: getattr(type(v), "__name__", "")
)
def test_sampled_methods_have_the_same_mean(method, peer):
    torch.manual_seed(0)
    expected = theirs(peer(Net()))
    mine = np.broadcast_to(ours(method), expected.shape)
    assert np.corrcoef(mine.ravel(), expected.ravel())[0, 1] > 0.99
    np.testing.assert_allclose(mine, expected, atol=0.06 * np.abs(expected).max())


def test_trapezoids_of_captum_lose_a_share():
    """Its weights sum to 1 - 1/n, ours to 1 (Sundararajan et al., completeness)."""
    layer = torch.nn.Linear(6, 2, dtype=torch.float64)
    x = torch.arange(6.0, dtype=torch.float64)[None]
    attribution = captum.IntegratedGradients(layer).attribute(
        x, target=1, n_steps=9, method="riemann_trapezoid"
    )
    change = float((layer(x) - layer(0 * x)).detach()[0, 1])
    method = IntegratedGradients(0.0, 9, "trapezoid")
    weights = layer.weight.detach().numpy()[1]
    mine = method(
        lambda v: (weights.astype(np.float32) * v[:, 0]).sum(),
        np.arange(6.0, dtype="f")[:, None],
        KEY,
    )
    assert float(mine.sum()) == pytest.approx(change, rel=1e-5)
    assert float(attribution.sum()) == pytest.approx(change * (1 - 1 / 9), rel=1e-5)
