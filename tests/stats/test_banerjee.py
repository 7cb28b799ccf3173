"""Student's test of several parts: one part, its inverse, and its level under unequal variances."""

import numpy as np
import pytest
from scipy import special, stats

from salix.stats import student_p


def test_of_one_part_it_is_students():
    x = np.random.default_rng(0).normal(0.4, size=12)
    expected = stats.ttest_1samp(x, 0).pvalue
    assert student_p(x.mean(), [x.var(ddof=1) / 12], [11]) == pytest.approx(expected)


def test_the_quantiles_at_p_give_the_estimate_back():
    variances, freedoms = np.array([0.3, 0.02, 0.5]), np.array([2, 9, 59])
    parts = variances.tolist(), freedoms.tolist()
    p = student_p(-2.5, *parts)
    quantiles = special.stdtrit(freedoms, 1 - p / 2)
    assert np.sqrt((quantiles**2 * variances).sum()) == pytest.approx(2.5)
    assert p == student_p(2.5, *parts) > student_p(3.0, *parts)


@pytest.mark.parametrize(
    ("estimate", "variances", "freedoms", "p"),
    [
        (0.0, [1.0], [3], 1.0),
        (0.0, [0.0], [3], 1.0),
        (1.0, [0.0, 0.0], [3, 4], 1e-15),
        (1e9, [1.0], [40], 1e-15),
        (1.0, [0.0, 4.0], [1, np.inf], 2 * stats.norm.sf(0.5)),
        (1.0, [np.nan, 1.0], [1, 1], np.nan),
        (1.0, [1.0], [0], np.nan),
    ],
)
def test_ends(estimate, variances, freedoms, p):
    assert student_p(estimate, variances, freedoms) == pytest.approx(p, nan_ok=True)


@pytest.mark.parametrize("deviations", [(1, 1), (3, 1), (1, 3), (10, 1)])
@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (2, 8), (3, 10)])
@pytest.mark.parametrize("alpha", [0.05, 0.0125])
def test_of_unequal_groups_of_unequal_variances_the_level_holds(sizes, deviations, alpha):
    rng, draws = np.random.default_rng(1), 20_000
    groups = [s * rng.normal(size=(draws, n)) for n, s in zip(sizes, deviations, strict=True)]
    difference = groups[0].mean(1) - groups[1].mean(1)
    quantiles = special.stdtrit(np.array(sizes) - 1, 1 - alpha / 2)
    limits = sum(
        q**2 * g.var(1, ddof=1) / n for q, g, n in zip(quantiles, groups, sizes, strict=True)
    )
    level = np.mean(difference**2 >= limits)
    assert level <= alpha + 3 * np.sqrt(alpha / draws)
