"""Shares of maps on the parts of a face: a slow definition, planted maps, and where it is shown."""

import json

import numpy as np
import pytest
from scipy import stats

from salix.analysis import Frame
from salix.analysis.face_parts import FaceParts, face_part_table
from salix.analysis.generators import find_generators
from salix.analysis.part_shares import part_labels, part_shares, part_weights
from salix.data.face_rule import FaceRule
from salix.report import write
from salix.report.face_layout import face_layout
from salix.report.sections import face_parts, sections_with
from salix.typing import Column, InputError

ARCFACE = FaceRule(margin=0.25, align=112).identity()
FACES = {"count": 18, "fingerprint": "f", "faces": ARCFACE}


@pytest.fixture
def planted_faces(planted, simulated):
    """Return a run of 18 aligned faces in subsets; maps of `fake` lie on the mouth of the crop."""

    def make(seed=0, name="one", *, cut=True):
        rng, size = np.random.default_rng(seed), 28
        mouth = part_weights(face_layout_of(0.25), (size, size))[..., 4] > 0.5
        rows = simulated(18, seed, grid=(size, size))
        for i, row in enumerate(rows):
            map = rng.integers(0, 20, (size, size))
            map[mouth] += 200 * (i % 2)
            row |= {"id": f"{('real', 'gan', 'real', 'sd')[i % 4]}/{i}.png"}
            row |= {"map": map.ravel().tolist(), "group": f"clip {i // 3}"}
        options = {"columns": (Column("group", dtype="string"),), "extra": ("group",)}
        data = FACES if cut else None
        return planted(rows, name=name, group="g", grid=(size, size), data=data, **options)

    return make


def face_layout_of(margin):
    scale = 1 + 2 * margin
    return FaceParts((0.46 + margin) / scale, (0.82 + margin) / scale, 0.315 / scale)


def test_shares_are_those_of_a_slow_definition_and_add_to_one(monkeypatch):
    monkeypatch.setattr("salix.analysis.part_shares.BLOCK", 150)  # two maps of three
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 256, (3, 7, 10)).astype(np.uint8)
    labels = part_labels(FaceParts())
    # 224 is no multiple of 10: in 10 x as many pixels each lies in one pixel of the map.
    fine = np.kron(labels, np.ones((1, 10), int))
    shares = part_shares(maps, part_weights(FaceParts(), (7, 10)))
    for map, own in zip(maps, shares, strict=True):
        enlarged = np.kron(map, np.ones((32, 224))).astype(float)
        slow = [enlarged[fine == p].sum() / enlarged.sum() for p in range(1, 13)]
        np.testing.assert_allclose(own, slow, rtol=1e-10)
    np.testing.assert_allclose(shares.sum(1), 1)
    mouth = (labels == 5)[None].astype(np.float32)
    np.testing.assert_allclose(part_shares(mouth, part_weights(FaceParts(), (224, 224)))[0, 4], 1)
    assert np.isnan(part_shares(np.zeros((1, 4, 4)), part_weights(FaceParts(), (4, 4)))).all()


def test_intervals_of_one_run_are_over_images_and_of_several_over_runs_too(planted_faces):
    run, again = planted_faces(), planted_faces(1, "two")
    layout = face_layout(run)
    frames = [Frame(run), Frame(again)]
    table = face_part_table(frames[:1], [layout])
    assert [row.generator for row in table.rows] == ["real", "gan", "sd"]
    gan = table.rows[1]
    maps = run.read(["map"])["map"][[1, 5, 9, 13, 17]]
    slow = part_shares(maps, part_weights(layout, (28, 28)))[:, 4]
    assert gan.shares[4].value == pytest.approx(slow.mean())
    assert table.rows[0].shares[4].clusters == 6  # of 9 images
    np.testing.assert_allclose(gan.mean, maps.mean(0) / 255)
    both = face_part_table(frames, [layout] * 2).rows[1]
    assert both.runs == 2
    assert both.images == 5
    own = [face_part_table([f], [layout]).rows[1].shares[4].value for f in frames]
    assert both.shares[4].value == pytest.approx(np.mean(own))
    free = face_part_table(frames[:1], [layout], by="group")
    assert [row.generator for row in free.rows] == [f"clip {i}" for i in range(6)]
    three = part_shares(run.read(["map"])["map"][:3], part_weights(layout, (28, 28)))[:, 4]
    low, high = stats.t.interval(0.95, 2, three.mean(), stats.sem(three))
    assert free.rows[0].shares[4].clusters == 0
    np.testing.assert_allclose(
        [free.rows[0].shares[4].low, free.rows[0].shares[4].high], np.clip([low, high], 0, 1)
    )


def test_the_crop_moves_the_parts(planted_faces, planted, simulated):
    at = face_layout(planted_faces())
    assert (at.eyes, at.mouth, at.distance) == pytest.approx((0.71 / 1.5, 1.07 / 1.5, 0.21))
    assert face_layout(planted(simulated(4, 0), grid=(8, 8))) is None
    text = "Preprocess(size=(224, 224), fit='crop', resize=256)"
    run = planted_faces(name="two")
    faces = {"faces": FaceRule(align=256).identity()}
    run.manifest["config"] |= {"preprocess": text, "data": faces}
    cut = face_layout(run)
    assert cut.eyes == pytest.approx((0.46 * 256 - 16) / 224)
    assert cut.distance == pytest.approx(0.315 * 256 / 224)


def test_the_page_shows_parts_of_faces_alone_or_by_the_users_word(planted_faces, tmp_path):
    run = planted_faces()
    run.manifest["config"]["data"]["faces"]["no_face"] = "whole"
    page = write([run], tmp_path / "a.html", sections=(face_parts.build,)).read_text()
    assert "No landmarks are detected; parts are those of an upright centred crop" in page
    assert "Images without a face, which were taken as a whole, count as such crops" in page
    assert "the user’s word" not in page
    data = json.loads((tmp_path / "a.json").read_text())["face_parts"]
    shares = {row["generator"]: row["shares"]["mouth"] for row in data}
    assert shares["sd"]["low"] > 3 * shares["sd"]["area"]
    assert shares["real"]["value"] == pytest.approx(shares["real"]["area"], rel=0.2)
    other = planted_faces(name="two", cut=False)
    page = write([other], tmp_path / "b.html", sections=(face_parts.build,)).read_text()
    assert "Where on the face" not in page
    sections = sections_with(layout=FaceParts())
    page = write([other], tmp_path / "c.html", sections=sections).read_text()
    assert "the user’s word" in page


def test_subsets_of_both_classes_are_divided_and_many_groups_refused(planted, simulated):
    rows = simulated(84, 0)
    for i, row in enumerate(rows):
        row |= {"id": f"{'ab'[i % 3 % 2]}/{i}.png", "group": f"clip {i // 2}"}
    group = {"columns": (Column("group", dtype="string"),), "extra": ("group",)}
    frame = Frame(planted(rows, grid=(8, 8), **group))
    assert find_generators([frame]).names == ("a, real", "b, forged", "a, forged", "b, real")
    assert find_generators([frame], "class").names == ("real", "forged")
    with pytest.raises(InputError, match="have 42 groups"):
        find_generators([frame], "group")
