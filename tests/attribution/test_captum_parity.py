"""The same small network in PyTorch: Captum's maps are ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from salix.attribution import (  # noqa: E402
    FeatureAblation,
    GradCAM,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    SmoothGrad,
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


def test_smoothgrad_has_the_same_mean():
    torch.manual_seed(0)
    tunnel = captum.NoiseTunnel(captum.Saliency(Net()))
    sigma = 0.1 * float(np.ptp(IMAGE))
    peer = theirs(
        tunnel.attribute(
            BATCH, nt_type="smoothgrad", nt_samples=4000, nt_samples_batch_size=500,
            stdevs=sigma, target=1, abs=False,
        )
    )  # fmt: skip
    mine = ours(SmoothGrad(samples=4000, noise=0.1))
    assert np.corrcoef(mine.ravel(), peer.ravel())[0, 1] > 0.999
    np.testing.assert_allclose(mine, peer, atol=0.1 * np.abs(peer).max())
