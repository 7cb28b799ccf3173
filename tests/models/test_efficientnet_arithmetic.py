"""The names of an EfficientNet's weights decide its arithmetic: thin networks against PyTorch."""

import runpy
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from salix import models
from salix.models import efficientnet
from salix.models.checkpoints.module_state import expected
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.efficientnet import EfficientNet
from salix.models.efficientnet_names import torch_tables
from salix.typing import InputError

torch: Any = pytest.importorskip("torch")
ORACLE = runpy.run_path(str(Path(__file__).with_name("test_efficientnet_torch.py")))
Twin, shaken = ORACLE["Twin"], ORACLE["shaken"]
THIN = (0.1, 0.3)  # of width and of depth: every stage once


@pytest.fixture(autouse=True)
def thin(monkeypatch: Any) -> None:
    """Every EfficientNet of the registry is thin, and otherwise as it was."""

    def build(scale: Any, classes: int, **options: Any) -> EfficientNet:
        del scale
        return EfficientNet(THIN, classes, **options)

    monkeypatch.setattr(efficientnet, "EfficientNet", build)


def published(twin: Any, name: str) -> dict[str, Any]:
    """The state dict as the source has it: DeepfakeBench's has modules around it."""
    state = {n: t.float() for n, t in twin.state_dict().items()}
    if not name.startswith("deepfakebench"):
        return state
    trunk = {f"efficientnet.{n}": t for n, t in state.items() if not n.startswith("_fc")}
    head = {f"last_layer.{part}": state[f"_fc.{part}"] for part in ("weight", "bias")}
    return {f"module.backbone.{n}": t for n, t in (trunk | head).items()}


ENTRIES = [  # names, side of the fixed padding, TensorFlow's padding and epsilon
    ("efficientnet_b0", "torchvision", 0, False),
    ("efficientnet_b4", "timm", 0, False),
    ("tf_efficientnet_b4", "timm", 0, True),
    ("tf_efficientnet_b0", "lukemelas", 0, True),
    ("efficientnet_lite0", "timm", 0, True),
    ("timm_efficientnet_lite0", "timm", 0, False),
    ("efficientnet_pytorch_b0", "lukemelas", 224, True),
    ("efficientnet_pytorch_b4", "lukemelas", 380, True),
    ("deepfakebench_efficientnet_b4", "lukemelas", 380, True),
]


QUICK = {"efficientnet_pytorch_b0", "timm_efficientnet_lite0", "deepfakebench_efficientnet_b4"}


@pytest.mark.parametrize(
    ("name", "source", "side", "tf"),
    [e if e[0] in QUICK else pytest.param(*e, marks=pytest.mark.slow) for e in ENTRIES],
)
def test_each_entry_computes_as_the_source_of_its_names(
    tmp_path: Path, name: str, source: str, side: int, tf: bool
) -> None:
    detector = name.startswith("deepfakebench")
    twin = shaken(Twin(source, THIN, 2 if detector else 3, name.endswith("lite0"), tf, side))
    if detector:  # a plain convolution, 3x3 with stride 2
        twin._conv_stem.forward = partial(torch.nn.Conv2d.forward, twin._conv_stem)
    torch.save(published(twin, name), tmp_path / "net.pth")
    twin.load_state_dict({n: t.float().double() for n, t in twin.state_dict().items()})
    model, params = models.load(name, tmp_path / "net.pth")
    image = np.random.default_rng(0).normal(size=(75, 54, 3)).astype(np.float32)
    x = torch.tensor(image.transpose(2, 0, 1)[None].astype(np.float64))
    target = twin.head(twin.trunk(x))[0].detach().numpy()
    actual = jax.jit(model.logits)(params, image)
    assert np.ptp(target) > 0.01
    np.testing.assert_allclose(actual, target, atol=1e-5 * np.abs(target).max())


REFUSED = [  # an architecture, the origin of a file's names, and the one that computes them
    ("efficientnet_b0", "efficientnet_pytorch", "efficientnet_pytorch_b0"),
    ("tf_efficientnet_b0", "torchvision", "efficientnet_b0"),
    ("efficientnet_pytorch_b0", "torchvision", "efficientnet_b0"),
    ("efficientnet_pytorch_b0", "timm", "tf_efficientnet_b0"),
    ("efficientnet_b4", "DeepfakeBench", "deepfakebench_efficientnet_b4"),
    ("tf_efficientnet_b4", "DeepfakeBench", "deepfakebench_efficientnet_b4"),
    ("efficientnet_pytorch_b4", "DeepfakeBench", "deepfakebench_efficientnet_b4"),
    ("deepfakebench_efficientnet_b4", "efficientnet_pytorch", "efficientnet_pytorch_b4"),
]


@pytest.mark.parametrize(("name", "origin", "other"), REFUSED)
def test_names_of_another_arithmetic_are_refused(
    tmp_path: Path, name: str, origin: str, other: str
) -> None:
    shapes = expected(lambda rngs: models.MODELS[name].build(rngs, 2))
    orders = {4: (3, 2, 0, 1), 2: (1, 0)}
    state = {}
    for ours, (theirs, _) in torch_tables(shapes)[origin].items():
        shape = shapes[ours].shape
        order = orders.get(len(shape), range(len(shape)))
        state[f"net.{theirs}"] = np.zeros([shape[i] for i in order], np.float16)
    write_safetensors(tmp_path / "net.safetensors", state, {})
    with pytest.raises(InputError, match=f"names are those of {origin}, .* load it as {other}$"):
        models.load(name, tmp_path / "net.safetensors")
    assert other in models.MODELS


def test_names_that_two_arithmetics_share_are_said(tmp_path: Path, capsys: Any) -> None:
    torch.save(Twin("timm", THIN, 2, True, True).state_dict(), tmp_path / "lite.pth")
    models.load("efficientnet_lite0", tmp_path / "lite.pth")
    assert "load those as timm_efficientnet_lite0" in capsys.readouterr().err
    torch.save(Twin("lukemelas", THIN, 2, False, True).state_dict(), tmp_path / "b0.pth")
    models.load("tf_efficientnet_b0", tmp_path / "b0.pth")
    assert "efficientnet_pytorch pads every image as one of 224 px" in capsys.readouterr().err
    models.load("efficientnet_pytorch_b0", tmp_path / "b0.pth")
    assert capsys.readouterr().err == ""
