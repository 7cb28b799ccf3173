"""Study of codings: files, videos, AUC against scikit-learn, and the study from end to end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from salix.data.headers import read_header
from salix.studies.coding import files, run
from salix.studies.coding.results import areas, part_shares, summary
from salix.studies.guidance.data import FaceSet, StudyFaces
from salix.train import TrainingImages
from salix.typing import Column


def textures(count: int, seed: int) -> np.ndarray:
    """Smooth coloured pictures [n 64 64 3]."""
    small = np.random.default_rng(seed).integers(30, 226, (count, 6, 6, 3), np.uint8)
    cubic = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(s).resize((64, 64), cubic)) for s in small])


def test_files_have_the_coding_of_their_class(tmp_path: Path) -> None:
    pixels, ids, fake = textures(4, 0), [f"a/{i}" for i in range(4)], [False, True] * 2
    own = files.write_images(tmp_path / "own", files.TRAINING["own"], pixels, fake, ids)
    assert list(own.ids) == ["fake/a/1.png", "fake/a/3.png", "real/a/0.jpg", "real/a/2.jpg"]
    np.testing.assert_array_equal(np.asarray(own.read(0)), pixels[1])
    one = files.write_images(tmp_path / "one", files.TRAINING["one"], pixels, fake, ids)
    for folder, codings in ((own, "own"), (one, "one")):
        for id in folder.ids:
            expected = files.TRAINING[codings](id.split("/", 1)[1][:-4], id.startswith("fake"))
            header = read_header((folder.root / id).read_bytes())
            assert (header.quality == expected) or (expected == 0 and id.endswith(".png"))
    written = (tmp_path / "own" / "fake/a/1.png").stat().st_mtime_ns
    files.write_images(tmp_path / "own", files.TRAINING["own"], pixels, fake, ids)
    assert (tmp_path / "own" / "fake/a/1.png").stat().st_mtime_ns == written


def test_qualities_are_drawn_alike_for_both_classes() -> None:
    drawn = [files.drawn_quality(f"celeba/{i:06d}", False) for i in range(4000)]
    assert drawn == [files.drawn_quality(f"celeba/{i:06d}", True) for i in range(4000)]
    assert (min(drawn), max(drawn)) == files.DRAWN
    assert np.mean(drawn) == pytest.approx(np.mean(files.DRAWN), abs=0.7)


def test_frames_are_windows_of_the_image_with_changing_light() -> None:
    ramp = np.broadcast_to(np.linspace(20, 200, 64)[None, :, None], (64, 64, 3)).astype(np.uint8)
    frames = files.moved(ramp, np.random.default_rng(3), 5)
    slopes = [np.polyfit(np.arange(64), f[32, :, 0].astype(float), 1)[0] for f in frames]
    zooms = np.array(slopes) / (180 / 63)
    assert ((zooms < 1) & (zooms > 1 - 1.2 * files.ZOOM)).all()
    even = np.full((64, 64, 3), 120, np.uint8)
    levels = [f.mean() for f in files.moved(even, np.random.default_rng(3), 5)]
    assert levels[0] == 120
    assert np.allclose(np.diff(levels), np.diff(levels)[0], atol=1)
    assert 0 < abs(levels[-1] - 120) <= files.LIGHT * 255


def test_areas_and_shares_are_those_of_scikit_learn_and_of_a_loop(planted: Any) -> None:
    rng, rows = np.random.default_rng(0), []
    for coding in ("lossless", "jpeg 30"):
        for subset, label in (("celeba", 0), ("forged", 1), ("dcgan", 1)):
            for i in range(20):
                z = float(rng.normal() + label)
                mass = rng.uniform(size=12).tolist() if i else [0.0] * 12
                rows.append(
                    {
                        "id": f"{coding}/{('real', 'fake')[label]}/{subset}/{i:06d}.png",
                        "group": f"{i:06d}" if subset != "dcgan" else None,
                        "label": label,
                        "logits": [-z / 2, z / 2],
                        "region_absolute": mass,
                    }
                )
    columns = (Column("region_absolute", dims=("region",)), Column("group", dtype="string"))
    source = planted(rows, extra={"region_absolute": (12,), "group": ()}, columns=columns)
    result = areas(source)
    assert {coding: list(by) for coding, by in result.items()} == {
        "lossless": ["forged", "dcgan"],
        "jpeg 30": ["forged", "dcgan"],
    }
    for coding, by in result.items():
        for fakes, interval in by.items():
            chosen = [
                r
                for r in rows
                if r["id"].startswith(coding) and r["id"].split("/")[2] in ("celeba", fakes)
            ]
            area = roc_auc_score([r["label"] for r in chosen], [r["logits"][1] for r in chosen])
            assert interval["value"] == pytest.approx(area, abs=1e-4)
            assert interval["low"] < area < interval["high"]
    masses = [np.array(r["region_absolute"]) for r in rows if r["id"].startswith("lossless")]
    expected = np.mean([m / m.sum() for m in masses if m.sum()], 0)
    np.testing.assert_allclose(list(part_shares(source).values()), expected, atol=1e-4)


def test_the_summary_is_the_mean_over_generators_and_seeds() -> None:
    def detector(seed: int, *values: float) -> dict[str, Any]:
        by = dict(zip(("forged", "dcgan", "sd3"), ({"value": v} for v in values), strict=True))
        return {"network": "small", "coding": "own", "seed": seed, "auc": {"lossless": by}}

    row = summary([detector(1, 0.9, 0.7, 0.1), detector(2, 0.5, 0.7, 0.1)])["small, own"]
    assert row["lossless"] == {"mean": 0.7, "seeds": [0.6, 0.8]}


@pytest.mark.slow
def test_the_study_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def faces(name: str, count: int, fake: bool, seed: int) -> FaceSet:
        noise = np.random.default_rng(seed).normal(0, 20 * fake, (count, 64, 64, 3))
        pixels = np.clip(textures(count, seed) + noise, 0, 255).astype(np.uint8)
        return FaceSet(pixels, tuple(f"{i:06d}" for i in range(count)), fake)

    kinds = {"celeba": False, "forged": True, "dcgan": True}
    sets = {name: faces(name, 24, fake, n) for n, (name, fake) in enumerate(kinds.items())}
    pixels = np.concatenate([s.pixels for s in sets.values()])
    labels = np.repeat([0, 1, 1], 24)
    ids = [f"{name}/{key}" for name, s in sets.items() for key in s.keys]
    parts = [TrainingImages(pixels, labels, None, [f"{id}{x}" for id in ids]) for x in "tv"]
    monkeypatch.setattr(run, "study_faces", lambda portraits: StudyFaces(*parts, sets))
    monkeypatch.setattr(run, "NETWORKS", ("small",))
    monkeypatch.setattr(run, "VIDEOS", 3)
    study = run.CodingStudy(tmp_path, tmp_path / "out", tmp_path / "results.json", 1, 1)
    values = study.run()
    assert [d["name"] for d in values["detectors"]] == ["small-own-1", "small-one-1"]
    assert {"jpeg_quality", "bytes_per_pixel"} & {*values["training_audits"]["own"]["alarms"]}
    assert "jpeg_quality" not in values["training_audits"]["one"]["alarms"]
    for detector in values["detectors"]:
        assert detector["video"]["videos"] == [3, 6]
        assert len(detector["audit"]["copies"]) == 2
        assert sum(detector["parts"].values()) == pytest.approx(1, abs=0.01)
    assert (tmp_path / "out" / "report.html").is_file()
    assert replace(study).run() == values  # everything resumes
