"""Maps of videos on the page: planted motions, counts, dependent videos, and runs without any."""

import json

import numpy as np
import pytest

from salix.report import write
from salix.report.sections import map_motion
from salix.typing import Column

GROUP = Column("group", dtype="string")


def test_the_page_has_the_maps_of_videos_by_class(planted, simulated, tmp_path):
    """Three videos of class 0 stand still, five of class 1 move by one pixel a frame."""
    rows = simulated(32, 0)
    for i, row in enumerate(rows):
        video, frame = divmod(i, 4)
        map = np.zeros((8, 8), np.uint8)
        map[2, frame if video > 2 else 3] = 255
        row |= {"label": int(video > 2), "group": f"clip {video}", "map": map}
    rows[-1]["map"] = np.zeros((8, 8), np.uint8)
    run = planted(rows, name="one", columns=(GROUP,), grid=(8, 8), extra=("group",))
    page = write([run], tmp_path / "page.html", sections=(map_motion.build,)).read_text()
    data = json.loads((tmp_path / "page.json").read_text())["map_motion"][0]
    still, moving = (data[name] for name in run.classes)
    assert (still["videos"], still["frames"], still["constant"]) == (3, 12, 0)
    assert (moving["videos"], moving["frames"], moving["constant"]) == (5, 19, 1)
    assert still["variation"]["value"] == still["drift"]["value"] == 0
    assert moving["variation"]["value"] == 1
    assert moving["drift"]["value"] == pytest.approx(1 / np.sqrt(98))
    assert data["all videos"]["variation"]["value"] == pytest.approx(5 / 8)
    x = np.repeat([0, 1], [3, 5])
    half = 2.364624 * x.std(ddof=1) / np.sqrt(8)  # Student's, of 7 degrees of freedom
    assert data["all videos"]["variation"]["high"] == pytest.approx(5 / 8 + half, rel=1e-5)
    assert "1 constant, left out" in page
    assert "arXiv:2210.03683" in page


def test_images_without_videos_have_no_such_section(planted, simulated, tmp_path):
    alone = [row | {"group": f"image {i}"} for i, row in enumerate(simulated(6, 0))]
    options = {"grid": (8, 8)}
    runs = [
        planted(simulated(6, 0), name="plain", **options),
        planted(alone, name="alone", columns=(GROUP,), extra=("group",), **options),
    ]
    page = write(runs, tmp_path / "page.html", sections=(map_motion.build,)).read_text()
    assert "Maps of videos" not in page
