"""The section of attribution methods: its table, marks, figures, warnings and numbers."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.analysis import analyse
from salix.report import write
from salix.report.leaderboard_figures import agreement_figure, rank_figure
from salix.report.sections.leaderboard import write_passes
from salix.store import update_about
from salix.typing import Column

NASTY = "<script>alert('x')</script>{{ 7*7 }}"
METHODS = ("GradCAM", f"Own(name={NASTY!r})", "Gradient")
DIRECTIONS = {"deletion": "lower", "insertion": "higher", "gini": ""}


def plain_columns(methods=METHODS):
    return tuple(
        Column(f"evaluation_{n}", n.title(), f"About {n}.", 0, 1, d, "method", methods)
        for n, d in DIRECTIONS.items()
    )


@pytest.fixture
def evaluated(planted):
    """Return a run of some images whose methods are `apart`, the first one the best."""

    def make(n=40, apart=0.2, name="one", methods=METHODS):
        own = np.random.default_rng(len(name))
        described, rows = plain_columns(methods), []
        for _ in range(n):
            quality = apart * np.arange(3)[::-1] + 0.05 * own.normal(size=3)
            rows.append(
                {
                    "evaluation_deletion": (0.9 - quality).tolist(),
                    "evaluation_insertion": quality.tolist(),
                    "evaluation_gini": own.uniform(size=3).tolist(),
                }
            )
        sizes = {c.name: (3,) for c in described}
        run = planted(rows, name=name, extra=sizes, columns=described)
        gradient = {"evaluations": 0, "gradients": 1, "explanations": 0}
        update_about(run.path, passes={"methods": {"GradCAM": gradient}, "metrics": {}})
        return run

    return make


def test_the_page_marks_the_best_and_gives_every_number(evaluated, tmp_path):
    page = write([evaluated()], tmp_path / "page.html")
    text = page.read_text()
    assert text.count('id="leaderboard"') == 1
    assert text.count("<td><b>● best</b>") == 2  # by deletion and by insertion
    assert "<small>1 gradient</small>" in text
    assert "<script>alert" not in text
    assert 'id="leaderboard-ranks"' in text
    assert 'id="leaderboard-agreement"' in text
    assert 'id="changes"' not in text  # methods are no series
    data = json.loads(page.with_suffix(".json").read_text())["leaderboard"]
    assert data["metrics"][0]["best"] == "GradCAM"
    assert data["metrics"][2]["best"] is None
    assert (data["resampled"], data["images"]) == ("images", 40)
    rows = pq.read_table(page.with_suffix(".parquet")).to_pylist()
    own = [r for r in rows if r["kind"] == "leaderboard"]
    # Means, ranks of two metrics, agreements of three pairs, mean ranks.
    assert len(own) == 3 * 3 + 2 * 3 + 3 + 3
    ranks = {r["coordinate"]: r["value"] for r in own if r["metric"] == "evaluation_deletion_rank"}
    assert [ranks[m] for m in METHODS] == [1, 2, 3]


def test_names_in_the_figures_are_escaped_once(evaluated):
    board = analyse([evaluated(methods=("A", "B(fill='mean')", "C"))]).leaderboard
    for figure in (rank_figure(board), agreement_figure(board)):
        assert "amp;" not in figure.json
    assert "B(fill=\\u0026#x27;mean" in rank_figure(board).json


def test_equal_methods_have_no_mark(evaluated, tmp_path):
    text = write([evaluated(apart=0)], tmp_path / "page.html").read_text()
    assert "<td><b>● best</b>" not in text


def test_several_models_and_what_is_left_out_are_named(evaluated, tmp_path):
    runs = [evaluated(), evaluated(name="two"), evaluated(name="three", methods=("A", "B", "C"))]
    text = write(runs, tmp_path / "page.html").read_text()
    assert "the same 2 models (one, two)" in text
    assert "Kendall’s W" in text
    assert "other methods or metrics: three." in text


def test_few_images_are_said(evaluated, tmp_path):
    assert "6 images are too few to resample ranks: sweep 10 or more" in " ".join(
        write([evaluated(6)], tmp_path / "page.html").read_text().split()
    )
    assert "one has no interval" in write([evaluated(1)], tmp_path / "one.html").read_text()


def test_a_cost_is_written_by_kind_of_pass():
    assert write_passes({"evaluations": 3, "gradients": 64, "explanations": 0}) == (
        "3 evaluations, 64 gradients"
    )
    assert write_passes({"evaluations": 0}) == "none"
    assert write_passes(None) == "–"
