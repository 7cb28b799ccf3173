import pytest

from salix.analysis import Frame, TableColumn, dataset_metrics
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


def test_measures_without_a_description_are_shown_plainly(planted):
    run = planted([{"strange_one": 0.5}], extra=("strange_one",))
    columns = {m.key: m.columns[0] for m in dataset_metrics([Frame(run)], region="region")}
    assert list(columns) == ["auc", "accuracy", "spatial_entropy", "histogram_entropy", "gini",
                             "strange_one", "cose"]  # fmt: skip
    assert columns["strange_one"].name == "strange one"
