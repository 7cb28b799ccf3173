"""Forms of PyTorch's networks: folding and the last linear layer, or why a network lacks it."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*script_method")  # of PyTorch's own folding
IMAGES = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)


def load_case(scripts: Any, network: str, folder: Path) -> tuple[Any, Any]:
    """Return the module of forms, and a case of random weights."""
    assert scripts  # whose folder is on the path of imports
    forms, cases, networks = (
        importlib.import_module(name)
        for name in ("peers.torch_form", "peers.case", "torch_networks")
    )
    path = str(folder / "net.pth")
    networks.save_weights(network, path)
    return forms, cases.BenchmarkCase(network, "forward", path, IMAGES, IMAGES[..., 0])


@pytest.mark.slow
@pytest.mark.parametrize("network", ["efficientnet_b0", "nsfwjs_mobilenet_v2"])
def test_all_normalisations_of_mobile_networks_are_folded(
    scripts: Any, tmp_path: Path, network: str
) -> None:
    forms, case = load_case(scripts, network, tmp_path)
    plain, folded = (
        forms.prepare_network(forms.TorchForm(folded=folded), case) for folded in (False, True)
    )
    assert forms.count_norms(plain.logits) > 40
    assert forms.count_norms(folded.logits) == forms.count_norms(folded.trunk) == 0
    with torch.no_grad():
        expected, actual = (program.logits(program.images) for program in (plain, folded))
        features = folded.trunk(folded.images)
        torch.testing.assert_close(folded.head(features), actual)
    assert expected.std() > 0.01
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


def test_networks_without_folding_are_left_out(scripts: Any, tmp_path: Path) -> None:
    forms, case = load_case(scripts, "meso4", tmp_path)
    with pytest.raises(RuntimeError, match="no batch normalisation of meso4 follows a convolution"):
        forms.prepare_network(forms.TorchForm(folded=True), case)


@pytest.mark.parametrize(
    ("network", "width"), [("resnet18", 512), ("efficientnet_b0", 1280), ("meso4", None)]
)
def test_last_linear_layer(scripts: Any, network: str, width: int | None) -> None:
    assert scripts
    last_linear = importlib.import_module("peers.prepare").last_linear
    net = importlib.import_module("torch_networks").torch_network(network)
    if width:
        assert last_linear(net, network).in_features == width
    else:
        with pytest.raises(RuntimeError, match="head of meso4 is not a mean and a linear layer"):
            last_linear(net, network)
