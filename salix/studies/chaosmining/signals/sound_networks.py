"""Small classifiers of sounds of many channels, of the families of the release."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.transformer import EncoderBlock
from salix.models.transformer_config import TransformerConfig
from salix.nn import Conv
from salix.studies.chaosmining.signals.data import CLASSES
from salix.studies.chaosmining.signals.sounds import CHANNELS, SAMPLES
from salix.typing import AnyArray

WIDTH = 60  # as in the release
STRIDE = 16
STEPS = SAMPLES // STRIDE
Sounds = Float[AnyArray, "b 10 time 1"]


class SoundFrames(nnx.Module):
    """A convolution over time, of all channels, and ReLU: frames [b 64 60] with stride 16."""

    def __init__(self, rngs: nnx.Rngs, stride: int = STRIDE):
        self.conv = Conv(CHANNELS, WIDTH, (1, 2 * stride), (1, stride), bias=True, rngs=rngs)

    def __call__(self, x: Sounds) -> Float[Array, "b n 60"]:
        """Return the frames of sounds."""
        return jax.nn.relu(self.conv(jnp.asarray(x).transpose(0, 3, 2, 1)))[:, 0]


class SoundRNN(nnx.Module):
    """Frames, a recurrent layer from zeros, and a linear layer of its mean state."""

    def __init__(self, rngs: nnx.Rngs):
        self.frames = SoundFrames(rngs)
        self.rnn = nnx.RNN(nnx.SimpleCell(WIDTH, WIDTH, rngs=rngs))
        self.fc = nnx.Linear(WIDTH, CLASSES, rngs=rngs)

    def __call__(self, x: Sounds) -> Float[Array, "b 10"]:
        """Return the logits of sounds."""
        return self.fc(jnp.asarray(self.rnn(self.frames(x))).mean(1))


class SoundLSTM(nnx.Module):
    """Frames with stride 64, a long short-term memory from zeros, a linear layer of its mean state.

    16 steps, for DeepLIFT compiles each step of its gates by itself. Hochreiter and Schmidhuber
    (1997), Neural Computation 9(8), with forget gates.
    """

    def __init__(self, rngs: nnx.Rngs):
        self.frames = SoundFrames(rngs, stride=4 * STRIDE)
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(WIDTH, WIDTH, rngs=rngs))
        self.fc = nnx.Linear(WIDTH, CLASSES, rngs=rngs)

    def __call__(self, x: Sounds) -> Float[Array, "b 10"]:
        """Return the logits of sounds."""
        return self.fc(jnp.asarray(self.rnn(self.frames(x))).mean(1))


class SoundTCN(nnx.Module):
    """Frames, two dilated convolutions over time around which inputs pass, a linear layer.

    A temporal convolutional network: Bai, Kolter and Koltun (2018), arXiv:1803.01271, sec. 3.
    """

    def __init__(self, rngs: nnx.Rngs):
        self.frames = SoundFrames(rngs)
        dilated = [nnx.Conv(WIDTH, WIDTH, (3,), kernel_dilation=d, rngs=rngs) for d in (1, 2)]
        self.convolutions = nnx.List(dilated)
        self.fc = nnx.Linear(WIDTH, CLASSES, rngs=rngs)

    def __call__(self, x: Sounds) -> Float[Array, "b 10"]:
        """Return the logits of sounds."""
        h = self.frames(x)
        for convolution in self.convolutions:
            h = jax.nn.relu(h + convolution(h))
        return self.fc(h.mean(1))


class SoundTransformer(nnx.Module):
    """Frames with learned positions, two blocks of attention, a linear layer of their mean."""

    def __init__(self, rngs: nnx.Rngs):
        config = TransformerConfig(width=WIDTH, heads=4, hidden=2 * WIDTH)
        self.frames = SoundFrames(rngs)
        draw = nnx.initializers.normal(0.02)
        self.positions = nnx.Param(draw(rngs.params(), (STEPS, WIDTH), np.float32))
        self.blocks = nnx.List([EncoderBlock(config, rngs=rngs) for _ in range(2)])
        self.fc = nnx.Linear(WIDTH, CLASSES, rngs=rngs)

    def __call__(self, x: Sounds) -> Float[Array, "b 10"]:
        """Return the logits of sounds."""
        h = self.frames(x) + self.positions[...][None]
        for block in self.blocks:
            h = block(h)
        return self.fc(h.mean(1))


NETWORKS = {
    "RNN": SoundRNN,
    "LSTM": SoundLSTM,
    "TCN": SoundTCN,
    "transformer": SoundTransformer,
}
