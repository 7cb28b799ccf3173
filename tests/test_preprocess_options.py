"""Preprocessing by options: used, reported, saved in the weights; wrong values are refused."""

import json

import numpy as np
import pytest
from jaxtyping import config
from PIL import Image

from salix import store
from salix.cli import main
from salix.models import load, save
from salix.models.checkpoints.safetensors import read_metadata, read_safetensors, write_safetensors
from salix.preprocess import Preprocess
from salix.typing import InputError


@pytest.fixture(autouse=True)
def unchecked_types():
    """Turn the types off that tests check when a function is called: users have no such check."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


OWN = ["--size", "48", "--mean", "0.5", "--std", "0.25", "--channels", "3"]
OF_OWN = Preprocess((48, 48), mean=(0.5,), std=(0.25,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two images and weights of a small ResNet, as torch has none here."""
    root = tmp_path_factory.mktemp("preprocess")
    (root / "data").mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        pixels = rng.integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(root / "data" / f"{i}.png")
    _, params = load("cifar_resnet8")
    save("cifar_resnet8", root / "plain.safetensors", params)
    return root


def sweep(folder, out, weights, *options):
    files = ["--weights", str(weights), "--data", str(folder / "data"), "--out", str(out)]
    return main(["sweep", "--model", "cifar_resnet8", *files, *options])


@pytest.mark.slow
def test_options_decide_the_pixels_and_are_reported(folder, tmp_path, capsys):
    assert sweep(folder, tmp_path / "run", folder / "plain.safetensors", *OWN) == 0
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("preprocessing"))
    assert line == (
        "preprocessing: --size 48 48 replaces 64 64, --mean 0.5 replaces 0.5 0.5 0.5, "
        "--std 0.25 replaces 0.5 0.5 0.5"
    )
    run = store.Run(tmp_path / "run")
    assert "size=(48, 48)" in run.manifest["config"]["preprocess"]
    model, params = load("cifar_resnet8", folder / "plain.safetensors")
    for i in range(2):
        pixels = OF_OWN.on_host(Image.open(folder / "data" / f"{i}.png"))
        logits = model.logits(params, OF_OWN(pixels))
        np.testing.assert_allclose(run.rows["logits"][i], logits, rtol=1e-4, atol=1e-4)
    assert sweep(folder, tmp_path / "run", folder / "plain.safetensors") == 2  # other pixels
    assert "preprocess" in capsys.readouterr().err
    page = tmp_path / "page.html"
    assert main(["report", str(tmp_path / "run"), "--out", str(page)]) == 0
    assert "Preprocess(size=(48, 48), channels=3, mean=(0.5,), std=(0.25,)" in page.read_text()


@pytest.mark.slow
def test_convert_keeps_them_and_sweep_takes_them_from_there(folder, tmp_path, capsys):
    out = tmp_path / "own.safetensors"
    files = ["--weights", str(folder / "plain.safetensors"), "--out", str(out)]
    assert main(["convert", "--model", "cifar_resnet8", *files, *OWN]) == 0
    model, _ = load("cifar_resnet8", out)
    assert model.preprocess == OF_OWN
    assert load("cifar_resnet8", folder / "plain.safetensors")[0].preprocess.size == (64, 64)
    capsys.readouterr()
    assert sweep(folder, tmp_path / "a", out) == 0
    assert "preprocessing" not in capsys.readouterr().err
    assert sweep(folder, tmp_path / "b", out, "--fit", "crop", "--resize", "56") == 0
    assert "--fit crop replaces stretch, --resize 56 replaces None" in capsys.readouterr().err
    configs = [store.Run(tmp_path / n).manifest["config"]["preprocess"] for n in "ab"]
    assert configs[0].endswith("interpolation='bilinear', resize=None)")
    assert configs[1].endswith("fit='crop', interpolation='bilinear', resize=56)")
    again = tmp_path / "again.safetensors"  # converted once more, nothing is lost
    files = ["--weights", str(out), "--out", str(again)]
    assert main(["convert", "--model", "cifar_resnet8", *files]) == 0
    assert load("cifar_resnet8", again)[0].preprocess == OF_OWN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mean", "123.7", "116.3", "103.5"], "--mean has 123.7: give one number for each"),
        (["--std", "0"], "--std has 0.0: give one number above 0"),
        (["--mean", "nan"], "--mean has nan"),
        (["--mean", "0.1", "0.2"], "--mean is (0.1, 0.2): images of 3 channels take one number"),
        (["--size", "0"], "--size has 0: give one side in pixels"),
        (["--size", "1", "2", "3"], "--size is (1, 2, 3): give one side in pixels"),
        (["--channels", "1"], "--mean is (0.5, 0.5, 0.5): images of 1 channels take one number"),
        (
            ["--channels", "1", "--mean", "0.5", "--std", "0.5"],
            "fails on one image of shape (64, 64, 1)",
        ),
        (["--resize", "40"], "--resize is 40: with fit='crop', give the shortest side"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_before_any_work(folder, tmp_path, capsys, options, message):
    assert sweep(folder, tmp_path / "run", folder / "plain.safetensors", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["", "[1]", '{"size": 0}', '{"crop": 3}', "[" * 9999])
def test_metadata_that_is_no_preprocessing_is_refused(folder, tmp_path, text):
    plain = folder / "plain.safetensors"
    metadata = read_metadata(plain)
    assert Preprocess(**json.loads(metadata["preprocess"])).size == (64, 64)
    write_safetensors(
        tmp_path / "x.safetensors", read_safetensors(plain), metadata | {"preprocess": text}
    )
    with pytest.raises(InputError, match=r"x\.safetensors: the preprocessing in its metadata"):
        load("cifar_resnet8", tmp_path / "x.safetensors")
