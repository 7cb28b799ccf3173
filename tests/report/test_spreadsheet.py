"""Names in CSV that a spreadsheet would run as formulas."""

import csv
from io import StringIO

import pytest

from salix.report import write
from salix.report.spreadsheet import csv_text, inert

HARMLESS = (
    *("real", "a=b", "ResNet-50", "lr=1e-3, -wd", "50 %", "a+b@c", "x; y", "", "'quoted'", "„ü“"),
    *("a_b & 50 % of $x$, \"q\" \\", "http://x/?a=1&b=-2", "#1", "(=1)", "1-2"),
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *('=HYPERLINK("http://x","y")', "=1+1", "+1", "-0.5", "-aug", "@SUM(1)", "=", "-"),
        *("\t=1", "\tname", "\rname", "\n=1", " =1", "\u00a0=1", "  \t @x", "\ufeff=1", "\u200b-1"),
        *('"=1', "'=1", "''+1", "' =1", '"" "=1'),
        *("＝1", "＋1", "－1", "＠x", "﹦1", "﹣1", " ＝1"),
    ],
)
def test_names_that_begin_a_formula_stay_text(name):
    cell = inert(name)
    assert cell[0] == "'"
    if not set("\t\r\n") & {*name}:
        assert cell == "'" + name
    text = csv_text([[name, "real"], ["a", name]])
    assert [*csv.reader(StringIO(text, newline=""))] == [[cell, "real"], ["a", cell]]


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_are_as_they_are(name):
    assert inert(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a;=1", "a;'=1"),  # a new cell where the separator is a semicolon
        ("a\t@x", "a\t'@x"),
        ("a\n=1", "a\n'=1"),
        ("a; +1;-2", "a;' +1;'-2"),
        ("=a;=b", "'=a;'=b"),
    ],
)
def test_signs_behind_the_separator_of_another_locale(name, expected):
    assert inert(name) == expected


def test_numbers_are_numbers():
    text = csv_text([["n", -0.5, -3, 1e-9, float("nan"), None, float("-inf"), 123456789.0]])
    assert text == "n,-0.5,-3,1e-09,,,,1.23457e+08\n"


def test_the_csv_of_a_report_is_inert(planted, simulated, tmp_path):
    name = "=cmd|' /C calc'!A0"
    run = planted(simulated(8, 0), name=name, grid=(8, 8), extra=("relevance_mass",))
    page = write([run], tmp_path / "r.html")
    (row,) = csv.DictReader(StringIO(page.with_suffix(".csv").read_text()))
    assert row["group"] == "'" + name
    assert float(row["relevance_mass"]) >= 0
