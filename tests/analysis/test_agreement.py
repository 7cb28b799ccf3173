"""Agreement between runs against scikit-image, image by image and pair by pair."""

from itertools import combinations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from salix.analysis import group_agreement, run_similarity, shared_maps
from salix.engine.classification_columns import row_columns
from salix.store import Run, write_run
from salix.typing import InputError


def write(path, name, group, maps, ids, constant_map=(), **settings):
    """Write a run with the given maps."""
    config = {"classes": ["a", "b"], "grid": list(maps.shape[1:]), "data": {"count": len(ids)}}
    config |= settings
    rows = [
        {
            "index": i,
            "id": key,
            "logits": [0.0, 1.0],
            "map": m.reshape(-1),
            "constant_map": key in constant_map,
        }
        for i, (key, m) in enumerate(zip(ids, maps, strict=True))
    ]
    about = {"name": name, "group": group}
    write_run(path, row_columns(2, maps.shape[1:]), rows, config=config, about=about)
    return Run(path)


@pytest.mark.parametrize("side", [7, 9, 5])
def test_mean_ssim_of_all_pairs_over_shared_images_with_contrast(tmp_path, side):
    rng = np.random.default_rng(0)
    ids = ["a", "b", "c", "d"]
    maps = rng.integers(0, 256, (3, 4, side, side), np.uint8)
    runs = [
        write(tmp_path / "0", "0", "g", maps[0], ids),
        write(tmp_path / "1", "1", "g", maps[1][::-1], ids[::-1]),  # in another order
        write(
            tmp_path / "2", "2", "g", maps[2][:3], ids[:3], constant_map=["b"]
        ),  # one absent, one constant
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
    agreement = group_agreement(runs)
    assert set(agreement) == {"g"}
    assert agreement["g"].value == pytest.approx(expected, abs=1e-6)
    assert (agreement["g"].n, agreement["g"].undefined) == (2, 1)


def test_equal_runs_agree_fully_and_no_shared_image_is_undefined(tmp_path):
    maps = np.random.default_rng(0).integers(0, 256, (2, 8, 8), np.uint8)
    same = [write(tmp_path / n, n, "g", maps, ["a", "b"]) for n in ("0", "1")]
    assert group_agreement(same)["g"].value == 1
    other = write(tmp_path / "2", "2", "h", maps, ["c", "d"])
    apart = write(tmp_path / "3", "3", "h", maps, ["e", "f"])
    assert np.isnan(group_agreement([other, apart])["h"].value)


def test_common_images_are_matched_by_id_and_what_is_left_out_is_counted(tmp_path):
    maps = np.random.default_rng(0).integers(1, 256, (5, 4, 6), np.uint8)
    ids = ["a", "b", "c", "d", "e"]
    first = write(tmp_path / "0", "0", "g", maps, ids, constant_map=["d"])
    second = write(
        tmp_path / "1", "1", "h", maps[[3, 2, 0]] // 2, ["d", "c", "a"], constant_map=["c"]
    )
    agreement = shared_maps([first, second])
    assert agreement.ids == ("a", "c", "d")
    assert agreement.left_out == (2, 0)
    zero = np.zeros((4, 6), np.uint8)
    np.testing.assert_array_equal(agreement.maps[0], [maps[0], maps[2], zero])
    np.testing.assert_array_equal(agreement.maps[1], [maps[0] // 2, zero, maps[3] // 2])
    compared = run_similarity([first, second])
    assert compared is not None
    assert (compared.ids, compared.left_out) == (("a", "c", "d"), (2, 0))
    assert compared.mean[0, 1] == pytest.approx(
        structural_similarity(maps[0], maps[0] // 2, win_size=3), abs=1e-6
    )
    assert np.isnan(compared.within).all()  # of two groups of one run each
    alone = shared_maps([second])
    assert (alone.ids, alone.left_out) == (("d", "c", "a"), (0,))


def test_maps_of_another_kind_are_refused_by_name_and_give_a_group_no_agreement(tmp_path):
    maps = np.random.default_rng(0).integers(0, 256, (2, 8, 8), np.uint8)
    plain = write(tmp_path / "plain", "plain", "g", maps, ["a", "b"], score="logit(target=None)")
    for what, other in [
        ("grid", write(tmp_path / "1", "small", "g", maps[:, :7], ["a", "b"])),
        ("score", write(tmp_path / "2", "small", "g", maps, ["a", "b"], score="logit(target=1)")),
        ("attribution", write(tmp_path / "3", "small", "g", maps, ["a", "b"], attribution="CAM()")),
        ("pooling", write(tmp_path / "4", "small", "g", maps, ["a", "b"], pooling="l2")),
    ]:
        with pytest.raises(InputError, match=rf"{what}: plain has .*, small has "):
            shared_maps([plain, other])
        assert group_agreement([plain, other]) == {}
    with pytest.raises(InputError, match="no run given"):
        shared_maps([])


def test_a_group_on_a_grid_too_small_for_ssim_has_no_agreement(tmp_path):
    maps = np.random.default_rng(0).integers(0, 256, (2, 2, 8), np.uint8)
    runs = [write(tmp_path / n, n, "g", maps, ["a", "b"]) for n in "01"]
    assert group_agreement(runs) == {}
    assert run_similarity(runs) is None
