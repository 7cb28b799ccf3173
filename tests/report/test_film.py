"""Film strips: the chosen videos, their frames in time, and what has none."""

import json

import numpy as np
import pytest

from salix.analysis import Frame
from salix.analysis.film import films
from salix.report import write
from salix.report.sections import film
from salix.typing import Column

COLUMNS = (Column("group", dtype="string"), Column("frame_time", dtype="float64"))


@pytest.fixture
def run(planted, simulated):
    """Six videos of ten frames in falling order of time; numbers 3 and 4 swing most."""
    rows = simulated(60, 0, thumbs=60)
    for i, row in enumerate(rows):
        video, t = divmod(i, 10)
        z = (1 + 3 * (video in (3, 4))) * np.sin(t)
        row |= {"label": video % 2, "group": f"clip {video}", "frame_time": 0.5 * (9 - t)}
        row |= {"id": f"clip {video}.mp4#{t}", "logits": [-z / 2, z / 2]}
    return planted(rows, grid=(8, 8), columns=COLUMNS, extra=("group", "frame_time"))


def test_the_least_steady_video_of_each_class_is_shown(run, tmp_path):
    page = write([run], tmp_path / "page.html", sections=(film.build,)).read_text()
    both = films([Frame(run)])
    assert [(f.group, f.label) for f in both] == [("clip 4", 0), ("clip 3", 1)]
    z = 4 * np.sin(np.arange(10))[::-1]
    np.testing.assert_allclose(both[1].times, np.arange(10) / 2)
    np.testing.assert_allclose(both[1].probabilities[0], 1 / (1 + np.exp(-z)), rtol=1e-5)
    assert both[1].spread == pytest.approx(z.std(ddof=1), rel=1e-5)
    assert both[1].strip == (0, 1, 2, 3, 5, 6, 7, 9)
    assert page.count("frame at 1.50 s") == 4  # its label and title, of two videos
    assert json.loads((tmp_path / "page.json").read_text())["films"][0]["group"] == "clip 4"


def test_images_without_times_have_no_film(planted, simulated):
    assert films([Frame(planted(simulated(20, 0), grid=(8, 8)))]) == ()
