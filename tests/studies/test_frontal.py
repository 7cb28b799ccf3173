"""Frontal faces: losses by slow versions, alignment, turned views, pairs and measures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.cli import main
from salix.models.facemesh import EYES, MOUTH, NOSE
from salix.models.tpgan import Synthesis
from salix.models.tpgan_patches import patch_boxes
from salix.studies.frontal.alignment import (
    AlignedFace,
    align,
    alignment,
    compose,
    take_apart,
    width_of,
)
from salix.studies.frontal.data import Pose, pair_poses
from salix.studies.frontal.folder import folder_pairs
from salix.studies.frontal.loss_terms import (
    adversarial_loss,
    discriminator_loss,
    identity_loss,
    laplacian,
    symmetry_loss,
    total_variation,
)
from salix.studies.frontal.losses import PUBLISHED, RELEASED, weighted_loss
from salix.studies.frontal.measures import ImageFeatures, first_ranks, similarities
from salix.studies.frontal.meshes import MeshDetector, Meshes, five_landmarks
from salix.studies.frontal.recogniser import FaceRecogniser
from salix.studies.frontal.rotation import turn
from salix.studies.frontal.salience import areas, part_masses, similarity_maps
from salix.typing import InputError

RNG = np.random.default_rng(0)


def slow_symmetry(x, *, stopped=None):
    """Sum over pixel pairs in float64; `stopped` replaces the left half by a constant."""
    n, h, w, c = x.shape
    left = x if stopped is None else stopped
    total = 0.0
    for b, y, k in np.ndindex(n, h, c):
        for column in range(w // 2):
            total += abs(left[b, y, column, k] - x[b, y, w - 1 - column, k])
    return total / (n * c * h * (w // 2))


def slow_laplacian(x):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = -9 * x
    for dy in range(3):
        for dx in range(3):
            out = out + padded[:, dy : dy + x.shape[1], dx : dx + x.shape[2]]
    return out


def slow_variation(x):
    n, h, w, c = x.shape
    total = 0.0
    for b, y, i, k in np.ndindex(n, h, w, c):
        total += abs(x[b, y, i + 1, k] - x[b, y, i, k]) if i + 1 < w else 0
        total += abs(x[b, y + 1, i, k] - x[b, y, i, k]) if y + 1 < h else 0
    return total / (n * c)


def slope(function, x, step=1e-6):
    """Central differences in float64."""
    out = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        out[i] = (function(up) - function(down)) / (2 * step)
    return out


def agree(fast, slow, x):
    value, gradient = jax.value_and_grad(lambda a: fast(a))(jnp.asarray(x, jnp.float32))
    assert float(value) == pytest.approx(slow(x), rel=1e-5)
    np.testing.assert_allclose(gradient, slope(slow, x), atol=2e-5)


@pytest.mark.slow
def test_symmetry_and_variation_by_slow_versions():
    x = RNG.normal(size=(2, 3, 4, 2))
    agree(symmetry_loss, slow_symmetry, x)
    agree(lambda a: symmetry_loss(a, stopped=True), lambda a: slow_symmetry(a, stopped=x), x)
    agree(lambda a: symmetry_loss(laplacian(a)), lambda a: slow_symmetry(slow_laplacian(a)), x)
    agree(total_variation, slow_variation, x)
    assert float(symmetry_loss(x, "sum")) == pytest.approx(slow_symmetry(x) * 3 * 2, rel=1e-5)


@pytest.mark.parametrize("kind", ["minimax", "smoothed", "hinge"])
def test_adversarial_losses_by_probabilities(kind):
    real, fake = RNG.normal(size=6), RNG.normal(size=6)

    def cross_entropy(z, target):
        p = 1 / (1 + np.exp(-z))
        return -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()

    target = {"minimax": 1.0, "smoothed": 0.9}.get(kind)

    def slow(z):
        return -z.mean() if target is None else cross_entropy(z, target)

    def critic(z):
        if target is None:
            return np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + z).mean()
        return cross_entropy(real, target) + cross_entropy(z, 0.0)

    agree(lambda z: adversarial_loss(z, kind), slow, fake)
    agree(lambda z: discriminator_loss(jnp.asarray(real, jnp.float32), z, kind), critic, fake)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [PUBLISHED, RELEASED], ids=["published", "released"])
def test_the_loss_of_a_preset_by_a_slow_version(loss):
    images = [RNG.random((2, s, s, 3)) for s in (8, 4, 2)]
    targets = [RNG.random(i.shape) for i in images]
    patches, wanted = RNG.random((2, 3, 4, 3)), RNG.random((2, 3, 4, 3))
    maps, others = RNG.random((2, 2, 3, 4)), RNG.random((2, 2, 3, 4))
    logits, labels = RNG.normal(size=(2, 5)), np.array([1, 4])
    single = [a.astype(np.float32) for a in images]
    synthesis = Synthesis(
        tuple(map(jnp.asarray, single)), (jnp.asarray(patches, jnp.float32),),
        jnp.zeros((2, 256)), jnp.asarray(logits, jnp.float32),
    )  # fmt: skip
    critic = np.float32([0.3, -0.2])
    terms = loss.terms(
        synthesis, targets, [wanted], labels, critic,
        (maps, maps.mean((1, 2))), (others, others.mean((1, 2))),
    )  # fmt: skip

    def reduced(a, b):
        return np.abs(a - b).mean() * (a.shape[1] * a.shape[2] if loss.reduction == "sum" else 1)

    pixel = sum(w * reduced(i, t) for w, i, t in zip(loss.scales, images, targets, strict=True))
    if loss.stopped:
        pooled = images[0].reshape(2, 4, 2, 4, 2, 3).mean((2, 4))
        beside = [np.concatenate([i, slow_laplacian(i)], -1) for i in images[1:]]
        halves = [(x, x.shape[1] * x.shape[2] // 2) for x in (pooled, *beside)]
        symmetry = sum(slow_symmetry(x) * count for x, count in halves)
    else:
        symmetry = sum(slow_symmetry(i) + slow_symmetry(slow_laplacian(i)) for i in images)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    embedding = np.abs(maps.mean((1, 2)) - others.mean((1, 2))).mean()
    goal = 0.9 if loss.kind == "smoothed" else 1.0
    q = 1 / (1 + np.exp(-critic))
    slow = {
        "pixel": pixel,
        "local": reduced(patches, wanted),
        "symmetry": symmetry,
        "variation": slow_variation(images[0]),
        "classes": -np.log(p[[0, 1], labels]).mean(),
        "adversarial": -(goal * np.log(q) + (1 - goal) * np.log(1 - q)).mean(),
        "identity": reduced(maps, others) + embedding,
    }
    assert {n: float(v) for n, v in terms.items()} == pytest.approx(slow, rel=2e-5)
    total = sum(loss.weights()[name] * value for name, value in slow.items())
    assert float(weighted_loss(terms, loss.weights())) == pytest.approx(total, rel=2e-5)
    assert float(identity_loss((maps, maps.mean((1, 2))), (maps, maps.mean((1, 2))))) == 0


def test_alignment_puts_eyes_and_mouth_in_their_places():
    points = np.array([[50.0, 60], [90, 70], [65, 90], [48, 110], [78, 118]])
    face = align(RNG.integers(0, 255, (150, 140, 3), dtype=np.uint8), points, 64)
    eyes, mouth = face.landmarks[:2], face.landmarks[3:].mean(0)
    np.testing.assert_allclose(eyes.mean(0), [64, 40], atol=1e-9)
    assert eyes[0, 1] == pytest.approx(eyes[1, 1])
    assert mouth[1] == pytest.approx(88)
    twice = face.mirrored().mirrored()
    np.testing.assert_allclose(twice.landmarks, face.landmarks)
    with pytest.raises(InputError, match="landmarks are missing"):
        alignment(points * np.nan)
    with pytest.raises(InputError, match="mouth is above"):
        alignment(points * [1, -1])


@pytest.mark.parametrize("side", [32, 64, 128])
def test_pictures_of_examples_are_taken_apart_again(side):
    image, front = RNG.integers(0, 255, (2, side, side, 3), dtype=np.uint8)
    points = np.array([[30.0, 40], [60, 41], [70, 66], [40, 88], [60, 90]])
    picture = compose(AlignedFace(image, points), front)
    assert picture.shape == (side, width_of(side), 3)
    face, truth, patches = take_apart(picture[None], side)
    np.testing.assert_array_equal(face[0], image)
    np.testing.assert_array_equal(truth[0], front)
    for patch, (top, left, bottom, right) in zip(
        patches, patch_boxes(side, points).values(), strict=True
    ):
        np.testing.assert_array_equal(patch[0], image[top:bottom, left:right])


def head(count=468):
    """A face as half an ellipsoid of 80 x 100 pixels around (60, 60), and its image."""
    grid = np.random.default_rng(1).uniform(-1, 1, (4000, 2))
    grid = grid[np.hypot(*grid.T) < 0.97][:count]
    points = np.column_stack([grid * [40, 50] + 60, -35 * np.sqrt(1 - (grid**2).sum(1))])
    places = {
        EYES[0][0]: (40, 45),
        EYES[0][1]: (52, 45),
        EYES[1][0]: (80, 45),
        EYES[1][1]: (68, 45),
    }
    places |= {NOSE: (60, 60), MOUTH[0]: (48, 82), MOUTH[1]: (72, 82)}
    for index, (x, y) in places.items():
        unit = np.array([(x - 60) / 40, (y - 60) / 50])
        points[index] = x, y, -35 * np.sqrt(1 - (unit**2).sum())
    return np.full((120, 120, 3), 40, np.uint8), points


@pytest.mark.slow
def test_a_view_shows_points_of_the_face_where_the_mesh_is_turned_to():
    image, points = head()
    for index in (NOSE, EYES[0][1]):
        x, y = np.rint(points[index, :2]).astype(int)
        image[y - 2 : y + 3, x - 2 : x + 3] = 250
    ((view, turned),) = turn(image, points, [30])
    for index in (NOSE, EYES[0][1]):
        x, y = np.rint(turned[index, :2]).astype(int)
        assert (view[y, x] == 250).all()
    assert turned[NOSE, 0] > 70  # the nose moves to the right
    meshes = [Meshes(p[None], np.ones(1)).yaw[0] for p in (points, turned)]
    assert meshes == pytest.approx([0, 30], abs=0.01)
    ((same, still),) = turn(image, points, [0])
    assert (same != image).mean() < 1e-3  # of equally near samples the next one may be shown
    np.testing.assert_allclose(still, points)
    with pytest.raises(InputError, match="at most 75"):
        turn(image, points, [90])


def test_pairs_turn_to_one_side_and_leave_out_what_has_no_pair():
    def face(value):
        points = np.array([[44.0, 41], [86, 41], [64, 65], [48, 89], [82, 89]])
        return AlignedFace(
            np.full((32, 32, 3), value, np.uint8) // 32 * np.arange(32, dtype=np.uint8)[:, None],
            points,
        )

    names = ("a", "b", "c", "d", "alone")
    fronts = {name: face(10 * i) for i, name in enumerate(names)}
    poses = [Pose(f"{n}-l", n, -30.0, face(200), "30°") for n in names[:4]]
    poses.append(Pose("e-l", "e", 30.0, face(200), "30°"))
    data = pair_poses(poses, fronts, test=2, seed=0, skipped={"x": "no face"}, origin="drawn")
    assert data.subjects == ("a", "b", "c", "d")
    assert "one pose" in data.skipped["alone"]
    assert data.skipped["e-l"] == "e has no frontal image"
    assert (data.yaw == 30).all()
    left = [take_apart(data.pictures, 32)[0][0], face(200).mirrored().image]
    np.testing.assert_array_equal(*left)
    assert data.test.sum() == 2
    with pytest.raises(InputError, match="leave at least two"):
        pair_poses(poses[:2], fronts, test=2, seed=0, skipped={}, origin="drawn")


def test_salience_sums_to_the_cosine_and_shares_to_one():
    maps, gallery = RNG.random((3, 4, 4, 6)), RNG.random((3, 6))
    means = maps.mean((1, 2))
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    features = ImageFeatures(maps, unit)
    cosine = [u @ g / np.linalg.norm(g) for u, g in zip(unit, gallery, strict=True)]
    np.testing.assert_allclose(similarity_maps(features, gallery).sum((1, 2)), cosine)
    shares = part_masses(RNG.random((2, 7, 7)), np.repeat(five_landmarks(head()[1][None]), 2, 0))
    np.testing.assert_allclose(sum(v for n, v in shares.items() if n != "near"), 1)
    eyes = 2 * 40 * 40 / 128**2
    assert areas()["eyes"] == pytest.approx(eyes)
    cosines = similarities(features, ImageFeatures(maps, unit))
    assert first_ranks(cosines, np.arange(3)).all()
    assert not first_ranks(np.zeros((2, 3)), np.array([0, 1])).any()  # ties are no hits


def test_a_folder_and_a_recogniser_that_do_not_fit_are_explained(tmp_path):
    with pytest.raises(InputError, match="one folder for each subject"):
        folder_pairs(tmp_path, side=32, test=2, detector=MeshDetector())
    with pytest.raises(InputError, match="multiple of 32"):
        FaceRecogniser(None, None, 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--side", "50"), "side is 50: give a multiple of 32"),
        (("--width", "3"), "width is 3: give a multiple of 8"),
        (("--subjects", "0"), "subjects is 0"),
        (("--epochs", "0"), "epochs is 0"),
    ],
)
def test_unusable_sizes_are_refused_before_any_work(
    options, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("salix.studies.frontal.run.FaceRecogniser", None)
    assert main(["study", "frontal", *options, "--out", str(tmp_path)]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
