"""ResNets under the names of transformers, in the folder of a Hugging Face model."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from salix import models
from salix.models.checkpoints.module_state import arrays, expected
from salix.models.resnet_names import torch_tables


def test_names_are_those_of_transformers() -> None:
    shapes = expected(lambda rngs: models.MODELS["resnet50"].build(rngs, 2))
    names = {ours: theirs for ours, (theirs, _) in torch_tables(shapes)["transformers"].items()}
    stages = "resnet.encoder.stages"
    assert {
        "conv1.kernel": "resnet.embedder.embedder.convolution.weight",
        "norm1.mean": "resnet.embedder.embedder.normalization.running_mean",
        "layer1.0.conv3.kernel": f"{stages}.0.layers.0.layer.2.convolution.weight",
        "layer4.2.norm1.scale": f"{stages}.3.layers.2.layer.0.normalization.weight",
        "layer2.0.shortcut.conv.kernel": f"{stages}.1.layers.0.shortcut.convolution.weight",
        "layer2.0.shortcut.norm.var": f"{stages}.1.layers.0.shortcut.normalization.running_var",
        "fc.bias": "classifier.1.bias",
    }.items() <= names.items()


def test_a_folder_of_transformers_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = expected(lambda rngs: models.MODELS["resnet18"].build(rngs, 2))
    draw, file, ours = np.random.default_rng(0), {}, {}
    for name, (theirs, layout) in torch_tables(shapes)["transformers"].items():
        shape = shapes[name].shape[::-1]  # OIHW of a square kernel, OI
        file[theirs] = draw.normal(size=shape).astype(np.float32)
        ours[name] = layout(file[theirs])
    save_file(file, tmp_path / "model.safetensors", {"format": "pt"})
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text("{}")
    restored = arrays(models.load("resnet18", tmp_path)[1])
    assert all((restored[name] == array).all() for name, array in ours.items())
    assert "preprocessor_config.json beside it is not read" in capsys.readouterr().err
