"""Leaderboard of methods: planted orders, intervals, claims, agreement, and what is left out."""

import numpy as np
import pytest
from scipy import stats

from salix.analysis import analyse
from salix.analysis.method_ranking import FEW, first_shares
from salix.typing import Column

METHODS = ("A()", "B()", "C()", "D()")
METRICS = {"deletion": "lower", "insertion": "higher", "gini": ""}


def columns(methods=METHODS, metrics=METRICS):
    return tuple(
        Column(f"evaluation_{n}", n.title(), f"About {n}.", 0, 1, d, "method", tuple(methods))
        for n, d in metrics.items()
    )


def rows(n, seed=0, apart=0.1, noise=0.05, groups=None):
    """Rows whose methods are A, B, C, D from the best, by deletion and insertion."""
    own = np.random.default_rng(seed)
    made = []
    for i in range(n):
        steps = apart * np.arange(4)
        shared = 0.1 * own.normal()
        row = {
            "evaluation_deletion": 0.3 + shared + steps + noise * own.normal(size=4),
            "evaluation_insertion": 0.8 + shared - steps + noise * own.normal(size=4),
            "evaluation_gini": own.uniform(size=4),
        }
        made.append({k: v.tolist() for k, v in row.items()})
        if groups is not None:
            made[-1]["group"] = str(i % groups)
    return made


@pytest.fixture
def board(planted):
    """Return the leaderboard of runs with some rows each."""

    def make(*each, methods=METHODS, metrics=METRICS, extra=None):
        described = (*columns(methods, metrics), Column("group", dtype="string"))
        sizes = {c.name: (len(methods),) for c in described if c.axis} | (extra or {})
        runs = [
            planted(r, name=f"model {i}", extra=sizes, columns=described)
            for i, r in enumerate(each)
        ]
        return analyse(runs).leaderboard

    return make


def test_a_planted_order_is_found_and_claimed(board):
    result = board(rows(60))
    deletion, insertion, gini = result.rankings
    for ranking in (deletion, insertion):
        np.testing.assert_array_equal(ranking.ranks, [1, 2, 3, 4])
        assert ranking.best == 0
        assert ranking.p < 0.01
        assert ranking.lead.low > 0
        assert ranking.half_tau == 1
        np.testing.assert_array_equal(ranking.first, [1, 0, 0, 0])
    assert (gini.directed, gini.best) == (False, None)
    assert np.isnan(gini.ranks).all()
    assert [i.value for i in result.mean_ranks] == [1, 2, 3, 4]
    assert result.order == (0, 1, 2, 3)
    assert (result.images, result.clusters, result.models) == (60, 0, ("model 0",))
    assert np.isnan(deletion.concordance)


def test_values_are_means_with_intervals_over_images(board):
    made = rows(60)
    made[3]["evaluation_deletion"][1] = np.nan
    ranking = board(made).rankings[0]
    values = np.array([r["evaluation_deletion"] for r in made])
    for i, interval in enumerate(ranking.values):
        own = values[:, i][np.isfinite(values[:, i])]
        assert interval.value == pytest.approx(own.mean())
        half = stats.t.ppf(0.975, len(own) - 1) * stats.sem(own)
        assert interval.high - interval.value == pytest.approx(half, rel=0.15)
        assert (interval.n, interval.undefined) == ((59, 1) if i == 1 else (60, 0))


def test_equal_methods_have_no_best(board):
    claims = [board(rows(40, seed, apart=0)).rankings[0].best for seed in range(8)]
    assert sum(c is not None for c in claims) <= 1
    one = board(rows(40, apart=0))
    assert (one.rankings[0].first < 0.95).all()
    assert one.rankings[0].half_tau < 0.9
    width = one.mean_ranks[0].high - one.mean_ranks[0].low
    assert width > 0.5


def test_groups_of_images_are_the_sample(board):
    """Thirty copies of each of six images claim less than 180 images do."""
    few = rows(6, noise=0.2)
    copies = [dict(r, group=str(i % 6)) for i, r in enumerate(few * 30)]
    grouped = board(copies, extra={"group": ()})
    assert (grouped.images, grouped.clusters, grouped.units) == (180, 6, 6)
    alone = board(few * 30)
    narrow, wide = (b.rankings[0].values[0] for b in (alone, grouped))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert not grouped.enough
    assert np.isnan(grouped.rankings[0].first).all()


def test_models_agree_or_do_not(board):
    def turned(seed):
        return [{k: v[::-1] for k, v in r.items()} for r in rows(40, seed)]

    alike = board(rows(40, 1), rows(40, 2), rows(40, 3))
    assert alike.rankings[0].concordance == alike.rankings[0].tau == 1
    assert alike.models == ("model 0", "model 1", "model 2")
    against = board(rows(40, 1), turned(2))
    assert against.rankings[0].concordance == 0
    assert against.rankings[0].tau == -1
    assert against.rankings[0].best is None


def test_agreement_between_metrics(board):
    def independent(n):
        own = np.random.default_rng(1)
        names = ("deletion", "insertion", "morf")
        made = []
        for _ in range(n):
            a, b = own.uniform(size=(2, 4))
            values = (a, b, a**2 / 2)  # the same ranks as deletion, another metric
            made.append({f"evaluation_{m}": v.tolist() for m, v in zip(names, values, strict=True)})
        return made

    metrics = {"deletion": "lower", "insertion": "higher", "morf": "lower"}
    result = board(independent(80), metrics=metrics)
    (same, none), (_, again) = result.agreement[0][1:], result.agreement[1][1:]
    assert (none.value, result.agreement[0][0].value) == (1, 1)
    assert same.low < 0 < same.high
    assert again.low < 0 < again.high
    assert result.alike == ((0, 2),)


def test_undefined_methods_are_counted_and_have_no_rank(board):
    made = rows(30)
    for row in made:
        row["evaluation_insertion"][3] = float("nan")
    result = board(made)
    ranking = result.rankings[1]
    assert np.isnan(ranking.ranks[3])
    assert (ranking.values[3].n, ranking.values[3].undefined) == (0, 30)
    assert ranking.best == 0
    assert np.isnan(result.mean_ranks[3].value)
    assert result.order[-1] == 3


def test_few_images_have_no_resampled_ranks(board):
    result = board(rows(FEW - 1))
    assert not result.enough
    assert np.isnan(result.rankings[0].rank_limits).all()
    assert np.isnan(result.mean_ranks[0].low)
    assert np.isfinite(result.mean_ranks[0].value)
    single = board(rows(1))
    assert np.isnan(single.rankings[0].values[0].low)


def test_runs_of_other_methods_are_named_and_runs_without_any_have_none(planted):
    described = columns()
    sizes = {c.name: (4,) for c in described}
    first = planted(rows(20), name="one", extra=sizes, columns=described)
    others = columns(("A()", "B()", "C()", "E()"))
    second = planted(rows(20), name="two", extra=sizes, columns=others)
    result = analyse([first, second]).leaderboard
    assert (result.models, result.left_out) == (("one",), ("two",))
    swapped = columns(METHODS[::-1])
    turned = [{k: v[::-1] for k, v in r.items()} for r in rows(20)]
    third = planted(turned, name="three", extra=sizes, columns=swapped)
    both = analyse([first, third]).leaderboard
    assert both.models == ("one", "three")
    np.testing.assert_array_equal(both.rankings[0].ranks, [1, 2, 3, 4])
    assert analyse([planted([{}], name="four")]).leaderboard is None
    assert analyse([first]).series == ()


def test_first_places_are_shared_by_ties():
    draws = np.array([[1.5, 1.5, 3], [1, 2, 3], [np.nan, 1, 2]])
    np.testing.assert_allclose(first_shares(draws), [0.5, 0.5, 0])
