"""PyTorch as the oracle: files that it wrote, and networks that it runs in float64."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix import models
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.checkpoints.torch import read_torch
from salix.typing import InputError

torch: Any = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional

FORMS = [(True, 2), (True, 4), (True, 5), (False, 2), (False, 3), (False, 5)]
forms = pytest.mark.parametrize(("new", "protocol"), FORMS)


def saved(path: Path, thing: Any, new: bool, protocol: int) -> Path:
    torch.save(thing, path, _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    return path


def equal(actual: np.ndarray, tensor: Any) -> None:
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        assert actual.dtype.name == "bfloat16"
        actual, tensor = actual.astype(np.float32), tensor.float()
    np.testing.assert_array_equal(actual, tensor.numpy(), strict=True)


@forms
def test_tensors_of_all_kinds(tmp_path: Path, new: bool, protocol: int) -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    floats = ("float64", "float32", "float16", "bfloat16")
    kinds = (*floats, "int64", "int32", "int16", "int8", "uint8", "bool")
    tensors = {kind: torch.tensor([0, 1, 2, 100]).to(getattr(torch, kind)) for kind in kinds} | {
        "scalar": torch.tensor(2.5),
        "whole": base,
        "turned": base.permute(2, 0, 1),
        "part": base[1, :, 1::2],
        "spread": torch.tensor([1.0, 2.0])[:, None].expand(2, 3),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(base[0]),
    }
    arrays = read_torch(saved(tmp_path / "x.pt", tensors, new, protocol))
    assert list(arrays) == list(tensors)
    for name, tensor in tensors.items():
        equal(arrays[name], tensor)
    assert np.shares_memory(arrays["whole"], arrays["part"])


@forms
def test_a_training_checkpoint(tmp_path: Path, new: bool, protocol: int) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.randn(2, 3, 4, 4)).sum().backward()
    optimiser.step()
    checkpoint = {
        "net": net.state_dict(),
        "optimiser": optimiser.state_dict(),
        "epoch": 3,
        "best": 0.5,
    }
    arrays = read_torch(saved(tmp_path / "x.pt", checkpoint, new, protocol))
    for name, tensor in net.state_dict().items():
        equal(arrays[f"net.{name}"], tensor)
    equal(arrays["optimiser.state.0.exp_avg"], optimiser.state_dict()["state"][0]["exp_avg"])


@forms
def test_a_whole_module_is_refused(tmp_path: Path, new: bool, protocol: int) -> None:
    path = saved(tmp_path / "x.pt", nn.Linear(2, 2), new, protocol)
    with pytest.raises(InputError, match=r"x\.pt: (asks for|contains a whole module)"):
        read_torch(path)


def shaken(net: Any) -> Any:
    """The network in float64 and evaluation, with random statistics in its normalisations."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.bias, std=0.3)
    return net.eval().double()


def test_dcgan(tmp_path: Path) -> None:
    layers: list[Any] = []
    widths = (100, 512, 256, 128, 64, 3)
    for index, (i, o) in enumerate(pairwise(widths)):
        layers.append(nn.ConvTranspose2d(i, o, 4, 2 if index else 1, 1 if index else 0, bias=False))
        layers += [nn.BatchNorm2d(o), nn.ReLU()] if index < 4 else [nn.Tanh()]
    net = shaken(nn.Sequential(*layers))
    state = {f"main.{name}": tensor.float() for name, tensor in net.state_dict().items()}
    torch.save({"netG_state_dict": state}, tmp_path / "weights.tar")
    z = torch.randn(3, 100, 1, 1, dtype=torch.float64)
    expected = net(z).detach().numpy().transpose(0, 2, 3, 1)
    actual = models.load_dcgan(tmp_path / "weights.tar")(z[..., 0, 0].numpy().astype(np.float32))
    assert expected.std() > 0.05
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_vae(tmp_path: Path) -> None:
    net = nn.Module()
    net.encoder = nn.Sequential(
        *(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU()),
        *(nn.Conv2d(64, 128, 4, 2, 1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(8192, 256), nn.ReLU(), nn.Linear(256, 128)),
    )
    net.decoder = nn.Sequential(
        *(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 8192), nn.ReLU()),
        *(nn.Unflatten(1, (128, 8, 8)), nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1)),
    )
    net = shaken(net)
    path = tmp_path / "vae.pth"
    torch.save({name: tensor.float() for name, tensor in net.state_dict().items()}, path)
    vae = models.load_vae(path)
    x = torch.rand(2, 1, 64, 64, dtype=torch.float64)
    mean, logvar = net.encoder(x).detach().chunk(2, dim=-1)
    images = x.numpy().transpose(0, 2, 3, 1).astype(np.float32)
    for actual, expected in zip(vae.encode(images), (mean, logvar), strict=True):
        np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5)
    z = torch.randn(2, 64, dtype=torch.float64)
    expected = net.decoder(z).sigmoid().detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(vae.decode(z.numpy().astype(np.float32)), expected, atol=1e-5)
    expected = net.decoder(mean).sigmoid().detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(vae(images), expected, atol=1e-5)


def test_meso4(tmp_path: Path) -> None:
    layers: list[Any] = []
    sizes = [(3, 8, 3, 2), (8, 8, 5, 2), (8, 16, 5, 2), (16, 16, 5, 4)]
    for i, o, side, pool in sizes:
        layers += [nn.Conv2d(i, o, side, padding="same"), nn.ReLU(), nn.BatchNorm2d(o, eps=1e-3)]
        layers += [nn.MaxPool2d(pool)]
    trunk, dense = shaken(nn.Sequential(*layers)), (nn.Linear(1024, 16), nn.Linear(16, 1))
    first, second = (layer.double() for layer in dense)
    arrays: dict[str, np.ndarray] = {}
    modules = list(trunk)
    for index in range(4):
        conv, norm = modules[4 * index], modules[4 * index + 2]
        arrays[f"conv{index + 1}.kernel"] = conv.weight.permute(2, 3, 1, 0).detach().numpy()
        arrays[f"conv{index + 1}.bias"] = conv.bias.detach().numpy()
        for ours, theirs in [("scale", norm.weight), ("bias", norm.bias)]:
            arrays[f"norm{index + 1}.{ours}"] = theirs.detach().numpy()
        arrays[f"norm{index + 1}.mean"] = norm.running_mean.numpy()
        arrays[f"norm{index + 1}.var"] = norm.running_var.numpy()
    for index, layer in enumerate((first, second), 1):
        arrays[f"dense{index}.kernel"] = layer.weight.detach().numpy().T
        arrays[f"dense{index}.bias"] = layer.bias.detach().numpy()
    path = tmp_path / "meso.safetensors"
    manifest = {"architecture": "meso4", "classes": '["fake", "real"]'}
    write_safetensors(path, arrays, manifest)
    model, params = models.load("meso4", path)
    x = torch.rand(1, 3, 256, 256, dtype=torch.float64)
    features = trunk(x).permute(0, 2, 3, 1)  # Keras flattens height, width, channel
    z = second(functional.leaky_relu(first(features.reshape(1, -1)), 0.1)).item()
    image = x[0].permute(1, 2, 0).numpy().astype(np.float32)
    np.testing.assert_allclose(model.features(params, image), features[0].detach(), atol=1e-4)
    np.testing.assert_allclose(model.logits(params, image), [-z / 2, z / 2], atol=1e-4)
