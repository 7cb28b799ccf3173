"""Audits of images and of a detector, from the command line and from Python."""

import json
import re
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest

import salix
from salix.attribution import Gradient
from salix.audit import Recoded, audit_images, write_audit
from salix.audit.audit import EDGES
from salix.audit.columns import SIDES, common_value
from salix.audit.measurement import measure
from salix.audit.properties import KEYS
from salix.cli import main
from salix.data import Arrays, FaceCrops, FaceRule, open_source
from salix.data.face_table import BOX, POINTS
from salix.model import LoadedWeights
from salix.preprocess import Preprocess
from salix.store import Run
from salix.typing import InputError
from tests.audit.planted import plant


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    return {kind: plant(root / (kind or "clean"), kind) for kind in ("", "jpeg", "size")}


def audited(data, out, *options):
    status = main(["audit", str(data), "--out", str(out), "--group-by", "-1", *options])
    return status, json.loads((out / "audit.json").read_text()) if status == 0 else None


@pytest.mark.parametrize(
    ("kind", "alarms"),
    [
        ("", set()),
        ("jpeg", {"joint", "jpeg_quality", "jpeg_luma", "jpeg_chroma", "bytes_per_pixel"}),
        ("size", {"joint", "width", "height"}),
    ],
)
def test_a_planted_shortcut_is_caught_and_clean_data_are_silent(material, tmp_path, kind, alarms):
    status, data = audited(material[kind], tmp_path)
    assert status == 0
    assert alarms <= set(data["alarms"])
    assert bool(data["alarms"]) == bool(alarms)
    assert (data["classes"], data["groups"]) == (["real", "fake"], [10, 10])
    assert data["headline"].startswith("None detected" if not alarms else "All properties")
    assert "safe" not in data["headline"]
    page = (tmp_path / "audit.html").read_text()
    assert data["headline"] in page
    assert "at most 5 %" in page
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", page)


def test_a_bad_image_is_a_counted_skip_and_its_name_is_escaped(tmp_path, capsys):
    root = plant(tmp_path / "data")
    folder = next((root / "fake").iterdir())
    (folder / "<b>.jpg").write_bytes(b"\xff\xd8\xff no image")
    status, data = audited(root, tmp_path / "out")
    assert (status, data["skipped"]) == (0, 1)
    assert "1 images could not be read" in capsys.readouterr().err
    assert "&lt;b&gt;.jpg" in (tmp_path / "out" / "audit.html").read_text()
    rows = pq.read_table(tmp_path / "out" / "audit.parquet").to_pylist()
    assert sum(row["skipped"] is not None for row in rows) == 1
    assert {"id", "label", "group", "format", "jpeg_quality"} <= set(rows[0])


def test_properties_are_read_again_and_measured_again_for_other_data(tmp_path, monkeypatch):
    root, out = plant(tmp_path / "data", videos=5), tmp_path / "out"
    before = audit_images(root, out=out)
    monkeypatch.setattr("salix.audit.audit.measure", lambda *a, **k: 1 / 0)
    np.testing.assert_array_equal(audit_images(root, out=out).images.values, before.images.values)
    image = next(root.rglob("*.jpg"))
    image.write_bytes(image.read_bytes() + b"more")
    with pytest.raises(ZeroDivisionError):
        audit_images(root, out=out)


def test_boxes_of_a_table_are_audited(tmp_path):
    root = plant(tmp_path / "data", videos=6)
    lines = ["path,left,top,right,bottom,pose,note"]
    for n, path in enumerate(sorted(root.rglob("*.jpg"))):
        side = 30 if "fake" in path.parts else 20 + n % 3
        lines.append(f"{path.relative_to(root)},2,2,{2 + side},{2 + side},{n % 5},text")
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    audit = audit_images(root, out=tmp_path / "out", table=tmp_path / "boxes.csv")
    keys = {s.number.key: s for s in audit.screening.properties}
    assert {"box_width", "box_height", "box_share", "table_pose"} <= set(keys)
    assert keys["box_share"].alarming
    assert not keys["table_pose"].alarming
    assert keys["box_share"].medians[1] == pytest.approx(900 / 48**2)


def errors(capsys, *arguments):
    assert main(["audit", *map(str, arguments)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    return next(line for line in lines if line.startswith("salix:"))


def test_data_that_cannot_be_audited_are_one_line(material, tmp_path, capsys):
    clean, out = material[""], ["--out", tmp_path / "out"]
    assert "of 1 class (real)" in errors(capsys, f"real={clean}", *out)
    flat = next((clean / "real").iterdir())
    assert "none of the 2 images has a label" in errors(capsys, flat, *out)
    few = [f"real={next((clean / c).iterdir())}" for c in ("real",)]
    few += [f"fake={next(next((clean / 'fake').iterdir()).iterdir())}"]
    assert "2 of real and 1 of fake: an audit compares images" in errors(capsys, *few, *out)
    one = errors(capsys, clean, *out, "--group-by", "^()")
    assert "group" in one
    splits = tmp_path / "splits"
    for split in ("train", "test"):
        plant(splits / split, videos=1)
    assert "are parts of a data set" in errors(capsys, splits, *out)
    assert "give it too" in errors(capsys, clean, *out, "--cut", "conv2")
    (tmp_path / "table.csv").write_text("path,x\nnothing,1\n")
    assert "has none of the 40 images" in errors(
        capsys, clean, *out, "--table", tmp_path / "table.csv"
    )


def test_copies_have_one_coding_and_size(material):
    source = open_source([str(material["jpeg"])])
    for copies in (Recoded(source, 60), Recoded(source, 60, 24)):
        sizes = {copies.read(i).size for i in range(0, 40, 7)}
        assert sizes == {(24, 24) if copies.side else (48, 48)}
    assert Recoded(source, 60).identity() != Recoded(source, 61).identity()
    with pytest.raises(InputError, match="8 to 4096"):
        Recoded(source, 60, 3)
    grey = Recoded(Arrays(np.full((1, 9, 9), 128, np.uint8)), 90)
    assert np.abs(np.asarray(grey.read(0)).astype(int) - 128).max() <= 1


def detector(kind):
    """A detector of edges, which JPEG removes, or of a size: by the mean of the frequencies."""

    def logits(params, image):
        edges = jnp.abs(jnp.diff(image, axis=1)).mean() * params["scale"]
        return jnp.stack([edges, -edges])

    return salix.from_function(
        logits, {"scale": jnp.float32(1)}, preprocess=Preprocess((48, 48)), name=kind
    )


@pytest.mark.slow
def test_a_detector_of_the_coding_loses_on_copies_and_resumes(material, tmp_path):
    model, params = detector("edges")
    model = replace(model, weights=LoadedWeights(3, 1, 0, ("head.kernel",)))
    options = {"model": model, "params": params, "attribution": Gradient(), "name": "edges"}
    audit = audit_images(material["jpeg"], out=tmp_path, **options)
    codec, size = audit.detector.comparisons
    assert audit.settings["quality"] == 40
    assert audit.detector.area.value > 0.8
    assert codec.alarming
    assert codec.difference.value == pytest.approx(audit.detector.area.value - codec.area.value)
    assert -1 <= codec.ssim.low <= codec.ssim.value <= 1
    assert -1 <= size.spearman.value < 1
    page = write_audit(audit, tmp_path).read_text()
    assert "one coding: JPEG of quality 40" in page
    digest = Run(tmp_path / "runs" / "original").manifest["config"]["weights"][:12]
    assert f"sha256 {digest}, 3 arrays of the file taken, 1 ignored" in page
    assert "Of the detector, 1 parameters are not in the weight file" in page
    assert "<dd>head.kernel</dd>" in page
    parts = {p: p.stat().st_mtime_ns for p in tmp_path.glob("runs/*/*.parquet")}
    assert len(parts) >= 3
    again = audit_images(material["jpeg"], out=tmp_path, **options)
    assert again.detector == audit.detector
    assert parts == {p: p.stat().st_mtime_ns for p in tmp_path.glob("runs/*/*.parquet")}


def test_a_model_of_other_classes_and_other_copies_are_refused(material, tmp_path):
    model, params = salix.from_function(
        lambda p, x: jnp.zeros(3), preprocess=Preprocess((8, 8)), classes=("real", "fake", "other")
    )
    with pytest.raises(InputError, match="give a JPEG quality"):
        audit_images(material[""], out=tmp_path, quality=101)
    with pytest.raises(InputError, match="3 classes"):
        audit_images(material[""], out=tmp_path, model=model, params=params or {})


@pytest.mark.parametrize("source", ["boxes", "landmarks"])
def test_the_size_of_faces_is_audited_and_pixels_are_theirs(tmp_path, source):
    root = plant(tmp_path / "data", videos=6)
    paths = sorted(root.rglob("*.jpg"))
    header, lines = ["id", *(BOX if source == "boxes" else POINTS)], []
    for n, path in enumerate(paths):
        side = 30 if "fake" in path.parts else 20 + n % 3
        corners = [2, 3, 2 + side, 3 + side]
        if source == "landmarks":  # of equal spread
            corners = [2, 3, 2 + side, 3, 2, 3 + side, 2 + side, 3 + side, 5, 5]
        lines.append([str(path.relative_to(root)), *map(str, corners)])
    lines[0][1:] = [""] * (len(header) - 1)
    table = tmp_path / "faces.csv"
    table.write_text("\n".join(",".join(row) for row in [header, *lines]))
    rule = FaceRule(margin=0.1, align=16 if source == "landmarks" else None)
    audit = audit_images(FaceCrops(open_source([str(root)]), table, rule), out=tmp_path / "out")
    keys = {s.number.key: s for s in audit.screening.properties}
    assert keys["face_share"].alarming
    assert keys["face_width"].number.kind == "face"
    assert keys["face_share"].medians[1] == pytest.approx(900 / 48**2)
    assert audit.images.skipped[0] is not None
    assert "no face" in audit.images.skipped[0]
    position = dict(zip(KEYS, audit.images.values[1], strict=True))
    assert (position["width"], position["height"]) == (48, 48)
    face = np.asarray(audit.source.read(1), float)
    assert position["red"] == pytest.approx(face[..., 0].mean())
    assert position["bytes_per_pixel"] == pytest.approx(paths[1].stat().st_size / 48**2)


def test_faces_of_the_command_line(tmp_path, capsys):
    root = plant(tmp_path / "data", videos=6)
    table = tmp_path / "faces.csv"
    names = [str(p.relative_to(root)) for p in sorted(root.rglob("*.jpg"))]
    table.write_text("\n".join(["id,x0,y0,x1,y1", *(f"{name},4,4,40,44" for name in names)]))
    status, data = audited(root, tmp_path / "out", "--boxes", str(table))
    assert status == 0
    assert {p["key"] for p in data["properties"]} >= {"face_width", "face_share"}
    assert data["settings"]["faces"].startswith("cut out by boxes with a margin of 0 %")
    crops = FaceCrops(open_source([str(root)]), table)
    assert Recoded(crops, 50).read(0).size == (36, 40)
    sizes = measure(crops, workers=1)
    assert common_value(sizes, np.arange(4), EDGES, SIDES) == 36
    assert "--several max is one face" in errors(
        capsys, root, "--out", tmp_path / "o", "--boxes", table, "--several", "max"
    )
