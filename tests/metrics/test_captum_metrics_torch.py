"""Sensitivity of the same gradients in Captum: its maximum over the samples is ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")
from captum.metrics import sensitivity_max  # noqa: E402

from salix.metrics import max_sensitivity  # noqa: E402
from salix.typing import Explainer, Explanation  # noqa: E402

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(size=(5, 4, 3)).astype(np.float32)
FIRST, SECOND = (rng.normal(size=s).astype(np.float32) for s in ((7, IMAGE.size), (2, 7)))
BATCH = torch.tensor(IMAGE[None])


def model(x):
    return torch.tanh(x.flatten(1) @ torch.tensor(FIRST).T) @ torch.tensor(SECOND).T


def explain(image, target):
    def logits(x):
        return SECOND @ jnp.tanh(FIRST @ x.ravel())

    a = jax.grad(lambda x: logits(x)[1])(jnp.asarray(image))
    return Explanation(logits(jnp.asarray(image)), jnp.int32(1), a.sum(-1), attribution=a)


def saliency(inputs, **_):
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    method = captum.Saliency(model)
    return tuple(method.attribute(x.detach().requires_grad_(), target=1, abs=False) for x in inputs)


@pytest.mark.parametrize(("radius", "samples"), [(0.02, 10), (0.2, 25)])
def test_the_maximum_over_the_same_draws_is_captums(radius, samples):
    draws = [
        radius * jax.random.uniform(jax.random.fold_in(KEY, i), IMAGE.shape, minval=-1, maxval=1)
        for i in range(samples)
    ]
    noise = torch.tensor(np.stack([np.asarray(u) for u in draws]))
    theirs = sensitivity_max(
        saliency,
        BATCH,
        perturb_func=lambda inputs, r=None: tuple(x + noise for x in inputs),
        n_perturb_samples=samples,
    )
    options = {"radius": radius, "samples": samples}
    ours = jax.jit(lambda x: max_sensitivity(Explainer(explain), x, KEY, **options))(IMAGE)
    assert float(ours) == pytest.approx(float(theirs[0]), rel=1e-4)
    if radius == 0.02:  # Captum's defaults
        preset = jax.jit(lambda x: max_sensitivity(Explainer(explain), x, KEY, preset="captum"))(
            IMAGE
        )
        assert float(preset) == float(ours)


def test_of_a_zero_attribution_captum_has_a_number_and_we_none():
    zero = lambda inputs, **_: tuple(0 * x for x in inputs)  # noqa: E731
    assert float(sensitivity_max(zero, BATCH)[0]) == 0
    constant = Explainer(
        lambda image, target: Explanation(
            jnp.ones(2), jnp.int32(0), image[..., 0], attribution=0 * jnp.asarray(image)
        )
    )
    assert np.isnan(max_sensitivity(constant, jnp.asarray(IMAGE), KEY, preset="captum"))
