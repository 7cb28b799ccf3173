"""Losses of open-world attribution against independent versions in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from salix.studies.openworld.losses import (
    CPL,
    batch_entropy,
    margin_cross_entropy,
    soft_pseudo_label_loss,
)
from salix.studies.openworld.pseudo_labels import (
    FixMatch,
    FlexMatch,
    FreeMatch,
    MaxMatch,
    pseudo_label_loss,
)
from salix.studies.openworld.voting import find_partners, part_similarity, voting_loss
from salix.typing import InputError

IMAGES, CLASSES, PARTS, WIDTH = 12, 4, 3, 5


@pytest.fixture
def batch():
    """Logits, global and local features, labels and flags; a third is unlabelled, one is alone."""
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 1, 1, 1, 2, 0, 1, 3, 3, 2, 2], np.int32)
    labelled = np.arange(IMAGES) < 8
    return {
        "logits": rng.normal(size=(IMAGES, CLASSES)),
        "global_features": rng.normal(size=(IMAGES, WIDTH)),
        "local_features": rng.normal(size=(IMAGES, PARTS, WIDTH)),
        "labels": labels,
        "labelled": labelled,
    }


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def slow_similarity(features):
    """P by loops over pairs and parts."""
    out = np.zeros((len(features), len(features)))
    for i, a in enumerate(features):
        norms = [np.sqrt(part @ part) for part in a]
        for j, b in enumerate(features):
            for k, norm in enumerate(norms):
                out[i, j] += norm / np.sqrt(np.square(norms).sum()) * cosine(a[k], b[k])
    return out


def slow_partner(i, global_features, local_features):
    """The voted neighbour of an unlabelled image, by sorting."""
    near = [
        -np.inf if j == i else cosine(global_features[i], g) for j, g in enumerate(global_features)
    ]
    j = int(np.argmax(near))
    table = slow_similarity(local_features)
    return (j, True) if sorted(table[i])[-2] >= sorted(table[:, j])[-2] else (i, False)


def finite_difference(loss, x, step=1e-6):
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        out[place] = (loss(moved[0]) - loss(moved[1])) / (2 * step)
    return out


@pytest.mark.slow
def test_partners_are_those_of_loops(batch):
    features = batch["global_features"], batch["local_features"]
    with jax.enable_x64(True):
        np.testing.assert_allclose(part_similarity(features[1]), slow_similarity(features[1]))
        many = [
            find_partners(*features, batch["labels"], batch["labelled"], jax.random.key(seed))
            for seed in range(40)
        ]
    votes = set()
    for i in range(8, IMAGES):
        partner, vote = slow_partner(i, *features)
        assert {int(p.index[i]) for p in many} == {partner}
        assert bool(many[0].vote[i]) == vote
        votes.add(vote)
    assert votes == {True, False}  # both cases occur
    assert {int(p.index[2]) for p in many} == {3, 4, 7}  # the others of its label, not itself
    assert {int(p.index[5]) for p in many} == {5}  # alone among the labelled ones
    assert all(p.vote[:8].all() for p in many)


@pytest.mark.slow
def test_losses_and_gradients_are_those_of_numpy(batch):
    z, labels = batch["logits"], batch["labels"]
    partner = np.roll(np.arange(IMAGES), 3)
    one_hot = np.eye(CLASSES)[labels]

    def margin(x):
        return -(log_softmax(x + 0.2 * one_hot, 1) * one_hot).sum(1).mean()

    def voting(x):
        p = softmax(x, 1)
        return -np.log((p * p[partner]).sum(1)).mean()

    def entropy(x):
        p = softmax(x, 1).mean(0)
        return -(p * np.log(p)).sum()

    cases = [
        (margin, lambda x: margin_cross_entropy(x, labels).mean()),
        (voting, lambda x: voting_loss(x, partner).mean()),
        (entropy, batch_entropy),
    ]
    with jax.enable_x64(True):
        for slow, fast in cases:
            value, slope = jax.value_and_grad(fast)(jnp.asarray(z))
            np.testing.assert_allclose(value, slow(z), rtol=1e-12)
            np.testing.assert_allclose(slope, finite_difference(slow, z), atol=1e-8)


@pytest.mark.parametrize("detached", [False, True])
def test_soft_pseudo_labels_are_those_of_numpy(batch, detached):
    key, vote = jax.random.key(3), np.arange(IMAGES) % 2 == 0
    with jax.enable_x64(True):
        z = jnp.asarray(batch["logits"])
        q = softmax(batch["logits"] + np.asarray(jax.random.gumbel(key, z.shape, z.dtype)), 1)
        place = (np.arange(IMAGES), q.argmax(1))
        confidence = softmax(batch["logits"], 1)[place]

        def slow(x):
            weight = confidence if detached else softmax(x, 1)[place]
            return (vote * weight * -(q * log_softmax(x, 1)).sum(1)).sum()

        def fast(x):
            return soft_pseudo_label_loss(x, vote, key, detached=detached).sum()

        value, slope = jax.value_and_grad(fast)(z)
    np.testing.assert_allclose(value, slow(batch["logits"]), rtol=1e-12)
    np.testing.assert_allclose(slope, finite_difference(slow, batch["logits"]), atol=1e-8)


@pytest.mark.slow
def test_the_total_adds_up_its_terms(batch):
    key = jax.random.key(0)
    with jax.enable_x64(True):
        terms = CPL(voting=0.25, pseudo=2.0, entropy=0.5)(**batch, key=key)
        expected = terms["cross_entropy"] + 0.25 * terms["voting"]
        expected += 2 * terms["pseudo"] - 0.5 * terms["entropy"]
        np.testing.assert_allclose(terms["loss"], expected, rtol=1e-12)
        alone = CPL(voting=0, pseudo=0, entropy=0)(**batch, key=key)
        np.testing.assert_allclose(alone["loss"], alone["cross_entropy"], rtol=0)
        each = margin_cross_entropy(batch["logits"][:8], batch["labels"][:8])
        np.testing.assert_allclose(alone["cross_entropy"], each.mean(), rtol=1e-12)
        none = CPL()(**{**batch, "labelled": np.zeros(IMAGES, bool)}, key=key)
        every = CPL()(**{**batch, "labelled": np.ones(IMAGES, bool)}, key=key)
    assert float(none["cross_entropy"]) == 0
    assert float(every["pseudo"]) == 0
    # Labels of unlabelled images are not read.
    changed = {**batch, "labels": np.where(batch["labelled"], batch["labels"], -1)}
    with jax.enable_x64(True):
        assert float(
            CPL(voting=0.25, pseudo=2.0, entropy=0.5)(**changed, key=key)["loss"]
        ) == float(terms["loss"])


def test_a_negative_weight_is_refused():
    with pytest.raises(InputError, match=r"voting is -1.*at least 0"):
        CPL(voting=-1)


def test_hard_pseudo_labels_follow_their_thresholds():
    p = np.array([[0.97, 0.02, 0.01], [0.6, 0.3, 0.1], [0.1, 0.85, 0.05], [0.2, 0.2, 0.6]])
    with jax.enable_x64(True):
        for rule, expected in ((MaxMatch(), [1, 1, 1, 1]), (FixMatch(0.8), [1, 0, 1, 0])):
            counted, _ = rule(p, rule.start(3))
            assert counted.tolist() == [bool(e) for e in expected]
        losses = pseudo_label_loss(np.log(p), np.array([True, False, True, True]))
        np.testing.assert_allclose(losses, [-np.log(0.97), 0, -np.log(0.85), -np.log(0.6)])
        # FlexMatch: two batches of counts by hand.
        rule = FlexMatch(0.8, momentum=0.5)
        _, state = rule(p, rule.start(3))
        np.testing.assert_allclose(state, [0.5, 0.5, 0, 2])
        counted, state = rule(p, state)
        sigma, total = np.array([0.75, 0.75, 0]), 3.0
        np.testing.assert_allclose(state, [*sigma, total])
        beta = sigma / max(sigma.max(), total - sigma.sum())
        thresholds = 0.8 * beta / (2 - beta)
        assert counted.tolist() == [bool(r.max() >= thresholds[r.argmax()]) for r in p]
        assert thresholds[2] == 0  # a class without sure images accepts every one
        # FreeMatch: its running means by hand.
        rule = FreeMatch(momentum=0.9)
        state = rule.start(3)
        for _ in range(30):
            counted, state = rule(p, state)
        means = 0.9**30 / 3 + (1 - 0.9**30) * p.mean(0)
        threshold = 0.9**30 / 3 + (1 - 0.9**30) * p.max(1).mean()
        np.testing.assert_allclose(state, [*means, threshold])
        limits = threshold * means / means.max()
        assert counted.tolist() == [bool(r.max() >= limits[r.argmax()]) for r in p]
        assert sum(counted.tolist()) not in (0, 4)
