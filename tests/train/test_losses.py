"""Losses and their gradients against an independent float64 implementation, and invariants."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from PIL import Image
from scipy.special import log_softmax
from scipy.stats import entropy

from salix.spec import parse
from salix.train.loss_terms import class_activation_map, map_distance, map_entropy
from salix.train.losses import CYBORG, LOSSES, Blend, CrossEntropy, ModelFocus, Viser
from salix.typing import InputError

rng = np.random.default_rng(1)
F, W, B = rng.normal(size=(4, 5, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
T = rng.normal(size=(4, 5, 3))  # tapped features, other than those of the head
REFERENCE_MASK = rng.random((4, 5))
PARTS = {"loss", "cross_entropy", "human", "cam_entropy", "has_reference_mask", "logits"}
EACH = [CrossEntropy(), CYBORG(0.3), ModelFocus(0.7), Blend(0.5, 0.2, 0.3), Viser()]


def slow(f, t, w, b, label, reference_mask, target):
    """The three terms written out in NumPy from the published formulas."""
    logits = np.array([sum(f[..., k].mean() * w[k, c] for k in range(3)) + b[c] for c in (0, 1)])
    chosen = label if target == "true" else int(np.argmax(logits))
    cam = sum(w[k, chosen] * t[..., k] for k in range(3))
    cam = cam - cam.min()
    cam = cam / cam.max()
    reference_mask = (reference_mask - reference_mask.min()) / (
        reference_mask.max() - reference_mask.min()
    )
    p = cam / (cam.sum() + 1e-10) + 1e-10
    spread = -sum(q * np.log(q) for q in p.ravel()) / np.log(p.size)
    return np.array([-log_softmax(logits)[label], ((reference_mask - cam) ** 2).mean(), spread])


def total(loss, terms):
    match loss:
        case CYBORG(alpha):
            weights = alpha, 1 - alpha, 0
        case ModelFocus(weight):
            weights = 1, 0, weight
        case Blend(a, b, c):
            weights = a, b, c
        case Viser():
            alpha = terms[0] / (terms[0] + terms[1] + 1e-8)
            weights = alpha, 1 - alpha, 0
        case _:
            weights = 1, 0, 0
    return np.dot(weights, terms)


def fast(f, t, w, b, label, reference_mask, loss):
    return loss(lambda x: x.mean((0, 1)) @ w + b, f, t, np.int32(label), reference_mask)


def single():
    return [a.astype(np.float32) for a in (F, T, W, B)]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["true", "predicted"])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("kind", [CYBORG, ModelFocus, Blend, Viser])
def test_values_and_gradients(kind, label, target):
    loss = kind(target=target)
    with jax.enable_x64():
        parts = fast(F, T, W, B, label, REFERENCE_MASK, loss)
        terms = slow(F, T, W, B, label, REFERENCE_MASK, target)
        actual = [parts[name] for name in ("cross_entropy", "human", "cam_entropy")]
        np.testing.assert_allclose(actual, terms, rtol=1e-12)
        assert parts["loss"] == pytest.approx(total(loss, terms), rel=1e-12)
        np.testing.assert_allclose(parts["logits"], F.mean((0, 1)) @ W + B, rtol=1e-12)
        assert parts["has_reference_mask"] == 1
        gradients = jax.grad(lambda *a: fast(*a, label, REFERENCE_MASK, loss)["loss"], (0, 1, 2, 3))
        alpha = terms[0] / (terms[0] + terms[1] + 1e-8)  # of Viser, not followed
        for which, gradient in enumerate(gradients(F, T, W, B)):
            for at in list(np.ndindex(gradient.shape))[:12]:
                moved = []
                for step in (1e-6, -1e-6):
                    args = [F.copy(), T.copy(), W.copy(), B.copy()]
                    args[which][at] += step
                    of = CYBORG(float(alpha), target) if kind is Viser else loss
                    moved.append(total(of, slow(*args, label, REFERENCE_MASK, target)))
                assert gradient[at] == pytest.approx((moved[0] - moved[1]) / 2e-6, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("loss", EACH, ids=repr)
def test_a_batch_is_combined_of_its_images(loss):
    """Parts under vmap and jit are those of the images, and Viser weighs their means."""
    batch = [rng.normal(size=(6, 4, 5, 3)).astype(np.float32) for _ in range(2)]
    labels = np.arange(6, dtype=np.int32) % 2
    reference_masks = rng.random((6, 8, 10)).astype(np.float32)
    reference_masks[2:4] = 0
    _, _, w, b = single()

    def one(f, t, label, reference_mask):
        return loss(lambda x: x.mean((0, 1)) @ w + b, f, t, label, reference_mask)

    parts = jax.jit(jax.vmap(one))(*batch, labels, reference_masks)
    assert set(parts) == PARTS
    np.testing.assert_array_equal(parts["has_reference_mask"], [1, 1, 0, 0, 1, 1])
    np.testing.assert_array_equal(parts["human"] == 0, [False, False, True, True, False, False])
    for i in range(6):
        alone = one(batch[0][i], batch[1][i], labels[i], reference_masks[i])
        for name, value in alone.items():
            np.testing.assert_allclose(parts[name][i], value, rtol=1e-5, atol=1e-6, err_msg=name)
        lone = {name: jnp.asarray(value)[None] for name, value in alone.items()}
        assert loss.combine(lone) == pytest.approx(float(alone["loss"]), rel=1e-6)
    means = [np.mean(parts[name]) for name in ("cross_entropy", "human", "cam_entropy")]
    assert loss.combine(parts) == pytest.approx(total(loss, means), rel=1e-5)


def test_viser_weighs_by_the_whole_batch_and_not_by_each_image():
    parts = {"cross_entropy": jnp.array([3.0, 1.0]), "human": jnp.array([0.0, 1.0])}
    alpha = 2 / 2.5
    assert Viser().combine(parts) == pytest.approx(alpha * 2 + (1 - alpha) * 0.5, rel=1e-6)
    slope = jax.grad(lambda p: Viser().combine(p))(parts)
    np.testing.assert_allclose(slope["cross_entropy"], alpha / 2, rtol=1e-6)
    np.testing.assert_allclose(slope["human"], (1 - alpha) / 2, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [CYBORG(1.0), ModelFocus(0.0), Blend(1, 0, 0)], ids=repr)
def test_without_its_other_terms_a_loss_is_cross_entropy_bit_for_bit(loss):
    reference_mask = REFERENCE_MASK.astype(np.float32)

    def both(loss):
        run = jax.jit(
            jax.value_and_grad(lambda *a: fast(*a, 1, reference_mask, loss)["loss"], (0, 1, 2, 3))
        )
        return run(*single())

    (one, slopes), (plain, expected) = both(loss), both(CrossEntropy())
    assert one == plain == fast(*single(), 1, reference_mask, loss)["cross_entropy"]
    for slope, of in zip(slopes, expected, strict=True):
        np.testing.assert_array_equal(slope, of)
    assert not np.any(slopes[1])  # what is tapped has no part in the classes
    assert plain == pytest.approx(-log_softmax(F.mean((0, 1)) @ W + B)[1], rel=1e-5)


def test_blend_contains_the_other_losses():
    reference_mask = REFERENCE_MASK.astype(np.float32)
    losses = [
        float(fast(*single(), 0, reference_mask, loss)["loss"])
        for loss in (Blend(0.3, 0.7, 0), CYBORG(0.3), Blend(0.25, 0, 0.75), ModelFocus(3.0))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[2] == pytest.approx(losses[3] / 4, rel=1e-6)


@pytest.mark.parametrize("value", [None, 0, 1, 0.3])
def test_a_constant_reference_mask_has_no_term(value):
    """None, and any constant: rounding errors after resizing must not become a target."""
    reference_mask = None if value is None else np.full((15, 13), value, np.float32)
    parts = fast(*single(), 1, reference_mask, CYBORG(0.5))
    assert parts["human"] == parts["has_reference_mask"] == 0
    assert parts["loss"] == 0.5 * parts["cross_entropy"]


@pytest.mark.parametrize("shape", [(4, 5), (16, 15), (23, 9), (3, 2)])
def test_a_reference_mask_of_any_size_is_resized_as_pillow_does_and_scaled(shape):
    reference_mask = rng.random(shape).astype(np.float32) * 0.5
    cam = rng.random((4, 5)).astype(np.float32)
    small = np.asarray(Image.fromarray(reference_mask).resize((5, 4), Image.Resampling.BILINEAR))
    small = (small - small.min()) / (small.max() - small.min())
    distance, defined = map_distance(cam, reference_mask)
    assert defined
    assert distance == pytest.approx(((small - cam) ** 2).mean(), rel=1e-5)
    eight = np.rint(reference_mask * 510).astype(np.uint8)  # only its own range counts
    assert map_distance(cam, eight)[0] == pytest.approx(float(distance), rel=0.05)


def test_the_spread_of_a_map():
    assert map_entropy(np.full((7, 7), 0.3, np.float32)) == pytest.approx(1, abs=1e-6)
    one = np.zeros((7, 7), np.float32)
    one[2, 3] = 1
    assert map_entropy(one) == pytest.approx(0, abs=1e-6)
    assert map_entropy(np.zeros((7, 7), np.float32)) == pytest.approx(0, abs=1e-6)
    assert map_entropy(np.ones((1, 1), np.float32)) == 0
    some = rng.random((6, 4)).astype(np.float32)
    assert map_entropy(some) == pytest.approx(entropy(some.ravel(), base=24), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", EACH, ids=repr)
def test_a_flat_map_has_a_finite_gradient(loss):
    flat = np.ones((4, 5, 3), np.float32)
    _, _, w, b = single()
    reference_mask = REFERENCE_MASK.astype(np.float32)
    run = jax.value_and_grad(lambda *a: fast(*a, 1, reference_mask, loss)["loss"], (0, 1, 2, 3))
    value, slopes = run(flat, flat, w, b)
    assert np.isfinite(value)
    assert all(np.isfinite(slope).all() for slope in slopes)


@pytest.mark.slow
def test_volumes_halves_and_heads_of_one_output():
    f = rng.normal(size=(3, 4, 2, 3)).astype(np.float32)
    reference_mask = rng.random((6, 8, 4)).astype(np.float32)
    w = W[:, :1].astype(np.float32)

    def head(x):
        z = x.mean((0, 1, 2)) @ w
        return jnp.concatenate([-z / 2, z / 2])

    parts = CYBORG(0.5, "true")(head, f, f, np.int32(1), reference_mask)
    cam = f @ w[:, 0] / 2
    small, _ = map_distance((cam - cam.min()) / (cam.max() - cam.min()), reference_mask)
    assert parts["human"] == pytest.approx(float(small), rel=1e-5)
    half = jnp.asarray(f, jnp.bfloat16)
    low = CYBORG(0.5, "true")(
        lambda x: head(x.astype(jnp.float32)), half, half, np.int32(1), reference_mask
    )
    assert low["loss"].dtype == jnp.float32
    assert low["loss"] == pytest.approx(float(parts["loss"]), rel=0.02)


def test_the_grid_of_the_tap_may_be_another():
    _, _, w, b = single()
    f, t = rng.normal(size=(2, 2, 3)), rng.normal(size=(6, 7, 3))
    f, t = f.astype(np.float32), t.astype(np.float32)
    reference_mask = rng.random((6, 7)).astype(np.float32)
    parts = fast(f, t, w, b, 1, reference_mask, CYBORG())
    terms = slow(f, t, w, b, 1, reference_mask, "predicted")
    assert parts["loss"] == pytest.approx(total(CYBORG(), terms), rel=1e-5)


def test_an_entropy_term_narrows_the_map():
    _, t, w, b = single()
    run = jax.jit(jax.value_and_grad(lambda t: fast(t, t, w, b, 1, None, ModelFocus())["loss"]))
    first = fast(t, t, w, b, 1, None, ModelFocus())["cam_entropy"]
    for _ in range(150):
        t = t - run(t)[1]
    assert fast(t, t, w, b, 1, None, ModelFocus())["cam_entropy"] < first - 0.1


def test_losses_round_trip_through_text():
    assert {type(loss).__name__ for loss in EACH} == set(LOSSES)
    for loss in (*EACH, CYBORG(alpha=0.25, target="true")):
        assert parse(repr(loss), LOSSES) == loss


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CYBORG(2), "alpha is 2"),
        (lambda: CYBORG(float("nan")), "alpha is nan"),
        (lambda: ModelFocus(-1), "weight is -1"),
        (lambda: Blend(0.5, 0.6, 0), "add up to 1"),
        (lambda: Blend(1.5, -0.5, 0), "add up to 1"),
        (
            lambda: map_distance(np.ones((4, 4), np.float32), np.ones(16)),
            "a reference mask of shape",
        ),
        (
            lambda: class_activation_map(np.ones((2, 2, 8)), np.ones((2, 2, 4))),
            "weights for 8 channels",
        ),
    ],
)
def test_invalid_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("kind", [CYBORG, ModelFocus, Blend, Viser])
def test_a_target_is_predicted_or_true(kind):
    made = kind.__new__(kind)
    object.__setattr__(made, "target", "fake")
    for name, field in kind.__dataclass_fields__.items():
        if name != "target":
            object.__setattr__(made, name, field.default)
    with pytest.raises(InputError, match="target is 'fake': choose one of predicted, true"):
        made.__post_init__()
