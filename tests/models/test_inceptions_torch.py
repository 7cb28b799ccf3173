"""Inception-v3 and Xception against PyTorch: logits, features, gradients and maps at full size."""

import runpy
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from salix import models
from salix.attribution import CAM, GradCAM
from salix.scores import logit

torch: Any = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
TWINS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "torch_inception.py"))


def shaken(net: Any) -> Any:
    """The network in evaluation, with random weights and statistics."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.1, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
    return net.eval()


NETS = {"inception_v3": TWINS["TorchInception"], "xception": TWINS["TorchXception"]}


def alike(a: Any, b: Any) -> float:
    """Correlation of two arrays."""
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


@pytest.mark.optimised  # in float32 these steep networks need the code that users run
@pytest.mark.parametrize("name", NETS)
def test_maps_agree(tmp_path: Path, name: str) -> None:
    net = shaken(NETS[name](5))
    torch.save({"epoch": 3, "state_dict": net.state_dict()}, tmp_path / "net.pth")
    image = np.random.default_rng(0).uniform(-1, 1, (299, 299, 3)).astype(np.float32)
    net = net.double()
    x = torch.tensor(image.transpose(2, 0, 1)[None], dtype=torch.float64, requires_grad=True)
    features = net.trunk(x)
    logits = net.fc(features.mean((2, 3)))[0]
    best = int(logits.argmax())  # its Grad-CAM is not constant: the mean of its CAM is positive
    by_image, by_features = torch.autograd.grad(logits[best], (x, features))
    maps = (net.fc.weight[best].reshape(-1, 1, 1) * features[0]).sum(0)
    alphas = by_features[0].mean((1, 2), keepdim=True)
    grad_maps = functional.relu((alphas * features[0]).sum(0))

    model, params = models.load(name, tmp_path / "net.pth")
    assert model.classes == ("0", "1", "2", "3", "4")

    @jax.jit
    def run(params: Any, x: Any) -> tuple[Any, ...]:
        score, key = model.score(params, logit(best)), jax.random.key(0)
        maps = (method(score, x, key)[..., 0] for method in (CAM(), GradCAM()))
        return model.logits(params, x), model.features(params, x), *maps, jax.grad(score)(x)

    parts = (logits, features[0].permute(1, 2, 0), maps, grad_maps, by_image[0].permute(1, 2, 0))
    expected = [part.detach().numpy() for part in parts]
    *actual, gradient = run(params, image)
    for ours, theirs in zip(actual, expected[:-1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max(), rtol=0)
    # In float32 a ReLU near zero falls on either side, in PyTorch too: these steep networks reach
    # 0.9998, its own 0.99998. The definition is held in float64, below.
    assert alike(gradient, expected[-1]) > 0.999
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        for ours, theirs in zip(run(double, image.astype(np.float64)), expected, strict=True):
            assert ours.dtype == np.float64
            assert np.ptp(theirs) > 0  # a constant map would compare nothing
            np.testing.assert_allclose(ours, theirs, atol=1e-8 * np.abs(theirs).max(), rtol=0)
            assert alike(ours, theirs) > 0.999999

    models.save(name, tmp_path / "net.safetensors", params, classes=model.classes)
    loaded, saved_params = models.load(name, tmp_path / "net.safetensors")
    assert loaded.classes == model.classes
    assert jax.tree.all(jax.tree.map(np.array_equal, params, saved_params))
