"""deepbet's network against the released TorchScript program."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from salix.models import LinkNet3D, load_deepbet
from salix.models.checkpoints.torch import read_torch
from salix.models.linknet3d import DEEPBET
from salix.typing import InputError


def test_sides_that_do_not_fit_are_refused() -> None:
    module = LinkNet3D(1, 2, (4, 4, 4, 4), rngs=nnx.Rngs(0))
    assert module.multiple == 32
    with pytest.raises(InputError, match="multiples of 32 for a LinkNet of 4 levels; resample"):
        module(np.zeros((1, 32, 32, 48, 1), np.float32))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "net.pt"
    torch.save({"init.0.weight": torch.full((16, 1, 7, 7, 7), float("nan"))}, path)
    with pytest.raises(InputError, match=r"net\.pt does not fit deepbet: missing 3.*not finite 1"):
        load_deepbet(path)


@pytest.mark.assets
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", ["deepbet", "deepbet-box"])
def test_weights_are_those_that_pytorch_reads(asset: Callable[[str], Path], name: str) -> None:
    torch = pytest.importorskip("torch")
    arrays = read_torch(asset(name))
    expected = torch.jit.load(str(asset(name))).state_dict()
    assert set(arrays) == set(expected) == {theirs for theirs, _ in DEEPBET.values()}
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, expected[key].numpy())


@pytest.mark.slow
@pytest.mark.assets
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", ["deepbet", "deepbet-box"])
def test_logits_and_gradients_are_those_of_the_release(
    asset: Callable[[str], Path], name: str
) -> None:
    torch = pytest.importorskip("torch")
    x = 0.449 + 0.226 * np.random.default_rng(0).normal(size=(64, 32, 96))
    region = np.zeros(x.shape)
    region[20:40, 10:20, 30:70] = 1
    graph, params = nnx.split(load_deepbet(asset(name)))

    def difference(params: Any, volume: Any) -> Any:  # brain less background
        z = nnx.merge(graph, params)(volume[None, ..., None])[0]
        return z[..., 1] - z[..., 0]

    def total(params: Any, volume: Any) -> Any:
        z = difference(params, volume)
        return (z * region.astype(z.dtype)).sum(), z

    run = jax.jit(jax.value_and_grad(total, 1, has_aux=True))
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda a: a.astype(jnp.float64), params)
        (_, z), slope = run(exact, jnp.asarray(x))
    peer = torch.jit.load(str(asset(name)), map_location="cpu").double()
    inputs = torch.from_numpy(x)[None, None].requires_grad_()
    p = peer(inputs)[0]  # softmax
    expected = torch.log(p[1] / p[0])
    (by_input,) = torch.autograd.grad((expected * torch.from_numpy(region)).sum(), inputs)
    np.testing.assert_allclose(jax.nn.sigmoid(z), p[1].detach().numpy(), atol=1e-9)
    np.testing.assert_allclose(z, expected.detach().numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slope, by_input[0, 0].numpy(), rtol=1e-6, atol=1e-8)
    # In float32 normalisation over a few voxels amplifies rounding, in PyTorch at least as much.
    (_, single), by_single = run(params, x.astype(np.float32))
    with torch.no_grad():
        rounded = peer.float()(torch.from_numpy(x.astype(np.float32))[None, None])[0, 1].numpy()
    exact_p = p[1].detach().numpy()
    error, peer_error = (np.abs(q - exact_p).max() for q in (jax.nn.sigmoid(single), rounded))
    assert error < 2 * peer_error
    pairs = ((jax.nn.sigmoid(single), exact_p), (by_single, slope))
    assert all(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1] > 0.99999 for a, b in pairs)
