"""Layers whose form and precision suit the device, in ways that models need not know.

Functions of the modules `conv`, `conv3d`, `linear` and `attention` are imported from these.
"""

from salix.nn.conv import conv_form
from salix.nn.folding import fold
from salix.nn.fusion import relu
from salix.nn.layers import Conv, batch_norm, flax_conv, round_kernels
from salix.nn.linear import Linear
from salix.nn.pool import avg_pool, max_pool
from salix.nn.staged import Stage, StagedNetwork, sequence

__all__ = [
    "Conv",
    "Linear",
    "Stage",
    "StagedNetwork",
    "avg_pool",
    "batch_norm",
    "conv_form",
    "flax_conv",
    "fold",
    "max_pool",
    "relu",
    "round_kernels",
    "sequence",
]
