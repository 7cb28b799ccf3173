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
    words = ("--out", "out/face.png", "--opacity", "0.25", "--array")
    assert explain("a.png", *words, "--score", "probability(1)") == 0
    explanation = salix.explain(MODEL, PARAMS, "a.png", score=salix.probability(1))
    np.testing.assert_allclose(np.load("out/face.npy"), explanation.map, rtol=1e-5)
    pixels = np.asarray(
        Image.open("a.png").convert("L").resize((64, 64), Image.Resampling.BILINEAR)
    )
    expected = blend(pixels, np.asarray(explanation.map), opacity=0.25)
    with Image.open("out/face.png") as picture:
        assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 1
    logits = np.asarray(explanation.logits, np.float64)
    share = np.exp(logits).max() / np.exp(logits).sum()
    name = MODEL.classes[int(logits.argmax())]
    assert f"a.png: {name} ({share:.1%}); map" in capsys.readouterr().out


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
        (["a.png", "b.png", "--out", "x.png"], "--out x.png: give a folder"),
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
