"""Losses of other works against loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from salix.studies.openworld.baselines import (
    ContrastiveDiscovery,
    SelfLabelling,
    contrast,
    equal_shares,
)
from salix.typing import InputError
from tests.studies.openworld.test_losses import finite_difference

IMAGES, CLASSES, WIDTH = 8, 3, 4
LABELS = np.array([0, 0, 1, 2, 0, 0, 1, 2])
LABELLED = np.array([True, True, True, False] * 2)


def slow_contrast(features, positive, chosen, temperature):
    """The mean over positive pairs, by loops."""
    units = [f / np.sqrt(f @ f) for f in features]
    out = np.zeros(len(features))
    for i in range(len(features)):
        others = [j for j in range(len(features)) if j != i and chosen[j]]
        total = np.log(sum(np.exp(units[i] @ units[j] / temperature) for j in others))
        terms = [total - units[i] @ units[j] / temperature for j in np.flatnonzero(positive[i])]
        out[i] = np.mean(terms) if terms else 0
    return out


@pytest.mark.slow
def test_contrasts_and_gradient_are_those_of_loops():
    features = np.random.default_rng(0).normal(size=(IMAGES, WIDTH))
    other = np.roll(np.eye(IMAGES, dtype=bool), IMAGES // 2, axis=1)
    alike = (LABELS[:, None] == LABELS) & LABELLED[:, None] & LABELLED & ~np.eye(IMAGES, dtype=bool)

    def slow(x):
        views = slow_contrast(x, other, np.ones(IMAGES, bool), 0.2).mean()
        labels = slow_contrast(x, alike, LABELLED, 0.1)[alike.any(1)].mean()
        return 0.65 * views + 0.35 * labels

    def fast(x):
        loss = ContrastiveDiscovery()
        return loss(x, x, x[:, None], LABELS, LABELLED, jax.random.key(0))["loss"]

    with jax.enable_x64(True):
        value, slope = jax.value_and_grad(fast)(jnp.asarray(features))
        np.testing.assert_allclose(value, slow(features), rtol=1e-10)
        np.testing.assert_allclose(slope, finite_difference(slow, features), atol=1e-7)
        none = contrast(features, np.zeros((IMAGES, IMAGES), bool), LABELLED, 0.1)
    assert not np.asarray(none).any()


@pytest.mark.slow
def test_soft_labels_share_the_classes_equally():
    logits = np.random.default_rng(1).normal(size=(IMAGES, CLASSES))
    chosen = ~LABELLED | (np.arange(IMAGES) < 4)
    with jax.enable_x64(True):
        q = np.asarray(equal_shares(logits, chosen, 2.0, 200))
        np.testing.assert_allclose(q.sum(1), 1)
        np.testing.assert_allclose(q[chosen].sum(0), chosen.sum() / CLASSES, rtol=1e-6)
        # Rows and columns are scaled and no more: ratios of ratios are those of p^2.
        p = softmax(logits, 1) ** 2
        ratio = lambda x: x[0, 0] * x[1, 1] / (x[0, 1] * x[1, 0])  # noqa: E731
        np.testing.assert_allclose(ratio(q), ratio(p))
        changed = np.where(chosen[:, None], logits, 9.0)
        np.testing.assert_allclose(equal_shares(changed, chosen, 2.0, 200)[chosen], q[chosen])
        labels, parts = np.where(LABELLED, LABELS, -1), (logits, logits, logits[:, None])
        terms = SelfLabelling(2.0, 3.0, 5)(*parts, labels, LABELLED, jax.random.key(0))
        q = np.asarray(equal_shares(logits, ~LABELLED, 3.0, 5))
        log_p = np.log(softmax(logits, 1))
        pseudo = -(q * log_p).sum(1)[~LABELLED].mean()
        supervised = -log_p[LABELLED, LABELS[LABELLED]].mean()
        np.testing.assert_allclose(terms["loss"], supervised + 2 * pseudo)
        every = SelfLabelling()(*parts, LABELS, LABELS >= 0, jax.random.key(0))
    assert float(every["pseudo"]) == 0


def test_unusable_fields_are_named():
    with pytest.raises(InputError, match=r"supervised is 2.*from 0 to 1"):
        ContrastiveDiscovery(supervised=2)
    with pytest.raises(InputError, match="rounds is 0"):
        SelfLabelling(rounds=0)
