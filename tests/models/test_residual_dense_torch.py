"""ResNet and DenseNet against PyTorch, through files that it wrote, in float64."""

import runpy
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import logit, models
from salix.attribution import CAM, GradCAM

torch: Any = pytest.importorskip("torch")
TWINS = Path(__file__).parents[2] / "benchmarks" / "torch_networks.py"
IMAGE = np.random.default_rng(0).normal(size=(96, 70, 3))
CLASS = 417


def twin_outputs(net: Any, name: str, x: Any) -> dict[str, Any]:
    """Outputs and gradients of the PyTorch network for an image, channels last."""
    captured: dict[str, Any] = {}
    taps = {"densenet121": "features", "resnet18": "layer4.1.conv2", "resnet50": "layer4.2.conv3"}
    place = dict(net.named_modules())[taps[name]]
    place.register_forward_hook(lambda _, i, o: captured.update(tap=o.clone()))
    x = x.requires_grad_()
    features = net.trunk(x)
    logits = (net.classifier if name == "densenet121" else net.fc)(features.mean((2, 3)))
    by_features, by_image = torch.autograd.grad(logits[0, CLASS], (features, x))
    alpha = by_features.mean((2, 3), keepdim=True)
    positions = features[0, 0].numel()
    signed = (alpha * features).sum(1)[0]
    images = {"features": features, "tap": captured["tap"], "gradient": by_image}
    actual = {key: value[0].permute(1, 2, 0) for key, value in images.items()}
    actual |= {"logits": logits[0], "cam": signed * positions, "gradcam": signed.relu()}
    return {key: value.detach().numpy() for key, value in actual.items()}


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "densenet121"])
def test_a_network_is_its_twin(tmp_path: Path, name: str) -> None:
    net = runpy.run_path(str(TWINS))["torch_network"](name)
    path = tmp_path / "net.pth"
    torch.save(net.state_dict(), path)
    x = torch.from_numpy(IMAGE).permute(2, 0, 1)[None]
    expected = twin_outputs(net.double(), name, x)
    model, params = models.load(name, path)
    assert model.classes == tuple(map(str, range(1000)))
    folded = models.load(name, path, folded=True)[1]
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
        module = nnx.eval_shape(lambda: models.build(name, classes=model.classes))
        module.eval()
        graph, _, rest = nnx.split(module, nnx.Any(nnx.Param, nnx.BatchStat), ...)

        def run(params: Any, image: Any) -> dict[str, Any]:
            score = model.score(params, logit(CLASS))
            network: Any = nnx.merge(graph, params, rest)
            return {
                "logits": model.logits(params, image),
                "features": model.features(params, image),
                "gradient": jax.grad(score)(image),
                "cam": CAM()(score, image, jax.random.key(0))[..., 0],
                "gradcam": GradCAM()(score, image, jax.random.key(0))[..., 0],
                "tap": network.tap(image[None])[1][0],
            }

        actual = jax.jit(run)(wide, IMAGE)
    for key, value in expected.items():
        scale = np.abs(value).max()
        assert scale > 0
        np.testing.assert_allclose(actual[key], value, rtol=1e-9, atol=1e-9 * scale, err_msg=key)
    assert len(jax.tree.leaves(folded)) < len(jax.tree.leaves(params))


def test_in_float32_and_from_the_file_that_torchvision_publishes(tmp_path: Path) -> None:
    name, path = "densenet121", tmp_path / "net.pth"
    net = runpy.run_path(str(TWINS))["torch_network"](name, 2)
    old = {}
    for key, tensor in net.state_dict().items():
        parts = key.split(".")
        if len(parts) > 3 and parts[2].startswith("denselayer"):
            parts[3] = f"{parts[3][:-1]}.{parts[3][-1]}"  # norm.1, conv.2
        old[".".join(parts)] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save({"epoch": 3, "state_dict": old}, path)
    image = IMAGE.astype(np.float32)
    x = torch.from_numpy(image).permute(2, 0, 1)[None].requires_grad_()
    logits = net(x)
    (expected,) = torch.autograd.grad(logits[0, 1], x)
    expected = expected[0].permute(1, 2, 0).numpy()
    model, params = models.load(name, path)
    assert model.classes == ("real", "fake")

    def run(params: Any, image: Any) -> Any:
        return model.logits(params, image), jax.grad(model.score(params, logit(1)))(image)

    actual, gradient = jax.jit(run)(params, image)
    scale = logits.abs().max().item()
    np.testing.assert_allclose(actual, logits[0].detach(), rtol=0, atol=1e-5 * scale)
    # a ReLU at 0 falls on either side: the gradients of the pixels behind it differ
    assert np.corrcoef(gradient.ravel(), expected.ravel())[0, 1] > 0.999999


def test_the_released_gradcam_of_densenet_mixes_both_sides_of_its_in_place_relu(
    tmp_path: Path,
) -> None:
    """As a hook on `features` records it: the tensor is overwritten, its gradient is not."""
    net, path = runpy.run_path(str(TWINS))["torch_network"]("densenet121", 2), tmp_path / "net.pth"
    torch.save(net.state_dict(), path)
    hooked = net.double().features(torch.from_numpy(IMAGE).permute(2, 0, 1)[None])
    gradients: list[Any] = []
    hooked.register_hook(gradients.append)
    activation = torch.nn.functional.relu(hooked, inplace=True)
    net.classifier(activation.mean((2, 3)))[0, 1].backward()
    weights = gradients[0].mean((2, 3), keepdim=True)
    expected = (weights * hooked.data).sum(1).relu()[0].numpy()

    model, params = models.load("densenet121", path)
    assert model.inplace_relu
    assert not model.at("block3").inplace_relu
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)

        def maps(params: Any, image: Any) -> list[Any]:
            score = model.score(params, logit(1))
            methods = (GradCAM(before_relu=True), GradCAM())
            return [method(score, image, jax.random.key(0))[..., 0] for method in methods]

        released, published = map(np.asarray, jax.jit(maps)(wide, IMAGE))
    scale = expected.max()
    np.testing.assert_allclose(released, expected, rtol=1e-9, atol=1e-9 * scale)
    assert np.abs(published - expected).max() > 0.01 * scale
