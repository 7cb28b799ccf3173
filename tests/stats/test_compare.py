from dataclasses import astuple
from itertools import combinations

import numpy as np
import pytest

from salix.stats import (
    GroupComparison,
    bootstrap_difference,
    cliffs_delta,
    compare_groups,
    hedges_g,
    holm,
    paired_delta,
    permutation_test,
    sign_flip_test,
)
from salix.typing import InputError

RNG = np.random.default_rng


def tables():
    rng = RNG(0)
    image = rng.normal(size=60)

    def group(runs, shift):
        return shift + image + 0.2 * rng.normal(size=(runs, 1)) + 0.1 * rng.normal(size=(runs, 60))

    groups = {"cross-entropy": group(5, 0), "cyborg": group(5, 1), "focus": group(4, 0.1)}
    return {"entropy": groups, "noise": {k: -3 * v**2 for k, v in groups.items()}}


def test_all_pairs_of_groups_in_all_measures():
    given = tables()
    found = compare_groups(given)
    pairs = list(combinations(given["entropy"], 2))
    assert [(c.key, c.a, c.b) for c in found] == [(k, a, b) for k in given for a, b in pairs]
    for c in found:
        a, b = given[c.key][c.a], given[c.key][c.b]
        one, two = a.mean(1), b.mean(1)
        assert c.difference == bootstrap_difference(a, b)
        assert c.p == permutation_test(one, two)
        assert astuple(c.effect) == pytest.approx(astuple(hedges_g(one, two)), rel=1e-6)
        assert c.delta == cliffs_delta(one, two)
        assert (c.n_runs, c.n_images, c.over) == ((len(a), len(b)), 60, "runs")
        assert c.minimum_p <= c.p <= c.p_adjusted <= 1
    assert [c.p_adjusted for c in found] == pytest.approx(list(holm([c.p for c in found])))


def test_a_planted_difference_is_found_and_no_other():
    found = {(c.key, c.a, c.b): c for c in compare_groups({"entropy": tables()["entropy"]})}
    clear = found["entropy", "cross-entropy", "cyborg"]
    assert clear.p_adjusted < 0.05
    assert clear.difference.high < -0.6
    assert clear.effect.high < -1
    assert clear.delta.value == -1
    none = found["entropy", "cross-entropy", "focus"]
    assert none.p_adjusted > 0.05
    assert none.difference.low < 0 < none.difference.high


def test_single_models_are_compared_over_images():
    a, b, c = (table[:1] for table in tables()["entropy"].values())
    found = compare_groups({"entropy": {"a": a, "b": b[0], "many": np.concatenate([c, c + 0.1])}})
    one, other = found[0], found[1]
    assert (one.over, one.n_runs, one.minimum_p) == ("images", (1, 1), 0)
    assert one.p == sign_flip_test(a[0], b[0])
    assert one.difference == bootstrap_difference(a[0], b[0])
    assert one.delta == paired_delta(a[0], b[0])
    assert np.isnan(one.effect.value)
    assert (other.over, other.n_runs) == ("images", (1, 2))
    assert other.p == sign_flip_test(a[0], c[0] + 0.05)


def test_only_images_of_every_run_of_both_groups_count():
    given = {"entropy": tables()["entropy"]}
    whole = {(c.a, c.b): c for c in compare_groups(given)}
    given["entropy"]["cyborg"][2, :7] = np.nan
    given["entropy"]["focus"][0, 5:9] = np.inf
    found = {(c.a, c.b): c for c in compare_groups(given)}
    kept = [(c.n_images, c.difference.undefined) for c in found.values()]
    assert kept == [(53, 7), (56, 4), (51, 9)]
    pair = "cross-entropy", "cyborg"
    a, b = (given["entropy"][name][:, 7:] for name in pair)
    assert found[pair].p == permutation_test(a.mean(1), b.mean(1))
    assert found[pair].difference.value == pytest.approx(a.mean() - b.mean())
    assert found[pair].difference != whole[pair].difference


def test_groups_without_a_common_image_are_no_test():
    given = tables()
    given["noise"]["focus"] = np.full((4, 60), np.nan)
    found = compare_groups(given)
    nothing = [c for c in found if np.isnan(c.p)]
    assert [(c.key, c.b) for c in nothing] == [("noise", "focus")] * 2
    for c in nothing:
        assert np.isnan([c.difference.value, c.p_adjusted, c.effect.value, c.delta.value]).all()
        assert (c.n_images, c.difference.undefined) == (0, 60)
    rest = [c for c in found if not np.isnan(c.p)]
    assert [c.p_adjusted for c in rest] == pytest.approx(list(holm([c.p for c in rest])))


def test_options_reach_their_methods():
    given = {"entropy": tables()["entropy"]}
    usual, wide = compare_groups(given)[0], compare_groups(given, level=0.99)[0]
    assert wide.difference.low < usual.difference.low
    assert wide.effect.low < usual.effect.low
    few = compare_groups(given, draws=50, permutations=20, seed=3)[0]
    assert few.difference != usual.difference
    a, b = (given["entropy"][name].mean(1) for name in ("cross-entropy", "cyborg"))
    assert few.p == permutation_test(a, b, draws=20, seed=3)
    assert isinstance(few, GroupComparison)
    assert compare_groups({}) == compare_groups({"entropy": {"one": [[1.0]]}}) == []


@pytest.mark.parametrize(
    ("b", "text"),
    [
        (np.zeros((3, 9)), "entropy of a and b: 10 and 9 images"),
        (np.zeros((0, 10)), r"entropy of a and b: values of shape \(0, 10\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
    ],
)
def test_bad_groups_are_named(b, text):
    with pytest.raises(InputError, match=text):
        compare_groups({"entropy": {"a": np.zeros((3, 10)), "b": b}})
