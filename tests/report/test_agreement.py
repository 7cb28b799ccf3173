"""Agreement between runs against scikit-image, image by image and pair by pair."""

from itertools import combinations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from salix.store import Run, Writer, open_run
from salix.store.schema import schema
from salix.studies.agreement import agreement


def write(path, name, group, maps, ids, dead=()):
    """Write a run with the given maps."""
    config = {"classes": ["a", "b"], "grid": list(maps.shape[1:]), "data": {"count": len(ids)}}
    open_run(path, config, {"name": name, "group": group})
    writer = Writer(path, schema(2, maps.shape[1:], {}))
    rows = [
        {"index": i, "id": key, "logits": [0.0, 1.0], "map": m.reshape(-1), "dead": key in dead}
        for i, (key, m) in enumerate(zip(ids, maps, strict=True))
    ]
    writer.add(0, rows)
    writer.flush()
    return Run(path)


@pytest.mark.parametrize("side", [7, 9, 5])
def test_mean_ssim_of_all_pairs_over_shared_living_images(tmp_path, side):
    rng = np.random.default_rng(0)
    ids = ["a", "b", "c", "d"]
    maps = rng.integers(0, 256, (3, 4, side, side), np.uint8)
    runs = [
        write(tmp_path / "0", "0", "g", maps[0], ids),
        write(tmp_path / "1", "1", "g", maps[1][::-1], ids[::-1]),  # in another order
        write(tmp_path / "2", "2", "g", maps[2][:3], ids[:3], dead=["b"]),  # one absent, one dead
        write(tmp_path / "3", "3", "alone", maps[0], ids),
    ]
    window = min(7, side)
    expected = np.mean(
        [
            structural_similarity(maps[i][k], maps[j][k], win_size=window)
            for k in (0, 2)
            for i, j in combinations(range(3), 2)
        ]
    )
    found = agreement(runs)
    assert set(found) == {"g"}
    assert found["g"].value == pytest.approx(expected, abs=1e-5)
    assert found["g"].n == 2


def test_equal_runs_agree_fully_and_no_shared_image_is_undefined(tmp_path):
    maps = np.random.default_rng(0).integers(0, 256, (2, 8, 8), np.uint8)
    same = [write(tmp_path / n, n, "g", maps, ["a", "b"]) for n in ("0", "1")]
    assert agreement(same)["g"].value == pytest.approx(1)
    other = write(tmp_path / "2", "2", "h", maps, ["c", "d"])
    apart = write(tmp_path / "3", "3", "h", maps, ["e", "f"])
    assert np.isnan(agreement([other, apart])["h"].value)
