"""Pairs of faces: parts of the face, the exact last layer, identities, and the page."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from salix.analysis.part_shares import part_weights
from salix.cli import main
from salix.data.assets import olivetti
from salix.models import load_faceres
from salix.models.faceres import preprocess_faces
from salix.perturb.face_parts import FaceParts
from salix.studies.siamese import PairAttribution
from salix.studies.siamese.faces import FaceEncoder, shuffle_patches
from salix.studies.siamese.pairs import similarity
from salix.typing import InputError

OLIVETTI = FaceParts(eyes=0.26, mouth=0.7, distance=0.49)
pytestmark = [pytest.mark.slow, pytest.mark.assets]


@pytest.fixture(scope="module")
def encoder(asset):
    return FaceEncoder(load_faceres(asset("faceres")), OLIVETTI)


@pytest.fixture(scope="module")
def files(asset, tmp_path_factory):
    """Two photographs of each of two people."""
    asset("olivetti")
    folder = tmp_path_factory.mktemp("faces")
    images, _ = olivetti()
    for index in (0, 5, 20, 27):
        Image.fromarray(images[index]).convert("RGB").save(folder / f"{index}.png")
    return [str(folder / f"{index}.png") for index in (0, 5, 20, 27)]


def test_faces_of_one_person_are_more_similar(encoder, files):
    method = PairAttribution(layer=14, reference="zeros", steps=1)
    items = [encoder.integrate(method, file) for file in files]
    scores = [[float(similarity(method, a, b).scores.score) for b in items] for a in items]
    same, different = (scores[0][1], scores[2][3]), np.array(scores)[:2, 2:]
    assert min(same) > different.max() + 0.1


def test_the_last_layer_is_exact_and_summed_over_parts(encoder, files):
    method = PairAttribution(layer=14, reference="zeros", steps=1)
    a, b = (encoder.integrate(method, file) for file in files[:2])
    pair = similarity(method, a, b)
    x, y = (
        np.asarray(encoder.encoder.layer(preprocess_faces(encoder.pixels(f))[None], 14)[0])
        for f in files[:2]
    )
    labels = part_weights(OLIVETTI, (7, 7)).argmax(-1)
    norm = np.linalg.norm(x.mean((0, 1))) * np.linalg.norm(y.mean((0, 1)))
    for i, first in enumerate(a.word_names):
        for j, second in enumerate(b.word_names):
            left = x[labels == FaceParts.parts.index(first)].sum(0)
            right = y[labels == FaceParts.parts.index(second)].sum(0)
            expected = left @ right / 49**2 / norm
            np.testing.assert_allclose(pair.words[i, j], expected, atol=1e-5)
    np.testing.assert_allclose(pair.words.sum(), pair.scores.score, atol=1e-5)


def test_the_residual_falls_below_the_wanted_one(encoder, files):
    # The path of a network of ReLU6 is not smooth: the error is of first order in the steps.
    method = PairAttribution(layer=13, steps=4, rule="midpoint", residual=0.03)
    pair = similarity(method, *(encoder.integrate(method, file) for file in files[:2]))
    assert max(pair.a.side.residual, pair.b.side.residual) <= 0.03
    assert abs(float(pair.scores.residual)) < 0.08
    total = pair.scores.score - pair.scores.a_reference - pair.scores.reference_b
    np.testing.assert_allclose(
        pair.words.sum(), total + pair.scores.references + pair.scores.residual, atol=1e-6
    )


def test_unusable_faces_are_refused(encoder, files, tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(InputError, match=r"a\.png"):
        encoder.integrate(PairAttribution(), str(tmp_path / "a.png"))
    with pytest.raises(InputError, match="layer is 15: the encoder has layers 0 to 14"):
        encoder.integrate(PairAttribution(layer=15), files[0])
    with pytest.raises(InputError, match="reference 'mask' is of sentences"):
        encoder.integrate(replace(PairAttribution(), reference="mask"), files[0])


def test_the_command_writes_a_page_of_faces(files, tmp_path, capsys):
    layout = "FaceParts(eyes=0.26, mouth=0.7, distance=0.49)"
    options = ["--layer", "14", "--steps", "1", "--face-parts", layout, "--out", str(tmp_path)]
    assert main(["similar", "--faces", *files, *options]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results["pairs"]) == 6
    assert {results["pairs"][0]["a"], results["pairs"][0]["b"]} in (set(files[:2]), set(files[2:]))
    text = (tmp_path / "similar.html").read_text()
    assert text.count("data:image/jpeg;base64,") == 12
    assert "left eye" in text
    controls = {c["name"]: c for c in results["controls"]}
    assert list(controls) == ["shuffled patches", "random encoder", "shuffled matrix"]
    assert controls["shuffled matrix"]["mean"] < controls["shuffled patches"]["mean"]


def test_shuffled_patches_are_put_back(encoder, files):
    image = np.arange(14 * 14).reshape(14, 14, 1)
    order = np.random.default_rng(0).permutation(49)
    shuffled = shuffle_patches(image, order)
    for place in (0, 8, 48):
        y, x, a, b = (2 * n for n in (*divmod(place, 7), *divmod(int(order[place]), 7)))
        assert np.array_equal(shuffled[y : y + 2, x : x + 2], image[a : a + 2, b : b + 2])
    method = PairAttribution(layer=14, reference="zeros", steps=1)
    own = encoder.integrate(method, files[0]).side.sums
    same = SimpleNamespace(permutation=np.arange)
    np.testing.assert_allclose(encoder.shuffle(method, files[0], same).sums, own, atol=1e-6)
    other = np.asarray(encoder.shuffle(method, files[0], np.random.default_rng(1)).sums)
    assert np.abs(other - own).max() > 0.01 * np.abs(own).max()
    random = encoder.randomise(0).integrate(method, files[0]).side
    assert np.abs(np.asarray(random.sums) - own).max() > 0.01 * np.abs(own).max()
