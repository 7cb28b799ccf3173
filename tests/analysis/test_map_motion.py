"""Numbers of the maps of videos: change between frames, drift and spread."""

import numpy as np
import pytest

from salix.analysis import measure_maps, video_maps
from salix.engine.labelled_images import GROUP
from salix.typing import InputError


def point(y, x, side=9):
    map = np.zeros((side, side), np.uint8)
    map[y, x] = 255
    return map


def test_closed_forms():
    halves = np.zeros((9, 9))
    halves[4, (0, 8)] = 1
    almost = np.ones((9, 9)) + 1e-9 * np.eye(9)
    rows = [
        *[("still", 0, point(2, 3))] * 3,
        ("moved", 1, point(0, 0)),
        ("moved", 1, np.zeros((9, 9))),  # without contrast: left out
        ("moved", 1, point(8, 8)),
        ("wide", 1, almost),
        ("apart", 1, halves),
        ("still", 1, point(0, 0)),  # another label: a video of its own
        (None, 0, point(0, 0)),
    ]
    maps = measure_maps(rows)
    assert maps.videos == ("still", "moved", "wide", "apart", "still")
    assert maps.labels.tolist() == [0, 1, 1, 1, 1]
    assert maps.frames.tolist() == [3, 2, 1, 1, 1]
    assert maps.constant.tolist() == [0, 1, 0, 0, 0]
    nan = np.nan
    np.testing.assert_allclose(maps.values["variation"], [0, 1, nan, nan, nan], atol=1e-12)
    np.testing.assert_allclose(maps.values["drift"], [0, 1, nan, nan, nan], atol=1e-12)
    spread = 4 / np.sqrt(2 * 80 / 12)
    np.testing.assert_allclose(maps.values["spread"], [0, 0, 1, spread, 0], atol=1e-6)
    assert maps.means(0)["variation"].value == 0
    assert maps.means()["variation"].value == pytest.approx(0.5)
    assert maps.means()["variation"].undefined == 3
    assert maps.means()["spread"].clusters == 4  # of five videos, two of one name


def test_of_a_run(planted):
    rows = [
        {"id": f"{g}{i}", "group": g, "label": int(g == "b"), "map": point(i, 0, 8)}
        for g in "ab"
        for i in range(3)
    ]
    run = planted(rows, grid=(8, 8), extra={"group": ()}, columns=(GROUP,))
    maps = video_maps(run)
    assert maps.videos == ("a", "b")
    np.testing.assert_allclose(maps.values["drift"], 1 / np.sqrt(98))
    with pytest.raises(InputError, match="names no videos: sweep with --group-by"):
        video_maps(planted([{"id": "a", "label": 0}], grid=(8, 8)))
