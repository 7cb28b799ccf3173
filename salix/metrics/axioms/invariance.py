"""Invariance of an attribution: to a shift of the input, and to how the model is written."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.hyperparameters import check_value, choice, number
from salix.metrics.explainer import attribute, explain_clean
from salix.metrics.samples import is_attribution, norm
from salix.typing import Explain, Image, PRNGKey, Scalar

SHIFT = number(lambda n: n != 0, remedy="give a number other than 0, in the image's units")
REWRITINGS = ("relu", "permutation")


def input_invariance(
    explain: Explain, image: Image, key: PRNGKey, *, shift: float = -1.0
) -> Scalar:
    r"""Relative change of an attribution when image and model are shifted alike.

    $\lVert a'(x + s) - a(x) \rVert_2 / \lVert a(x) \rVert_2$, where $a'$ is the attribution of the
    model $f'(x) = f(x - s)$, whose outputs are the same, as if its first bias had absorbed the
    constant `shift` $s$, in units of the model's input. Range [0, infinity), lower is better: 0 for
    an invariant method, as gradients are. Methods that compare with a fixed baseline, or multiply
    by the input, are not.

    NaN where the attribution is zero everywhere or not finite. Two explanations, of the class
    explained at $x$; the key is not used. Raises `InputError` for explanations without a model.

    Kindermans et al. (2019), arXiv:1711.00867, sec. 2.
    """
    del key
    check_value("shift", shift, SHIFT)
    explainer, clean, target = explain_clean(explain, image)
    moved = jnp.asarray(image) + jnp.asarray(shift, jnp.asarray(image).dtype)
    shifted = explainer.through(lambda x: x - jnp.asarray(shift, x.dtype))
    return _relative_change(clean, attribute(shifted, moved, target))


def implementation_invariance(
    explain: Explain, image: Image, key: PRNGKey, *, rewriting: str = "relu"
) -> Scalar:
    r"""Relative change of an attribution when the model is written in another way.

    $\lVert a'(x) - a(x) \rVert_2 / \lVert a(x) \rVert_2$, where $a'$ is the attribution of a model
    of the same outputs for every input, up to rounding. `rewriting` "relu" computes the pixels as
    $\mathrm{relu}(x - c) - \mathrm{relu}(c - x) + c$ with $c$ in the middle of the image's range
    (a pixel of exactly that value is a kink); "permutation" moves them to other places and back.
    Range [0, infinity), lower is better: 0 for a method of the function alone, as gradients are;
    rules that treat layers of one kind differently are not.

    NaN where the attribution is zero everywhere or not finite. Two explanations, of the same class;
    the key is not used. Raises `InputError` for explanations without a model and an unknown
    `rewriting`.

    Sundararajan, Taly and Yan (2017), arXiv:1703.01365, sec. 2.2.
    """
    del key
    check_value("rewriting", rewriting, choice(REWRITINGS))
    explainer, clean, target = explain_clean(explain, image)
    x = jnp.asarray(image)
    middle = jax.lax.stop_gradient((x.min() + x.max()) / 2)

    def split(x: Array) -> Array:
        centred = x - middle
        return jax.nn.relu(centred) - jax.nn.relu(-centred) + middle

    def permute(x: Array) -> Array:
        order = np.random.default_rng(0).permutation(x.size)
        return x.ravel()[order][np.argsort(order)].reshape(x.shape)

    rewritten = explainer.through(split if rewriting == "relu" else permute)
    return _relative_change(clean, attribute(rewritten, image, target))


def _relative_change(clean: Float[Array, "..."], other: Float[Array, "..."]) -> Scalar:
    defined = is_attribution(clean)
    return jnp.where(defined, norm(other - clean) / jnp.where(defined, norm(clean), 1), jnp.nan)
