"""Rules of backpropagation by Captum on the same network in PyTorch, and where Captum deviates.

Its DeepLIFT has no rule for products of two values nor for functions that are no modules
(`torch.relu`, GELU), refuses a module that is used twice, and is not complete with max-pools: those
are compared with their definition in `test_deeplift.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")
rules = pytest.importorskip("captum.attr._utils.lrp_rules")

from salix.attribution import LRP, Deconvnet, DeepLIFT, DeepLIFTSHAP, GuidedBackprop, GuidedGradCAM  # noqa: E402
from salix.typing import Score  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Captum's, of its hooks
KEY = jax.random.key(0)
rng = np.random.default_rng(0)
KERNELS = rng.normal(size=(6, 3, 3, 3)), rng.normal(size=(5, 6, 2, 2)) / 3
SHIFTS = rng.normal(size=6), rng.normal(size=5)
LINEAR = rng.normal(size=(2, 20))
IMAGE, REFERENCE = rng.normal(size=(2, 12, 12, 3))
REFERENCES = rng.normal(size=(3, 12, 12, 3))


def tensor(images):
    return torch.tensor(np.moveaxis(images, -1, -3), requires_grad=True)


def layer(kernel, shift=None):
    out, inputs, *size = kernel.shape
    module = torch.nn.Conv2d(inputs, out, size, bias=shift is not None, dtype=torch.float64)
    module.weight.data = torch.tensor(kernel)
    if shift is not None:
        module.bias.data = torch.tensor(shift)
    return module


def make(shifts=SHIFTS, pooling=torch.nn.MaxPool2d):
    """Convolution, ReLU and pooling, twice, and a linear layer."""
    linear = torch.nn.Linear(20, 2, bias=False, dtype=torch.float64)
    # ours flattens [h w c]
    weights = LINEAR.reshape(2, 2, 2, 5).transpose(0, 3, 1, 2).reshape(2, 20)
    linear.weight.data = torch.tensor(weights)
    return torch.nn.Sequential(
        layer(KERNELS[0], shifts[0]),
        torch.nn.ReLU(),
        pooling(2),
        layer(KERNELS[1], shifts[1]),
        torch.nn.ReLU(),
        pooling(2),
        torch.nn.Flatten(),
        linear,
    )


def pool(x, means):
    window = (1,) * (x.ndim - 3) + (2, 2, 1)
    start, reduction = (0.0, lax.add) if means else (-np.inf, lax.max)
    return lax.reduce_window(x, start, reduction, window, window, "VALID") / (4 if means else 1)


def trunk(x, shifts, means):
    def convolve(x, kernel, shift):
        dims = ("NHWC", "OIHW", "NHWC")
        y = lax.conv_general_dilated(
            x, jnp.asarray(kernel), (1, 1), "VALID", dimension_numbers=dims
        )
        return jax.nn.relu(y if shift is None else y + shift.reshape(1, 1, 1, -1))

    h = pool(convolve(x[None], KERNELS[0], shifts[0]), means)
    return convolve(h, KERNELS[1], shifts[1])[0]


def ours(method, shifts=SHIFTS, image=IMAGE, means=False):
    with jax.enable_x64(True):
        head = lambda f: jnp.asarray(LINEAR)[1] @ pool(f, means).reshape(-1)  # noqa: E731
        score = Score(head, lambda x: trunk(x, shifts, means))
        explain = jax.jit(lambda x: method(score, x, KEY))
        return np.asarray(explain(jnp.asarray(image)))


def theirs(attribution):
    return attribution.detach().numpy()[0].transpose(1, 2, 0)


def check(mine, captums, rtol=1e-7):
    assert np.abs(captums).max() > 1e-3
    np.testing.assert_allclose(mine, captums, rtol=rtol, atol=1e-7)


@pytest.mark.parametrize(
    ("method", "peer"), [(GuidedBackprop(), "GuidedBackprop"), (Deconvnet(), "Deconvolution")]
)
def test_relu_rules(method, peer):
    attribute = getattr(captum, peer)(make()).attribute
    check(ours(method), theirs(attribute(tensor(IMAGE[None]), target=1)))


def test_guided_gradcam_with_its_own_enlargement():
    """Captum enlarges by nearest neighbours unless told otherwise; the paper is bilinear."""
    net = make()
    peer = captum.GuidedGradCam(net, net[4])
    captums = peer.attribute(tensor(IMAGE[None]), target=1, interpolate_mode="bilinear")
    check(ours(GuidedGradCAM()), theirs(captums))


def test_deeplift_and_shap_with_mean_pools():
    net = make(pooling=torch.nn.AvgPool2d)
    image = tensor(IMAGE[None])
    captums = captum.DeepLift(net).attribute(image, tensor(REFERENCE[None]), target=1)
    check(ours(DeepLIFT(REFERENCE), means=True), theirs(captums))
    captums = captum.DeepLiftShap(net).attribute(image, tensor(REFERENCES), target=1)
    check(ours(DeepLIFTSHAP(REFERENCES), means=True), theirs(captums))


def test_deeplift_of_captum_is_not_complete_with_max_pools():
    """Its rule is ours, but its attributions do not add up."""
    net = make()
    image, reference = tensor(IMAGE[None]), tensor(REFERENCE[None])
    difference = float((net(image) - net(reference))[0, 1])
    captums = theirs(captum.DeepLift(net).attribute(image, reference, target=1))
    assert abs(captums.sum() - difference) > 0.1
    np.testing.assert_allclose(ours(DeepLIFT(REFERENCE)).sum(), difference, rtol=1e-9)


@pytest.mark.parametrize(
    ("method", "peer"),
    [
        (LRP("epsilon", epsilon=1e-3), lambda: rules.EpsilonRule(1e-3)),
        (LRP("gamma", gamma=0.3, epsilon=1e-9), lambda: rules.GammaRule(0.3)),
        (LRP("z_plus", epsilon=1e-9), lambda: rules.Alpha1_Beta0_Rule()),
    ],
    ids=["epsilon", "gamma", "z_plus"],
)
def test_lrp(method, peer):
    """Captum's z-plus takes no part of negative inputs: compared for inputs of at least 0.

    Its gamma raises positive weights for a negative output too, as the logit is here; ours are odd
    in the output, and compared for the negated logit.
    """
    net = make((None, None))
    sign = -1 if method.rule == "gamma" else 1
    net[-1].weight.data *= sign
    for module in net:
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.rule = peer()
        elif not isinstance(module, torch.nn.ReLU):
            module.rule = rules.EpsilonRule(1e-9)
    image = np.abs(IMAGE)
    captums = theirs(captum.LRP(net).attribute(tensor(image[None]), target=1))
    check(ours(method, (None, None), image), sign * captums, 1e-5)
