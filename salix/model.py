"""A classifier as two pure functions, and the scores of its logits that a map can explain."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Num

from salix.typing import (
    AnyArray,
    Features,
    Image,
    Index,
    Logits,
    Params,
    Pixels,
    Scalar,
    Score,
    identity,
)

__all__ = [
    "SCORES",
    "Model",
    "Preprocess",
    "from_function",
    "from_linen",
    "from_nnx",
    "logit",
    "margin",
    "probability",
]

Target = int | Index | None
Tapped = Num[AnyArray, "*cells k"]  # on a grid that may differ from the features'


def _pick(target: Target, logits: Logits) -> Index:
    """Index of the explained class; None means the predicted one."""
    return jnp.argmax(logits) if target is None else jnp.asarray(target)


@dataclass(frozen=True)
class logit:  # noqa: N801 - scores read as functions of the logits
    r"""Logit of one class, $z_t$: unbounded, without the competition of the other classes.

    `target` is the index of the class; None explains the predicted class.
    """

    target: Target = None

    def __call__(self, logits: Logits) -> Scalar:
        return jnp.asarray(logits)[_pick(self.target, logits)]


@dataclass(frozen=True)
class probability:  # noqa: N801
    r"""Softmax probability of one class, $e^{z_t} / \sum_j e^{z_j}$, in [0, 1].

    `target` is the index of the class; None explains the predicted class.
    """

    target: Target = None

    def __call__(self, logits: Logits) -> Scalar:
        return jax.nn.softmax(logits)[_pick(self.target, logits)]


@dataclass(frozen=True)
class margin:  # noqa: N801
    r"""Lead of one class over its strongest rival, $z_t - \max_{j \ne t} z_j$, in logits.

    With two classes it is $z_t - z_{1-t}$, the only thing that a softmax sees (Wang et al., 2025,
    arXiv:2506.08514). `target` is the index of the class; None explains the predicted class.
    """

    target: Target = None

    def __call__(self, logits: Logits) -> Scalar:
        logits, t = jnp.asarray(logits), _pick(self.target, logits)
        rivals = jnp.where(jnp.arange(logits.shape[0]) == t, -jnp.inf, logits)
        return logits[t] - rivals.max()


SCORES = {"logit": logit, "probability": probability, "margin": margin}
ScoreOf = Callable[[Logits], Scalar]


def fix(score_of: Any, target: Index) -> ScoreOf:
    """Return `score_of` with its predicted class replaced by the index `target`."""
    return replace(score_of, target=target) if score_of.target is None else score_of


@dataclass(frozen=True)
class Preprocess:
    r"""From the 8-bit pixels of a file to what a model takes: $(x / 255 - \mu) / \sigma$.

    `size` is (height, width); `channels` 3 (RGB) or 1 (grey, ITU-R 601 weights). `fit` "stretch"
    ignores the aspect ratio, "crop" keeps it and cuts the centre. Files are resized on the host
    before they reach the device; pixels of another size given here are resized on the device.
    """

    size: tuple[int, int] = (224, 224)
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    fit: Literal["stretch", "crop"] = "stretch"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __call__(self, pixels: Pixels) -> Float[Array, "height width channels"]:
        x = jnp.asarray(pixels).astype(jnp.float32)
        if x.shape[-1] == 3 and self.channels == 1:
            x = (x @ jnp.array([0.299, 0.587, 0.114], jnp.float32))[..., None]
        if x.shape[:-1] != self.size:
            method = "linear" if self.interpolation == "bilinear" else "cubic"
            x = jax.image.resize(x, (*self.size, x.shape[-1]), method, antialias=True)
        mean = jnp.array(self.mean, jnp.float32).reshape(1, 1, -1)
        std = jnp.array(self.std, jnp.float32).reshape(1, 1, -1)
        return (x / 255 - mean) / std


def as_logits(z: Any) -> Logits:
    """Return the outputs of a head as logits: one output z becomes (-z/2, z/2)."""
    return jnp.concatenate([-z / 2, z / 2]) if z.shape == (1,) else z


@dataclass(frozen=True)
class Model:
    """A classifier of images, cut into a trunk and a head that are pure functions.

    `trunk(params, image)` gives features `[*grid k]`, `head(params, features)` logits. A head with
    one output z is a binary classifier: its logits are (-z/2, z/2), so that `probability(1)` is
    sigmoid(z). Parameters are always an argument: one compiled program serves all checkpoints.

    `tap(params, image)` gives, in one pass, the features and those of which training takes the CAM,
    where these are others; on a grid of any size, with as many channels.
    """

    trunk: Callable[[Params, Any], Any]
    head: Callable[[Params, Any], Any]
    preprocess: Preprocess = Preprocess()
    classes: tuple[str, ...] = ("real", "fake")
    name: str = "model"
    tap: Callable[[Params, Any], tuple[Any, Any]] | None = None

    def features(self, params: Params, image: Image) -> Features:
        """Return the features of one preprocessed image, on the trunk's grid."""
        return self.trunk(params, image)

    def tapped(self, params: Params, image: Image) -> tuple[Features, Tapped]:
        """Return the features and those that are tapped: the features again without a `tap`."""
        if self.tap is not None:
            return self.tap(params, image)
        features = self.trunk(params, image)
        return features, features

    def classify(self, params: Params, features: Features) -> Logits:
        """Return the logits that the head gives to features."""
        return as_logits(self.head(params, features))

    def logits(self, params: Params, image: Image) -> Logits:
        """Return the logits of one preprocessed image."""
        return self.classify(params, self.trunk(params, image))

    def score(self, params: Params, of: ScoreOf) -> Score:
        """Return the score `of` the logits, as a function of the image, cut at the trunk."""
        return Score(
            head=lambda features: of(self.classify(params, features)),
            trunk=lambda image: self.trunk(params, image),
        )


def from_function(
    apply: Callable[[Params, Any], Any],
    trunk: Callable[[Params, Any], Any] | None = None,
    **about: Any,
) -> Model:
    """Make a `Model` of a pure function `apply(params, image) -> logits`, one image at a time.

    With `trunk` given, `apply` is the head and takes `trunk(params, image)`. `about` holds
    `preprocess`, `classes` and `name`.
    """
    return Model(trunk or (lambda _, image: identity(image)), apply, **about)


def from_nnx(module: nnx.Module, **about: Any) -> tuple[Model, Params]:
    """Make a `Model` and its parameters of a Flax nnx module that takes a batch.

    The module is used as it is in evaluation, and is not changed. Methods `trunk` and `head` give
    the cut; a module without them is all head. Beside them a method `tap` may give features and
    tapped features. `about`: `preprocess`, `classes`, `name`.
    """
    frozen = nnx.clone(module)
    frozen.eval()
    graph, params, rest = nnx.split(frozen, nnx.Any(nnx.Param, nnx.BatchStat), ...)

    def call(name: str | None) -> Callable[[Params, Any], Any]:
        def function(params: Params, x: Any) -> Any:
            built: Any = nnx.merge(graph, params, rest)
            out = (getattr(built, name) if name else built)(x[None])
            return jax.tree.map(lambda batch: batch[0], out)

        return function

    return _cut(module, call, about), params


def from_linen(module: Any, **about: Any) -> Model:
    """Make a `Model` of a Flax linen module that takes a batch; its parameters are the variables.

    Methods `trunk` and `head` give the cut; a module without them is all head. Beside them a
    method `tap` may give features and tapped features. The module is applied as it is, so build it
    for evaluation (for example `use_running_average=True`). `about`: `preprocess`, `classes`,
    `name`.
    """

    def call(name: str | None) -> Callable[[Params, Any], Any]:
        def function(variables: Params, x: Any) -> Any:
            out = module.apply(variables, x[None], method=name)
            return jax.tree.map(lambda batch: batch[0], out)

        return function

    return _cut(module, call, about)


def _cut(module: Any, call: Callable[[str | None], Any], about: dict[str, Any]) -> Model:
    """Make a `Model` of the methods that a module has, each called by its name."""
    if not (hasattr(module, "trunk") and hasattr(module, "head")):
        return Model(lambda _, image: identity(image), call(None), **about)
    tap = call("tap") if hasattr(module, "tap") else None
    return Model(call("trunk"), call("head"), tap=tap, **about)
