"""Change of an attribution under small noise: maximum and mean, and local Lipschitz constant."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.hyperparameters import FLAG, check_value
from salix.metrics.explainer import attribute, explain_clean
from salix.metrics.presets import choose_options
from salix.metrics.samples import is_attribution, map_samples, norm, perturb
from salix.precision import widen
from salix.typing import Explain, Image, PRNGKey, Scalar

SENSITIVITY: Mapping[str, Mapping[str, Any]] = {
    "paper": {"radius": 0.2, "samples": 50},  # of its released code
    "captum": {"radius": 0.02, "samples": 10},
    "quantus": {"radius": 0.2, "samples": 200},
}
LIPSCHITZ: Mapping[str, Mapping[str, Any]] = {
    "paper": {"radius": 0.1, "samples": 200, "noise": "uniform"},
    "quantus": {"radius": 0.1, "samples": 200, "noise": "gaussian"},
}


def max_sensitivity(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    preset: str = "paper",
    radius: float | None = None,
    samples: int | None = None,
    normalise: bool = True,
    chunk: int = 1,
) -> Scalar:
    r"""Greatest change of an attribution under noise in a box around the image.

    $\max_u \lVert a(x + u) - a(x) \rVert_2 / \lVert a(x) \rVert_2$ over `samples` draws of
    $u \in [-r, r]^n$, uniform; $r$ is the `radius` in the units of the model's input, and $a$ the
    attribution with all its channels, of the class explained at $x$. It is a lower bound of the
    maximum over the box. Range [0, infinity), lower is more robust; it has no unit. With
    `normalise=False` the change is not divided by the norm of the attribution, as in the paper's
    definition 3; its experiments divide, as all peers do.

    Presets: "paper" (radius 0.2, 50 samples, of the released code), "captum" (0.02, 10) and
    "quantus" (0.2, 200). NaN where the attribution is zero everywhere, where Captum divides by 1,
    or where it is not finite at the image or at a sample. Samples are scanned, `chunk` of them in
    one batch: one explanation each, and one of the image. Raises `InputError` for an unknown preset
    and options out of range.

    Yeh et al. (2019), arXiv:1901.09392, sec. 3.
    """
    options = choose_options("max_sensitivity", preset, SENSITIVITY, radius=radius, samples=samples)
    return _changes(explain, image, key, chunk, normalise=normalise, **options).max()


def avg_sensitivity(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    preset: str = "paper",
    radius: float | None = None,
    samples: int | None = None,
    normalise: bool = True,
    chunk: int = 1,
) -> Scalar:
    r"""Mean change of an attribution under noise in a box around the image.

    $E_u \lVert a(x + u) - a(x) \rVert_2 / \lVert a(x) \rVert_2$. Draws, presets, NaN and errors are
    those of `max_sensitivity`, whose value is never below this. Range [0, infinity), lower is more
    robust.

    Yeh et al. (2019), arXiv:1901.09392, sec. 3; Bhatt et al. (2020), arXiv:2005.00631, sec. 3.
    """
    options = choose_options("avg_sensitivity", preset, SENSITIVITY, radius=radius, samples=samples)
    return _changes(explain, image, key, chunk, normalise=normalise, **options).mean()


def local_lipschitz(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    preset: str = "paper",
    radius: float | None = None,
    samples: int | None = None,
    noise: str | None = None,
    chunk: int = 1,
) -> Scalar:
    r"""Greatest change of an attribution per change of the image, a local Lipschitz estimate.

    $\max_u \lVert a(x + u) - a(x) \rVert_2 / \lVert u \rVert_2$ over `samples` draws of $u$: a
    lower bound of the constant. Preset "paper": uniform in the box of `radius` 0.1 around the
    image, sampled where the paper searches; "quantus": Gaussian with the standard deviation 0.1.
    Both take 200 samples. Range [0, infinity), in units of the attribution per unit of the image,
    lower is more robust: maps of another scale have another constant.

    NaN where the attribution is zero everywhere, or not finite at the image or at a sample. Samples
    are scanned, `chunk` of them in one batch: one explanation each, and one of the image. Raises
    `InputError` for an unknown preset or noise and options out of range.

    Alvarez-Melis and Jaakkola (2018), arXiv:1806.08049, eq. 2.
    """
    options = choose_options(
        "local_lipschitz", preset, LIPSCHITZ, radius=radius, samples=samples, noise=noise
    )
    explainer, clean, target = explain_clean(explain, image)

    def constant(draw: PRNGKey) -> Scalar:
        near = perturb(image, draw, options["radius"], options["noise"])
        change = norm(attribute(explainer, near, target) - clean)
        return change / norm(widen(near) - widen(image))

    constants = map_samples(constant, key, options["samples"], chunk)
    return jnp.where(is_attribution(clean), constants.max(), jnp.nan)


def _changes(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    chunk: int,
    *,
    radius: float,
    samples: int,
    normalise: bool,
) -> Float[Array, " samples"]:
    check_value("normalise", normalise, FLAG)
    explainer, clean, target = explain_clean(explain, image)

    def change(draw: PRNGKey) -> Scalar:
        return norm(attribute(explainer, perturb(image, draw, radius), target) - clean)

    changes = map_samples(change, key, samples, chunk)
    divisor = jnp.where(is_attribution(clean), norm(clean), jnp.nan)
    return changes / divisor if normalise else jnp.where(divisor > 0, changes, jnp.nan)
