"""Memory of sweeps by the number of images, and what the measurements of it count."""

from typing import Any

import pytest


@pytest.mark.slow
def test_three_times_the_images_take_the_same_memory(scripts: Any, tmp_path) -> None:
    sizes = [17_000, 51_000]  # both write full parts
    runs = []
    for name in ("first", "again"):  # compilation alone moves the peak by a tenth
        (tmp_path / name).mkdir()
        runs += scripts["scale"].memory(tmp_path / name, sizes)
    small, large = runs[::2], runs[1::2]
    assert [r["images"] for r in runs] == [*sizes, *sizes]
    assert large[0]["parts"] > small[0]["parts"] > 1
    assert min(r["peak_mib"] for r in large) < 1.05 * max(r["peak_mib"] for r in small)


@pytest.mark.slow
def test_a_list_of_ids_takes_little_more_than_its_text(scripts: Any, tmp_path) -> None:
    (result,) = scripts["scale"].ids(tmp_path, [300_000])
    assert result["ids"] == 300_000
    assert result["text_bytes_per_id"] == 26  # 000000/image-000000000.jpg
    assert result["peak_bytes_per_id"] < 200
