"""Infidelity against Captum's, with the same perturbations, with and without its normalisation."""

import jax
import numpy as np
import pytest

from salix.metrics import infidelity

torch = pytest.importorskip("torch")
captum_metrics = pytest.importorskip("captum.metrics")

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
IMAGE = rng.uniform(size=(4, 5, 3)).astype(np.float32)
WEIGHTS = rng.normal(size=IMAGE.shape).astype(np.float32)
ATTRIBUTION = rng.normal(size=IMAGE.shape).astype(np.float32)


@pytest.mark.parametrize("normalise", [False, True])
def test_infidelity_is_that_of_captum(normalise):
    samples = 10
    keys = jax.random.split(jax.random.fold_in(KEY, 1), samples)
    draw = lambda key: 0.3 * jax.random.normal(key, IMAGE.shape)  # noqa: E731
    steps = torch.tensor(np.stack([draw(key) for key in keys]))

    def forward(images):
        return torch.sin(images * torch.tensor(WEIGHTS)).sum((1, 2, 3))

    def perturb(inputs):
        return steps, inputs - steps

    expected = captum_metrics.infidelity(
        forward,
        perturb,
        torch.tensor(IMAGE)[None],
        torch.tensor(ATTRIBUTION)[None],
        n_perturb_samples=samples,
        normalize=normalise,
    )
    value = infidelity(
        lambda x: jax.numpy.sin(x * WEIGHTS).sum(),
        IMAGE,
        ATTRIBUTION,
        KEY,
        preset="captum",
        noise=0.3,
        normalise=normalise,
    )
    assert value == pytest.approx(expected.item(), rel=1e-4)
