"""Training of a small U-Net on phantoms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Integer

from salix.hyperparameters import check_fields, integer, number
from salix.models import UNet3D
from salix.studies.agg2exp.phantoms import CLASSES, PhantomSetting, draw_phantoms
from salix.studies.agg2exp.scans import Scan
from salix.studies.agg2exp.segmenter import Segmenter
from salix.typing import AnyArray

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")


@dataclass(frozen=True)
class UNetSetting:
    """Widths of the U-Net's levels, and steps, batch and peak rate of Adam with a cosine decay."""

    widths: tuple[int, ...] = (8, 16, 32)
    steps: int = 500
    batch: int = 2
    learning_rate: float = 4e-3

    def __post_init__(self) -> None:
        check_fields(self, steps=integer(1), batch=integer(1), learning_rate=POSITIVE)


def segmentation_loss(
    logits: Float[AnyArray, "b d h w k"], classes: Integer[AnyArray, "b d h w"]
) -> Float[Array, ""]:
    r"""Cross-entropy, averaged by class, plus one minus the mean soft Dice coefficient of classes.

    Each class has the same weight in the cross-entropy, whatever its size: with equal weights of
    voxels an organ that cannot be seen was never learned. Dice of class c is
    $2 \sum p y / (\sum p + \sum y)$ over the voxels of the batch, y its
    indicator. At least 0; lower is better.

    Isensee et al. (2021), nnU-Net, Nature Methods 18, online methods.
    """
    y = jax.nn.one_hot(classes, logits.shape[-1], dtype=logits.dtype)
    p = jax.nn.softmax(logits)
    axes = (0, 1, 2, 3)
    each = optax.softmax_cross_entropy_with_integer_labels(logits, classes)
    entropy = ((each[..., None] * y).sum(axes) / (y.sum(axes) + 1e-6)).mean()
    overlap = 2 * (p * y).sum(axes) / ((p + y).sum(axes) + 1e-6)
    return entropy + 1 - overlap.mean()


def train_network(
    phantoms: PhantomSetting,
    setting: UNetSetting,
    *,
    seed: int = 0,
    progress: Callable[[int], None] = lambda count: None,
) -> UNet3D:
    """Return a U-Net trained on new phantoms in each step, in evaluation; deterministic by seed."""
    module = UNet3D(1, len(CLASSES), setting.widths, nnx.Rngs(seed))
    graph, params = nnx.split(module)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, setting.learning_rate, setting.steps // 10, setting.steps
    )
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    memory = optimiser.init(params)

    @jax.jit
    def step(params: Any, memory: Any, x: Any, y: Any) -> Any:
        def loss(params: Any) -> Any:
            return segmentation_loss(nnx.merge(graph, params)(x), y)

        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
            value, slope = jax.value_and_grad(loss)(params)
            change, memory = optimiser.update(slope, memory, params)
            return optax.apply_updates(params, change), memory, value

    for n in range(setting.steps):
        x, y = draw_phantoms(phantoms, setting.batch, seed=[seed, n])
        params, memory, _ = step(params, memory, jnp.asarray(x), jnp.asarray(y))
        progress(1)
    return nnx.merge(graph, params)


def phantom_segmenter(module: UNet3D) -> Segmenter:
    """Return the segmenter of a network of phantoms."""
    return Segmenter.of_module(module, CLASSES, multiple=module.multiple)


def dice(
    predicted: Integer[AnyArray, "d h w"], truth: Integer[AnyArray, "d h w"], count: int
) -> Float[np.ndarray, " classes"]:
    """Return the Dice coefficient of each class, NaN for a class in neither.

    2 |P ∩ T| / (|P| + |T|), range [0, 1], higher is better.
    """
    pairs = np.bincount(
        (np.asarray(predicted) * count + truth).reshape(-1), minlength=count**2
    ).reshape(count, count)
    sizes = pairs.sum(0) + pairs.sum(1)
    return np.divide(2 * np.diag(pairs), sizes, out=np.full(count, np.nan), where=sizes > 0)


def draw_scans(setting: PhantomSetting, count: int, *, seed: int) -> list[Scan]:
    """Return phantoms to explain, none of them of the training."""
    volumes, classes = draw_phantoms(setting, count, seed=[seed, 0, 1])
    affine = np.eye(4)
    return [
        Scan(f"phantom {n + 1}", x, affine, y)
        for n, (x, y) in enumerate(zip(volumes, classes, strict=True))
    ]
