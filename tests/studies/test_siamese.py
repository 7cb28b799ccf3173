"""Attribution of pairs: brute-force Jacobians, the identity, orders of rules, groups, errors."""

from itertools import combinations

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from salix.studies.siamese.attribution import (
    PairAttribution,
    pairs_to_explain,
    side_sums,
    sum_groups,
)
from salix.studies.siamese.integration import PAIR_RULES
from salix.typing import InputError

N, WIDTH, OUTPUTS = 4, 3, 5


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64():
        yield


def drawn(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


W1, W2 = drawn(0, WIDTH, 7) / 2, drawn(1, 7, OUTPUTS) / 2


def head(tokens):
    """A small encoder whose tokens read one another."""
    mixed = jax.nn.softmax(tokens @ tokens.T / 2, axis=-1) @ tokens
    return jnp.tanh((tokens + mixed) @ W1).mean(0) @ W2


def inputs(seed):
    return drawn(seed, N, WIDTH), 0.3 * drawn(seed + 100, N, WIDTH)


def integrated(method, seed, **options):
    x, r = inputs(seed)
    options = {"groups": np.arange(N), "count": N} | options
    return method.integrate(head, x, r, **options)


def brute_force(rule, steps, seed):
    """Full Jacobian [d n w] at each node, averaged, times the path."""
    x, r = inputs(seed)
    jacobian = jax.jacrev(head)
    mean = sum(
        w * np.asarray(jacobian(r + t * (x - r)))
        for t, w in zip(*PAIR_RULES[rule](steps), strict=True)
    )
    return np.einsum("dnw,nw->nwd", mean, x - r)


@pytest.mark.parametrize("rule", PAIR_RULES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.slow
def test_the_matrix_equals_that_of_full_jacobians(rule, reverse, monkeypatch):
    # All pairs of features, then summed over those of each pair of tokens.
    full = np.einsum("iud,jvd->iujv", *(brute_force(rule, 6, s) for s in (2, 3)))
    import salix.studies.siamese.attribution as module
    from salix.studies.siamese.integration import integrated_sums

    def one_mode(*args, **options):
        return integrated_sums(*args, **options, reverse=reverse)

    monkeypatch.setattr(module, "integrated_sums", one_mode)
    method = PairAttribution(steps=6, rule=rule, normalise=False)
    pair = method.combine(integrated(method, 2), integrated(method, 3))
    np.testing.assert_allclose(pair.matrix, full.sum((1, 3)), atol=1e-13)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_attributions_satisfy_the_identity(normalise, shifted):
    method = PairAttribution(steps=24, normalise=normalise, shifted=shifted)
    (a, ra), (b, rb) = inputs(2), inputs(3)
    pair = method.combine(integrated(method, 2), integrated(method, 3))
    ea, era, eb, erb = (np.asarray(head(jnp.asarray(x))) for x in (a, ra, b, rb))
    if shifted:
        ea, era, eb, erb = ea - era, 0 * era, eb - erb, 0 * erb
    norm = np.linalg.norm(ea) * np.linalg.norm(eb) if normalise else 1
    terms = [pair.score, pair.a_reference, pair.reference_b, pair.references]
    expected = np.array([ea @ eb, ea @ erb, era @ eb, era @ erb]) / norm
    np.testing.assert_allclose(terms, expected, atol=1e-14)
    total = expected @ [1, -1, -1, 1]
    np.testing.assert_allclose(pair.matrix.sum(), total, atol=1e-9)
    np.testing.assert_allclose(pair.residual, pair.matrix.sum() - total, atol=1e-14)
    if shifted:
        assert abs(pair.matrix.sum() - pair.score) < 1e-9


def test_the_exchange_of_the_inputs_transposes_the_matrix():
    method = PairAttribution(steps=3)
    sides = integrated(method, 2), integrated(method, 3)
    forward, backward = method.combine(*sides), method.combine(*sides[::-1])
    np.testing.assert_allclose(forward.matrix, backward.matrix.T, rtol=1e-12)
    assert float(forward.score) == pytest.approx(float(backward.score), rel=1e-14)
    assert float(forward.a_reference) == pytest.approx(float(backward.reference_b), rel=1e-14)


@pytest.mark.parametrize(
    ("rule", "order"), [("rectangle", 1), ("midpoint", 2), ("trapezoid", 2), ("gauss_legendre", 6)]
)
def test_the_error_of_a_rule_falls_with_its_order(rule, order):
    counts = np.array([4, 8]) if order > 2 else np.array([32, 64])
    intervals = counts - 1 if rule == "trapezoid" else counts
    errors = [
        float(integrated(PairAttribution(steps=int(n), rule=rule), 2).residual) for n in counts
    ]
    measured = np.log(errors[0] / errors[1]) / np.log(intervals[1] / intervals[0])
    assert measured > order - 0.1
    assert measured < order + 0.1 or order > 2


def test_steps_follow_from_a_wanted_residual():
    method = PairAttribution(steps=2, rule="midpoint", residual=1e-4)
    side = integrated(method, 2)
    assert float(side.residual) <= 1e-4
    half = PairAttribution(steps=int(side.steps) // 2, rule="midpoint")
    assert float(integrated(half, 2).residual) > 1e-4
    hopeless = PairAttribution(steps=2, rule="rectangle", residual=1e-9)
    assert int(integrated(hopeless, 2).steps) == 512


def test_groups_sum_their_positions_and_leave_out_those_of_none():
    method = PairAttribution(steps=4)
    tokens = integrated(method, 2).sums
    two = integrated(method, 2, groups=np.array([1, 0, -1, 1]), count=2).sums
    np.testing.assert_allclose(two, [tokens[1], tokens[0] + tokens[3]], atol=1e-14)
    matrix = drawn(5, 3, 4)
    merged = sum_groups(matrix, np.array([0, 1, 1]), np.array([0, 0, 1, 2]))
    np.testing.assert_allclose(merged[1, 0], matrix[1:, :2].sum())
    np.testing.assert_allclose(merged.sum(), matrix.sum())


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 1.0])
def test_pairs_to_explain_are_the_smallest_set(share):
    sizes = np.abs(drawn(6, 2, 4))
    sets = [
        k
        for k in range(1, 9)
        for c in combinations(sizes.ravel(), k)
        if sum(c) >= share * sizes.sum() - 1e-12
    ]
    assert pairs_to_explain(sizes * [1, -1, 1, -1], share) == min(sets)
    assert pairs_to_explain(np.ones((2, 5)), share) == int(np.ceil(10 * share))


def sizes(jaxpr):
    for equation in jaxpr.eqns:
        yield from (v.aval.size for v in equation.outvars)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from sizes(inner)


@pytest.mark.parametrize("count", [40, 100])  # forward and reverse mode
def test_no_jacobian_is_formed(count):
    n, width, outputs = count, 50, 64
    layer = drawn(7, width, outputs)

    def encoder(tokens):
        return jnp.tanh(tokens @ layer).mean(0)

    def sums(x):
        rule = np.full(2, 0.5), np.full(2, 0.5), 2
        return side_sums(encoder, x, 0 * x, jnp.arange(n), *rule, count=n)

    largest = max(sizes(jax.make_jaxpr(sums)(drawn(8, n, width)).jaxpr))
    assert n * width < largest < n * width * outputs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": "simpson"}, "rule is 'simpson': choose one of midpoint, trapezoid"),
        ({"steps": 0}, "steps is 0: give a whole number, from 1 to 512"),
        ({"rule": "trapezoid", "steps": 1}, "from 2 to 512"),
        ({"residual": 0.0}, "residual is 0.0: give a number above 0, or None"),
        ({"layer": True}, "layer is True: give the number of a layer"),
        ({"reference": "white"}, "reference is 'white': choose one of padding"),
    ],
)
def test_unusable_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        PairAttribution(**settings)


def test_embeddings_of_unequal_dimensions_are_refused():
    method = PairAttribution(steps=2)
    x, r = inputs(2)
    other = method.integrate(lambda t: head(t)[:3], x, r, np.arange(N), count=N)
    with pytest.raises(InputError, match="embeddings of 5 and 3 numbers have no similarity"):
        method.combine(integrated(method, 2), other)
