import pytest

from salix.reduce import Interval
from salix.report.columns import columns
from salix.report.contrast import contrast
from salix.report.headline import headline
from salix.report.tables import Group, Numbers, RunNumbers


def run(group, seed, numbers):
    intervals = {k: Interval(v, v - half, v + half, 200) for k, (v, half) in numbers.items()}
    counts = {"images": 200, "of": 200, "labelled": 200, "dead": 0, "not_finite": 0, "skipped": 0}
    return RunNumbers(f"{group} {seed}", group, **counts, numbers=intervals, series={})


def group(name, half=0.02, agreement=None, **values):
    """A group whose runs have the given values, each with an interval of +- `half`."""
    runs = [
        run(name, i, {k: (v, half) for k, v in zip(values, found, strict=True)})
        for i, found in enumerate(zip(*values.values(), strict=True))
    ]
    return Group(name, tuple(runs), agreement)


def text(*groups, region="forged region"):
    runs = tuple(r for g in groups for r in g.runs)
    measures = ["inside"] if "inside" in runs[0].numbers else []
    return headline(Numbers(runs, groups), columns(measures, region), region)


def test_equally_accurate_unequal_in_what_they_look_at():
    a = group("plain", auc=[0.95, 0.94, 0.96], inside=[0.43, 0.45, 0.47])
    b = group("guided", auc=[0.96, 0.95, 0.97], inside=[0.70, 0.71, 0.72])
    found = text(a, b)
    assert found.text == (
        "Equally accurate, unequal in what they look at: AUC 0.96 and 0.95, but guided has "
        "71\u202f% of its salience inside the forged region, plain 45\u202f%."
    )
    assert found.parts[1] is b
    assert "26.0\u202fpoints" in found.evidence[1]


def test_numbers_stand_in_the_order_of_the_names():
    a = group("plain", auc=[0.96, 0.95, 0.97], inside=[0.43, 0.45, 0.47])
    b = group("guided", auc=[0.95, 0.94, 0.96], inside=[0.70, 0.71, 0.72])
    assert "AUC 0.95 and 0.96, but guided" in text(a, b).text


def test_a_clear_difference_of_accuracy_comes_first():
    a = group("plain", auc=[0.85, 0.84, 0.86], inside=[0.43, 0.45, 0.47])
    b = group("guided", auc=[0.96, 0.95, 0.97], inside=[0.70, 0.71, 0.72])
    assert text(a, b).text.startswith(
        "guided is more accurate than plain (AUC 0.96 against 0.85) and has more of its salience "
        "inside the forged region (71\u202f% against 45\u202f%)"
    )
    c = group("blind", auc=[0.85, 0.84, 0.86], inside=[0.45, 0.46, 0.44])
    d = group("keen", auc=[0.96, 0.95, 0.97], inside=[0.46, 0.44, 0.45])
    assert text(c, d).text.endswith(
        "(AUC 0.96 against 0.85). No clear difference in what they look at."
    )


def test_the_better_group_may_look_less_well():
    a = group("plain", auc=[0.85, 0.84, 0.86], inside=[0.70, 0.71, 0.72])
    b = group("other", auc=[0.96, 0.95, 0.97], inside=[0.43, 0.45, 0.47])
    assert (
        "but has less of its salience inside the forged region (45\u202f% against 71"
        in text(a, b).text
    )


def test_nothing_clear_is_said_to_be_so():
    a = group("a", auc=[0.95, 0.90, 0.97], inside=[0.40, 0.60, 0.50])
    b = group("b", auc=[0.96, 0.89, 0.97], inside=[0.45, 0.62, 0.52])
    assert text(a, b).text.startswith("No clear difference between b and a: AUC 0.94 and 0.94;")


def test_unequal_means_without_certainty_are_not_called_equal():
    a = group("a", auc=[0.95, 0.80, 0.97], inside=[0.43, 0.45, 0.47])
    b = group("b", auc=[0.98, 0.93, 0.97], inside=[0.70, 0.71, 0.72])
    assert text(a, b).text.startswith("No clear difference in accuracy, but unequal in what they")


@pytest.mark.parametrize(
    ("low", "high", "clear"),
    [
        ([0.27, 0.45, 0.63], [0.67, 0.70, 0.75], True),  # wide, but no run out of order
        ([0.27, 0.45, 0.69], [0.67, 0.70, 0.75], False),  # one run out of order
        ([0.27, 0.60], [0.67, 0.75], False),  # chance puts 2 above 2 one time in 3
        ([0.44, 0.45], [0.70, 0.71], True),  # few, but close together
        ([0.27], [0.67], True),  # as models
        ([0.65], [0.67], False),
    ],
)
def test_what_is_clear(low, high, clear):
    found = contrast([group("a", inside=low), group("b", inside=high)], "inside")
    assert found is not None
    assert found.clear == clear
    assert found.high.name == "b"


def test_the_order_of_runs_needs_images_that_agree():
    pair = [
        group("a", half=0.3, inside=[0.3, 0.4, 0.6]),
        group("b", half=0.3, inside=[0.61, 0.7, 0.8]),
    ]
    found = contrast(pair, "inside")
    assert found is not None
    assert not found.clear


def test_single_runs_are_models_and_not_ways_of_training():
    a, b = group("a", auc=[0.95], inside=[0.4]), group("b", auc=[0.95], inside=[0.8])
    assert "this compares models, not ways of training" in text(a, b).evidence[1]


def test_entropy_and_agreement_where_there_is_no_region():
    a = group("a", auc=[0.95, 0.95, 0.96], spatial_entropy=[0.85, 0.86, 0.87])
    b = group("b", auc=[0.95, 0.96, 0.95], spatial_entropy=[0.70, 0.71, 0.72])
    assert text(a, b).text.endswith(
        "b spreads its salience over less of the image than a (spatial entropy 0.71 against 0.86)."
    )
    e = group("e", auc=[0.96, 0.96, 0.97], spatial_entropy=[0.70, 0.71, 0.72])
    assert "AUC 0.96 and 0.95, but e spreads" in text(a, e).text
    c = group("c", agreement=Interval(0.3, 0.2, 0.4, 9), spatial_entropy=[0.7, 0.8, 0.9])
    d = group("d", agreement=Interval(0.8, 0.7, 0.9, 9), spatial_entropy=[0.7, 0.8, 0.9])
    assert text(c, d).text == (
        "Unequal in what they look at: the runs of d agree more on where to look than those of c "
        "(mean SSIM 0.80 against 0.30)."
    )


def test_three_groups_name_the_furthest_apart():
    groups = [
        group(n, auc=[0.95, 0.94, 0.96], inside=[v - 0.01, v, v + 0.01])
        for n, v in [("a", 0.5), ("b", 0.3), ("c", 0.8)]
    ]
    found = text(*groups).text
    assert "AUC 0.95 to 0.95 over 3 groups, but c has 80\u202f% of its" in found
    assert found.endswith("b 30\u202f%.")


def test_one_group_is_described():
    one = group("a", auc=[0.94, 0.96], inside=[0.4, 0.5], spatial_entropy=[0.7, 0.8])
    assert text(one).text == (
        "a: AUC 0.95 (0.94 to 0.96 over 2 runs), 45\u202f% (40\u202f% to 50\u202f% over 2 runs) of "
        "the salience inside the forged region, spatial entropy 0.75 (0.70 to 0.80 over 2 runs) "
        "(1 = spread evenly over the image)."
    )
    assert text(group("m", spatial_entropy=[0.82])).text == (
        "m: spatial entropy 0.82 (1 = spread evenly over the image)."
    )
