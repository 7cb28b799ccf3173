"""Benchmark case: the network, task and arrays that every peer library gets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class BenchmarkCase:
    """One task on one network; the tasks are those of `salix/bench/workloads.py`."""

    network: str  # a name of `torch_networks.torch_network`
    task: str
    path: str  # path of its state dict
    images: np.ndarray  # [b h w c] float32, preprocessed
    maps: np.ndarray  # [b h w] float32, the order of deletion
    steps: int = 16  # of integrated gradients and of deletion
    samples: int = 16  # of SmoothGrad
    noise: float = 0.15  # of SmoothGrad, in the range of an image
    precision: str = "float32"  # or "tf32" or "bfloat16"
    device: str = "cpu"  # or "cuda"


PeerCall = Callable[[], Any]  # runs the batch; returns arrays [b ...], channels last
PeerVariants = dict[str, dict[str, Callable[[BenchmarkCase], PeerCall]]]  # by task and name
