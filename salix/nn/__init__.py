"""Layers and their kernels: convolution, pooling, linear and attention, in any precision."""
