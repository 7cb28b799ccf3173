"""STRExp on a transparent recogniser: maps, selectivity, localisation, material and the study."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from salix.attribution import FeatureAblation
from salix.data import Unreadable
from salix.engine.step import Step
from salix.models.attention_reader import AttentionReader
from salix.models.recognisers import Recogniser, load_recogniser
from salix.store import Run
from salix.studies.strexp import decoder
from salix.studies.strexp import run as study_run
from salix.studies.strexp.decoder import DecoderSetting, trained_decoder
from salix.studies.strexp.folder import folder_words
from salix.studies.strexp.localisation import localise
from salix.studies.strexp.maps import ReadWord, combine_maps, explain_word, score_of
from salix.studies.strexp.problem import WordExamples
from salix.studies.strexp.reading import read_images
from salix.studies.strexp.run import WordStudy
from salix.studies.strexp.segments import SEGMENTATIONS, patch_labels, stroke_labels
from salix.studies.strexp.selectivity import (
    STEPS,
    area,
    background,
    rank_of,
    removal_curves,
    segment_means,
)
from salix.studies.strexp.study import run_strexp
from salix.studies.strexp.words import CONDITIONS, WordImage, draw_words, render_word
from salix.typing import InputError

BLOCKS = 16  # frames of 8 columns
PASSES: list[int] = []


def features(params, images):
    """Ink in each of 16 columns and of 4 bands of rows, [b 1 16 4]."""
    jax.debug.callback(lambda _: PASSES.append(1), images.mean())  # one call for each image
    ink = (1 - images[..., 0]) / 2
    return ink.reshape(len(images), 4, 8, BLOCKS, 8).mean((2, 4)).swapaxes(1, 2)[:, None]


def classify(params, features):
    """Class 1 to 4 by the band with ink, the blank without: logits [b 16 5]."""
    bands = params * features[:, 0]
    return jnp.concatenate([jnp.full((*bands.shape[:2], 1), 2.0), bands], -1)


READER = Recogniser("reader", "abcd", features, classify)
PARAMS = jnp.float32(8)


def drawn(*places):
    """A white image with black blocks at (band, column)."""
    image = np.full((32, 128, 1), 1, np.float32)
    for band, column in places:
        image[8 * band : 8 * band + 8, 8 * column : 8 * column + 8] = -1
    return image


def read_of(image, word, frames, longest=3):
    flags = np.zeros((longest, BLOCKS), bool)
    for i, frame in enumerate(frames):
        flags[i, frame] = True
    padded = np.array([*word, *[0] * (longest - len(word))], np.int32)
    return ReadWord(image, padded, flags, patch_labels(image).astype(np.int32))


@pytest.fixture(scope="module")
def read():
    return read_of(drawn((0, 2), (2, 9)), (1, 3), (2, 9))


METHOD = FeatureAblation(chunk=18)


@pytest.fixture(scope="module")
def maps(read):
    PASSES.clear()
    score = partial(score_of, READER, PARAMS, read, kind="substitution")
    result = jax.jit(lambda key: explain_word(METHOD, score, read, key))(jax.random.key(0))
    jax.effects_barrier()
    return np.asarray(result)


@pytest.mark.slow
def test_one_pass_serves_the_word_and_all_its_characters(maps):
    assert len(PASSES) == 37  # 36 segments and the image, for three maps


@pytest.mark.slow
def test_maps_are_the_drops_of_each_score(read, maps):
    scores = [
        jax.jit(score_of(READER, PARAMS, read, np.int32(at), kind="substitution"))
        for at in range(3)
    ]
    white = np.asarray(background(read.image))
    for at in (0, 1, 2):
        full = scores[at](read.image)
        for segment in (0, 2, 17, 20):
            inside = read.labels == segment
            drop = full - scores[at](np.where(inside[..., None], white, read.image))
            np.testing.assert_allclose(maps[at][inside], drop, atol=1e-5)
    assert (maps[3] == 0).all()  # padding


@pytest.mark.slow
def test_strexp_is_the_map_of_the_mean_score(read, maps):
    def mean(image):
        parts = [score_of(READER, PARAMS, read, np.int32(at), kind="substitution") for at in (1, 2)]
        return (parts[0](image) + parts[1](image)) / 2

    local, both = combine_maps(jnp.asarray(maps), read.length)
    direct = jax.jit(lambda key: explain_word(METHOD, lambda at: mean, read, key))(
        jax.random.key(1)
    )[0]
    np.testing.assert_allclose(local, direct, atol=1e-5)
    np.testing.assert_allclose(both, maps[:3].mean(0), atol=1e-6)


@pytest.mark.slow
def test_characters_are_localised_above_the_controls(read, maps):
    extents = np.zeros((3, 32, 128), bool)
    extents[0, :8, 16:24] = extents[1, 16:24, 72:80] = True
    values = localise(jnp.asarray(maps), jnp.asarray(extents), read.length, jax.random.key(0))
    mass, uniform = np.asarray(values["mass"]), np.asarray(values["uniform"])
    assert (mass[:2] > 0.2).all()
    assert (uniform[:2] < 0.02).all()
    for control in ("uniform", "rolled", "others", "word"):
        assert (mass[:2] > np.asarray(values[control])[:2]).all(), control
    assert all(np.isnan(np.asarray(v)[2]) for v in values.values())
    ideal = jnp.asarray(extents.astype(np.float32)[[0, 0, 1, 2]])
    exact = localise(ideal, jnp.asarray(extents), read.length, jax.random.key(1))
    np.testing.assert_allclose(np.asarray(exact["mass"])[:2], 1)
    np.testing.assert_allclose(np.asarray(exact["others"])[:2], 0)
    np.testing.assert_allclose(np.asarray(exact["word"])[:2], [1, 0])


@pytest.mark.slow
def test_curves_fall_where_the_word_is_removed(read):
    labels = np.asarray(read.labels)
    ink = np.unique(labels[(np.asarray(read.image) < 0)[..., 0]])
    first = np.argsort([s not in ink for s in range(36)], kind="stable")
    ranks = np.stack([np.argsort(first), np.argsort(first[::-1])]).astype(np.int32)
    curves = partial(removal_curves, READER, PARAMS, read)
    accuracy, confidence = jax.jit(curves)(jnp.asarray(ranks), jax.random.key(0))
    assert accuracy[0, 0, 0] == 1
    assert accuracy[0, 0, STEPS.tolist().index(8)] == 0
    rest = 36 - len(ink) >= STEPS
    assert (np.asarray(accuracy)[1, 0, rest] == 1).all()  # blank paper by blank paper
    np.testing.assert_allclose(confidence[1, 0, rest], confidence[1, 0, 0], rtol=1e-5)
    areas = np.asarray(area(accuracy, 36))
    assert areas[0, 0] < areas[1, 0]


def test_area_is_that_of_trapezoids():
    curve = np.random.default_rng(0).uniform(size=(2, len(STEPS))).astype(np.float32)
    np.testing.assert_allclose(
        area(jnp.asarray(curve), 36), np.trapezoid(curve, STEPS / 36, axis=-1), rtol=1e-5
    )
    places = np.minimum(STEPS, 5) / 5  # of an image of five segments
    np.testing.assert_allclose(
        area(jnp.asarray(curve), 5), np.trapezoid(curve, places, axis=-1), rtol=1e-5
    )
    assert np.isclose(area(jnp.ones(len(STEPS)), 12), 1)


def test_ranks_are_by_the_mean_of_segments(read):
    map = np.random.default_rng(0).normal(size=(32, 128)).astype(np.float32)
    means = segment_means(jnp.asarray(map), jnp.asarray(read.labels))
    expected = [map[np.asarray(read.labels) == s].mean() for s in range(36)]
    np.testing.assert_allclose(means, expected, atol=1e-6)
    ranks = np.asarray(rank_of(means, jax.random.key(0)))
    assert (np.argsort(ranks) == np.argsort(-np.array(expected))).all()
    two = segment_means(jnp.asarray(map), jnp.zeros((32, 128), jnp.int32))
    assert np.asarray(rank_of(two, jax.random.key(0)))[0] == 0  # segments without pixels are last


@pytest.mark.parametrize("stretched", [True, False])
def test_extents_are_those_of_the_ink(stretched):
    for condition in CONDITIONS:
        image = render_word("Bridge", condition, stretched=stretched, seed=3)
        again = render_word("Bridge", condition, stretched=stretched, seed=3)
        assert (image.pixels == again.pixels).all()
        assert image.extents.shape == (6, 32, 128)
        centres = [np.flatnonzero(e.any(0)).mean() for e in image.extents]
        assert (np.diff(centres) > 0).all()
        if condition in ("plain", "distorted"):
            assert (image.pixels[~image.extents.any(0)] > 150).all()
    with pytest.raises(InputError, match="no condition 'fog'"):
        render_word("Bridge", "fog", stretched=True, seed=0)
    assert len(set(draw_words(50, seed=0))) == 50
    assert draw_words(9, seed=1) == draw_words(9, seed=1)


def test_segments_are_at_most_36_without_gaps():
    image = render_word("Bridge", "noise", stretched=False, seed=0).pixels / np.float32(127.5) - 1
    for name, segment in SEGMENTATIONS.items():
        labels = segment(image[..., None])
        assert labels.shape == (32, 128), name
        assert labels.max() < 36, name
        assert (np.unique(labels) == np.arange(labels.max() + 1)).all()
    strokes = stroke_labels(drawn((0, 2), (2, 9)))
    assert strokes.max() == 1
    assert strokes[3, 20] != strokes[20, 75]
    assert (stroke_labels(np.zeros((32, 128, 1), np.float32)) == 0).all()


def word_image(name, truth, *places):
    pixels = np.rint((drawn(*places)[..., 0] + 1) * 127.5).astype(np.uint8)
    return WordImage(name, "drawn", truth, pixels)


def test_words_that_cannot_be_explained_are_counted():
    images = [
        word_image("ac", "ac", (0, 2), (2, 9)),
        word_image("empty", "ac"),
        word_image("unknown", "", (1, 3)),
        word_image("foreign", "xy", (1, 3)),
    ]
    reading = partial(read_images, READER, PARAMS, images, patch_labels)
    predicted = reading()
    assert predicted.words == ("ac", "b", "b")
    assert predicted.skipped == (("empty", "the prediction is empty: nothing to explain"),)
    assert np.flatnonzero(predicted.reads.frames[0, 1]).tolist() == [9]
    true = reading(explained="truth")
    assert true.words == ("ac", "ac")
    assert [name for name, _ in true.skipped] == ["unknown", "foreign"]
    assert "'x', 'y', which reader cannot read" in true.skipped[1][1]
    with pytest.raises(InputError, match="no word of 1 images can be explained"):
        read_images(READER, PARAMS, images[1:2], patch_labels)


def test_words_are_examples_and_those_left_out_are_skipped():
    images = [word_image("ac", "ac", (0, 2), (2, 9)), word_image("b\n", "", (1, 3))]
    read = read_images(READER, PARAMS, [*images, word_image("empty", "ac")], patch_labels)
    examples = WordExamples(read)
    assert examples.ids == ("ac", "b\\n", "empty")
    arrays = examples.load(1)
    assert all(a.shape == s.shape for a, s in zip(arrays, examples.shapes, strict=True))
    np.testing.assert_array_equal(arrays[0], read.reads.image[1])
    with pytest.raises(Unreadable, match="the prediction is empty"):
        examples.load(2)
    rows = [examples.describe(i, arrays) for i in range(2)]
    assert [row["group"] for row in rows] == ["ac", "b\\n"]
    assert rows[1]["explained"] == rows[1]["prediction"] == "b"
    assert {c.name for c in examples.columns} == set(rows[0])
    assert examples.identity() == WordExamples(read).identity()
    other = [word_image("ac", "ac", (0, 2), (2, 10)), images[1]]  # another image of the name
    changed = WordExamples(read_images(READER, PARAMS, other, patch_labels))
    assert changed.identity()["words"] != examples.identity()["words"]
    assert "skipped" not in changed.identity()


def test_a_folder_of_images(tmp_path):
    Image.fromarray(word_image("", "", (0, 2)).pixels).save(tmp_path / "a.png")
    Image.new("L", (60, 20), 255).save(tmp_path / "blank.png")
    (tmp_path / "damaged.png").write_bytes(b"no image")
    Image.fromarray(word_image("", "", (1, 2)).pixels).save(tmp_path / "b.png")
    (tmp_path / "words.csv").write_text("\ufefffile,word\na.png,cat\nb.png\nc.png,d\n", "utf-8")
    images, skipped = folder_words(tmp_path, stretched=False)
    assert [(i.name, i.truth) for i in images] == [("a.png", "cat"), ("b.png", "")]
    assert images[0].pixels.shape == (32, 128)
    assert [name for name, _ in skipped] == ["blank.png", "damaged.png", "c.png"]
    assert "without text" in skipped[0][1]
    with pytest.raises(InputError, match="has no images"):
        folder_words(tmp_path / "none", stretched=True)
    (tmp_path / "words.csv").write_text("name,word\n")
    with pytest.raises(InputError, match="has name, word: give a first line with file and word"):
        folder_words(tmp_path, stretched=True)
    (tmp_path / "words.csv").write_text("file,word\na.png,Straße\n", "latin-1")
    with pytest.raises(InputError, match="save it as CSV in UTF-8"):
        folder_words(tmp_path, stretched=True)
    (tmp_path / "words.csv").unlink()
    for name in "ab":
        (tmp_path / f"{name}.png").unlink()
    with pytest.raises(InputError, match=r"none of 2 images has a word; blank\.png: an image of"):
        folder_words(tmp_path, stretched=True)


@pytest.mark.slow
def test_a_study_writes_tables_and_a_page(tmp_path, monkeypatch):
    places = [((0, 2), (2, 9)), ((1, 4), (3, 8)), ((0, 1), (1, 12))]
    truths = ["ac", "bd", "aa"]
    images = [word_image(t, t, *p) for t, p in zip(truths, places, strict=True)]
    monkeypatch.setattr(study_run, "load_recogniser", lambda *_: (READER, PARAMS))
    monkeypatch.setattr(study_run, "fetch", lambda name: name)
    monkeypatch.setattr(study_run, "study_images", lambda study: (images, (("x.png", "bad"),)))
    run = partial(run_strexp, tmp_path, WordStudy(), methods=("Gradient()",))
    page = run().read_text()
    tables = json.loads((tmp_path / "results.json").read_text())
    assert (tables["explained"], tables["read right"]) == (3, 2)
    assert tables["skipped"] == [["x.png", "bad"]]
    assert "aa read as <b>ab</b>" in page
    assert page.count("<figure") == 3
    names = {row["of"][0] for row in tables["selectivity"]}
    assert {"Gradient(), word", "Shapley, STRExp (GL)", "random"} <= names
    assert [row["skipped"] for row in Run(tmp_path / "words").skipped] == ["bad"]
    monkeypatch.setattr(Step, "compile", None)  # all words are measured already
    assert run().read_text() == page


def test_a_decoder_of_positions_has_scores_of_its_own(read):
    reader = Recogniser("positions", "abcd", features, classify, "position")
    frames = np.asarray(reader.logits(PARAMS, read.image[None])[0])
    logs = frames - np.log(np.exp(frames).sum(-1, keepdims=True))
    for at, expected in (
        (0, logs[0, 1] + logs[1, 3] + logs[2, 0]),
        (1, logs[0, 1]),
        (2, logs[1, 3]),
    ):
        score = score_of(reader, PARAMS, read, np.int32(at), kind="substitution")
        assert np.isclose(score(read.image), expected, atol=1e-4)


@pytest.mark.slow
def test_a_decoder_is_trained_once_above_fixed_convolutions(tmp_path, monkeypatch):
    legere = load_recogniser("legere", seed=3)
    monkeypatch.setattr(decoder, "load_recogniser", lambda *_: legere)
    train = partial(trained_decoder, tmp_path, "none")
    setting = DecoderSetting(strings=8, steps=3, batch=4)
    reader, params = train(setting)
    images = np.stack(
        [render_word(w, "plain", stretched=False, seed=0).pixels for w in ("ab", "c")]
    )
    x = images[..., None] / np.float32(127.5) - 1
    features = legere[0].features(legere[1], x)
    np.testing.assert_array_equal(reader.features(params, x), features)
    assert reader.logits(params, x).shape == (2, decoder.POSITIONS, len(decoder.ALPHABET) + 1)
    monkeypatch.setattr(decoder, "train_decoder", None)
    again = train(setting)
    np.testing.assert_array_equal(again[0].logits(again[1], x), reader.logits(params, x))
    module = AttentionReader(5, 3, nnx.Rngs(0))
    frames = np.asarray(module.rnn(features[:, 0]))
    keys, values = np.asarray(module.keys(frames)), np.asarray(module.values(frames))
    for image, position in np.ndindex(2, 3):  # each glimpse by itself
        products = keys[image] @ np.asarray(module.queries[...][position]) / np.sqrt(128)
        weights = np.exp(products - products.max())
        glimpse = (weights / weights.sum()) @ values[image]
        logits = module.classify(features)[image, position]
        np.testing.assert_allclose(logits, module.head(glimpse), atol=1e-4)
    logits = np.zeros((2, 3, 5), np.float32)
    loss = decoder.position_loss(logits, np.array([[1, 2, 0], [4, 0, 3]], np.int32))
    assert np.isclose(loss, np.log(5))
    weights = np.array([[[0.5, 0.1], [0.3, 0.2], [0.2, 0.7]]], np.float32)
    own = np.array([[[True, False], [True, False], [False, False]]])
    assert np.isclose(decoder.attention_loss(weights, own), -np.log(0.8), atol=1e-5)


def test_unusable_settings_are_refused():
    with pytest.raises(InputError, match="--conditions 'fog': give one of plain"):
        WordStudy(conditions=("fog",))
    with pytest.raises(InputError, match="--words 0"):
        WordStudy(words=0)
