"""CRNN: convolutions, a bidirectional LSTM and CTC, a recogniser of words."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import WeightTable, conv, dense, same
from salix.models.checkpoints.naming import batch_norm as norm_names
from salix.models.recurrent import BiLSTM, recurrent_names
from salix.nn import Conv, batch_norm, max_pool
from salix.typing import AnyArray


class CRNN(nnx.Module):
    """CRNN: six convolutions, a bidirectional LSTM of 256 and a linear layer.

    Grey images [b 32 w 1] in [-1, 1]; features [b 1 w/4 512], one column a frame; logits
    [b w/4 classes], the first class is the blank of CTC. 4,804,930 weights for 66 classes.

    Shi, Bai and Yao (2017), arXiv:1507.05717, table 1, narrower.
    """

    def __init__(self, classes: int, rngs: nnx.Rngs):
        self.conv1 = Conv(1, 64, 3, bias=True, rngs=rngs)
        self.conv2 = Conv(64, 128, 3, bias=True, rngs=rngs)
        self.conv3 = Conv(128, 256, 3, bias=True, rngs=rngs)
        self.norm3 = batch_norm(256, rngs=rngs)
        self.conv4 = Conv(256, 256, 3, bias=True, rngs=rngs)
        self.conv5 = Conv(256, 512, 3, bias=True, rngs=rngs)
        self.norm5 = batch_norm(512, rngs=rngs)
        self.conv6 = Conv(512, 512, 2, 1, 0, bias=True, rngs=rngs)
        self.norm6 = batch_norm(512, rngs=rngs)
        self.rnn = BiLSTM(512, 256, rngs=rngs)
        self.head = nnx.Linear(512, classes, rngs=rngs)

    def features(self, x: Float[AnyArray, "b 32 w 1"]) -> Float[Array, "b 1 t 512"]:
        """Return the features of the convolutions."""
        relu = jax.nn.relu
        h = max_pool(relu(self.conv1(x)), 2, 2)
        h = max_pool(relu(self.conv2(h)), 2, 2)
        h = relu(self.norm3(self.conv3(h)))
        h = _pool_rows(relu(self.conv4(h)))
        h = _pool_rows(relu(self.norm5(self.conv5(h))))
        return relu(self.norm6(self.conv6(h)))

    def classify(self, features: Float[AnyArray, "b 1 t 512"]) -> Float[Array, "b t classes"]:
        """Return the logits of each frame."""
        return self.head(self.rnn(features[:, 0]))

    def __call__(self, x: Float[AnyArray, "b 32 w 1"]) -> Float[Array, "b t classes"]:
        """Return the logits of each frame of images."""
        return self.classify(self.features(x))


def _pool_rows(x: Float[Array, "b h w c"]) -> Float[Array, "b y x c"]:
    """Maximum of windows 2x2 with strides (2, 1): half the rows, and one column more.

    Columns are padded by one on each side, so that w columns become w + 1.
    """
    b, h, w, c = x.shape
    rows = x.reshape(b, h // 2, 2, w, c).max(2)
    return jnp.maximum(
        jnp.pad(rows, ((0, 0), (0, 0), (1, 0), (0, 0)), constant_values=-jnp.inf),
        jnp.pad(rows, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=-jnp.inf),
    )


_CONVS = {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 9, "conv5": 12, "conv6": 16}
_NORMS = {"norm3": 7, "norm5": 13, "norm6": 17}
# nano_ocr_ftr.pth of nano-ocr 0.1.0
TORCH: WeightTable = {
    **{f"{ours}.kernel": (f"cnn.{i}.weight", conv) for ours, i in _CONVS.items()},
    **{f"{ours}.bias": (f"cnn.{i}.bias", same) for ours, i in _CONVS.items()},
    **{k: v for ours, i in _NORMS.items() for k, v in norm_names(ours, f"cnn.{i}").items()},
    **recurrent_names("rnn", "rnn"),
    "head.kernel": ("fc.weight", dense),
    "head.bias": ("fc.bias", same),
}
