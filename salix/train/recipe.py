"""Training recipe: loss, optimiser, learning-rate schedule, batches and augmentation."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import jax
import optax

from salix.train.augment import Augment
from salix.train.losses import CYBORG, LOSSES, CrossEntropy, Loss
from salix.typing import InputError

TrainingPrecision = Literal["float32", "tf32", "bfloat16"]


def _require_positive(settings: Any, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise InputError(f"{name} is {getattr(settings, name)}: give a number above 0")


@runtime_checkable
class Optimiser(Protocol):
    """An optimiser: a frozen dataclass with a learning-rate schedule, counted in updates."""

    def schedule(self, per_epoch: int, epochs: int) -> optax.Schedule:
        """Return the learning rate of each update."""
        ...

    def transformation(self, schedule: optax.Schedule) -> optax.GradientTransformation:
        """Return the Optax transformation of gradients into updates."""
        ...


@dataclass(frozen=True)
class SGD:
    r"""Stochastic gradient descent with momentum and a step schedule of the learning rate.

    $v \leftarrow m v + g + \lambda w$, $w \leftarrow w - \eta v$, with
    $\eta = \eta_0 \gamma^{\lfloor epoch / every \rfloor}$: the rate multiplies the momentum
    buffer, and `weight_decay` $\lambda$ applies to all weights, as in PyTorch.
    """

    learning_rate: float = 0.005
    momentum: float = 0.9
    weight_decay: float = 1e-6
    gamma: float = 0.1
    every: int = 12

    def __post_init__(self):
        _require_positive(self, "learning_rate", "gamma", "every")

    def schedule(self, per_epoch: int, epochs: int) -> optax.Schedule:
        """Return the learning rate of each update."""
        del epochs
        steps = per_epoch * self.every
        return optax.exponential_decay(self.learning_rate, steps, self.gamma, staircase=True)

    def transformation(self, schedule: optax.Schedule) -> optax.GradientTransformation:
        """Return the Optax transformation of gradients into updates."""
        decay = optax.add_decayed_weights(self.weight_decay)
        return optax.chain(decay, optax.sgd(schedule, self.momentum))


@dataclass(frozen=True)
class AdamW:
    """AdamW with a linear warm-up and cosine decay to zero.

    `warmup` is a share of all updates. `weight_decay` applies to kernels and matrices, not
    to biases and the weights of normalisations.

    Loshchilov and Hutter (2019), arXiv:1711.05101; the cosine of arXiv:1608.03983, sec. 3.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05

    def __post_init__(self):
        _require_positive(self, "learning_rate")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup is {self.warmup}: give a share of the training in [0, 1)")

    def schedule(self, per_epoch: int, epochs: int) -> optax.Schedule:
        """Return the learning rate of each update."""
        total = per_epoch * epochs
        rising = int(self.warmup * total)
        if not rising:
            return optax.cosine_decay_schedule(self.learning_rate, total)
        return optax.warmup_cosine_decay_schedule(0.0, self.learning_rate, rising, total)

    def transformation(self, schedule: optax.Schedule) -> optax.GradientTransformation:
        """Return the Optax transformation of gradients into updates."""

        def matrices(params: Any) -> Any:
            return jax.tree.map(lambda a: a.ndim > 1, params)

        return optax.adamw(schedule, weight_decay=self.weight_decay, mask=matrices)


@dataclass(frozen=True)
class Recipe:
    """Settings of a training except its seed and its data.

    An update takes the mean gradient of `accumulate` batches of `batch_size` images. The remainder
    of an epoch is a smaller batch with `partial`, and is otherwise dropped. `balance` draws each
    class equally often: an epoch has the same number of images, those of rarer classes several
    times. `validation` is the share of each class that validates, if there are no validation data.
    In "bfloat16" the trunk computes with 8 bits of mantissa on float32 weights, and the head and
    the loss in float32; "tf32" allows products of 10 bits on devices that have them.
    """

    loss: Loss
    optimiser: Optimiser = AdamW()
    epochs: int = 25
    batch_size: int = 32
    accumulate: int = 1
    partial: bool = False
    augment: Augment | None = None
    balance: bool = False
    validation: float = 0.0
    precision: TrainingPrecision = "float32"

    def __post_init__(self):
        _require_positive(self, "epochs", "batch_size", "accumulate")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation is {self.validation}: give a share in [0, 1)")
        if self.precision not in (known := get_args(TrainingPrecision)):
            raise InputError(f"precision {self.precision!r}: choose one of {', '.join(known)}")

    def batches(self, images: int) -> int:
        """Return the number of batches of an epoch over that many images."""
        full, rest = divmod(images, self.batch_size)
        return full + (1 if rest and self.partial else 0)

    def schedule(self, images: int) -> optax.Schedule:
        """Return the learning rate of each update, for epochs of that many images."""
        updates = max(1, self.batches(images) // self.accumulate)
        return self.optimiser.schedule(updates, self.epochs)

    def transformation(self, images: int) -> optax.GradientTransformation:
        """Return the Optax transformation of the gradients of batches into updates."""
        rule = self.optimiser.transformation(self.schedule(images))
        if self.accumulate == 1:
            return rule
        return optax.MultiSteps(rule, self.accumulate).gradient_transformation()


# Boyd et al. (2023), WACV, arXiv:2112.00686, sec. 4: all layers of networks trained on ImageNet.
PAPER = Recipe(CYBORG(0.5), SGD(), epochs=50, batch_size=20, partial=True)

PRESETS = {
    "cyborg": PAPER,
    "cross_entropy": replace(PAPER, loss=CrossEntropy()),  # the baseline there
    "adamw": Recipe(CrossEntropy(), augment=Augment(shift=0.05, brightness=0.1, contrast=0.1)),
}

# Names allowed in the text of a recipe
RECIPES: dict[str, type[Any]] = {
    "Recipe": Recipe,
    "SGD": SGD,
    "AdamW": AdamW,
    "Augment": Augment,
    **LOSSES,
}
