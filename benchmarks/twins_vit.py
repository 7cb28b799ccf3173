"""The image tower of CLIP by PyTorch's own attention, with a probe: ViT-B/16."""

from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]


class ViT(nn.Module):
    """The tower of the published size, or of another, for images of `grid * patch` pixels."""

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

    def start(self, x: Any) -> Any:
        h = self.patches(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.token.expand(len(h), 1, -1), h], 1) + self.positions
        return self.before(h)

    def think(self, block: Any, h: Any) -> Any:
        y = block["wide"](block["norm2"](h))
        return h + block["narrow"](y * torch.sigmoid(1.702 * y))

    def pass_on(self, block: Any, h: Any) -> Any:
        y = block["norm1"](h)
        return self.think(block, h + block["attention"](y, y, y, need_weights=False)[0])

    def probed(self, token: Any) -> Any:
        z = self.probe(functional.normalize(self.projection(self.after(token)), dim=-1))
        return torch.cat([-z / 2, z / 2], 1)

    def trunk(self, x: Any) -> Any:
        """What each patch gives to the class token in the last attention, [b k y x]."""
        h = self.start(x)
        for block in self.blocks[:-1]:
            h = self.pass_on(block, h)
        block = self.blocks[-1]
        attention, y = block["attention"], block["norm1"](h)
        _, weights = attention(y[:, :1], y, y, average_attn_weights=False)  # [b heads 1 n]
        of_values = (p.chunk(3)[2] for p in (attention.in_proj_weight, attention.in_proj_bias))
        values = functional.linear(y, *of_values).unflatten(-1, (self.heads, -1))
        shares = torch.einsum("bhqn,bnhd->bnhd", weights, values).flatten(2)
        given = shares @ attention.out_proj.weight.T
        rest = h[:, 0] + given[:, 0] + attention.out_proj.bias
        features = given[:, 1:] + rest[:, None] / self.grid**2
        return features.transpose(1, 2).unflatten(2, (self.grid, self.grid))

    def head(self, features: Any) -> Any:
        return self.probed(self.think(self.blocks[-1], features.sum((2, 3))))

    def forward(self, x: Any) -> Any:
        h = self.start(x)
        for block in self.blocks:
            h = self.pass_on(block, h)
        return self.probed(h[:, 0])

    def arrays(self) -> dict[str, Any]:
        """Return the weights by the names of Salix, in its layouts."""
        found: dict[str, Any] = {
            "patches.kernel": self.patches.weight.permute(2, 3, 1, 0),
            "token": self.token,
            "positions": self.positions,
            "projection.kernel": self.projection.weight.T,
            "probe.kernel": self.probe.weight.T,
            "probe.bias": self.probe.bias,
        }
        norms, linear = {"before": self.before, "after": self.after}, {}
        for at, block in enumerate(self.blocks):
            norms |= {f"blocks.{at}.{n}": block[n] for n in ("norm1", "norm2")}
            for name in ("wide", "narrow"):
                linear[f"blocks.{at}.{name}"] = (block[name].weight, block[name].bias)
            attention = block["attention"]
            parts = (p.chunk(3) for p in (attention.in_proj_weight, attention.in_proj_bias))
            for name, *part in zip(("query", "key", "value"), *parts, strict=True):
                linear[f"blocks.{at}.attention.{name}"] = part
            out = attention.out_proj
            linear[f"blocks.{at}.attention.out"] = (out.weight, out.bias)
        for name, norm in norms.items():
            found |= {f"{name}.scale": norm.weight, f"{name}.bias": norm.bias}
        for name, (weight, bias) in linear.items():
            found |= {f"{name}.kernel": weight.T, f"{name}.bias": bias}
        return {name: np.asarray(value.detach(), np.float32) for name, value in found.items()}
