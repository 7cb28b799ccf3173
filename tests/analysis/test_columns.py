import pytest

from salix.analysis.columns import TableColumn, columns
from salix.stats import Interval

NAN = float("nan")


@pytest.mark.parametrize(
    ("percent", "value", "digits", "text"),
    [
        (False, 0.9512, 3, "0.951"),
        (False, -0.5, 2, "−0.50"),
        (False, -0.0004, 3, "0.000"),
        (True, -0.0004, 3, "0.0\u202f%"),
        (True, 0.456, 2, "46\u202f%"),
        (True, 0.4567, 3, "45.7\u202f%"),
        (True, NAN, 3, "–"),
    ],
)
def test_numbers_in_their_unit(percent, value, digits, text):
    assert TableColumn("x", "X", percent=percent).format(value, digits) == text


def test_limits_and_ends():
    share = TableColumn("x", "X", "", 0.0, 1.0, percent=True)
    assert share.limits(Interval(0.5, 0.412, 0.588, 9)) == "[41.2, 58.8]"
    assert share.limits(Interval(0.5, NAN, NAN, 1)) == ""
    assert share.ends([0.5, 0.25, 0.75]) == "25.0–75.0\u202f%"
    assert share.range == "0 to 100\u202f%"
    assert TableColumn("x", "X", "", -1.0, 1.0).range == "−1 to 1"


def test_measures_that_nobody_knows_are_shown_plainly():
    keys = [c.key for c in columns(["strange_one"], "region")]
    assert keys == ["auc", "accuracy", "spatial_entropy", "histogram_entropy", "gini",
                    "strange_one", "agreement"]  # fmt: skip
    assert (
        next(c for c in columns(["strange_one"], "r") if c.key == "strange_one").name
        == "strange one"
    )
