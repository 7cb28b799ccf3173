"""Corrected p-values of a family: Holm's over both factors, Westfall and Young's over runs."""

from dataclasses import replace

import numpy as np
import pytest

from salix.stats import GroupComparison, Interval, correct_family, holm, least_p, max_t, minimum_p

NOTHING = Interval(np.nan, np.nan, np.nan, 0)


def comparison(key, a, b, x, y, p_both):
    runs = (len(x), len(y))
    values = (tuple(x.tolist()), tuple(y.tolist()))
    head = (key, a, b, NOTHING, np.nan, np.nan, NOTHING, NOTHING, runs, 60)
    return GroupComparison(*head, p_both=p_both, run_values=values)


def family(sizes, numbers=2, p_both=1e-6, seed=0):
    """Comparisons of each two groups, every number of the first ones far from the rest."""
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for b in range(len(sizes)) for a in range(b)]
    means = [rng.normal(5 * g, size=(numbers, n)) for g, n in enumerate(sizes)]
    return [
        comparison(f"number {k}", f"g{a}", f"g{b}", means[a][k], means[b][k], p_both)
        for a, b in pairs
        for k in range(numbers)
    ]


def test_the_greater_of_both_corrections_of_two_groups():
    rows = family((5, 5), numbers=10)
    x, y = (np.array([c.run_values[i] for c in rows]).T for i in (0, 1))
    exact = max_t(x, y)
    assert [c.p_adjusted for c in correct_family(rows)] == pytest.approx(list(exact))
    assert exact.max() == pytest.approx(minimum_p(5, 5))  # 0.008: ten numbers do not raise it
    doubtful = [replace(rows[0], p_both=0.02), *rows[1:]]
    corrected = holm([c.p_both for c in doubtful])
    assert [c.p_adjusted for c in correct_family(doubtful)] == pytest.approx(
        list(np.maximum(corrected, exact))
    )


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((3, 3), None),  # 0.1: exchanging cannot reach 5 %
        ((4, 4), 2 / 70),
        ((2, 6), 1 / 28),
        ((1, 9), None),
        ((1, 20), 1 / 21),
        ((5, 5, 5), 3 * 2 / 252),
        ((4, 4, 4), None),  # 3 pairs of 0.029
    ],
)
def test_runs_are_exchanged_where_that_can_reach_the_level(sizes, expected):
    rows = family(sizes)
    corrected = [c.p_adjusted for c in correct_family(rows)]
    if expected is None:
        assert corrected == pytest.approx(list(holm([c.p_both for c in rows])))
    else:
        assert corrected == pytest.approx([expected] * len(rows))


def test_the_least_p_of_a_design():
    assert least_p(family((5, 5))) == {(5, 5): pytest.approx(2 / 252)}
    assert least_p(family((3, 3))) == {(3, 3): pytest.approx(0.1)}
    pairs = least_p(family((5, 5, 3)))
    assert pairs == {(5, 5): pytest.approx(6 / 252), (5, 3): pytest.approx(3 / 56)}
    assert least_p([]) == {}


def test_numbers_of_other_runs_are_exchanged_alone():
    rows = family((5, 5), numbers=2)
    fewer = replace(rows[1], n_runs=(5, 4), run_values=(rows[1].run_values[0], (9.0,) * 4))
    first, second = correct_family([rows[0], fewer])
    assert first.p_adjusted == pytest.approx(2 * 2 / 252)
    assert second.p_adjusted == pytest.approx(2 / 126)


def test_what_has_no_test_is_no_part_of_the_family():
    rows = family((5, 5))
    none = replace(rows[0], key="none", p_both=np.nan)
    corrected = correct_family([*rows, none])
    assert corrected[:2] == correct_family(rows)
    assert np.isnan(corrected[2].p_adjusted)
    assert correct_family([]) == []
