"""Memory of sweeps by the number of images, and what the measurements of it count."""

from typing import Any

import pytest


@pytest.mark.slow
def test_ten_times_the_images_take_the_same_memory(scripts: Any, tmp_path) -> None:
    small, large = scripts["scale"].memory(tmp_path, [2000, 20_000])
    assert (small["images"], large["images"]) == (2000, 20_000)
    assert large["parts"] > small["parts"]
    assert large["peak_mib"] < 1.05 * small["peak_mib"]


@pytest.mark.slow
def test_a_list_of_ids_takes_little_more_than_its_text(scripts: Any, tmp_path) -> None:
    (result,) = scripts["scale"].ids(tmp_path, [300_000])
    assert result["ids"] == 300_000
    assert result["text_bytes_per_id"] == 26  # 000000/image-000000000.jpg
    assert result["peak_bytes_per_id"] < 200
