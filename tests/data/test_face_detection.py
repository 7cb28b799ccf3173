"""Faces that the detector detects: against marked faces, in tables, runs and the cache."""

import csv

import numpy as np
import pytest
from PIL import Image

import salix
from salix.attribution import Gradient
from salix.cli import main
from salix.cli.face_options import FaceOptions
from salix.data import (
    Arrays,
    FaceCrops,
    FaceDetector,
    FaceRule,
    Folder,
    Unreadable,
    detect_faces,
    face_detection,
)
from salix.data.face_detector import MOST, _apart, _mean_boxes
from salix.report.face_crops import describe_rule
from salix.typing import InputError

skdata = pytest.importorskip("skimage.data")
EYES_AND_MOUTH = np.array([(202, 100), (246, 102), (224, 146)])  # of the astronaut, by hand


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SALIX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "faces"


@pytest.fixture(scope="module")
def photograph():
    return Image.fromarray(skdata.astronaut())


def marks_in(box, marks):
    return ((marks > box[:2]) & (marks < box[2:])).all()


@pytest.mark.parametrize("scale", [0.25, 1, 3])
def test_the_box_covers_the_face_at_every_size(photograph, scale):
    side = int(512 * scale)
    boxes = FaceDetector()(photograph.resize((side, side)))
    assert boxes.shape == (1, 4)
    assert marks_in(boxes[0], EYES_AND_MOUTH * scale)
    assert (80 * scale < boxes[0, 2:] - boxes[0, :2]).all()
    assert (boxes[0, 2:] - boxes[0, :2] < 130 * scale).all()


def test_two_faces_and_where_they_are(photograph):
    both = Image.new("RGB", (700, 300), (90, 120, 160))
    both.paste(photograph.crop((100, 0, 350, 250)), (20, 30))
    both.paste(photograph.crop((100, 0, 350, 250)).resize((180, 180)), (450, 100))
    boxes = FaceDetector()(both)
    assert len(boxes) == 2
    large, small = boxes[np.argsort(-boxes[:, 2] + boxes[:, 0])]
    assert marks_in(large, EYES_AND_MOUTH - (100, 0) + (20, 30))
    assert marks_in(small, (EYES_AND_MOUTH - (100, 0)) * 0.72 + (450, 100))


def test_small_crops_of_faces_and_of_backgrounds():
    crops = skdata.lfw_subset()
    crops = np.clip(crops * (255 if crops.max() <= 1 else 1), 0, 255).astype(np.uint8)
    detector = FaceDetector(smallest=0.3)
    rates = [np.mean([len(detector(c)) > 0 for c in crops[some]]) for some in np.s_[:50, 100:150]]
    assert rates[0] > 0.8
    assert rates[1] < 0.1


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (3000, 2), (24, 24)])
def test_images_without_a_face(size):
    for pixels in (np.zeros(size), np.random.default_rng(0).integers(0, 256, size)):
        assert FaceDetector()(pixels.astype(np.uint8)).shape == (0, 4)


def test_other_kinds_of_images(photograph):
    expected = FaceDetector()(photograph)
    for image in (np.asarray(photograph), photograph.convert("RGBA")):
        np.testing.assert_array_equal(FaceDetector()(image), expected)
    grey = np.asarray(photograph.convert("L"))
    np.testing.assert_array_equal(FaceDetector()(grey[..., None]), FaceDetector()(grey))
    with pytest.raises(Unreadable, match="float64"):
        FaceDetector()(grey / 255)


def test_windows_are_means_of_groups_and_bounded():
    near = np.array([(0, 0, 24, 24), (2, 2, 26, 26), (4, 0, 28, 24)], float)
    far = near[:2] + 100
    boxes, counts = _mean_boxes(np.concatenate([near, far]))
    np.testing.assert_allclose(boxes, [near.mean(0), far.mean(0)])
    assert counts.tolist() == [3, 2]
    many = np.tile(np.array([(0, 0, 24, 24)], float), (MOST + 1000, 1))
    assert _mean_boxes(many)[1].tolist() == [MOST]
    assert _mean_boxes(np.zeros((0, 4)))[0].shape == (0, 4)


def test_of_overlapping_faces_the_first_is_left():
    boxes = np.array([(0, 0, 10, 10), (20, 0, 30, 10), (1, 1, 5, 5), (9, 0, 19, 10)], float)
    np.testing.assert_array_equal(_apart(boxes), boxes[[0, 1, 3]])


def test_values_out_of_range():
    for options, message in [
        ({"smallest": 0.001}, "smallest is 0.001: give a fraction"),
        ({"smallest": 0.5, "largest": 0.2}, "give a larger largest"),
        ({"scale": 1.0}, "scale is 1.0: give a factor from 1.02"),
        ({"step": 0}, "step is 0: give 24ths of a window"),
    ]:
        with pytest.raises(InputError, match=message):
            FaceDetector(**options)
    assert len(FaceDetector(smallest=0.2, largest=0.2, neighbours=1)(skdata.astronaut())) == 1


@pytest.fixture
def folder(tmp_path, photograph):
    root = tmp_path / "data"
    for name, image in [("real/a.png", photograph), ("fake/b.png", photograph.resize((200, 200)))]:
        (root / name).parent.mkdir(parents=True)
        image.save(root / name)
    wide = np.asarray(photograph.convert("L"), np.uint16) * 257
    Image.fromarray(wide).save(root / "real/deep.png")
    Image.new("RGBA", (1, 1)).save(root / "fake/dot.png")
    (root / "fake/broken.png").write_bytes(b"no image")
    return root


def test_the_table_is_what_boxes_reads(folder, tmp_path, capsys):
    for name in ("faces.csv", "faces.parquet"):
        assert main(["faces", str(folder), "--out", str(tmp_path / name)]) == 0
        text = capsys.readouterr().out
        assert "3 of 5 images have a face, 0 of them several; 1 cannot be read" in text
    with (tmp_path / "faces.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "x0", "y0", "x1", "y1"]
    assert [row[0] for row in rows[1:]] == list(Folder(folder).ids)
    source = Folder(folder)
    detected = FaceOptions(faces="detect", margin=0.1).cut(source)
    assert isinstance(detected, FaceCrops)
    for name in ("faces.csv", "faces.parquet"):
        read = FaceOptions(tmp_path / name, margin=0.1).cut(source)
        assert isinstance(read, FaceCrops)
        np.testing.assert_array_equal(read.faces.boxes, detected.faces.boxes)
        for index in (0, 3, 4):
            np.testing.assert_array_equal(detected.read(index), read.read(index))
        for crops in (read, detected):
            for index, reason in ((1, "not an image"), (2, "no face")):
                with pytest.raises(Unreadable, match=reason):
                    crops.read(index)


def test_a_stopped_detection_goes_on(folder, cache, monkeypatch):
    monkeypatch.setattr(face_detection, "CHUNK", 2)
    source = Folder(folder)
    expected = detect_faces(source, FaceDetector(), workers=1)
    assert expected.unreadable == (1,)
    files = sorted(cache.glob("*/*"))
    assert len(files) == 3
    files[1].write_bytes(files[1].read_bytes()[:-8])
    calls = []
    detected = FaceDetector.__call__
    monkeypatch.setattr(
        FaceDetector, "__call__", lambda self, image: calls.append(1) or detected(self, image)
    )
    again = detect_faces(source, FaceDetector(), workers=1)
    np.testing.assert_array_equal(again.boxes, expected.boxes)
    assert len(calls) == 2  # those of the damaged file alone
    detect_faces(source, FaceDetector(smallest=0.2))
    assert len(list(cache.iterdir())) == 2
    (folder / "fake/broken.png").write_bytes((folder / "real/a.png").read_bytes())
    assert len(detect_faces(source, FaceDetector()).boxes) == 4


@pytest.mark.slow
def test_runs_state_the_detector(folder, tmp_path):
    model, params = salix.from_function(
        lambda params, image: np.array([0.0, 1.0]) * (params * image.mean()),
        np.float32(1),
        classes=("real", "fake"),
        preprocess=salix.Preprocess((4, 4)),
    )
    rule, source = FaceRule(no_face="whole"), Folder(folder)
    crops = FaceCrops(source, detect_faces(source, FaceDetector()), rule)
    run = salix.sweep(model, params, crops, Gradient(), out=tmp_path / "run", batch_size=4)
    assert run.manifest["config"]["data"]["faces"]["detector"] == repr(FaceDetector())
    assert "detected by a cascade of local binary patterns, FaceDetector(" in describe_rule(run)
    other = FaceCrops(source, detect_faces(source, FaceDetector(scale=1.2)), rule)
    with pytest.raises(InputError, match=r"data\.faces"):
        salix.sweep(model, params, other, Gradient(), out=tmp_path / "run", batch_size=4)


def test_bad_options_are_one_line(tmp_path):
    source = Arrays(np.zeros((1, 8, 8), np.uint8), keys=["a"])
    for options, message in [
        ({"faces": "detect", "align": 64}, "--align needs five landmarks"),
        ({"faces": "detect", "boxes": tmp_path}, "--boxes and --faces: give one"),
        ({"faces": "guess"}, "--faces: unknown 'guess': choose one of detect, FaceDetector"),
        ({"faces": "FaceDetector(step=0)"}, "step is 0"),
    ]:
        with pytest.raises(InputError, match=message):
            FaceOptions(**options).cut(source)
    source = Arrays(skdata.astronaut()[None], keys=["a"])
    faces = detect_faces(source, FaceDetector())
    with pytest.raises(InputError, match="no landmarks to align by"):
        FaceCrops(source, faces, FaceRule(align=64))
    assert main(["faces", str(tmp_path), "--out", "faces.txt"]) == 2
