"""Convolutions of volumes in JAX and in PyTorch, as calls that a worker serves."""

import os
import resource
from dataclasses import dataclass
from typing import Any

import numpy as np
from serving import PreparedCall

STEPS = 4  # of a loop


@dataclass(frozen=True)
class VolumeConvolution:
    """Shapes of one convolution: space of the volume, channels, kernel and stride."""

    space: tuple[int, int, int]
    inputs: int
    outputs: int
    size: tuple[int, int, int] = (3, 3, 3)
    stride: int = 1

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Random volumes, a kernel and a gradient with respect to the result."""
        rng = np.random.default_rng(0)
        result = tuple(n // self.stride for n in self.space)
        shapes = (
            (1, *self.space, self.inputs),
            (*self.size, self.inputs, self.outputs),
            (1, *result, self.outputs),
        )
        x, kernel, g = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
        return x, kernel, g

    def padding(self) -> tuple[int, int, int]:
        """Pixels of zeros on either side of depth, height and width."""
        depth, height, width = (n // 2 for n in self.size)
        return depth, height, width


def jax_call(variant: str, shape: VolumeConvolution, task: str) -> PreparedCall:
    import jax
    import jax.numpy as jnp
    from jax import lax

    from salix.nn.conv import conv, conv_form
    from salix.nn.conv3d import conv3d
    from salix.precision import precision

    stride = shape.stride
    x, kernel, g = map(jnp.asarray, shape.arrays())
    depth, height, width = ((n, n) for n in shape.padding())

    def taps(x: Any, kernel: Any) -> Any:
        padded = jnp.pad(x, ((0, 0), depth, (0, 0), (0, 0), (0, 0)))
        total, length = jnp.zeros(g.shape), (g.shape[1] - 1) * stride + 1
        for i, tap in enumerate(kernel):
            planes = padded[:, i : i + length : stride].reshape(-1, *x.shape[2:])
            total += conv(planes, tap, strides=(stride, stride), padding=(height, width)).reshape(
                g.shape
            )
        return total

    def volume(x: Any, kernel: Any) -> Any:
        return conv3d(x, kernel, strides=(stride, stride, stride), padding=(depth, height, width))

    function = taps if variant == "taps" else volume

    def once(x: Any, kernel: Any, g: Any) -> Any:
        if "forward" in task:
            return function(x, kernel)
        return jax.vjp(lambda x: function(x, kernel), x)[1](g)[0]

    def run(x: Any, kernel: Any, g: Any) -> Any:
        if "loop" not in task:
            return once(x, kernel, g)
        zeros = jnp.zeros((g if "forward" in task else x).shape)
        factors = jnp.arange(1.0, STEPS + 1)

        def step(total: Any, factor: Any) -> Any:
            return total + once(x * factor, kernel, g * factor), None

        return lax.scan(step, zeros, factors)[0]

    form = "xla" if variant == "xla" else "explicit"
    with conv_form(form), precision("bfloat16_dots" if "dots" in variant else "float32"):
        compiled = jax.jit(run).lower(x, kernel, g).compile()
    memory = compiled.memory_analysis()
    assert memory
    facts = {"MiB": memory.temp_size_in_bytes / 2**20}
    return lambda: compiled(x, kernel, g), jax.block_until_ready, facts


def torch_call(variant: str, shape: VolumeConvolution, task: str) -> PreparedCall:
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn import functional, grad  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    x, kernel, g = map(torch.from_numpy, shape.arrays())
    x, kernel, g = x.movedim(-1, 1), kernel.permute(4, 3, 0, 1, 2), g.movedim(-1, 1)
    layout = torch.channels_last_3d if "last" in variant else torch.contiguous_format
    x, kernel, g = (a.contiguous(memory_format=layout) for a in (x, kernel, g))
    options = {"stride": shape.stride, "padding": shape.padding()}

    def once(x: Any, g: Any) -> Any:
        if "forward" in task:
            return functional.conv3d(x, kernel, **options)
        return grad.conv3d_input(x.shape, kernel, g, **options)

    def run() -> Any:
        with torch.inference_mode():
            if "loop" not in task:
                return once(x, g).movedim(1, -1)
            total = torch.zeros_like(g if "forward" in task else x)
            for step in range(1, STEPS + 1):
                total += once(x * step, g * step)
            return total.movedim(1, -1)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return run, lambda result: result, {"MiB": growth / 2**10}
