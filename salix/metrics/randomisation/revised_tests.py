"""Revised parameter randomisation tests: of averaged attributions, and by complexity."""

import jax
import jax.numpy as jnp
from jax.scipy.special import entr
from jaxtyping import Array, Float

from salix.hyperparameters import check_value, choice, integer, number
from salix.metrics.comparison import Similarity
from salix.metrics.explainer import attribute, explain_clean
from salix.metrics.randomisation.layer_order import layer_groups
from salix.metrics.randomisation.model_randomisation import SPEARMAN, compare_randomised
from salix.metrics.randomisation.parameter_randomisation import RANDOMISERS, randomise
from salix.metrics.samples import COUNT, is_attribution
from salix.precision import widen
from salix.typing import Explain, Explainer, Image, Index, PRNGKey, Scalar

SHARE = number(lambda n: n > 0, remedy="give a number above 0, in ranges of the image")
BINS = integer(2)


def smooth_mprt(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    samples: int = 50,
    noise: float = 0.1,
    order: str = "bottom_up",
    randomiser: str = "permutation",
    stages: int = 10,
    depth: int = 1,
    similarity: Similarity = SPEARMAN,
    absolute: bool = True,
    seed: int = 0,
) -> Scalar:
    r"""Model parameter randomisation test of attributions averaged over noisy images.

    `mprt` of $\frac{1}{N} \sum_i a(x + u_i)$ over `samples` $N$ draws of Gaussian $u$ with the
    standard deviation `noise` times the range of the image, the same draws for every model, so that
    the noise of single attributions does not lower their similarity. Other options, range,
    direction, NaN and errors are those of `mprt`, but layers are randomised "bottom_up". Samples
    and stages are scanned: one explanation for each sample of each stage and of the model.

    Hedstroem et al. (2023), arXiv:2401.06465, sec. 4.
    """
    check_value("samples", samples, COUNT)
    check_value("noise", noise, SHARE)
    image = jnp.asarray(image)
    clean = widen(image)
    deviation = noise * (clean.max() - clean.min())

    def average(explainer: Explainer, image: Image, target: Index) -> Float[Array, "..."]:
        def add(total: Float[Array, "..."], i: Index) -> tuple[Float[Array, "..."], None]:
            draw = jax.random.normal(jax.random.fold_in(key, i), clean.shape, clean.dtype)
            near = (clean + deviation * draw).astype(image.dtype)
            return total + attribute(explainer, near, target) / samples, None

        shape = jax.eval_shape(lambda x: attribute(explainer, x, target), image)
        return jax.lax.scan(add, jnp.zeros(shape.shape, shape.dtype), jnp.arange(samples))[0]

    return compare_randomised(
        explain, image, average, order=order, randomiser=randomiser, stages=stages, depth=depth,
        similarity=similarity, absolute=absolute, seed=seed,
    ).mean()  # fmt: skip


def efficient_mprt(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    bins: int = 100,
    randomiser: str = "permutation",
    seed: int = 0,
) -> Scalar:
    r"""Relative rise of an attribution's complexity when the model is randomised.

    $(H(a(\hat\theta)) - H(a(\theta))) / H(a(\theta))$, where every layer of $\hat\theta$ is
    randomised and $H$ is the Shannon entropy of the histogram of the attribution's entries, in
    `bins` of equal width over its range. Range [-1, infinity), higher is better: what a model has
    learnt makes its map simpler. `randomiser` and `seed` as in `mprt`; the key is not used. Both
    maps are of the class explained by the model itself.

    NaN where an attribution is zero everywhere or not finite, or $H(a(\theta))$ is 0. Two
    explanations. Raises `InputError` as `mprt`.

    Hedstroem et al. (2023), arXiv:2401.06465, sec. 4.
    """
    del key
    check_value("bins", bins, BINS)
    check_value("randomiser", randomiser, choice(RANDOMISERS))
    draw = jax.random.key(check_value("seed", seed, integer(0)))
    explainer, clean, target = explain_clean(explain, image)
    places = [place for group in layer_groups(explainer, image) for place in group]
    arrays = randomise(explainer.params, places, draw, randomiser)
    params = jax.tree.unflatten(jax.tree.structure(explainer.params), arrays)
    randomised = attribute(explainer.with_params(params), image, target)
    before, after = (_histogram_entropy(a, bins) for a in (clean, randomised))
    defined = is_attribution(clean) & is_attribution(randomised) & (before > 0)
    return jnp.where(defined, (after - before) / jnp.where(before > 0, before, 1), jnp.nan)


def _histogram_entropy(values: Float[Array, "..."], bins: int) -> Scalar:
    x = values.ravel()
    low, high = x.min(), x.max()
    width = jnp.where(high > low, high - low, 1)
    index = jnp.clip((bins * ((x - low) / width)).astype(jnp.int32), 0, bins - 1)
    share = jnp.zeros(bins, x.dtype).at[index].add(1) / x.size
    return entr(share).sum()
