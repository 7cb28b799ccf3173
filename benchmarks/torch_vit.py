"""CLIP's image tower (ViT-B/16) with a linear probe, by PyTorch's attention."""
# The types of PyTorch, where it is installed, are wider than the values here.
# pyright: reportIndexIssue=false

from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]


class TorchViT(nn.Module):
    """Image tower and probe for images of `grid * patch` pixels; the published size by default."""

    def __init__(
        self,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        grid: int = 14,
        patch: int = 16,
        embedding: int = 512,
    ) -> None:
        super().__init__()
        self.heads, self.grid = heads, grid
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.token = nn.Parameter(torch.randn(width) / width**0.5)
        self.positions = nn.Parameter(0.3 * torch.randn(1 + grid**2, width))
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(width),
                    "attention": nn.MultiheadAttention(width, heads, batch_first=True),
                    "norm2": nn.LayerNorm(width),
                    "wide": nn.Linear(width, 4 * width),
                    "narrow": nn.Linear(4 * width, width),
                }
            )
            for _ in range(depth)
        )
        self.projection = nn.Linear(width, embedding, bias=False)
        self.probe = nn.Linear(embedding, 1)

    def embed(self, x: Any) -> Any:
        h = self.patches(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.token.expand(len(h), 1, -1), h], 1) + self.positions
        return self.before(h)

    def mlp(self, block: Any, h: Any) -> Any:
        y = block["wide"](block["norm2"](h))
        return h + block["narrow"](y * torch.sigmoid(1.702 * y))

    def block(self, block: Any, h: Any) -> Any:
        y = block["norm1"](h)
        return self.mlp(block, h + block["attention"](y, y, y, need_weights=False)[0])

    def classify(self, token: Any) -> Any:
        z = self.probe(functional.normalize(self.projection(self.after(token)), dim=-1))
        return torch.cat([-z / 2, z / 2], 1)

    def trunk(self, x: Any) -> Any:
        """Contribution of each patch to the class token in the last attention, [b k y x]."""
        h = self.embed(x)
        for block in self.blocks[:-1]:
            h = self.block(block, h)
        block = self.blocks[-1]
        attention, y = block["attention"], block["norm1"](h)
        _, weights = attention(y[:, :1], y, y, average_attn_weights=False)  # [b heads 1 n]
        value_parameters = (
            p.chunk(3)[2] for p in (attention.in_proj_weight, attention.in_proj_bias)
        )
        values = functional.linear(y, *value_parameters).unflatten(-1, (self.heads, -1))
        shares = torch.einsum("bhqn,bnhd->bnhd", weights, values).flatten(2)
        contributions = shares @ attention.out_proj.weight.T
        rest = h[:, 0] + contributions[:, 0] + attention.out_proj.bias
        features = contributions[:, 1:] + rest[:, None] / self.grid**2
        return features.transpose(1, 2).unflatten(2, (self.grid, self.grid))

    def head(self, features: Any) -> Any:
        return self.classify(self.mlp(self.blocks[-1], features.sum((2, 3))))

    def forward(self, x: Any) -> Any:
        h = self.embed(x)
        for block in self.blocks:
            h = self.block(block, h)
        return self.classify(h[:, 0])

    def arrays(self) -> dict[str, Any]:
        """Weights with the names and in the layouts of Salix."""
        arrays: dict[str, Any] = {
            "patches.kernel": self.patches.weight.permute(2, 3, 1, 0),
            "token": self.token,
            "positions": self.positions,
            "projection.kernel": self.projection.weight.T,
            "probe.kernel": self.probe.weight.T,
            "probe.bias": self.probe.bias,
        }
        norms, linear = {"before": self.before, "after": self.after}, {}
        for k, block in enumerate(self.blocks):
            norms |= {f"blocks.{k}.{n}": block[n] for n in ("norm1", "norm2")}
            for name in ("wide", "narrow"):
                linear[f"blocks.{k}.{name}"] = (block[name].weight, block[name].bias)
            attention = block["attention"]
            parts = (p.chunk(3) for p in (attention.in_proj_weight, attention.in_proj_bias))
            for name, *part in zip(("query", "key", "value"), *parts, strict=True):
                linear[f"blocks.{k}.attention.{name}"] = part
            out = attention.out_proj
            linear[f"blocks.{k}.attention.out"] = (out.weight, out.bias)
        for name, norm in norms.items():
            arrays |= {f"{name}.scale": norm.weight, f"{name}.bias": norm.bias}
        for name, (weight, bias) in linear.items():
            arrays |= {f"{name}.kernel": weight.T, f"{name}.bias": bias}
        return {name: np.asarray(value.detach(), np.float32) for name, value in arrays.items()}
