"""The study of Agg²Exp: phantoms, importance over scans, files, page and mistakes."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.attribution import Gradient
from salix.cli import main
from salix.studies.agg2exp import run, scan_result
from salix.studies.agg2exp.aggregation import lift
from salix.studies.agg2exp.distance import distance_lift
from salix.studies.agg2exp.explain import explain_scan
from salix.studies.agg2exp.importance import (
    cluster_classes,
    global_importance,
    known_dependences,
    outlier_scores,
    strongest_edges,
)
from salix.studies.agg2exp.page import write_page
from salix.studies.agg2exp.phantoms import (
    CLASSES,
    CONTROL,
    DEPENDENCES,
    INTENSITIES,
    OFFSETS,
    PhantomSetting,
    draw_phantoms,
)
from salix.studies.agg2exp.quality import attribution_quality
from salix.studies.agg2exp.run import run_agg2exp
from salix.studies.agg2exp.scans import (
    Scan,
    check_labels,
    check_volume,
    deepbrain_input,
    label_numbers,
    read_nifti,
    write_nifti,
)
from salix.studies.agg2exp.segmenter import Segmenter, predict
from salix.studies.agg2exp.task import Task, merge_names, parse_merges
from salix.studies.agg2exp.training import UNetSetting, dice, segmentation_loss
from salix.studies.agg2exp.windows import SlidingWindows
from salix.typing import InputError

SMALL = UNetSetting(widths=(4, 4), steps=2)


def test_followers_cannot_be_seen_and_lie_at_their_offset() -> None:
    volumes, classes = draw_phantoms(PhantomSetting(noise=0.1), 6, seed=0)
    for volume, regions in zip(volumes[..., 0], classes, strict=True):
        for follower, anchor in DEPENDENCES.items():
            inside = volume[regions == follower]
            assert abs(inside.mean()) < 0.05
            assert inside.std() == pytest.approx(0.1, rel=0.3)
            places = [np.argwhere(regions == c).mean(0) for c in (follower, anchor)]
            np.testing.assert_allclose(places[0] - places[1], OFFSETS[follower], atol=0.7)
            assert abs(volume[regions == anchor].mean()) > 1.5
    with pytest.raises(InputError, match="24 or more"):
        PhantomSetting(side=16)


def test_a_network_that_reads_anchors_leans_on_them() -> None:
    """Logits made by hand: an organ by its intensity, a follower by its shifted anchor."""

    def logits(params: Any, volume: Any) -> Any:
        x = volume[..., 0] * params
        by = {c: 4 - 4 * (x - level) ** 2 for c, level in INTENSITIES.items()}
        by |= {c: jnp.roll(by[a], OFFSETS[c], (0, 1, 2)) for c, a in DEPENDENCES.items()}
        return jnp.stack([0 * x, *(by[c] for c in range(1, 6))], -1)

    (volume,), (truth,) = draw_phantoms(PhantomSetting(noise=0.1), 1, seed=3)
    segmenter = Segmenter(logits, jnp.float32(1), CLASSES)
    predicted = predict(segmenter, volume, SlidingWindows())
    assert np.nanmin(dice(predicted, truth, 6)) > 0.5
    task = Task.of_classes(predicted, CLASSES)
    plan = SlidingWindows().plan(truth.shape)
    totals = explain_scan(segmenter, volume, task, Gradient(), plan)
    lifts, near = lift(totals), distance_lift(totals)
    for row in known_dependences(near[None], np.ones((1, 6), bool), DEPENDENCES, CONTROL):
        assert (row["first"], row["above"], row["scans"]) == (1, 1, 1)
        assert near[row["target"], row["source"]] > 100
        assert lifts[row["target"], row["source"]] > 100
        assert lifts[row["target"], CONTROL] == 0


def test_loss_is_the_slow_sum() -> None:
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(1, 2, 3, 2, 3)).astype(np.float32), rng.integers(0, 3, (1, 2, 3, 2))
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    entropy = np.mean([-np.log(p[y == c][:, c]).mean() for c in range(3)])
    overlap = np.mean(
        [2 * p[y == c][:, c].sum() / (p[..., c].sum() + (y == c).sum()) for c in range(3)]
    )
    assert float(segmentation_loss(z, y)) == pytest.approx(entropy + 1 - overlap, rel=1e-5)


def test_dice_by_sets() -> None:
    a, b = np.array([[[0, 1, 1, 2]]]), np.array([[[0, 1, 0, 0]]])
    np.testing.assert_allclose(dice(a, b, 4), [2 / 4, 2 / 3, 0, np.nan])


def test_global_importance_leaves_absent_scans_out_and_counts_them() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((5, 3, 3))
    present = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 0, 0]], bool)
    values[~present] = np.nan
    importance = global_importance(values, present)
    assert importance.present.tolist() == [5, 3, 0]
    np.testing.assert_allclose(importance.mean[1], values[[0, 2, 3], 1].mean(0))
    assert np.isnan(importance.mean[2]).all()
    half = 4.302652729911275 * values[[0, 2, 3], 1, 0].std(ddof=1) / np.sqrt(3)  # t, 2 degrees
    assert importance.high[1, 0] - importance.mean[1, 0] == pytest.approx(half)


def test_edges_ranks_and_clusters() -> None:
    m = np.array([[0.9, 0.05, 0.05, 0], [0.2, 0.5, 0.29, 0.01], [0.1, 0.6, 0.2, 0.1], [1, 0, 0, 0]])
    edges = strongest_edges(m, per_target=2)
    assert [(e.target, e.region) for e in edges] == [(1, 2), (1, 3), (2, 1), (2, 3)]
    assert [(e.target, e.region) for e in strongest_edges(m, cumulative=0.3)][:1] == [(1, 2)]
    scans = np.stack([np.pad(m, ((0, 0), (0, 1)), constant_values=0.2)] * 3)
    scans[1, 2, [1, 4]] = 0.05, np.nan  # below the control in one scan; without another region
    is_present = np.ones((3, 4), bool)
    (row,) = known_dependences(scans, is_present, {2: 1}, 3)
    assert (row["scans"], row["first"], row["above"]) == (3, 2, 2)
    assert row["difference"]["value"] == pytest.approx(-0.1)  # of two scans
    is_present[:, 2] = False
    assert known_dependences(scans, is_present, {2: 1}, 3)[0]["scans"] == 0
    clusters = cluster_classes(m)
    assert clusters is not None
    assert [set(row[:2]) for row in clusters.linkage[:2]] == [{0, 3}, {1, 2}]
    root = np.sqrt((m + m.T) / 2)
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    plain = np.array([root[0, 3] - root[p] for p in pairs])
    # Two pairs, which join at the mean of the four distances between them.
    across = plain[[p not in ((0, 3), (1, 2)) for p in pairs]].mean()
    heights = [d if p in ((0, 3), (1, 2)) else across for p, d in zip(pairs, plain, strict=True)]
    assert clusters.cophenetic == pytest.approx(np.corrcoef(heights, plain)[0, 1])
    with pytest.raises(InputError, match="targets and regions are the same"):
        cluster_classes(m[:2])


def test_names_are_merged_in_the_place_of_the_first() -> None:
    merges = parse_merges(["lung=left, right", "bone=rib,spine"])
    merging = merge_names(("background", "right", "rib", "left", "heart"), merges)
    assert merging.names == ("background", "lung", "bone", "heart")
    assert merging.group_of == (0, 1, 2, 1, 3)
    for texts, message in (
        (["lung=left"], "the names that it joins"),
        (["a=b,c", "d=c,e"], "has c twice"),
        (["heart=left,right"], "is a name already"),
    ):
        with pytest.raises(InputError, match=message):
            merge_names(("left", "right", "heart"), parse_merges(texts))


def test_a_strange_scan_has_the_highest_outlier_score() -> None:
    rng = np.random.default_rng(0)
    masses = np.full((12, 1, 3), [0.5, 0.3, 0.2]) + 0.01 * rng.normal(size=(12, 1, 3))
    masses[7] = [0.1, 0.1, 0.8]
    scores = np.full((12, 1), 0.9) + 0.01 * rng.normal(size=(12, 1))
    scores[7] = 0.2
    (outliers,) = outlier_scores(masses, scores)
    assert int(np.argmax(outliers.scores)) == 7
    assert outliers.correlation < 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[..., 0], "three axes of space"),
        (lambda x: np.where(x > 2, np.nan, x), "NaN or infinite"),
        (lambda x: x[:9], "too few to segment"),
        (lambda x: 0 * x, "the file has no image"),
    ],
)
def test_unusable_volumes_are_explained(change: Any, message: str) -> None:
    volume = np.random.default_rng(0).normal(size=(20, 18, 16, 1))
    check_volume("v", volume, np.eye(4))
    with pytest.raises(InputError, match=message):
        check_volume("v", change(volume), np.eye(4))
    with pytest.raises(InputError, match="resample it to cubes"):
        check_volume("v", volume, np.diag([1.0, 1.0, 5.0, 1.0]))
    with pytest.raises(InputError, match="one label for each voxel"):
        check_labels("l", np.zeros((20, 18, 15)), volume.shape)
    with pytest.raises(InputError, match="nearest"):
        check_labels("l", np.full((20, 18, 16), 0.5), volume.shape)


def test_nifti_files_round_trip(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    volume = np.random.default_rng(0).normal(size=(20, 18, 16)).astype(np.float32)
    labels = (volume > 0).astype(np.int32)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    image, mask = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    write_nifti(image, volume, affine)
    write_nifti(mask, labels, affine)
    scan = read_nifti(image, mask)
    np.testing.assert_array_equal(scan.volume[..., 0], volume)
    np.testing.assert_array_equal(scan.labels, labels)
    write_nifti(mask, labels, np.eye(4))
    with pytest.raises(InputError, match="another affine"):
        read_nifti(image, mask)
    with pytest.raises(InputError, match="a folder, not a file"):
        read_nifti(tmp_path)
    write_nifti(tmp_path / "series.nii.gz", np.ones((20, 20, 20, 2), np.float32), np.eye(4))
    with pytest.raises(InputError, match=r"shape \(20, 20, 20, 2\): expected three axes"):
        read_nifti(tmp_path / "series.nii.gz")
    dark = Scan("dark", -np.ones((20, 20, 20, 1), np.float32), np.eye(4))
    with pytest.raises(InputError, match="dark: no voxel is above 0"):
        deepbrain_input(dark)
    sparse = np.zeros((20, 20, 20), np.int16)
    sparse[3:5], sparse[7] = 2035, 17
    labels = write_nifti(tmp_path / "sparse.nii.gz", sparse, np.eye(4))
    assert label_numbers([tmp_path / "none.nii.gz", labels]) == (0, 17, 2035)
    many = np.arange(8000, dtype=np.int16).reshape(20, 20, 20)
    with pytest.raises(InputError, match="more than 2000 numbers: an image"):
        label_numbers([write_nifti(tmp_path / "many.nii.gz", many, np.eye(4))])
    image.write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(InputError, match="not a NIfTI file, or damaged"):
        read_nifti(image)


@pytest.mark.slow
def test_study_continues_and_a_broken_scan_is_a_row(tmp_path: Path, monkeypatch: Any) -> None:
    draw = run.draw_scans

    def with_nan(*args: Any, **options: Any) -> Any:
        scans = draw(*args, **options)
        for scan in scans[1:2]:
            scan.volume[0] = np.nan
        return scans

    monkeypatch.setattr(run, "draw_scans", with_nan)
    monkeypatch.setattr(run, "QUALITY_TARGETS", 1)
    monkeypatch.setattr(
        scan_result, "attribution_quality", partial(attribution_quality, removals=3)
    )
    options = {"methods": ("Gradient", "IntegratedGradients(steps=1)"), "count": 3}
    path = run_agg2exp(tmp_path, network=SMALL, **options)
    first = json.loads(path.read_text())
    assert first["scans"] == ["phantom 1", "phantom 3"]
    assert [s["scan"] for s in first["skipped"]] == ["phantom 2"]
    assert "NaN" in first["skipped"][0]["reason"]
    table = pq.read_table(tmp_path / "masses.parquet")
    assert table.num_rows == 2 * 2 * 6 * 6
    page = (tmp_path / "agg2exp.html").read_text()
    assert "phantom 2" in page
    assert ("never predicted" in page) == (0 in first["present"])
    files = {f: f.stat().st_mtime_ns for f in (tmp_path / "scans").iterdir()}
    explain = scan_result.explain_scan
    monkeypatch.setattr(scan_result, "explain_scan", None)  # everything is in files
    again = json.loads(run_agg2exp(tmp_path, network=SMALL, **options).read_text())
    assert again == first
    assert files == {f: f.stat().st_mtime_ns for f in (tmp_path / "scans").iterdir()}
    monkeypatch.setattr(scan_result, "explain_scan", explain)
    merged = json.loads(
        run_agg2exp(
            tmp_path, network=SMALL, methods=("Gradient",), count=1, merges=("a=anchor 1,anchor 2",)
        ).read_text()
    )
    assert merged["targets"] == ["background", "a", "follower 1", "follower 2", "control"]
    assert merged["dependences"] == {"2": 1, "3": 1}
    assert merged["regions"] == merged["targets"]
    alone = [first["methods"]["Gradient"]["masses"][0][0][r] for r in (1, 3)]
    together = merged["methods"]["Gradient"]["masses"][0][0][1]
    assert together == pytest.approx(sum(alone), rel=1e-4)  # the background stays a target
    first["present"][2] = 0
    path.write_text(json.dumps(first))
    assert "“follower 1” was never predicted" in write_page(tmp_path).read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "deepbrain"], "give --volumes head.nii.gz"),
        (["--volumes", "a.nii"], "are for --model deepbrain"),
        (["--methods", "Gradients"], "KernelSHAP organs"),
        (["--scans", "0"], "at least one"),
        (["--merge", "organs=anchor 1,anchor 3"], "no 'anchor 3': give names of anchor 1, anchor"),
    ],
)
def test_mistakes_in_the_command_are_explained(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "agg2exp", "--out", str(tmp_path / "out"), *arguments]) != 0
    assert message in " ".join(capsys.readouterr().err.split())
