"""The measure over curves of deletion and insertion: planted models, and equal controls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.measures.curves import CONDITIONS, Curves, match_change
from salix.metrics.faithfulness.curves import deletion, insertion
from salix.metrics.faithfulness.ranking import order_pixels, rank_pixels
from salix.perturb.fills import fill_image
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SIDE = 32
MEAN, STD = (0.5, 0.4), (0.2, 0.3)
PIXELS = rng.uniform(0.4, 1, (SIDE, SIDE, 2)).astype(np.float32)
REGION = np.zeros((8, 8), np.float32)
REGION[1:4, 5:8] = rng.uniform(0.5, 1, (3, 3))
AT = np.repeat(np.repeat(REGION > 0, 4, 0), 4, 1)
FRACTIONS = (0.0, 0.05, 0.1, 0.3, 0.6, 1.0)


def normalised(pixels):
    return ((pixels - np.array(MEAN)) / np.array(STD)).astype(np.float32)


def explain(image, target):
    """Logits of a planted model: the brightness of its region, for class 1."""
    std, mean = (np.array(v, np.float32).reshape(1, 1, -1) for v in (STD, MEAN))
    bright = (image * std + mean)[AT].mean()
    logits = jnp.stack([jnp.float32(0.0), 20 * (bright - 0.35)])
    target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    return Explanation(logits, target, jnp.asarray(REGION / REGION.max()))


EXPLAINER = Explainer(explain, MEAN, STD)


def one(measure, image, key):
    return measure(EXPLAINER, image, EXPLAINER(image), key)


run = jax.jit(one, static_argnums=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["deletion", "insertion"])
@pytest.mark.parametrize("fill", ["black", "mean"])
def test_columns_are_the_metrics_of_the_probability(kind, fill):
    measure = Curves(kind, FRACTIONS, fill, ("most", "least"))
    result = run(measure, normalised(PIXELS), KEY)
    clean = EXPLAINER(normalised(PIXELS))
    metric = {"deletion": deletion, "insertion": insertion}[kind]

    def probability(pixels):
        logits = EXPLAINER(EXPLAINER.image(pixels), clean.target).logits
        return jax.nn.softmax(logits)[clean.target]

    for order in ("most", "least"):
        curve = metric(
            probability, PIXELS, clean.map, KEY, fractions=FRACTIONS, fill=fill, order=order
        )
        name = f"{kind}_{order}"
        np.testing.assert_allclose(result[f"{name}_probability"], curve.values, atol=1e-4)
        assert result[f"{name}_area"] == pytest.approx(float(curve.area), abs=1e-4)
        expected = np.asarray(curve.values) < 0.5
        np.testing.assert_array_equal(result[f"{name}_flip"], expected)
    if fill == "black":
        assert result[f"{kind}_most_flip"].max() == 1


def test_a_planted_region_is_what_matters():
    result = run(Curves("deletion", FRACTIONS, "black"), normalised(PIXELS), KEY)
    most, least = (
        np.asarray(result[f"deletion_{condition}_probability"]) for condition in ("most", "least")
    )
    # the region is 9 of 64 pixels, its edges blurred by enlarging: gone at 0.3, kept until 0.6
    clean = float(jax.nn.softmax(EXPLAINER(normalised(PIXELS)).logits)[1])
    np.testing.assert_allclose(most[[0, 3]], [clean, 1 / (1 + np.exp(7))], atol=1e-3)
    np.testing.assert_allclose(least[:5], clean, atol=1e-5)
    assert result["deletion_most_area"] < 0.2
    assert result["deletion_least_area"] > 0.7
    areas = [
        run(Curves("deletion", FRACTIONS, "black"), normalised(PIXELS), jax.random.key(i))
        for i in range(5)
    ]
    for condition in ("moved", "matched"):
        controls = [a[f"deletion_{condition}_area"] for a in areas]
        assert np.mean(controls) > result["deletion_most_area"] + 0.2


@pytest.mark.parametrize("kind", ["deletion", "insertion"])
def test_the_matched_control_changes_as_many_grey_levels(kind):
    uneven = PIXELS * np.linspace(0.1, 1, SIDE, dtype=np.float32).reshape(-1, 1, 1)
    result = run(Curves(kind, FRACTIONS, "black"), normalised(uneven), KEY)
    change = {
        condition: np.asarray(result[f"{kind}_{condition}_change"]) for condition in CONDITIONS
    }
    # to within one pixel, of 1024
    np.testing.assert_allclose(change["matched"], change["most"], atol=1 / SIDE**2)
    assert np.abs(change["moved"] - change["most"]).max() > 0.01
    other = fill_image(uneven, KEY, "black")
    ends = change["most"][[0, -1]] if kind == "deletion" else change["most"][[-1, 0]]
    np.testing.assert_allclose(ends, [0, np.abs(other - uneven).mean()], atol=1e-5)
    steps = np.diff(change["most"])
    assert (steps > 0).all() if kind == "deletion" else (steps < 0).all()


def test_matching_takes_the_fewest_pixels_that_reach():
    change = rng.uniform(size=(9, 11)).astype(np.float32)
    first, second = rng.normal(size=(2, 9, 11)).astype(np.float32)
    a, b = (rank_pixels(m, m.shape, KEY, "most") for m in (first, second))
    counts = np.array([0, 1, 20, 98, 99], np.int32)
    result = np.asarray(jax.jit(match_change)(change, a, b, counts))
    one, two = (
        np.append(0, np.cumsum(change.ravel().astype(float)[np.argsort(-m.ravel())]))
        for m in (first, second)
    )
    expected = [np.argmax(two >= one[n] - 1e-5) for n in counts]
    np.testing.assert_array_equal(result, expected)
    assert (order_pixels(b) < result[2]).sum() == result[2]


def test_curves_of_constant_maps_are_nan_and_names_are_described():
    measure = Curves()

    def constant_map(image, target):
        return Explanation(jnp.zeros(2), jnp.int32(0), jnp.zeros((8, 8)))

    image = normalised(PIXELS)
    explainer = Explainer(constant_map)
    result = jax.jit(lambda i, k: measure(explainer, i, explainer(i), k))(image, KEY)
    assert set(result) == {q.name for q in measure.columns}
    assert all(np.isnan(v).all() for v in result.values())
    described = {q.name: q for q in measure.columns}
    assert described["deletion_most_area"].direction == "lower"
    assert described["deletion_least_area"].direction == "higher"
    assert described["deletion_moved_area"].direction == ""
    assert described["deletion_most_flip"].coordinates == measure.fractions
    assert {q.direction for q in Curves("insertion", conditions=("most",)).columns} == {
        "",
        "higher",
    }


def test_maps_are_not_computed():
    asked = []

    def counting(image, target):
        def count(x):
            asked.append(1)
            return x

        explanation = explain(image, target)
        map = jax.pure_callback(count, jax.ShapeDtypeStruct((8, 8), jnp.float32), explanation.map)
        return Explanation(explanation.logits, explanation.target, map)

    image, explainer = normalised(PIXELS), Explainer(counting, MEAN, STD)
    clean = EXPLAINER(image)
    result = jax.jit(lambda i, k: Curves(fractions=FRACTIONS)(explainer, i, clean, k))(image, KEY)
    assert np.isfinite(jax.block_until_ready(result)["deletion_most_area"])
    assert not asked  # only logits are: a pass costs no gradient


@pytest.mark.slow
def test_batches_chunks_and_order_change_nothing():
    images = normalised(rng.uniform(size=(3, SIDE, SIDE, 2)))
    keys = jax.random.split(KEY, 3)
    measure = Curves(fractions=FRACTIONS, conditions=("least", "matched"))
    alone = [run(measure, i, k) for i, k in zip(images, keys, strict=True)]
    order = np.array([2, 0, 1])
    chunked = Curves(fractions=FRACTIONS, conditions=measure.conditions, chunk=4)
    batch = jax.jit(jax.vmap(lambda i, k: one(chunked, i, k)))(images[order], keys[order])
    for name, column in batch.items():
        expected = np.stack([alone[i][name] for i in order])
        np.testing.assert_allclose(column, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "removal"}, "removal.*deletion, insertion"),
        ({"fill": "white"}, "white.*blur, mean, black, noise"),
        ({"conditions": ("sky",)}, "sky.*most, least, moved, matched"),
        ({"conditions": ()}, "each once"),
        ({"fractions": (0.2, 0.1)}, "rising"),
        ({"chunk": 0}, "chunk is 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Curves(**settings)


@pytest.mark.parametrize(
    "measure", [Curves(), Curves("insertion", (0, 0.5), "noise", ("least",), 3)]
)
def test_text_reads_back(measure):
    assert parse(repr(measure), {"Curves": Curves}) == measure
