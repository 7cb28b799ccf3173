"""The headline: no claim is stronger than the significance in the table of differences."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from salix.analysis import GroupSummary, RunSummary, Summary
from salix.analysis.columns import AGREEMENT, standard_columns
from salix.analysis.differences import compare_tables
from salix.analysis.run_metrics import ACCURACY, AUC, column_mean
from salix.analysis.significance import NumberDifferences
from salix.report.headline import write_headline
from salix.stats import Interval, mean_interval

REGION = "forged region"
IMAGES = 200


def run(group, seed, numbers):
    counts = {
        "images": 200,
        "count": 200,
        "labelled": 200,
        "constant_map": 0,
        "not_finite": 0,
        "skipped": 0,
    }
    return RunSummary(f"{group} {seed}", group, **counts, numbers=numbers, arrays={})


def group(name, half=0.02, agreement=None, **values):
    """A group whose runs have the given values, each with an interval of +- `half`."""
    runs = [
        run(name, i, {k: around(v, half) for k, v in zip(values, numbers, strict=True)})
        for i, numbers in enumerate(zip(*values.values(), strict=True))
    ]
    return GroupSummary(name, tuple(runs), agreement)


def around(value, half):
    return Interval(value, value - half, value + half, IMAGES)


def tables(groups, seed=0):
    """Values of images that have the means and the intervals of the runs."""
    own, statistics = np.random.default_rng(seed), {}
    for g in groups:
        for key in (k for k in g.runs[0].numbers if k != "auc"):
            rows = []
            for r in g.runs:
                i, noise = r.numbers[key], own.normal(size=IMAGES)
                noise = (noise - noise.mean()) / noise.std()
                rows.append(i.value + noise * (i.high - i.low) / 3.92 * np.sqrt(IMAGES))
            name = "correct" if key == "accuracy" else key
            statistics.setdefault(key, {})[g.name] = {name: np.array(rows)}
    return statistics


def scores(groups, seed=0):
    """Margins and labels of images that have about the AUCs of the runs."""
    own, labels = np.random.default_rng(seed), np.arange(IMAGES) % 2
    by_group = {g.name: g.values("auc") for g in groups if g.values("auc")}
    apart = {n: np.sqrt(2) * stats.norm.ppf(np.clip(v, 0.01, 0.99)) for n, v in by_group.items()}
    return {
        n: {"margin": own.normal(labels * a[:, None]), "label": np.tile(labels, (len(a), 1))}
        for n, a in apart.items()
    }


STANDARD = tuple(standard_columns(REGION).values())
METRICS = (AUC, ACCURACY, *map(column_mean, STANDARD))
COLUMNS = (*AUC.columns, *ACCURACY.columns, *STANDARD, AGREEMENT)


def compare(*groups, statistics=None, margins=None, primary=None):
    """Return the headline and the table that it rests on."""
    summary = Summary(groups)
    by_number = tables(groups) if statistics is None else statistics
    areas = scores(groups) if margins is None else margins
    table = compare_tables(by_number | {"auc": areas}, summary, METRICS, primary=primary)
    return write_headline(summary, COLUMNS, REGION, table), table


def text(*groups):
    return compare(*groups)[0].text


def spread(middle, runs, by=0.01):
    return list(middle + by * np.linspace(-1, 1, runs))


def test_not_told_apart_in_auc_but_in_what_they_look_at():
    a = group("plain", auc=[0.95, 0.94, 0.96], relevance_mass=[0.43, 0.45, 0.47])
    b = group("guided", auc=[0.96, 0.95, 0.97], relevance_mass=[0.70, 0.71, 0.72])
    headline, _ = compare(a, b)
    assert headline.text == (
        "guided and plain cannot be told apart in AUC (0.96 and 0.95), but guided has "
        "more of its salience inside the forged region (71\u202f% against 45\u202f%)."
    )
    assert headline.parts[0] is b
    assert "26.0\xa0points" in headline.evidence[1]
    assert headline.evidence[1].startswith(
        "Row 1: Salience inside the forged region, guided − plain"
    )
    assert headline.evidence[1].endswith("[21.8, 30.2], p = 0.005, significant")
    assert headline.evidence[0].startswith("Row 2: AUC, guided − plain: ")
    assert headline.evidence[0].endswith("not significant")
    assert headline.evidence[2:] == (
        "3 against 3 runs: exchanging them can give no p below 0.1, so that p is Student's t "
        "alone; train 4 runs a group to exchange them",
    )


def test_a_difference_by_the_interval_alone_is_no_claim():
    pair = (group("plain", relevance_mass=spread(v, 3, 0.02)) for v in (0.45, 0.52))
    a, b = (replace(g, name=n) for g, n in zip(pair, ("plain", "guided"), strict=True))
    headline, table = compare(a, b)
    assert [d.significance for d in table.rows] == ["interval only"]
    assert headline.text.startswith("guided and plain cannot be told apart in salience")


def test_many_runs_claim_what_few_cannot():
    few, many = (
        text(
            group("plain", relevance_mass=spread(0.45, n, 0.03)),
            group("guided", relevance_mass=spread(0.55, n, 0.03)),
        )
        for n in (3, 8)
    )
    assert few == (
        "guided and plain cannot be told apart in salience inside the forged region (55\u202f% and "
        "45\u202f%)."
    )
    assert many == (
        "guided has more of its salience inside the forged region than plain (55\u202f% against "
        "45\u202f%)."
    )


def test_numbers_stand_in_the_order_of_the_names():
    a = group("plain", auc=[0.96, 0.95, 0.97], relevance_mass=[0.43, 0.45, 0.47])
    b = group("guided", auc=[0.95, 0.94, 0.96], relevance_mass=[0.70, 0.71, 0.72])
    assert "guided and plain cannot be told apart in AUC (0.95 and 0.96)" in text(a, b)


def test_a_clear_difference_of_accuracy_comes_first():
    c = group("blind", auc=spread(0.85, 6), relevance_mass=spread(0.45, 6))
    d = group("keen", auc=spread(0.96, 6), relevance_mass=spread(0.45, 6))
    assert text(c, d) == (
        "keen has a higher AUC than blind (0.96 against 0.85). They cannot be told apart in "
        "salience inside the forged region (45\u202f% and 45\u202f%)."
    )


def test_the_better_group_may_look_less_well():
    a = group("plain", auc=spread(0.85, 6), relevance_mass=spread(0.71, 6))
    b = group("other", auc=spread(0.96, 6), relevance_mass=spread(0.45, 6))
    assert "but has less of its salience inside the forged region (45\u202f% against 71" in text(
        a, b
    )


def test_nothing_clear_is_said_to_be_so():
    a = group("a", auc=[0.95, 0.90, 0.97], relevance_mass=[0.40, 0.60, 0.50])
    b = group("b", auc=[0.96, 0.89, 0.97], relevance_mass=[0.45, 0.62, 0.52])
    assert text(a, b) == (
        "b and a cannot be told apart in AUC (0.94 and 0.94) or in salience inside the "
        "forged region (53\u202f% and 50\u202f%)."
    )


def test_a_small_but_clear_difference_shows_its_digits():
    a, b = (group(n, 1e-4, accuracy=spread(v, 8, 1e-4)) for n, v in (("a", 0.953), ("b", 0.9512)))
    assert text(a, b) == "a is more accurate than b (95.3\u202f% against 95.1\u202f% right)."


@pytest.mark.parametrize(
    ("low", "high", "significance"),
    [
        (
            [0.27, 0.45, 0.63],
            [0.67, 0.70, 0.75],
            "not significant",
        ),  # in order, but wide
        ([0.27, 0.45, 0.69], [0.67, 0.70, 0.75], "not significant"),
        ([0.44, 0.45], [0.70, 0.71], "significant"),  # few, but close together
        ([0.44, 0.47], [0.70, 0.73], "interval only"),
        (spread(0.3, 6, 0.05), spread(0.6, 6, 0.05), "significant"),
        ([0.27], [0.67], "significant"),  # as models
        ([0.65], [0.67], "not significant"),
    ],
)
def test_significance_of_runs_far_apart_and_near(low, high, significance):
    _, table = compare(group("a", relevance_mass=low), group("b", relevance_mass=high))
    assert [d.significance for d in table.rows] == [significance]
    assert NumberDifferences(table.rows).ends == ("b", "a")


def test_runs_that_agree_need_images_that_agree():
    pair = (group("a", relevance_mass=spread(0.4, 3)), group("b", relevance_mass=spread(0.7, 3)))
    assert "b has more" in text(*pair)
    few = np.linspace(-3, 3, 20)  # what all runs of b share on these images, and those of a lack
    values = {"a": np.full((3, 20), 0.4), "b": 0.7 + np.tile(few, (3, 1))}
    statistics = {"relevance_mass": {n: {"relevance_mass": v} for n, v in values.items()}}
    assert "cannot be told apart" in compare(*pair, statistics=statistics)[0].text


def test_single_runs_are_models_and_not_ways_of_training():
    a, b = (group(n, accuracy=[0.95], relevance_mass=[v]) for n, v in (("a", 0.4), ("b", 0.8)))
    headline, _ = compare(a, b)
    assert headline.text == (
        "Of these two models: b and a cannot be told apart in accuracy (95\u202f% and 95\u202f%), "
        "but b has more of its salience inside the forged region (80\u202f% against 40\u202f%)."
    )
    assert "this compares two models, not ways of training" in headline.evidence[2]


def test_one_run_is_compared_with_the_spread_of_others():
    a = group("a", accuracy=[0.95], relevance_mass=[0.4])
    c = group("c", accuracy=spread(0.5, 3), relevance_mass=spread(0.3, 3))
    headline, _ = compare(a, c)
    assert headline.text == (
        "Of the one run of a: a is more accurate than c (95\u202f% against 50\u202f% right) and "
        "has more of its salience inside the forged region (40\u202f% against 30\u202f%)."
    )
    assert headline.evidence[2] == (
        "One run against 3: it is compared with their spread, and says nothing of other runs of "
        "its kind"
    )
    wide = group("c", accuracy=spread(0.5, 3, 0.2), relevance_mass=spread(0.3, 3))
    assert "a and c cannot be told apart in accuracy" in text(wide, a)


def test_single_runs_with_an_auc_are_compared_in_it():
    a, b = (
        group(n, auc=[v], accuracy=[0.9], relevance_mass=[0.5])
        for n, v in (("a", 0.95), ("b", 0.7))
    )
    margins = scores([a, b])
    headline, table = compare(a, b, margins=margins)
    assert headline.text == (
        "Of these two models: a has a higher AUC than b (0.95 against 0.70). They cannot be told "
        "apart in salience inside the forged region (50\u202f% and 50\u202f%)."
    )
    assert {d.column.key for d in table.rows} == {"auc", "relevance_mass"}
    assert headline.evidence[0].startswith("Row 1: AUC, b − a: −0.")
    assert headline.evidence[0].endswith("p < 0.001, significant")
    assert len(headline.evidence) == 3
    even, _ = compare(a, b, margins={"a": margins["a"], "b": margins["a"]})
    assert "b and a cannot be told apart in AUC (0.70 and 0.95)" in even.text


def test_accuracy_is_named_where_the_shared_images_have_no_auc():
    a, b = (group(n, auc=[0.9], accuracy=[v]) for n, v in (("a", 0.95), ("b", 0.5)))
    ones = {g: {n: v[:, 1::2] for n, v in by.items()} for g, by in scores([a, b]).items()}
    headline, table = compare(a, b, margins=ones)
    assert [d.column.key for d in table.rows] == ["accuracy"]
    assert "models: a is more accurate than b (95\u202f% against 50\u202f% right)" in headline.text
    assert headline.evidence[-1] == (
        "Accuracy is compared, as not both have an AUC over the images that all runs share"
    )


def test_entropy_and_agreement_where_there_is_no_region():
    a = group("a", auc=[0.95, 0.95, 0.96], spatial_entropy=[0.85, 0.86, 0.87])
    b = group("b", auc=[0.95, 0.96, 0.95], spatial_entropy=[0.70, 0.71, 0.72])
    assert text(a, b).endswith(
        "but b spreads its salience over less of the image (spatial entropy 0.71 against 0.86)."
    )
    c = group("c", agreement=Interval(0.3, 0.2, 0.4, 9), spatial_entropy=[0.7, 0.8, 0.9])
    d = group("d", agreement=Interval(0.8, 0.7, 0.9, 9), spatial_entropy=[0.7, 0.8, 0.9])
    headline, _ = compare(c, d)
    assert headline.text == (
        "The runs of d agree more on where to look than those of c (mean SSIM 0.80 against 0.30)."
    )
    assert headline.evidence[0].endswith("[0.359, 0.641], p = 0.009, significant")
    assert (
        headline.evidence[1]
        == "The p of agreement is that of its interval: to exchange runs would mix the groups"
    )
    e = group("e", agreement=Interval(0.8, 0.7, 0.9, 9), spatial_entropy=[0.7, 0.8])
    assert "agree" not in text(c, e)  # the interval of two runs is over images alone


def test_three_groups_name_the_furthest_apart_and_how_many_pairs_are():
    groups = [
        group(n, auc=[0.95, 0.94, 0.96], relevance_mass=[v - 0.01, v, v + 0.01])
        for n, v in [("a", 0.5), ("b", 0.3), ("c", 0.8)]
    ]
    assert text(*groups) == (
        "No two of 3 groups can be told apart in AUC (0.95 to 0.95), but c has more of "
        "its salience inside the forged region than b (80\u202f% against 30\u202f%; "
        "significant for 3 of 3 pairs)."
    )


def test_two_numbers_may_tell_different_groups_apart():
    by_group = {"a": (0.80, 0.5), "b": (0.95, 0.5), "c": (0.90, 0.8)}
    groups = [
        group(n, auc=spread(v, 7), relevance_mass=spread(w, 7)) for n, (v, w) in by_group.items()
    ]
    assert text(*groups) == (
        "b has a higher AUC than a (0.95 against 0.80; significant for 3 of 3 pairs). c has more "
        "of its salience inside the forged region than b (80\u202f% against 50\u202f%; "
        "significant for 2 of 3 pairs)."
    )


def test_many_groups_are_held_to_the_first():
    groups = [group(f"g{i}", auc=[0.94, 0.95], relevance_mass=[0.5, 0.51]) for i in range(20)]
    assert text(*groups) == (
        "None of 19 other groups can be told apart from g0 in AUC (0.94 to 0.94) or in salience "
        "inside the forged region (50\u202f% to 50\u202f%)."
    )
    several = [group(f"g{i}", relevance_mass=spread(0.5, 4)) for i in range(19)]
    assert "far has more of its salience inside the forged region than g0 (90\u202f% aga" in text(
        *several, group("far", relevance_mass=spread(0.9, 4))
    )


def test_other_images_that_turn_the_order_are_not_shown_as_evidence():
    """The table compares shared images; the numbers of a run are of all its images."""
    a, b = group("a", relevance_mass=spread(0.5, 6)), group("b", relevance_mass=spread(0.4, 6))
    statistics = tables(
        [group("a", relevance_mass=spread(0.3, 6)), group("b", relevance_mass=spread(0.6, 6))]
    )
    headline, _ = compare(a, b, statistics=statistics)
    assert headline.text == (
        "b has more of its salience inside the forged region than a (by 30\xa0points on the "
        "images that all runs share)."
    )


def test_one_group_is_described():
    one = group("a", auc=[0.94, 0.96], relevance_mass=[0.4, 0.5], spatial_entropy=[0.7, 0.8])
    assert text(one) == (
        "a: AUC 0.95 (0.94 to 0.96 over 2 runs), 45\u202f% (40\u202f% to 50\u202f% over 2 runs) of "
        "the salience inside the forged region, spatial entropy 0.75 (0.70 to 0.80 over 2 runs) "
        "(1 = spread evenly over the image)."
    )
    assert text(group("m", spatial_entropy=[0.82])) == (
        "m: spatial entropy 0.82 (1 = spread evenly over the image)."
    )
    labelled = group("n", auc=[0.9], accuracy=[0.8], relevance_mass=[0.5])
    assert text(labelled).startswith("n: AUC 0.90, 50\u202f% of the salience")


def test_groups_that_nothing_compares_are_described_if_few():
    groups = [group(f"g{i}", auc=[0.9], relevance_mass=[0.5]) for i in range(5)]
    headline, table = compare(*groups[:2], statistics={}, margins={})
    assert table is None
    assert headline.text == (
        "g0: AUC 0.90, 50\u202f% of the salience inside the forged region. "
        "g1: AUC 0.90, 50\u202f% of the salience inside the forged region."
    )
    assert headline.evidence == ()
    assert compare(*groups, statistics={}, margins={})[0].text == (
        "5 groups without an image or a number that could compare them."
    )


CLAIM = re.compile(
    r"(?P<hit>is more accurate|has a higher AUC)"
    r"|has (?P<relevance_mass>more|less) of its salience inside the forged region"
    r"|spreads its salience over (?P<spatial_entropy>more|less) of the image"
    r"|agree (?P<agreement>more|less) on where to look"
)
REST = re.compile(r"(?: than (?:those of )?(g\d))? \(([^)]*)\)")


def claims(sentence):
    """Read what a headline claims: (keys, the group with more, the one with less, bracket)."""
    for m in CLAIM.finditer(sentence):
        before, rest = sentence[: m.start()], REST.match(sentence, m.end())
        names = re.findall(r"\bg\d\b", before)
        other, bracket = rest.groups()
        if re.search(r"\bg\d $", before):
            one = names.pop()
            other = other or next(n for n in names[::-1] if n != one)
        else:
            one, other = names[-2:]
        key = m.lastgroup
        keys = ("auc", "accuracy") if key == "hit" else (key,)
        yield keys, *((other, one) if m[key] == "less" else (one, other)), bracket


def made_up(own):
    """Random groups: of one to eight runs, with some numbers, alike or far apart."""
    keys = ["auc", "accuracy", "relevance_mass", "spatial_entropy"]
    keys = [k for k in keys if own.random() < 0.7] or ["spatial_entropy"]
    far, near = own.choice([0, 0.02, 0.1, 0.3]), own.choice([0.005, 0.03, 0.1])
    for i in range(own.integers(2, 8)):
        n, middle = int(own.choice([1, 2, 3, 5, 8])), 0.6 + far * own.uniform(-1, 1, len(keys))
        values = {k: list(m + near * own.normal(size=n)) for k, m in zip(keys, middle, strict=True)}
        measured = [k for k in keys if own.random() < 0.9] or keys
        agree = mean_interval(own.normal(0.5 + far * own.normal(), near, 4))
        agreement = agree if n > 1 and own.random() < 0.5 else None
        half = own.choice([0.01, 0.05])
        yield group(f"g{i}", half, agreement, **{k: values[k] for k in measured})


@pytest.mark.parametrize("seed", range(60))
def test_the_headline_never_claims_more_than_the_table(seed):
    groups = list(made_up(np.random.default_rng(seed)))
    headline, table = compare(*groups, margins=None if seed % 2 else {})
    rows = table.rows if table else ()
    significances = {}
    for keys, high, low, bracket in claims(headline.text):
        (row,) = [
            d
            for d in rows
            if d.column.key in keys and {d.comparison.a, d.comparison.b} == {high, low}
        ]
        difference = row.comparison.difference.value
        assert (difference > 0) == (row.comparison.a == high)
        assert row.significance == "significant"
        if row.comparison.over == "images":
            assert "Of these two models: " in headline.text or "Of the one run of" in headline.text
        if count := re.search(r"for (\d+) of (\d+) pairs", bracket):
            same = [d for d in rows if d.column.key == row.column.key]
            assert int(count[2]) == len(same)
            assert int(count[1]) == sum(d.significance == "significant" for d in same)
        significances[row.column.key] = row.significance
    # What the table tells apart is not passed over, and only the rest is said not to be.
    hit = next((k for k in ("auc", "accuracy") if any(d.column.key == k for d in rows)), None)
    assert (hit in significances) == any(
        d.significance == "significant" for d in rows if d.column.key == hit
    )
    looks = [d for d in rows if d.column.key in ("relevance_mass", "spatial_entropy", "agreement")]
    found = any(d.significance == "significant" for d in looks)
    assert len([k for k in significances if k != hit]) == found
    lines = [line for line in headline.evidence if line.startswith("Row")]
    assert len(lines) == len({d.column.key for d in rows} & {hit}) + bool(looks)
    for line in lines:
        row = rows[int(re.match(r"Row (\d+)", line)[1]) - 1]
        assert line.split(": ")[1] == f"{row.column.name}, {row.comparison.a} − {row.comparison.b}"
        assert (row.significance == "significant") == (row.column.key in significances)
        assert line.endswith(f", {row.significance}")
