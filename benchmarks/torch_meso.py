"""Meso4 in PyTorch."""

from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch_arrays import salix_arrays


class TorchMeso4(nn.Module):
    """Meso4 of 256 x 256 pixels: one output z, logits (-z/2, z/2); names of Salix.

    Afchar, Nozick, Yamagishi and Echizen (2018), arXiv:1809.00888, sec. 3.1.
    """

    def __init__(self) -> None:
        super().__init__()
        widths, self.pools = (3, 8, 8, 16, 16), (2, 2, 2, 4)
        for k, size in enumerate((3, 5, 5, 5), 1):
            i, o = widths[k - 1 : k + 1]
            self.add_module(f"conv{k}", nn.Conv2d(i, o, size, 1, size // 2))
            self.add_module(f"norm{k}", nn.BatchNorm2d(o, eps=1e-3))
        self.dense1, self.dense2 = nn.Linear(1024, 16), nn.Linear(16, 1)

    def trunk(self, x: Any) -> Any:
        for k, pool in enumerate(self.pools, 1):
            conv, norm = getattr(self, f"conv{k}"), getattr(self, f"norm{k}")
            x = functional.max_pool2d(norm(functional.relu(conv(x))), pool)
        return x

    def head(self, features: Any) -> Any:
        flat = features.permute(0, 2, 3, 1).flatten(1)  # in Keras' order
        z = self.dense2(functional.leaky_relu(self.dense1(flat), 0.1))
        return torch.cat([-z / 2, z / 2], 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.trunk(x))

    def arrays(self) -> dict[str, Any]:
        """Weights with the names and in the layouts of Salix."""
        return salix_arrays(self)
