"""`salix compare` from the command line."""

import json

import pytest

from salix.cli import main
from tests.compare.synthetic_runs import write_run, write_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_runs(folder, planted={"a": 6.0, "b": 1.0}, images=40, segments=40)
    return folder


@pytest.mark.slow
def test_compare_writes_the_page_and_its_numbers(folder, tmp_path, capsys):
    out = tmp_path / "new" / "compare.html"
    runs = [str(folder / "a"), str(folder / "b")]
    status = main(["compare", *runs, "--out", str(out), "--concepts", "8", "--title", "A and B"])
    printed = capsys.readouterr()
    assert status == 0
    assert printed.out.startswith("Of these two models: a has more of its attribution on concept")
    assert "grouping" in printed.err
    assert "training seed" in printed.err
    assert "A and B" in out.read_text()
    names = {p.name for p in out.parent.iterdir()}
    assert {"compare.json", "compare.concepts.parquet", "compare.regions.parquet"} <= names
    data = json.loads(out.with_suffix(".json").read_text())
    assert data["pairs"][0]["headline"] in printed.out


def test_what_cannot_be_compared_is_refused_with_what_to_do(folder, tmp_path, capsys):
    page = ["--out", str(tmp_path / "x.html")]
    a, b = str(folder / "a"), str(folder / "b")
    other = write_run(tmp_path / "other", name="other", images=10, segments=40, seed=1)
    for arguments, words in {
        (a,): "name two or more",
        (a, str(other)): "sweep both models over the same images",
        (a, b, "--concepts", "999"): "--concepts 999 with",
        (a, b, "--embedding", "clip"): "give one of a, b",
        (): "no run given",
    }.items():
        assert main(["compare", *arguments, *page]) == 2
        assert words in capsys.readouterr().err, arguments
    assert not (tmp_path / "x.html").exists()
