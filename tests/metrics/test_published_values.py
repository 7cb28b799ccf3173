"""Values that the tests of TorchXAI and Xplique expect (both under the MIT licence).

TorchXAI: github.com/saifullah3396/torchxai, on the Park function of Nguyen and Martinez (2020),
arXiv:2007.07584, and on a ReLU network of Sundararajan et al. (2017). Xplique:
github.com/deel-ai/xplique, on models for which a metric has its best or worst value.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import Gradient, InputXGradient, IntegratedGradients
from salix.metrics import (
    completeness,
    deletion,
    effective_complexity,
    faithfulness_estimate,
    gini,
    insertion,
    monotonicity,
    mu_fidelity,
    non_sensitivity,
    spatial_entropy,
)
from salix.perturb.partition import Patches
from salix.typing import Explainer, Explanation

KEY = jax.random.key(0)
POINT = np.float32([0.24, 0.48, 0.56, 0.99, 0.68, 0.86])[:, None]
METHODS = {
    "saliency": Gradient(),
    "input_x_gradient": InputXGradient(),
    "integrated_gradients": IntegratedGradients(0.0, 50, "gauss_legendre"),
}


def park(x):
    x = x[:, 0]
    return 2 / 3 * jnp.exp(x[0] + x[1]) - x[3] * jnp.sin(x[2]) + x[2]


def relu_network(x):
    first, second = jax.nn.relu(x[:, 0])
    return jax.nn.relu(first - 1 - second)


def attribute(name, score=park, image=POINT):
    return np.asarray(jax.jit(lambda x: METHODS[name](score, x, KEY))(image))[:, 0]


def explainer(name):
    def explain(image, target):
        a = METHODS[name](park, image, KEY)
        return Explanation(park(image)[None], jnp.int32(0), jnp.abs(a[:, 0]), attribution=a)

    return Explainer(explain)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "entropy", "sparseness", "residual"),
    [
        ("saliency", 1.1656, 0.5501, 1.6322),
        ("input_x_gradient", 1.2182, 0.5308, 0.1865),
        ("integrated_gradients", 1.3492, 0.4295, 1.3856e-08),
    ],
)
def test_park_function_of_torchxai(name, entropy, sparseness, residual):
    """Its residual is absolute; ours is by default a share of the change of the score.

    It perturbs each feature 100 times for its non-sensitivity, which is 0 here for all methods.
    """
    map = attribute(name)
    nats = spatial_entropy(map, normalise=False, unit="nats")
    assert float(nats) == pytest.approx(entropy, abs=1e-4)
    assert float(gini(map)) == pytest.approx(sparseness, abs=1e-4)
    change = float(park(POINT) - park(0 * POINT))
    absolute = partial(completeness, explainer(name), POINT, KEY, baseline=0.0)
    assert float(absolute(relative=False)) == pytest.approx(residual, abs=1e-4)
    assert float(absolute()) == pytest.approx(residual / change, abs=2e-4)
    assert float(non_sensitivity(explainer(name), POINT, KEY, samples=5)) == 0
    each = {"partition": Patches(1), "fill": 0.0}
    assert float(monotonicity(park, POINT, map, KEY, **each)) == 1


def test_relu_network_of_torchxai():
    image = np.float32([[3.0], [1.0]])
    map = attribute("integrated_gradients", relu_network, image)
    np.testing.assert_allclose(map, [1.5, -0.5], atol=0.02)  # a kink at a third of the path
    map = np.float32([1.5, -0.5])
    nats = spatial_entropy(map, normalise=False, unit="nats")
    assert float(nats) == pytest.approx(0.5623, abs=1e-4)
    assert float(gini(map)) == pytest.approx(0.25, abs=1e-6)
    # It counts by the variance of the score, the count of attributions above epsilon agrees here.
    assert float(effective_complexity(map)) == 2
    estimate = partial(faithfulness_estimate, relu_network, image, map, KEY, fill=0.0)
    assert float(estimate(partition=Patches(1))) == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_perfect_and_worst_correlation_of_xplique(sign):
    image = np.random.default_rng(0).uniform(size=(18, 18, 1)).astype(np.float32)
    value = mu_fidelity(lambda x: x.sum(), image, sign * image[..., 0], KEY, preset="xplique")
    assert float(value) == pytest.approx(sign, abs=1e-3)


@pytest.mark.slow
def test_perfect_deletion_and_insertion_of_xplique():
    """Its models leave nothing as soon as one pixel is zero, or all as soon as one is not.

    It expects areas of 0 and 1 within 0.01; exactly they are half a step from there.
    """
    image = np.random.default_rng(0).uniform(0.1, 1, (16, 16, 1)).astype(np.float32)
    steps = {"fractions": tuple(i / 256 for i in range(257)), "preset": "xplique"}
    removed = deletion(lambda x: (x != 0).all().astype(x.dtype), image, image[..., 0], KEY, **steps)
    restored = insertion(
        lambda x: (x != 0).any().astype(x.dtype), image, image[..., 0], KEY, **steps
    )
    assert float(removed.area) == pytest.approx(1 / 512, abs=1e-5)
    assert float(restored.area) == pytest.approx(1 - 1 / 512, abs=1e-5)
