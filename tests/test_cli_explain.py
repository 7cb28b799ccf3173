"""`salix explain`: pictures of single images, their maps, and refused arguments."""

import numpy as np
import pytest
from PIL import Image

import salix
from salix.cli import main
from salix.models import load, save
from salix.plot import blend

MODEL, PARAMS = load("small", classes=("genuine", "made"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a checkpoint and two images, the process settings left alone."""
    monkeypatch.setattr("salix.cli.configure_process", lambda **_: None)
    monkeypatch.chdir(tmp_path)
    save("small", "w.safetensors", PARAMS, classes=MODEL.classes)
    for name in "ab":
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (70, 50, 3), np.uint8)
        Image.fromarray(pixels).save(f"{name}.png")
    return tmp_path


def explain(*words):
    """Run `salix explain` with the checkpoint."""
    return main(["explain", "--model", "small", "--weights", "w.safetensors", *words])


def test_one_image_gives_its_picture_and_its_map(folder, capsys):
    words = ("--out", "out/face.png", "out/face.npy", "--opacity", "0.25", "--target", "made")
    assert explain("a.png", *words, "--score", "probability()") == 0
    explanation = salix.explain(MODEL, PARAMS, "a.png", score=salix.probability(1))
    np.testing.assert_allclose(np.load("out/face.npy"), explanation.map, rtol=1e-5)
    pixels = np.asarray(
        Image.open("a.png").convert("L").resize((64, 64), Image.Resampling.BILINEAR)
    )
    expected = blend(pixels, np.asarray(explanation.map), opacity=0.25)
    with Image.open("out/face.png") as picture:
        assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 1
    logits = np.asarray(explanation.logits, np.float64)
    share = np.exp(logits) / np.exp(logits).sum()
    best = int(logits.argmax())
    explained = "the same" if best == 1 else f"made ({share[1]:.1%})"
    line = (
        f"a.png: predicted {MODEL.classes[best]} ({share[best]:.1%}), explained class {explained}\n"
    )
    assert line in capsys.readouterr().out


@pytest.mark.slow
def test_several_methods_stand_in_one_figure_and_one_archive(folder, capsys):
    methods = ("Gradient()", "IntegratedGradients(steps=3)")
    words = ("--method", *methods, "--target", "0", "--out", "m.svg", "m.npz", "m.png")
    assert explain("a.png", *words, "--scale", "row") == 0
    attributions = (salix.attribution.Gradient(), salix.attribution.IntegratedGradients(steps=3))
    with np.load("m.npz") as maps:
        assert set(maps) == set(methods)
        for name, attribution in zip(methods, attributions, strict=True):
            alone = salix.explain(MODEL, PARAMS, "a.png", attribution, score=salix.logit(0))
            np.testing.assert_allclose(maps[name], alone.map, rtol=1e-4, atol=1e-6)
    drawn = (folder / "m.svg").read_text()
    assert "percentile" in drawn
    assert "steps=3" in drawn
    assert (folder / "m.png").read_bytes().startswith(b"\x89PNG")
    assert "Gradient(): map of 64 x 64, " in capsys.readouterr().out


def test_several_images_fill_a_folder_and_a_bad_one_stops_none(folder, capsys):
    (folder / "c.png").write_bytes(b"no image")
    assert explain("a.png", "c.png", "b.png", "--out", "maps") == 1
    assert sorted(p.name for p in (folder / "maps").iterdir()) == ["a-map.png", "b-map.png"]
    assert "salix: c.png cannot be explained: not an image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--out", "x.png"], "no image given"),
        (["a.png", "--out", "a.png"], "a.png would overwrite an image"),
        (["a.png", "b.png", "--out", "x.png"], "--out x.png: give one folder"),
        (["a.png", "--out", "x.png", "maps"], "--out x.png maps: give one folder"),
        (["a.png", "--out", "x.npy", "--method", "Gradient", "CAM"], "x.npy: give a folder, or"),
        (["a.png", "--out", "x.png", "--method", "CAM", "CAM()"], "names CAM() twice"),
        (["a.png", "--out", "x.png", "--target", "cat"], "target is 'cat': there is no such class"),
        (["a.png", "--out", "x.png", "--target", "1", "--score", "logit(0)"], "both name a class"),
        (["a.png", "--out", "x.png", "--cut", "layer9"], "no cut 'layer9'"),
        (["a.png", "--out", "x.doc"], "--out x.doc: give a folder"),
        (["a.png", "sub/a.png", "--out", "maps"], "a-map.png would overwrite"),
        (["a.png", "--out", "x.png", "--opacity", "3"], "opacity is 3"),
    ],
)
def test_bad_arguments_are_one_line(folder, capsys, words, text):
    assert explain(*words) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not list(folder.glob("**/*-map.png"))
