"""Sensitivities, Lipschitz estimate, relative stabilities and continuity against slow NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.metrics import (
    METRICS,
    avg_sensitivity,
    continuity,
    local_lipschitz,
    max_sensitivity,
    relative_input_stability,
    relative_representation_stability,
)
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(3)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(0.2, 1, (4, 5, 2)).astype(np.float32)
N = IMAGE.size
MATRIX = rng.normal(size=(N, N)).astype(np.float32)
MARGIN = np.float32([0.5, 0, 0])
LOGITS = rng.normal(size=(3, N)).astype(np.float32)
ALL = [name for name, info in METRICS.items() if info.group == "robustness"]


def attribution_of(x):
    """The gradient of a quadratic function, on a grid: linear in the image."""
    return (MATRIX @ x.ravel()).reshape(x.shape)


def logits_of(x):
    """Logits of which the first leads by little, and only at the image."""
    return LOGITS @ (x - IMAGE).ravel() + MARGIN


def explainer(gain=1.0, offset=0.0, elsewhere=0.0, flip=0.0):
    """Return explanations whose attribution is `gain` times that above, and the offset.

    `elsewhere` is added to those of other images, and `flip` changes their predictions.
    """

    def explain(image, target):
        image = jnp.asarray(image)
        moved = (image != IMAGE).any()
        z = logits_of(image) + jnp.where(moved, flip, 0) * jnp.arange(3.0)
        target = jnp.argmax(z).astype(jnp.int32) if target is None else target
        a = gain * attribution_of(image) + offset + jnp.where(moved, elsewhere, 0)
        return Explanation(z, target, jnp.abs(a).sum(-1), attribution=a)

    return Explainer(explain, trunk=lambda image: jnp.asarray(image) ** 2)


PRESETS = ("paper", 0.2, 50), ("captum", 0.02, 10), ("quantus", 0.2, 200)
FEW = {"continuity": {"steps": 6, "black": 0.1}}


@functools.cache
def compiled(name, *options):
    metric = functools.partial(METRICS[name].function, **dict(options))
    return jax.jit(lambda image, *changes: metric(explainer(*changes), image, KEY))


def call(name, image=IMAGE, gain=1.0, offset=0.0, elsewhere=0.0, flip=0.0, **options):
    options = options or FEW.get(name, {"samples": 9, "radius": 0.3})
    changes = (np.float32(c) for c in (gain, offset, elsewhere, flip))
    return float(compiled(name, *options.items())(image, *changes))


def draws(samples, radius, kind=jax.random.uniform):
    """The noise of each sample."""
    options = {"minval": -1, "maxval": 1} if kind is jax.random.uniform else {}
    return [
        np.asarray(radius * kind(jax.random.fold_in(KEY, i), IMAGE.shape, **options))
        for i in range(samples)
    ]


def size(x, order=2):
    return np.linalg.norm(np.asarray(x, np.float64).ravel(), order)


@pytest.mark.slow
def test_sensitivity_is_that_of_numpy():
    changes = [size(MATRIX @ u.ravel()) for u in draws(9, 0.3)]
    norm = size(MATRIX @ IMAGE.ravel())
    assert call("max_sensitivity") == pytest.approx(max(changes) / norm, rel=1e-4)
    assert call("avg_sensitivity") == pytest.approx(np.mean(changes) / norm, rel=1e-4)
    options = {"samples": 9, "radius": 0.3, "normalise": False, "chunk": 4}
    assert call("max_sensitivity", **options) == pytest.approx(max(changes), rel=1e-4)


def test_presets_are_radius_and_samples():
    def program(**options):
        metric = functools.partial(max_sensitivity, explainer(), key=KEY, **options)
        return str(jax.make_jaxpr(lambda image: metric(image=image))(IMAGE))

    passes = METRICS["max_sensitivity"].passes
    for preset, radius, samples in PRESETS:
        assert program(preset=preset) == program(radius=radius, samples=samples)
        assert passes({"preset": preset}, ()).explanations == samples + 1
    assert program() == program(preset="paper") != program(preset="captum")
    assert program(preset="captum", radius=0.2, samples=50) == program()


@pytest.mark.parametrize("noise", ["uniform", "gaussian"])
def test_local_lipschitz_is_that_of_numpy_and_below_the_operator_norm(noise):
    kind = jax.random.normal if noise == "gaussian" else jax.random.uniform
    ratios = [size(MATRIX @ u.ravel()) / size(u) for u in draws(7, 0.05, kind)]
    value = call("local_lipschitz", samples=7, radius=0.05, noise=noise)
    assert value == pytest.approx(max(ratios), rel=1e-3)
    assert value <= np.linalg.norm(MATRIX, 2)


def relative(a, b, floor=1e-6):
    a, b = (np.asarray(v, np.float64) for v in (a, b))
    return size((a - b) / np.maximum(np.abs(a), floor))


def stability(change):
    """Every sample one by one; those of another prediction are left out."""
    values, a = [], attribution_of(IMAGE)
    for u in draws(9, 0.3):
        x = IMAGE + u
        if np.argmax(logits_of(x)) == 0:
            values.append(relative(a, attribution_of(x)) / max(change(x), 1e-6))
    return max(values), len(values)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("relative_input_stability", lambda x: relative(IMAGE, x)),
        ("relative_output_stability", lambda x: size(LOGITS @ (x - IMAGE).ravel())),
        (
            "relative_representation_stability",
            lambda x: relative((IMAGE**2).mean((0, 1)), (x**2).mean((0, 1))),
        ),
    ],
)
def test_relative_stability_is_that_of_numpy_without_flips(name, change):
    value, unflipped = stability(change)
    assert 0 < unflipped < 9
    assert call(name) == pytest.approx(value, rel=1e-3)
    assert np.isnan(call(name, flip=100))


def test_a_floor_bounds_the_change_of_a_black_pixel():
    image = IMAGE.copy()
    image[0, 0] = 0
    x = image + draws(1, 0.3)[0]
    value = call("relative_input_stability", image, samples=1, radius=0.3, floor=1e-3)
    moved = relative(attribution_of(image), attribution_of(x), 1e-3)
    unflipped = np.argmax(logits_of(x)) == np.argmax(logits_of(image))
    expected = moved / relative(image, x, 1e-3) if unflipped else np.nan
    assert value == pytest.approx(expected, rel=1e-3, nan_ok=True)


def test_continuity_is_that_of_numpy():
    x, values = IMAGE, []
    for _ in range(6):  # the last move leaves everything as it is
        y = np.full_like(x, 0.1)
        y[:, 1:] = x[:, :-1]
        if (y != x).any():
            values.append(size(attribution_of(y) - attribution_of(x), 1) / size(y - x))
        x = y
    assert len(values) == 5
    assert call("continuity") == pytest.approx(max(values), rel=1e-3)
    assert np.isnan(call("continuity", np.full_like(IMAGE, 0.1)))


@pytest.mark.parametrize("name", ALL)
def test_laws(name):
    # A map that does not depend on the image is perfectly robust.
    assert call(name, gain=0, offset=2) == 0
    # A zero map says nothing, and one that is not finite has no value.
    assert np.isnan(call(name, gain=0))
    assert np.isnan(call(name, offset=np.inf))
    assert np.isnan(call(name, elsewhere=np.nan))
    # Relative changes do not depend on the scale of the map, others are proportional to it.
    relative = name not in ("continuity", "local_lipschitz")
    expected = call(name) * (1 if relative else 1e30)
    assert call(name, gain=1e30) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_memory_is_flat_in_the_samples(name):
    def temporary(count):
        option = {"steps" if name == "continuity" else "samples": count}
        arguments = IMAGE, *(np.float32(c) for c in (1, 0, 0, 0))
        program = compiled(name, *option.items()).lower(*arguments).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert temporary(400) < temporary(4) + 16 * 400  # the value of each sample, no image


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        (max_sensitivity, {"preset": "quantos"}, "preset is 'quantos': choose one of paper, capt"),
        (max_sensitivity, {"radius": 0}, "radius is 0: give a number above 0"),
        (avg_sensitivity, {"samples": 0}, "samples is 0: give a whole number, 1 or more"),
        (avg_sensitivity, {"chunk": 0}, "chunk is 0"),
        (local_lipschitz, {"noise": "salt"}, "noise is 'salt': choose one of uniform, gaussian"),
        (relative_input_stability, {"floor": 0}, "floor is 0: give a number above 0"),
        (continuity, {"stride": 5}, "stride is 5, and the image is 5 pixels wide: give less"),
        (continuity, {"steps": 0}, "steps is 0"),
    ],
)
def test_bad_input_is_refused(metric, options, message):
    with pytest.raises(InputError, match=message):
        metric(explainer(), IMAGE, KEY, **options)


def test_an_explanation_without_attribution_is_refused():
    plain = Explainer(lambda image, target: Explanation(LOGITS[:, 0], jnp.int32(0), image[..., 0]))
    with pytest.raises(InputError, match=r"no attribution.*scaled.*attribution="):
        max_sensitivity(plain, IMAGE, KEY)
    explain = Explainer(explainer().function)
    with pytest.raises(InputError, match="no features on a grid"):
        relative_representation_stability(explain, IMAGE, KEY)
