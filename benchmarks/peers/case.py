"""What every benchmark of another library is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A task on a network, the same for everybody; `salix/bench/workloads.py` says what it is."""

    network: str  # a name of `twins.twin`
    task: str
    path: str  # its state dict
    images: np.ndarray  # [b h w c] float32, as preprocessing leaves them
    maps: np.ndarray  # [b h w] float32, of which deletion takes its order
    steps: int = 16  # of integrated gradients and of deletion
    samples: int = 16  # of SmoothGrad
    noise: float = 0.15  # of SmoothGrad, in the range of an image
    precision: str = "float32"  # or "tf32" or "bfloat16"
    device: str = "cpu"  # or "cuda"


Call = Callable[[], Any]  # runs the whole batch; returns arrays [b ...], channels last
Variants = dict[str, dict[str, Callable[[Case], Call]]]  # by task and name
