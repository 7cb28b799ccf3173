"""Change of an attribution while the image moves, pixel by pixel."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.hyperparameters import check_value, number
from salix.metrics.explainer import attribute, explain_clean
from salix.metrics.samples import COUNT, is_attribution, norm
from salix.precision import widen
from salix.typing import Explain, Image, InputError, PRNGKey, Scalar

LEVEL = number()


def continuity(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    steps: int = 28,
    stride: int = 1,
    black: float = 0.0,
) -> Scalar:
    r"""Greatest change of an attribution per change of an image that moves to the right.

    $\max_t \lVert a(x_t) - a(x_{t-1}) \rVert_1 / \lVert x_t - x_{t-1} \rVert_2$, where $x_0$ is the
    image and $x_t$ is $x_{t-1}$ moved by `stride` pixels along the last spatial axis, for `steps`
    moves; pixels that nothing moves to have the value `black`, in units of the model's input. All
    attributions are of the class explained at $x_0$. Range [0, infinity), in units of the
    attribution per unit of the image, lower is more continuous.

    Moves that change no pixel are left out. NaN where none changes any, where the attribution is
    zero everywhere, and where one is not finite. Moves are scanned: one explanation each, and one
    of the image. The key is not used. Raises `InputError` for a stride that leaves no pixel.

    Montavon, Samek and Mueller (2018), arXiv:1706.07979, sec. 7.1, on pairs of successive images.
    """
    del key
    check_value("steps", steps, COUNT)
    check_value("stride", stride, COUNT)
    check_value("black", black, LEVEL)
    image = jnp.asarray(image)
    if stride >= image.shape[-2]:
        raise InputError(
            f"stride is {stride}, and the image is {image.shape[-2]} pixels wide: give less"
        )
    explainer, clean, target = explain_clean(explain, image)

    def move(
        last: tuple[Image, Float[Array, "..."]], _: None
    ) -> tuple[tuple[Image, Float[Array, "..."]], tuple[Scalar, Scalar]]:
        before, attribution = last
        edge = jnp.full_like(before[..., :stride, :], black)
        after = jnp.concatenate([edge, before[..., :-stride, :]], axis=-2)
        moved = attribute(explainer, after, target)
        changes = norm(moved - attribution, 1), norm(widen(after) - widen(before))
        return (after, moved), changes

    _, (attributions, images) = jax.lax.scan(move, (image, clean), None, length=steps)
    changed = images > 0
    ratios = jnp.where(changed, attributions / jnp.where(changed, images, 1), -jnp.inf)
    return jnp.where(changed.any() & is_attribution(clean), ratios.max(), jnp.nan)
