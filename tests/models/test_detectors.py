"""Published detectors by name: their entries, and the table that the command line prints."""

import json
from pathlib import Path

import pytest

from salix import models
from salix.cli import main
from salix.typing import InputError

DOCS = Path(__file__).parents[2] / "docs" / "weights.md"


def test_each_detector_names_a_network_and_its_origin() -> None:
    for name, about in models.DETECTORS.items():
        entry = models.MODELS[about.architecture]
        assert len(entry.classes) == 2, name
        assert not entry.fixed or about.outputs == 2, name
        assert about.classes == ("real", "fake"), name
        assert all([about.files, about.source, about.licence]), name
        assert models.architecture_of(name)[1].preprocess == about.preprocess
        assert f"`{name}`" in DOCS.read_text()
    collisions = models.DETECTORS.keys() & models.MODELS.keys()
    assert all(models.DETECTORS[name].architecture == name for name in collisions)


def test_an_unknown_name_lists_networks_and_detectors() -> None:
    with pytest.raises(InputError, match=r"no architecture 'xcepton'.*xception.*cnndetect"):
        models.build("xcepton")


def test_the_table_and_one_detector(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in models.DETECTORS)
    assert main(["models", "--networks", "--json"]) == 0
    assert [r["name"] for r in json.loads(capsys.readouterr().out)] == list(models.MODELS)
    assert main(["models", "cnndetect"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["network"], about["outputs"], about["preprocess"]["resize"]) == (
        "resnet50",
        1,
        256,
    )
    assert main(["models", "nothing"]) == 2
    assert "unknown 'nothing'" in capsys.readouterr().err
