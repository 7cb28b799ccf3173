"""Faces cut out of images by a table: boxes, alignment, none and several, and their runs."""

import re

import numpy as np
import pytest
from PIL import Image

import salix
from salix.analysis import analyse
from salix.attribution import Gradient
from salix.cli.data_options import DataOptions
from salix.cli.face_options import FaceOptions
from salix.data import Arrays, FaceCrops, FaceRule, Grouped, Joined, Unlabelled, Unreadable
from salix.data.face_cut import align_face, canonical_landmarks, similarity
from salix.data.face_sources import face_rule
from salix.data.face_table import POINTS
from salix.data.videos import split_frame_id
from salix.report.face_crops import describe_rule
from salix.typing import InputError

KEYS = ["real/a.png", "fake/b.png", "fake/c.png"]
BOXES = (
    "id,x0,y0,x1,y1\nreal/a.png,2,4,10,12\nfake/b.png,0,0,4,4\nfake/b.png,8,8,16,16\n"
    "fake/b.png,20,20,28,28\nelse.png,1,1,2,2\nfake/c.png,,,,\n"
)


@pytest.fixture
def source():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    return Arrays(pixels, keys=KEYS, names=[0, 1, 1], reference_masks=pixels[..., 0])


@pytest.fixture
def boxes(tmp_path):
    return written(tmp_path, BOXES)


def written(folder, text, name="faces.csv"):
    file = folder / name
    file.write_text(text)
    return file


def test_the_largest_or_the_first_face_with_its_mask(source, boxes, caplog):
    crops = FaceCrops(source, boxes)
    assert "faces.csv: 1 of 6 rows are of images that are not in the data" in caplog.text
    assert list(crops.ids) == KEYS
    assert list(crops.labels) == [0, 1, 1]
    for index, (x, y) in enumerate([(2, 4), (8, 8)]):  # equal areas: the first of them
        part = np.s_[y : y + 8, x : x + 8]
        np.testing.assert_array_equal(np.asarray(crops.read(index)), source.read(index)[part])
        mask = crops.reference_mask(index)
        np.testing.assert_array_equal(mask, source.reference_mask(index)[part])
    assert crops.reference_mask(0).shape == (8, 8)  # also without reading the image before
    with pytest.raises(Unreadable, match="no face"):
        crops.read(2)
    first = FaceCrops(source, boxes, FaceRule(several="first", no_face="whole"))
    assert first.read(1).size == (4, 4)
    assert first.read(2).size == (32, 32)
    assert not first.fixed_scores


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        (FaceRule(margin=0.25), np.s_[2:14, 0:12]),
        (FaceRule(margin=9.0), np.s_[0:32, 0:32]),
        (FaceRule(square=True), np.s_[4:12, 2:10]),
    ],
)
def test_margin_up_to_the_edge(source, boxes, rule, part):
    crop = FaceCrops(source, boxes, rule).read(0)
    np.testing.assert_array_equal(np.asarray(crop), source.read(0)[part])


def test_square_boxes_and_masks_of_another_size(tmp_path):
    mask = np.zeros((1, 16, 16), np.uint8)
    mask[:, 4:8, 4:8] = 255
    source = Arrays(np.zeros((1, 32, 32), np.uint8), keys=["a"], reference_masks=mask)
    file = written(tmp_path, "id,x0,y0,x1,y1\na,8,10,16,14\n")
    crops = FaceCrops(source, file, FaceRule(square=True))
    assert crops.read(0).size == (8, 8)
    assert crops.reference_mask(0).shape == (8, 8)
    assert crops.reference_mask(0)[1:-1, 1:-1].min() == 255


def test_every_face_is_a_row_of_its_image(source, boxes):
    crops = FaceCrops(source, boxes, FaceRule(several="all"))
    faces = [f"fake/b.png#face={i}" for i in range(3)]
    assert list(crops.ids) == ["real/a.png", *faces, "fake/c.png"]
    assert list(crops.groups) == [None, *["fake/b.png"] * 3, None]
    assert list(crops.labels) == [0, 1, 1, 1, 1]
    assert crops.read(3).size == (8, 8)
    assert FaceCrops(Grouped(source, 1), boxes, FaceRule(several="all")).groups[1] == "fake"
    id = "a/clip.mp4#frame=12&t=0.480"
    assert split_frame_id(f"{id}&face=3") == ("a/clip.mp4", 12, 0.48)


def test_alignment_is_the_similarity_of_scikit_image():
    transform = pytest.importorskip("skimage.transform")
    points = canonical_landmarks(112, 0.0) @ np.array([[0.3, 0.9], [-0.9, 0.3]]) + (90, 7)
    points += np.random.default_rng(1).normal(0, 2, (5, 2))
    target = canonical_landmarks(64, 0.15)
    expected = transform.SimilarityTransform.from_estimate(points, target)
    np.testing.assert_allclose(similarity(points, target), expected.params[:2], atol=1e-9)
    # A photograph that the transform enlarges, sampled at the same places
    y, x = np.mgrid[:200, :200]
    pixels = (127 + 60 * np.sin(x / 17) + 60 * np.cos(y / 23)).astype(np.uint8)
    aligned = np.asarray(align_face(Image.fromarray(pixels), points, 256, margin=0.15))
    forth = transform.SimilarityTransform.from_estimate(points, canonical_landmarks(256, 0.15))
    warped = transform.warp(pixels, forth.inverse, output_shape=(256, 256), order=1)
    inner = np.s_[60:190, 60:190]
    assert np.abs(aligned[inner] - 255 * warped[inner]).max() < 2


def test_alignment_by_a_table(source, tmp_path):
    points = (canonical_landmarks(16, 0.0) + 5).reshape(-1).tolist()
    rows = [("real/a.png", points), ("fake/b.png", [3.0] * 10)]
    lines = [",".join(["id", *POINTS]), *(",".join([i, *map(str, p)]) for i, p in rows)]
    crops = FaceCrops(source, written(tmp_path, "\n".join(lines)), FaceRule(align=16))
    same = source.read(0)[5:21, 5:21].astype(int)
    assert np.abs(np.asarray(crops.read(0)).astype(int) - same).max() <= 1
    assert crops.reference_mask(0).shape == (16, 16)
    with pytest.raises(Unreadable, match="coincide"):
        crops.read(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,x0,y0,x1\na,1,2,3\n", "no column y1: give id, x0, y0, x1, y1, in pixels"),
        ("id,x0,y0,x1,y1\nb,1,2,3,4\n", "none of its 1 ids is in the data, 'b' first"),
        ("id,x0,y0,x1,y1\na,1,2,3,\n", "line 2: some of x0, y0, x1, y1 have no number"),
        ("id,x0,y0,x1,y1\na,1,2,3,inf\n", "line 2: y1 is 'inf': give a finite number"),
        ("id,x0,y0,x1,y1\na,1,2,3,x\n", "line 2: y1 is 'x': give a number"),
        ("id,x0,y0,x1,y1\n,1,2,3,4\n", "line 2 has no id"),
    ],
)
def test_bad_tables_are_one_line(tmp_path, text, message):
    source = Arrays(np.zeros((1, 8, 8), np.uint8), keys=["a"])
    with pytest.raises(InputError, match=re.escape(message)):
        FaceCrops(source, written(tmp_path, text))


def test_bad_boxes_are_skipped_with_the_reason(tmp_path):
    source = Arrays(np.zeros((2, 8, 8), np.uint8), keys=["a", "b"])
    file = written(tmp_path, "id,x0,y0,x1,y1\na,9,0,12,4\nb,3,0,3,4\n")
    crops = FaceCrops(source, file)
    with pytest.raises(Unreadable, match=r"9 0 12 4, is outside of the image of 8 x 8 .*line 2"):
        crops.read(0)
    with pytest.raises(Unreadable, match=r"3 0 3 4, has no area \(of line 3 of the table\)"):
        crops.read(1)


def test_bad_rules_and_options(source, boxes):
    for options, message in [
        ({"margin": -1.0}, "margin is -1.0: give a fraction"),
        ({"no_face": "score:1"}, "no_face is 'score:1': give skip, whole, or score:0.5"),
        ({"several": "some"}, "several is 'some': choose one of largest"),
        ({"square": True, "align": 64}, "exclude each other"),
    ]:
        with pytest.raises(InputError, match=message):
            FaceRule(**options)
    with pytest.raises(InputError, match="--no-face is 'none'"):
        FaceOptions(boxes, no_face="none").cut(source)
    with pytest.raises(InputError, match="--margin is of the faces of --boxes"):
        FaceOptions(margin=0.1).cut(source)
    crops = FaceCrops(source, boxes)
    assert face_rule(Unlabelled(crops)) == FaceRule()
    for twice in (FaceCrops(crops, boxes), Joined({"x": crops})):
        with pytest.raises(InputError, match="cut faces once"):
            face_rule(twice)


def means(params, image):
    return np.array([0.0, 1.0]) * (params * (image**2).mean())


@pytest.fixture
def sweep(tmp_path):
    """Return a function that sweeps a model whose second logit is the mean of the face."""
    preprocess = salix.Preprocess((4, 4))
    model, params = salix.from_function(means, np.float32(1), preprocess=preprocess)

    def run(data, out):
        return salix.sweep(model, params, data, Gradient(), out=tmp_path / out, batch_size=8)

    return run


@pytest.mark.slow
def test_runs_state_their_rule_and_fixed_scores(source, boxes, sweep):
    rule = FaceRule(margin=0.5, no_face="score:0.25")
    run = sweep(FaceCrops(source, boxes, rule), "fixed")
    rows = run.rows
    np.testing.assert_allclose(rows["logits"][2], [0, np.log(1 / 3)], rtol=1e-6)
    assert rows["predicted"].tolist() == rows["target"].tolist() == [1, 1, 0]
    assert rows["constant_map"].tolist() == [False, False, True]
    assert np.isnan(rows["gini"][2])
    assert np.isfinite(rows["gini"][:2]).all()
    faces = run.manifest["config"]["data"]["faces"]
    assert faces["no_face"] == "score:0.25"
    assert "a margin of 50 % on each side" in describe_rule(run)
    assert "has the fixed probability 0.25 of the second class and no map" in describe_rule(run)
    with pytest.raises(InputError, match=r"data\.faces\.margin"):
        sweep(FaceCrops(source, boxes, FaceRule(no_face="score:0.25")), "fixed")
    other = written(boxes.parent, BOXES.replace("8,8,16,16", "8,8,16,17"), "other.csv")
    with pytest.raises(InputError, match=r"data\.faces\.table"):
        sweep(FaceCrops(source, other, rule), "fixed")


def test_the_most_forged_face_stands_for_its_image(boxes, sweep):
    pixels = np.zeros((3, 32, 32, 3), np.uint8)
    pixels[0] = 90
    pixels[1, 8:16, 8:16] = 200  # the second face
    pixels[1, 20:28, 20:28] = 100
    source = Arrays(pixels, keys=KEYS, names=[0, 1, 1])
    run = sweep(FaceCrops(source, boxes, FaceRule(several="max")), "max")
    assert run.other_faces.tolist() == [1, 3]
    rows = run.read(["id", "index", "logits"])
    assert rows["id"].tolist() == KEYS[:2]
    assert rows["index"].tolist() == [0, 2]
    np.testing.assert_allclose(rows["logits"][:, 1], [(90 / 255) ** 2, (200 / 255) ** 2], rtol=1e-5)
    summary = analyse([run]).summary.runs[0]
    assert (summary.images, summary.skipped, summary.count) == (2, 1, 3)
    assert summary.complete
    assert summary.numbers["auc"].value == 1
    assert len(run.table) == 5
    assert "the one with the greatest probability" in describe_rule(run)


def test_options_of_the_command_line(tmp_path, boxes):
    for key in KEYS:
        file = tmp_path / "data" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(file)
    options = DataOptions((str(tmp_path / "data"),), faces=FaceOptions(boxes, margin=0.25))
    crops = options.source()
    assert crops.read(list(crops.ids).index("real/a.png")).size == (12, 12)


def test_models_of_three_classes_have_no_second_one(source, boxes, tmp_path):
    model, params = salix.from_function(
        lambda params, image: params * image.mean((0, 1)),
        np.float32(1),
        classes=("a", "b", "c"),
        preprocess=salix.Preprocess((4, 4)),
    )
    data = FaceCrops(source, boxes, FaceRule(several="max"))
    with pytest.raises(InputError, match="need a model of two classes"):
        salix.sweep(model, params, data, Gradient(), out=tmp_path / "run")
