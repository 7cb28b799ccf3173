"""ChaosMining on images and sounds: data, metrics and training against oracles, and the study."""

import json
from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from salix.cli import main
from salix.studies.chaosmining.page import write_page
from salix.studies.chaosmining.signals import trials
from salix.studies.chaosmining.signals.data import SignalSetting, disjoint_choices
from salix.studies.chaosmining.signals.images import BOX, FIXED, SIDE, image_set, photograph
from salix.studies.chaosmining.signals.kinds import KINDS
from salix.studies.chaosmining.signals.metrics import (
    box_iou,
    channel_auc,
    channel_hit,
    channel_share,
    pixel_auc,
)
from salix.studies.chaosmining.signals.scoring import attribute, score_classifier
from salix.studies.chaosmining.signals.sounds import CHANNELS, SAMPLES, STARTS, sound_set

SMALL = 200  # examples
METRICS = ("box IoU", "pixel AUC")


@pytest.fixture(scope="module")
def sets():
    return {
        name: image_set(SignalSetting(name, SMALL), seed=1)
        for name in ("RBFP", "RBRP", "SBFP", "SBRP")
    }


def foregrounds(x, places):
    """Return the boxes of images as digits of 0 to 16, and whether their channels are equal."""
    cut = np.stack([i[t : t + BOX, a : a + BOX] for i, (t, a) in zip(x, places, strict=True)])
    return np.rint((cut[..., 0] + 1) * 8), (np.ptp(cut, axis=-1) == 0).all()


def backgrounds(x, places):
    """Return the pixels outside of the boxes."""
    outside = np.ones((*x.shape[:3], 1), bool)
    for flags, (top, left) in zip(outside, places, strict=True):
        flags[top : top + BOX, left : left + BOX] = False
    return x[np.broadcast_to(outside, x.shape)]


@pytest.mark.parametrize("name", ["RBFP", "RBRP", "SBFP", "SBRP"])
def test_images_have_a_digit_of_their_class_in_their_box(sets, name):
    data, (shapes, classes) = sets[name], load_digits(return_X_y=True)
    assert data.x.shape == (SMALL, SIDE, SIDE, 3)
    assert data.test_x.shape == (SMALL // 10, SIDE, SIDE, 3)
    numbers = []
    parts = ((data.x, data.y, data.places), (data.test_x, data.test_y, data.test_places))
    for x, y, places in parts:
        cut, grey = foregrounds(x, places)
        assert grey
        distances = np.abs(cut.reshape(len(cut), 1, -1) - np.asarray(shapes)).sum(2)
        assert (distances.min(1) == 0).all()
        numbers.append(set(distances.argmin(1)))
        assert (np.asarray(classes)[distances.argmin(1)] == y).all()
    assert not numbers[0] & numbers[1]  # no digit is in both parts
    if name.endswith("FP"):
        assert (data.places == FIXED).all()
    else:
        assert data.places.min() >= 0
        assert data.places.max() == SIDE - BOX - 1
        assert abs(data.places.mean() - (SIDE - BOX - 1) / 2) < 3  # 2 standard errors are 1.4


def test_random_backgrounds_are_uniform_bytes(sets):
    values = backgrounds(sets["RBRP"].x, sets["RBRP"].places)
    bytes_ = np.rint((values + 1) * 127.5)
    np.testing.assert_allclose(values, bytes_ / 127.5 - 1, atol=1e-6)
    counts = np.bincount(bytes_.astype(int), minlength=256)
    expected = counts.sum() / 256
    assert ((counts - expected) ** 2 / expected).sum() < 360  # chi-squared, p = 2e-5 of 255


def test_structured_backgrounds_are_crops_of_photographs_with_parts_for_tests(sets):
    """The first rows of images, looked up among all rows of pixels of a picture."""
    picture = photograph("coffee")
    lefts = range(picture.shape[1] - SIDE + 1)
    rows = {row[left : left + SIDE].tobytes(): left for row in picture for left in lefts}
    columns = []
    for x in (sets["SBFP"].x, sets["SBFP"].test_x):
        tops = np.rint((x[:, 0] + 1) * 127.5).astype(np.uint8)
        columns.append([rows[top.tobytes()] for top in tops if top.tobytes() in rows])
    train, test = columns
    assert len(train) > 10
    assert max(train) + SIDE <= picture.shape[1] * 2 / 3 <= min(test)


def test_a_seed_gives_the_same_images_and_others_differ(sets):
    again = image_set(SignalSetting("SBRP", SMALL), seed=1)
    np.testing.assert_array_equal(again.x, sets["SBRP"].x)
    assert (image_set(SignalSetting("SBRP", SMALL), seed=2).places != again.places).any()


def write_wave(path, wave, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, wave)


def test_recordings_are_their_loudest_part_with_one_loudness(tmp_path):
    """Bursts of one frequency for each class, anywhere in noise that is a thousand times weaker."""
    rng, frequencies = np.random.default_rng(0), {"a": 100, "b": 300}
    for (name, hertz), dtype in zip(frequencies.items(), (np.int16, np.uint8), strict=True):
        for i in range(6):
            wave = rng.normal(0, 1e-3, 16000)
            start = rng.integers(0, 12000)
            burst = 0.1 * (i + 1) * np.sin(2 * np.pi * hertz * np.arange(4000) / 8000)
            wave[start : start + 4000] += burst
            scaled = wave * 30000 if dtype == np.int16 else 128 + wave * 120
            stereo = np.stack([scaled, scaled], 1).round().astype(dtype)
            write_wave(tmp_path / name / f"{i}.wav", stereo)
    (tmp_path / "a" / "cut.wav").write_bytes(b"RIFF....WAVE")
    write_wave(tmp_path / "b" / "silent.wav", np.zeros(10, np.int16))
    (tmp_path / "b" / "note.txt").write_text("no recording")
    own = KINDS["audio"].read(tmp_path)
    assert own.names == ("a", "b")
    assert [name for name, _ in own.skipped] == ["a/cut.wav", "b/silent.wav"]
    assert own.values.shape == (12, SAMPLES)
    np.testing.assert_allclose(own.values.std(1), 0.25, atol=1e-3)
    peaks = np.abs(np.fft.rfft(own.values)).argmax(1)  # cycles in half a second
    np.testing.assert_array_equal(peaks, np.repeat([50, 150], 6))
    data = sound_set(SignalSetting("RBRP", 100, own.digest), own, seed=0)
    cut = data.x[np.arange(100), data.places[:, 0], :, 0]
    distances = np.abs(cut[:, None] - own.values).sum(2)
    assert (distances.min(1) == 0).all()
    assert (own.classes[distances.argmin(1)] == data.y).all()


def test_pictures_of_a_folder_are_foregrounds_in_colour(tmp_path):
    levels = {"blue": (0, 0, 200), "red": (200, 0, 0)}
    for name, colour in levels.items():
        (tmp_path / name).mkdir()
        for i in range(5):
            pixels = np.full((24, 40, 3), colour, np.uint8)
            pixels[:, :8] = pixels[:, 32:] = 255  # outside of the square in the middle
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    own = KINDS["vision"].read(tmp_path)
    data = image_set(SignalSetting("RBFP", 100, own.digest), own, seed=0)
    top, left = FIXED
    boxes = np.rint((data.x[:, top : top + BOX, left : left + BOX] + 1) * 127.5)
    expected = np.asarray(list(levels.values()))[data.y]
    np.testing.assert_array_equal(boxes, np.broadcast_to(expected[:, None, None], boxes.shape))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has 0 folders: give a folder with one folder for each class, 2 to 10"),
        ({"a": 5}, "has 1 folders"),
        ({str(i): 1 for i in range(11)}, "has 11 folders"),
        ({"a": 5, "b": 4}, "b has 4 readable files of wav: give 5 or more"),
    ],
)
def test_unusable_folders_of_foregrounds_are_named(files, message, tmp_path, capsys):
    for name, count in files.items():
        for i in range(count):
            write_wave(tmp_path / "own" / name / f"{i}.wav", np.arange(100, dtype=np.int16))
    (tmp_path / "own").mkdir(exist_ok=True)
    options = ["--kind", "audio", "--foregrounds", str(tmp_path / "own")]
    assert main(["study", "chaosmining", *options, "--out", str(tmp_path / "out")]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_choices_are_disjoint_and_even():
    train, test = disjoint_choices(50, (100, 25), np.random.default_rng(0))
    assert len(np.intersect1d(train, test)) == 0
    assert set(np.bincount(train)[np.unique(train)]) <= {2, 3}
    assert len(np.unique(test)) == 10


def slow_iou(values, corner, side, sigma):
    """Box IoU of one image, by loops over sets of pixels."""
    blurred = np.stack([gaussian_filter(values[..., c], sigma) for c in range(3)], -1)
    strength = np.abs(blurred).mean(-1)
    threshold = np.sort(strength.ravel())[::-1][side**2 - 1]
    rows, columns = np.nonzero(strength >= threshold)
    box = {
        (y, x)
        for y in range(rows.min(), rows.max() + 1)
        for x in range(columns.min(), columns.max() + 1)
    }
    top, left = corner
    truth = {(y, x) for y in range(top, top + side) for x in range(left, left + side)}
    return len(box & truth) / len(box | truth)


def test_box_iou_and_pixel_auc_equal_slow_ones():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 30, 30, 3)).astype(np.float32)
    corners = rng.integers(0, 22, (6, 2))
    for image, (top, left) in zip(values, corners, strict=True):
        image[top : top + 8, left : left + 8] += 1
    ious = box_iou(values, corners, side=8, sigma=1.5)
    expected = [slow_iou(v, c, 8, 1.5) for v, c in zip(values, corners, strict=True)]
    np.testing.assert_allclose(ious, expected)
    assert np.ptp(ious) > 0
    aucs = pixel_auc(values, corners, side=8)
    for auc, image, (top, left) in zip(aucs, values, corners, strict=True):
        inside = np.zeros((30, 30), bool)
        inside[top : top + 8, left : left + 8] = True
        area = roc_auc_score(inside.ravel(), np.abs(image).mean(-1).ravel())
        assert auc == pytest.approx(area, abs=1e-5)


def test_one_stray_pixel_ruins_the_box_and_not_the_area():
    corners = np.array([[24, 24]])
    planted = np.zeros((1, SIDE, SIDE, 3), np.float32)
    planted[0, 24:32, 24:32] = 1
    for sigma in (0, 1.5):
        assert box_iou(planted, corners, side=8, sigma=sigma) == 1
    assert pixel_auc(planted, corners, side=8) == 1
    planted[0, 0, 55] = 9
    assert box_iou(planted, corners, side=8, sigma=0) < 0.1
    assert pixel_auc(planted, corners, side=8) > 0.999
    planted[0, 0, 0] = np.nan
    assert box_iou(planted, corners, side=8, sigma=1.5) == 0
    assert np.isnan(pixel_auc(planted, corners, side=8))


def slow_share(values, channel):
    """Share of L1 mass by a loop over channels."""
    masses = [sum(abs(float(v)) for v in row.ravel()) for row in values]
    return masses[channel] / sum(masses)


def test_scores_of_channels_equal_slow_ones():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, CHANNELS, 12, 1)).astype(np.float32)
    channels = rng.integers(0, CHANNELS, (8, 1))
    values[np.arange(4), channels[:4, 0]] *= 3
    values[7, 3] = -values[7, channels[7, 0]]  # a tie
    shares, aucs = channel_share(values, channels), channel_auc(values, channels)
    for i, channel in enumerate(channels[:, 0]):
        assert shares[i] == pytest.approx(slow_share(values[i], channel))
        area = roc_auc_score(np.arange(CHANNELS) == channel, np.abs(values[i]).sum((1, 2)))
        assert aucs[i] == pytest.approx(area)
        best = np.abs(values[i]).sum((1, 2)).argmax() == channel
        assert channel_hit(values, channels)[i] == best
    for metric in (channel_share, channel_auc, channel_hit):
        assert np.isnan(metric(0 * values, channels)).all()
        planted = np.zeros_like(values)
        planted[np.arange(8), channels[:, 0]] = -1
        assert (metric(planted, channels) == 1).all()


def mean_cycles(part):
    """Return the mean frequency of the strong part of a spectrum, in cycles of the sound."""
    power = np.abs(np.fft.rfft(part, 4 * SAMPLES)) ** 2
    power = np.where(power > 0.1 * power.max(1, keepdims=True), power, 0)
    return (power * np.arange(power.shape[1]) / 4).sum(1) / power.sum(1)


@pytest.mark.parametrize("name", ["RBFP", "RBRP", "SBFP", "SBRP"])
def test_sounds_have_a_tone_of_their_class_in_their_channel(name):
    data = sound_set(SignalSetting(name, SMALL), seed=1)
    assert data.x.shape == (SMALL, CHANNELS, SAMPLES, 1)
    assert len(data.test_x) == SMALL // 10
    assert np.ptp(data.places) == (0 if name.endswith("FP") else CHANNELS - 1)
    rows = np.arange(SMALL)
    foreground = data.x[rows, data.places[:, 0], :, 0].astype(np.float64)
    halves = np.split(foreground, [SAMPLES // 2], 1)
    early, late = (mean_cycles(half) for half in halves)
    chirp = data.y >= len(STARTS)
    assert np.abs(early[~chirp] / STARTS[data.y[~chirp]] - 1).max() < 0.07
    rise = late / early
    assert np.abs(rise[~chirp] - 1).max() < 0.05
    assert rise[chirp].min() > 1.1  # to 1.22, that of the middles of the halves
    assert rise[chirp].max() < 1.25
    others = np.ones((SMALL, CHANNELS), bool)
    others[rows, data.places[:, 0]] = False
    background = data.x[others][..., 0]
    assert abs(background.std() - 0.25) < 0.005
    assert np.abs(background).max() <= 1
    power = (np.abs(np.fft.rfft(background)) ** 2).mean(0)
    ratio = power[32:64].mean() / power[256:512].mean()  # of pink noise: 1 / f
    expected = (1 / np.arange(32, 64)).mean() / (1 / np.arange(256, 512)).mean()
    assert ratio == pytest.approx(expected if name.startswith("SB") else 1, rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "vision", "--rows", "500"], "--rows is an option of --kind symbolic"),
        (["--networks", "CNN"], "--networks is an option of --kind vision and audio"),
        (["--kind", "vision", "--networks", "VGG"], "'VGG' is no network of --kind vision"),
        (["--kind", "vision", "--conditions", "RB"], "no condition 'RB': give RBFP"),
        (["--kind", "vision", "--examples", "9"], "9 examples are too few"),
        (["--kind", "vision", "--seeds", "0"], "0 seeds"),
    ],
)
def test_unusable_options_are_named(options, message, tmp_path, capsys):
    assert main(["study", "chaosmining", *options, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_attribution_of_a_linear_model_is_in_the_foreground():
    """Correlation with the tones of a channel: gradients and ablation are in that channel alone."""
    from salix.adapters import from_function

    data = sound_set(SignalSetting("RBFP", 100), seed=0)
    tones = np.sin(2 * np.pi * STARTS[:, None] * np.linspace(0, 1, SAMPLES, endpoint=False))
    weights = np.zeros((10, CHANNELS, SAMPLES), np.float32)
    weights[:, 0] = np.concatenate([tones, -tones])
    model, params = from_function(
        lambda w, x: (w * x[None, :, :, 0]).sum((1, 2)),
        weights,
        classes=tuple("0123456789"),
        batched=False,
    )
    parts = KINDS["audio"]
    scores = score_classifier(model, params, data, parts.metrics, parts.methods, seed=0)
    for name in parts.methods:
        np.testing.assert_allclose(scores[f"{name} channel share"], 1, atol=1e-5)
        assert (scores[f"{name} channel top-1"] == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "network"), [("vision", "ViT"), ("audio", "LSTM")])
def test_deeplift_is_complete_on_the_deepest_networks(kind, network):
    model, params = trials.classifier(kind, network)
    data = KINDS[kind].data(SignalSetting("RBRP", 100), seed=0)
    x, method = data.test_x[:2], KINDS[kind].methods["DL"]
    classes, values = attribute(model, params, x, method, seed=0)
    logits = np.asarray(jax.vmap(partial(model.logits, params))(np.stack([*x, 0 * x[0]])))
    differences = logits[[0, 1], classes] - logits[2, classes]
    np.testing.assert_allclose(values.sum((1, 2, 3)), differences, rtol=1e-3, atol=1e-4)


def test_a_page_of_images_alone(tmp_path):
    cell = {"condition": "RBFP", "network": "CNN", "low": 0.1, "high": None}
    scores = [
        {**cell, "score": score, "mean": mean}
        for score, mean in (("accuracy", 0.95), ("SA box IoU", 0.25), ("DL box IoU", 0.75))
    ]
    results = {"kind": "vision", "examples": 300, "tests": 30, "training": {"epochs": 1}}
    results |= {"seeds": 1, "methods": ["SA", "DL"], "metrics": ["box IoU"], "scores": scores}
    (tmp_path / "results-vision.json").write_text(json.dumps(results))
    text = write_page(tmp_path).read_text()
    best = "Images: DL has the best mean box IoU, 0.750, of classifiers with mean accuracy 0.950"
    assert f'<h1 id="headline">{best}</h1>' in text
    assert "over 30 test examples" in text
    assert ">0.250<" in text
    assert 'href="#scores"' not in text  # no formulas were scored


@pytest.mark.slow
def test_the_study_of_images_from_end_to_end(tmp_path, capsys, monkeypatch):
    options = ["--conditions", "RBFP", "--networks", "CNN", "--examples", "200", "--seeds", "2"]
    more = ["--methods", "GradCAM()", "--quick", "--out", str(tmp_path)]
    command = ["study", "chaosmining", "--kind", "vision", *options, *more]
    assert main(command) == 0
    results = json.loads((tmp_path / "results-vision.json").read_text())
    table = {row["score"]: row for row in results["scores"]}
    assert set(table) == {
        "accuracy",
        *(f"{m} {s}" for m in ("SA", "DL", "IG", "FA", "GradCAM()") for s in METRICS),
    }
    assert table["SA pixel AUC"]["n"] == 2  # seeds
    assert "95 % interval over seeds" in capsys.readouterr().out
    assert "over 2 seeds" in (tmp_path / "chaosmining.html").read_text()
    monkeypatch.setattr(trials, "train_classifier", None)  # finished classifiers are read
    for path in (tmp_path / "scores").iterdir():
        path.unlink()
    assert main(command) == 0
    assert json.loads((tmp_path / "results-vision.json").read_text()) == results


@pytest.mark.slow
def test_the_study_of_sounds_from_end_to_end(tmp_path, capsys):
    options = ["--conditions", "RBRP", "--networks", "TCN", "RNN", "--examples", "400"]
    assert main(["study", "chaosmining", "--kind", "audio", *options, "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "results-audio.json").read_text())
    table = {(row["network"], row["score"]): row for row in results["scores"]}
    assert len(table) == 2 * (1 + 4 * 3)
    assert table["TCN", "SA channel share"]["n"] == 40  # test examples
    assert "95 % interval over test examples" in capsys.readouterr().out
